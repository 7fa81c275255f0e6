"""Sketch a scene in letters, for a terminal: a tree along the data flow."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from mcjax.pictures.scene import Arrow, Box, Fate, Part, Scene
from mcjax.text import shown

FATES: dict[Fate, str] = {
    "collapses": "collapses",
    "stable": "stable",
    "unknown": "not known",
    "real": "",
    "unnamed": "data of unknown origin",
}
BEGINS = "collapse begins here"
ARROW, NEW_ARROW, CURE = "-->", "~~>", "cure: a new feed"
"""Arrows of feeds that are there and of those that are not, and a word on these."""


def sketch_of(scene: Scene) -> Iterator[str]:
    """Yield the lines of a tree in which every box is once, below one that feeds it.

    What else a box reads is said in its line.
    """
    parents = _parents(scene)
    below: dict[int | None, list[int]] = {}
    for k, parent in parents.items():
        below.setdefault(None if parent is None else parent.origin, []).append(k)
    waiting = [(k, 0) for k in reversed(below.get(None, []))]
    while waiting:
        k, depth = waiting.pop()
        yield "    " * depth + _line(scene, k, parents[k])
        waiting += ((reader, depth + 1) for reader in reversed(below.get(k, [])))


def _parents(scene: Scene) -> dict[int, Arrow | None]:
    """Return the arrow by which each box is reached first, from real data or where failures begin.

    Folded models, which come last, reach nothing.
    """
    on_path = {arrow.reader for arrow in scene.arrows if arrow.part is Part.PATH}
    leaving: dict[int, list[Arrow]] = {}
    for arrow in sorted(scene.arrows, key=lambda arrow: -arrow.part):
        doomed = arrow.part is Part.REAL and arrow.reader in on_path  # its path says more
        if not doomed and not scene.boxes[arrow.origin].rest:
            leaving.setdefault(arrow.origin, []).append(arrow)
    order = sorted(range(len(scene.boxes)), key=lambda k: _turn(scene.boxes[k]))
    parents: dict[int, Arrow | None] = {}
    for start in order:
        parents.setdefault(start, None)
        queue = deque([start])
        while queue:
            for arrow in leaving.get(queue.popleft(), ()):
                if arrow.reader not in parents:
                    parents[arrow.reader] = arrow
                    queue.append(arrow.reader)
    return parents


def _turn(box: Box) -> int:
    """Return when a box may be a root: sources first, and then where failures begin."""
    return 3 if box.rest else 0 if not box.models else 1 if box.begins else 2


def _line(scene: Scene, k: int, parent: Arrow | None) -> str:
    box = scene.boxes[k]
    begin = "" if parent is None else f"{NEW_ARROW if parent.part is Part.CURE else ARROW} "
    others = [arrow for arrow in scene.arrows if arrow.reader == k and arrow is not parent]
    reads = ["itself"] if box.loop is not None else []
    reads += (shown(scene.boxes[a.origin].name) for a in others if a.part is not Part.CURE)
    cured = [shown(scene.boxes[a.origin].name) for a in others if a.part is Part.CURE]
    about = "; ".join(
        filter(
            None,
            (
                BEGINS if box.begins else FATES[box.fate],
                box.note,
                f"reads {', '.join(reads)}" if reads else "",
                CURE if parent is not None and parent.part is Part.CURE else "",
                f"cure: a new feed from {', '.join(cured)}" if cured else "",
            ),
        )
    )
    name = f"({shown(box.name)})" if box.folded else f"[{shown(box.name)}]"
    return f"{begin}{name}  {about}".rstrip()
