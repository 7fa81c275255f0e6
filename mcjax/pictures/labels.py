"""Give the texts beside arrows their places, so that they cover neither each other nor boxes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mcjax.pictures.layers import SMALL_LETTER

TALL, APART = 12.0, 6.0
"""Height of a text, and distance between two in a line, in pixels."""

Point = tuple[float, float]


class Area(NamedTuple):
    """A rectangle, by its middle and its size."""

    x: float
    y: float
    width: float
    height: float

    def common(self, other: Area) -> float:
        """Return the size of what two rectangles have in common."""
        across = (self.width + other.width) / 2 - abs(self.x - other.x)
        down = (self.height + other.height) / 2 - abs(self.y - other.y)
        return (
            min(across, self.width, other.width)
            * min(down, self.height, other.height)
            * (across > 0 and down > 0)
        )


def area_of(text: str, middle: Point) -> Area:
    """Return the rectangle that a text takes."""
    return Area(*middle, len(text) * SMALL_LETTER + APART, TALL)


def place_texts(texts: Sequence[tuple[str, Sequence[Point]]], taken: Iterable[Area]) -> list[Point]:
    """Return the middle of each text.

    Parameters
    ----------
    texts : sequence of (str, sequence of (float, float))
        Texts, and the middles that each may have, the best first.
    taken : iterable of Area
        What no text should cover.
    """
    areas, found = list(taken), {}
    # those that have no choice come first
    for k in sorted(range(len(texts)), key=lambda k: min(len(texts[k][1]), 2)):
        text, middles = texts[k]
        covered = [sum(area_of(text, middle).common(area) for area in areas) for middle in middles]
        found[k] = middles[covered.index(min(covered))]
        if text:
            areas.append(area_of(text, found[k]))
    return [found[k] for k in range(len(texts))]
