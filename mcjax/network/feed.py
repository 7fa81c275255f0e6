"""A feed: samples from one origin to one reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

REAL = "real"
"""The name of the real source: data from the true distribution."""


@dataclass(frozen=True)
class Feed:
    """``samples`` observations from ``origin`` to ``reader`` in one generation.

    ``weight`` multiplies the reader's loss on each of these observations.
    """

    origin: str
    reader: str
    samples: int
    weight: float = 1.0


def by_reader(models: Sequence[str], feeds: Iterable[Feed]) -> tuple[tuple[Feed, ...], ...]:
    """Return the feeds of each model, in the order of ``models``."""
    table: dict[str, list[Feed]] = {name: [] for name in models}
    for feed in feeds:
        table[feed.reader].append(feed)
    return tuple(tuple(read) for read in table.values())
