"""Give the boxes of a drawing their places: in rows, each below those that feed it.

Real data are in the first row, folded models in the last one, and a strong component is in one row,
which is broken where it is too long. Arrows over several rows get a free place in each of the rows
between (Sugiyama, Tagawa & Toda 1981).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import networkx
import numpy as np
from scipy.optimize import isotonic_regression

from mcjax.pictures.scene import Box, Scene

if TYPE_CHECKING:
    from jaxtyping import Float

LETTER, SMALL_LETTER = 7.4, 5.9
"""Widths of a letter of a name and of a note, in pixels."""
HEIGHT, BETWEEN, GAP = 40.0, 46.0, 22.0
"""Height of a box, and the distances between rows and between boxes, in pixels."""
NARROWEST, PADDING, MARGIN = 56.0, 16.0, 10.0
FREE = -8.0
"""Width of the place of an arrow in a row; less than nothing, as it needs less than a whole gap."""
SWEEPS = 4
"""Number of times that boxes move towards those that they read or feed."""
LONGEST = 22
"""Largest number of letters of a name in a box."""
LOOP = 22.0
"""Width of an arrow from a box to itself."""
LOW, LOWER = 26.0, 40.0
"""Depth of the points that draw an arrow between boxes of one row below it, to the right and to the
left."""
ROOM = 8.0
"""Room beside the text of an arrow to the next box."""


@dataclass(frozen=True)
class Places:
    """Positions of boxes and arrows, in pixels from the left and from the top.

    Attributes
    ----------
    width, height : float
        The size of the drawing.
    rows : tuple of int
        The row of each box.
    x, y : ndarray
        The middle of each box.
    widths : ndarray
        The width of each box.
    between : dict of (int, int) to tuple of (float, float)
        For each arrow over several rows, by its boxes, the points that it passes, in its direction.
    """

    width: float
    height: float
    rows: tuple[int, ...]
    x: Float[np.ndarray, " boxes"]
    y: Float[np.ndarray, " boxes"]
    widths: Float[np.ndarray, " boxes"]
    between: dict[tuple[int, int], tuple[tuple[float, float], ...]]


def shortened(name: str) -> str:
    """Return a name that fits a box; the middle of a long one is left out."""
    if len(name) <= LONGEST:
        return name
    half = LONGEST // 2
    return f"{name[: half - 1]}…{name[half - LONGEST :]}"


def places_of(scene: Scene, most: float) -> Places:
    """Return places for the boxes of a scene in rows about as wide as ``most`` pixels."""
    widths = np.array([_width(box) for box in scene.boxes])
    whole = widths + 2 * np.array([_beside(box) for box in scene.boxes])
    gap = _gap(scene, _rows(scene, whole, most))
    rows = _rows(scene, whole + gap - GAP, most)
    row_of = {k: r for r, row in enumerate(rows) for k in row}
    # an arrow over several rows is a chain of places, numbered on from the boxes
    items = [list(row) for row in rows]
    size = [float(w) + 2 * _beside(b) for w, b in zip(widths, scene.boxes, strict=True)]
    chains: dict[tuple[int, int], list[int]] = {}
    for arrow in scene.arrows:
        low, high = sorted((row_of[arrow.origin], row_of[arrow.reader]))
        chain = []
        for r in range(low + 1, high):
            chain.append(len(size))
            size.append(FREE)
            items[r].append(chain[-1])
        down = row_of[arrow.origin] <= row_of[arrow.reader]
        chains[arrow.origin, arrow.reader] = chain if down else chain[::-1]
    neighbours: list[list[int]] = [[] for _ in size]
    for (origin, reader), chain in chains.items():
        for a, b in pairwise((origin, *chain, reader)):
            neighbours[a].append(b)
            neighbours[b].append(a)
    x = _across(items, np.array(size), neighbours, gap)
    x += MARGIN - min(x[k] - size[k] / 2 for k in range(len(size)))
    width = max(x[k] + size[k] / 2 for k in range(len(size))) + MARGIN
    heights = MARGIN + HEIGHT / 2 + np.arange(len(rows)) * (HEIGHT + BETWEEN)
    level = {k: float(heights[r]) for r, row in enumerate(items) for k in row}
    last = len(rows) - 1
    below = any(row_of[a.origin] == row_of[a.reader] == last for a in scene.arrows)
    count = len(scene.boxes)
    return Places(
        width=float(width),
        height=float(heights[-1] + HEIGHT / 2 + MARGIN + LOWER * below),
        rows=tuple(row_of[k] for k in range(count)),
        x=x[:count],
        y=np.array([level[k] for k in range(count)]),
        widths=widths,
        between={
            edge: tuple((float(x[k]), level[k]) for k in chain) for edge, chain in chains.items()
        },
    )


def _width(box: Box) -> float:
    name, note = len(shortened(box.name)) * LETTER, len(box.note) * SMALL_LETTER
    return max(NARROWEST, max(name, note) + PADDING)


def _gap(scene: Scene, rows: list[list[int]]) -> float:
    """Return the distance between the boxes of a row, in which texts of level arrows must fit."""
    row_of = {k: r for r, row in enumerate(rows) for k in row}
    level = (arrow for arrow in scene.arrows if row_of[arrow.origin] == row_of[arrow.reader])
    longest = max((len(arrow.text) for arrow in level), default=0)
    return max(GAP, longest * SMALL_LETTER + ROOM)


def _beside(box: Box) -> float:
    """Return the width of what is beside a box."""
    return 0.0 if box.loop is None else LOOP + len(box.loop) * SMALL_LETTER


def _rows(scene: Scene, widths: np.ndarray, most: float) -> list[list[int]]:
    """Return the boxes of each row, from the left."""
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(scene.boxes)))
    rest = {k for k, box in enumerate(scene.boxes) if box.rest}
    ends = ((arrow.origin, arrow.reader) for arrow in scene.arrows)
    graph.add_edges_from(edge for edge in ends if rest.isdisjoint(edge))
    parts = networkx.condensation(graph)
    sources = {k for k, box in enumerate(scene.boxes) if not box.models}
    rank: dict[int, int] = {}
    for part in networkx.topological_sort(parts):
        if sources.issuperset(parts.nodes[part]["members"]):
            rank[part] = 0
        else:
            rank[part] = 1 + max((rank[before] for before in parts.predecessors(part)), default=0)
    last = max(rank.values()) + 1
    rank.update((parts.graph["mapping"][k], last) for k in rest)
    position: dict[int, float] = {}
    rows = []
    for level in sorted(set(rank.values())):
        found = []
        for part in (part for part, own in rank.items() if own == level):
            members = _in_order(graph, sorted(parts.nodes[part]["members"]))
            before = [position[j] for k in members for j in graph.predecessors(k) if j in position]
            found.append((float(np.mean(before)) if before else 0.5, members))
        order = [k for _, members in sorted(found) for k in members]
        for place, k in enumerate(order):
            position[k] = (place + 0.5) / len(order)
        rows += _broken(order, widths, most)
    return rows


def _in_order(graph: networkx.DiGraph, members: list[int]) -> list[int]:
    """Return the boxes of a component as they follow one another along the data flow."""
    inside = graph.subgraph(members)
    return list(networkx.dfs_preorder_nodes(inside, members[0], sort_neighbors=sorted))


def _broken(order: Sequence[int], widths: np.ndarray, most: float) -> list[list[int]]:
    """Return the boxes of a level in rows that are no wider than ``most``, and about as wide."""
    total = sum(widths[k] + GAP for k in order)
    target = total / max(1, np.ceil(total / (most - 2 * MARGIN)))
    rows: list[list[int]] = [[]]
    taken = 0.0
    for k in order:
        own = widths[k] + GAP
        if rows[-1] and (taken + own > most - 2 * MARGIN or taken + own / 2 > target):
            rows.append([])
            taken = 0.0
        rows[-1].append(k)
        taken += own
    return rows


def _across(
    items: list[list[int]], size: np.ndarray, neighbours: list[list[int]], gap: float
) -> np.ndarray:
    """Return how far from the left each item is: near its neighbours, without an overlap."""
    x = np.zeros(len(size))
    for row in items:
        steps = np.cumsum([size[k] + gap for k in row])
        x[row] = steps - size[row] / 2 - steps[-1] / 2
    for sweep in range(SWEEPS):
        for row in items if sweep % 2 == 0 else items[::-1]:
            wanted = np.array([np.mean(x[neighbours[k]]) if neighbours[k] else x[k] for k in row])
            free = [i for i, k in enumerate(row) if size[k] == FREE]
            fixed = [i for i, k in enumerate(row) if size[k] != FREE]
            at = {i: x[row[i]] for i in fixed} | {i: wanted[i] for i in free}
            order = sorted(at, key=at.__getitem__)
            row[:] = [row[i] for i in order]
            half = size[row] / 2
            apart = np.concatenate([[0.0], np.cumsum(half[1:] + half[:-1] + gap)])
            x[row] = isotonic_regression(wanted[order] - apart).x + apart
    return x
