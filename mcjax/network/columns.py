"""The feeds of one generation as arrays, for networks of very many feeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcjax.network.feed import Feed

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, eq=False)
class FeedColumns:
    """Feeds of whole samples, one entry for each.

    Attributes
    ----------
    names : tuple of str
        What origins and readers are positions of.
    origin, reader : ndarray of int, shape (F,)
        Positions in ``names``.
    samples : ndarray of int, shape (F,)
        Number of observations of each feed.
    weight : ndarray, shape (F,)
        Weight of each observation.
    """

    names: tuple[str, ...]
    origin: Int[np.ndarray, " F"]
    reader: Int[np.ndarray, " F"]
    samples: Int[np.ndarray, " F"]
    weight: Float[np.ndarray, " F"]

    def __len__(self) -> int:
        return len(self.origin)

    @classmethod
    def of(cls, feeds: Sequence[Feed], places: dict[str, int]) -> FeedColumns:
        """Return feeds as arrays, whose names have these places; selections are left out."""
        origins = (places[feed.origin] for feed in feeds)
        readers = (places[feed.reader] for feed in feeds)
        return cls(
            tuple(places),
            np.fromiter(origins, np.int64, len(feeds)),
            np.fromiter(readers, np.int64, len(feeds)),
            np.fromiter((feed.samples for feed in feeds), np.int64, len(feeds)),
            np.fromiter((feed.weight for feed in feeds), float, len(feeds)),
        )

    def feeds(self) -> tuple[Feed, ...]:
        """Return the feeds as objects."""
        names = self.names
        rows = zip(
            self.origin.tolist(),
            self.reader.tolist(),
            self.samples.tolist(),
            self.weight.tolist(),
            strict=True,
        )
        return tuple(Feed(names[j], names[i], count, weight) for j, i, count, weight in rows)

    @property
    def edge(self) -> Int[np.ndarray, " F"]:
        """One number for each feed, the same for feeds of one origin and reader."""
        numbers: np.ndarray = self.reader * len(self.names) + self.origin
        return numbers

    def added_up(self) -> FeedColumns | None:
        """Return the feeds with those of one origin and reader added up, in order of appearance.

        The result is None if some of these have different weights, or add up to too many samples.
        """
        _, first, place = np.unique(self.edge, return_index=True, return_inverse=True)
        if len(first) == len(self):
            return self
        if (self.weight != self.weight[first][place]).any():
            return None
        total = np.zeros(len(first))
        np.add.at(total, place, self.samples)
        if total.max() >= 2**62:
            return None
        samples = np.zeros(len(first), np.int64)
        np.add.at(samples, place, self.samples)
        order = np.argsort(first)
        kept = first[order]
        return FeedColumns(
            self.names,
            self.origin[kept],
            self.reader[kept],
            samples=samples[order],
            weight=self.weight[kept],
        )

    def into(self, size: int) -> Bool[np.ndarray, " M"]:
        """Return which of the first ``size`` names read something."""
        result = np.zeros(size, bool)
        result[self.reader] = True
        return result

    def rows(self, size: int) -> Float[np.ndarray, " M"]:
        """Return how many samples each of the first ``size`` names reads, maybe over 64 bits."""
        return np.bincount(self.reader, self.samples, size)
