"""Draw a scene as SVG, in colours for light and dark screens, without scripts or fonts of its own.

Collapse is also told by full boxes and by a second line, not by colour alone.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from mcjax.pictures.labels import Area, Point, place_texts
from mcjax.pictures.layers import (
    HEIGHT,
    LOW,
    LOWER,
    MARGIN,
    SMALL_LETTER,
    Places,
    places_of,
    shortened,
)
from mcjax.pictures.scene import Arrow, Box, Fate, Part, Scene
from mcjax.text import shown

CSS = """
.net{--ink:#1f2328;--paper:#fff;--line:#6e7781;--bad:#b3470a;--fill:#fde3d0;--good:#0060a0;
--real:#00734f;--soft:#57606a;max-width:100%;height:auto;background:var(--paper);
font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){.net{--ink:#e6e6e6;--paper:#181818;--line:#8b949e;--bad:#ff9d5c;
--fill:#4d2812;--good:#6cb6ff;--real:#4cc9a0;--soft:#a8b1ba}}
.net text{fill:var(--ink);font-size:13px;text-anchor:middle}
.net text.note{font-size:11px;fill:var(--soft)}
.net text.count{font-size:11px;fill:var(--soft);paint-order:stroke;stroke:var(--paper);
stroke-width:4px}
.net rect{fill:var(--paper);stroke:var(--good);stroke-width:1.5}
.net .collapses rect{fill:var(--fill);stroke:var(--bad)}.net .begins rect{stroke-width:3.5}
.net .real rect{stroke:var(--real)}.net .unknown rect,.net .unnamed rect{stroke:var(--line);
stroke-dasharray:2 3}
.net path{fill:none;stroke:var(--line);stroke-width:1.3}.net polygon{fill:var(--line)}
.net .feed-folded{opacity:.45}
.net .feed-real path{stroke:var(--real)}.net .feed-real polygon{fill:var(--real)}
.net .feed-path path{stroke:var(--bad);stroke-width:1.8}.net .feed-path polygon{fill:var(--bad)}
.net .feed-closed path{stroke:var(--bad);stroke-width:3}.net .feed-closed polygon{fill:var(--bad)}
.net .feed-cure path{stroke:var(--real);stroke-width:2.2;stroke-dasharray:7 5}
.net .feed-cure polygon{fill:var(--real)}
"""
MEANINGS: dict[str, str] = {
    "collapses": "collapses",
    "stable": "stable",
    "unknown": "not known",
    "real": "real data",
    "unnamed": "unknown origin",
}
EXPLAINED: dict[Part, str] = {
    Part.REAL: "real feed",
    Part.PLAIN: "feed between models",
    Part.FOLDED: "of folded models",
    Part.PATH: "path of collapse",
    Part.CLOSED: "where it begins",
    Part.CURE: "cure: a new feed",
}
NARROW, WIDE = 340.0, 1040.0
"""Widths of drawings for phones and for other screens, in pixels."""
HEAD = 7.0
"""Length of the head of an arrow."""
REACH = 0.7
"""Share of the side of a box where arrows end."""
APART = (0.62, 0.38)
"""Shares of arrows at which the texts of neighbours are."""
SHARES = (0.5, 0.38, 0.62, 0.28, 0.72)
"""Shares at which a text may be instead."""
KEY, KEY_WIDTH = 22.0, 160.0
"""Height of a line of the key, and width of an entry."""

Curve = tuple[Point, Point, Point, Point]


def svg_of(scene: Scene, most: float) -> str:
    """Return a scene as an SVG element about ``most`` pixels wide."""
    places = places_of(scene, most)
    width = max(places.width, min(most, 2 * (KEY_WIDTH + MARGIN)))
    key, height = _key(scene, width, places.height)
    shift = (width - places.width) / 2
    title = html.escape(shown(scene.title))
    drawn = "".join((*_arrows(scene, places), *_boxes(scene, places)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="net" role="img" aria-label="{title}"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">\n'
        f"<title>{title}</title>\n<style>{CSS}</style>\n"
        f'<g transform="translate({shift:.1f},0)">\n{drawn}</g>\n{key}</svg>\n'
    )


def _boxes(scene: Scene, places: Places) -> list[str]:
    return [
        _box(box, places.x[k], places.y[k], places.widths[k]) for k, box in enumerate(scene.boxes)
    ]


def _box(box: Box, x: float, y: float, width: float) -> str:
    left, top = x - width / 2, y - HEIGHT / 2
    corner = 2 if not box.models else 10
    shape = f'width="{width:.1f}" height="{HEIGHT}" rx="{corner}"'
    behind = ""
    if box.folded:
        behind = f'<rect x="{left + 5:.1f}" y="{top + 5:.1f}" {shape}/>'
    name = html.escape(shortened(shown(box.name)))
    whole = html.escape(shown(", ".join(filter(None, (box.name, box.note)))))
    label = f'<text x="{x:.1f}" y="{y + (5 if not box.note else -3):.1f}">{name}</text>'
    if box.note:
        label += f'<text class="note" x="{x:.1f}" y="{y + 13:.1f}">{html.escape(box.note)}</text>'
    begins = " begins" if box.begins else ""
    return (
        f'<g class="{box.fate}{begins}"><title>{whole}</title>{behind}'
        f'<rect x="{left:.1f}" y="{top:.1f}" {shape}/>{label}</g>\n'
    )


class _Line(NamedTuple):
    """An arrow that is drawn, with the places that the middle of its text may have."""

    shape: str
    part: Part
    text: str
    middles: Sequence[Point]


def _arrows(scene: Scene, places: Places) -> list[str]:
    """Return the arrows, those of the most important parts last, so that they are on top."""
    ends = _ends(scene, places)
    order = sorted(scene.arrows, key=lambda arrow: arrow.part)
    lines = [
        _beside(arrow, places)
        if _adjacent(arrow, scene, places)
        else _line(arrow, *ends[arrow.origin, arrow.reader], places)
        for arrow in order
    ]
    for k, box in enumerate(scene.boxes):
        if box.loop is not None:
            part = Part.CLOSED if box.begins else Part.PLAIN
            lines.append(_loop(places.x[k] + places.widths[k] / 2, places.y[k], part, box.loop))
    columns = (places.x.tolist(), places.y.tolist(), places.widths.tolist())
    boxes = [Area(x, y, width, HEIGHT) for x, y, width in zip(*columns, strict=True)]
    middles = place_texts([(line.text, line.middles) for line in lines], boxes)
    return [
        f'<g class="{_class(line.part)}">{line.shape}{_count(middle, line.text)}</g>\n'
        for line, middle in zip(lines, middles, strict=True)
    ]


def _ends(scene: Scene, places: Places) -> dict[tuple[int, int], tuple[Point, Point, float]]:
    """Return where each arrow leaves its origin and meets its reader, and where its text is.

    The arrows at one side of a box are apart, in the order of where they lead, and so are the texts
    of those next to each other; they are at this share of the last piece of an arrow.
    """
    sides: dict[tuple[int, int], list[tuple[float, int, int, bool]]] = {}
    for arrow in scene.arrows:
        origin, reader = arrow.origin, arrow.reader
        down = places.rows[reader] - places.rows[origin]
        chain = places.between[origin, reader]
        for box, other, leaves in ((origin, reader, True), (reader, origin, False)):
            side = 1 if down == 0 or (down > 0) == leaves else -1
            near = chain[0 if leaves else -1][0] if chain else places.x[other]
            sides.setdefault((box, side), []).append((float(near), origin, reader, leaves))
    found: dict[tuple[int, int, bool], Point] = {}
    shares: dict[tuple[int, int], float] = {}
    for (box, side), arrows in sides.items():
        reach = REACH * places.widths[box]
        for k, (_, origin, reader, leaves) in enumerate(sorted(arrows)):
            x = places.x[box] + reach * ((k + 0.5) / len(arrows) - 0.5)
            found[origin, reader, leaves] = float(x), float(places.y[box] + side * HEIGHT / 2)
            if not leaves:
                shares[origin, reader] = APART[k % 2]
    return {
        edge: (found[*edge, True], found[*edge, False], share) for edge, share in shares.items()
    }


def _line(arrow: Arrow, start: Point, end: Point, share: float, places: Places) -> _Line:
    """Return an arrow, which leaves and meets boxes vertically."""
    up = places.rows[arrow.reader] < places.rows[arrow.origin]
    level = places.rows[arrow.reader] == places.rows[arrow.origin]
    sign = -1.0 if up or level else 1.0  # the direction of the head
    neck = end[0], end[1] - sign * HEAD
    points = (start, *places.between[arrow.origin, arrow.reader], neck)
    pieces = [_piece(*ends) for ends in pairwise(points)]
    if level:
        low = start[1] + (LOW if start[0] < end[0] else LOWER)
        pieces = [(start, (start[0], low), (end[0], low), neck)]
    path = f"M{_text(start)}" + "".join(f" C{' '.join(map(_text, p[1:]))}" for p in pieces)
    x, y = end
    tip = f"{x:.1f},{y:.1f} {x - 4:.1f},{y - sign * HEAD:.1f} {x + 4:.1f},{y - sign * HEAD:.1f}"
    shares = (0.5, *SHARES) if level else (share, *SHARES)
    middles = [_on_curve(piece, t) for piece in pieces[::-1] for t in shares]
    shape = f'<path d="{path}"/><polygon points="{tip}"/>'
    return _Line(shape, arrow.part, arrow.text, middles)


def _piece(start: Point, end: Point) -> Curve:
    """Return a piece of an arrow, which is vertical at its ends."""
    half = (start[1] + end[1]) / 2
    return start, (start[0], half), (end[0], half), end


def _on_curve(curve: Curve, t: float) -> Point:
    """Return the point at a share t of a cubic Bezier curve."""
    s = 1 - t
    weights = (s**3, 3 * s**2 * t, 3 * s * t**2, t**3)
    x, y = (sum(w * p[k] for w, p in zip(weights, curve, strict=True)) for k in (0, 1))
    return x, y


def _text(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


def _adjacent(arrow: Arrow, scene: Scene, places: Places) -> bool:
    """Return whether nothing is between two boxes of one row."""
    a, b = arrow.origin, arrow.reader
    if places.rows[a] != places.rows[b]:
        return False
    left, right = sorted((a, b), key=lambda k: places.x[k])
    row = places.rows[a]
    points = [places.x[k] for k, own in enumerate(places.rows) if own == row and k not in (a, b)]
    points += (x for chain in places.between.values() for x, y in chain if y == places.y[a])
    free = not any(places.x[left] < x < places.x[right] for x in points)
    return free and scene.boxes[left].loop is None


def _beside(arrow: Arrow, places: Places) -> _Line:
    """Return a level arrow to the next box; those in opposite directions are apart."""
    a, b = arrow.origin, arrow.reader
    sign = 1.0 if places.x[b] > places.x[a] else -1.0
    start = places.x[a] + sign * places.widths[a] / 2
    end = places.x[b] - sign * places.widths[b] / 2
    y = places.y[a] - sign * 7
    neck = end - sign * HEAD
    tip = f"{end:.1f},{y:.1f} {neck:.1f},{y - 4:.1f} {neck:.1f},{y + 4:.1f}"
    shape = f'<path d="M{start:.1f},{y:.1f} H{neck:.1f}"/><polygon points="{tip}"/>'
    return _Line(shape, arrow.part, arrow.text, [((start + end) / 2, y - sign * 9)])


def _loop(x: float, y: float, part: Part, text: str) -> _Line:
    """Return an arrow from a box to itself, at its right side."""
    path = f"M{x:.1f},{y - 8:.1f} c20,-6 20,22 {HEAD:.1f},16"
    tip = f"{x:.1f},{y + 8:.1f} {x + HEAD:.1f},{y + 4:.1f} {x + HEAD:.1f},{y + 12:.1f}"
    middle = x + 20 + len(text) * SMALL_LETTER / 2, y
    shape = f'<path d="{path}"/><polygon points="{tip}"/>'
    return _Line(shape, part, text, [middle])


def _class(part: Part) -> str:
    return f"feed-{part.name.lower()}"


def _count(at: Point, text: str) -> str:
    if not text:
        return ""
    place = f'x="{at[0]:.1f}" y="{at[1] + 4:.1f}"'
    return f'<text class="count" {place}>{html.escape(text)}</text>'


def _key(scene: Scene, width: float, top: float) -> tuple[str, float]:
    """Return an explanation of what is in a scene, below it, and the height of both."""
    fates: Sequence[Fate] = [box.fate for box in scene.boxes]
    parts = {arrow.part for arrow in scene.arrows}
    loops = [box for box in scene.boxes if box.loop is not None]
    parts |= {Part.CLOSED for box in loops if box.begins}
    parts |= {Part.PLAIN for box in loops if not box.begins}
    entries = [
        (f'<g class="{fate}"><rect x="0" y="-10" width="26" height="14" rx="4"/></g>', meaning)
        for fate, meaning in MEANINGS.items()
        if fate in fates
    ]
    head = '<path d="M0,-3 h20"/><polygon points="27,-3 20,-7 20,1"/>'
    entries += [
        (f'<g class="{_class(part)}">{head}</g>', meaning)
        for part, meaning in EXPLAINED.items()
        if part in parts
    ]
    columns = max(1, int((width - 2 * MARGIN) // KEY_WIDTH))
    lines = ""
    for k, (sign, meaning) in enumerate(entries):
        x, y = MARGIN + k % columns * KEY_WIDTH, top + KEY * (1 + k // columns)
        lines += (
            f'<g transform="translate({x:.1f},{y:.1f})">{sign}'
            f'<text class="note" x="34" y="1" style="text-anchor:start">{meaning}</text></g>\n'
        )
    return lines, top + KEY * (0.5 + -(-len(entries) // columns)) + MARGIN
