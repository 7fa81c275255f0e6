"""Order new feeds that bring collapse by how soon their harm shows, and how many models it reaches.

A new feed j -> i is taken to have as many rows as i reads; a frozen reader gets as many as it began
with. Of a collapsed j the error of i then grows by

    S_i = h^2 S_j    a generation, with    h = w / (1 - (1 - w) W_ii) ,

where w is the share of the new rows and S_j the slope of j. Lineages that come back to i through
others are left out, so that S_i is a little too small. A frozen model that is fed by what it feeds
loses its estimate, and its error grows by the variance of one fit a generation, as in a ring. The
*pace* of a feed is S_i over the first error of i. The first feeds in this order are looked at
closely: the models that collapse with them are counted, and in small networks the generations until
the error of i doubles are those of the network with the feed. Feeds of one pace are ordered by the
number of models that collapse, and then as the network is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.diagnosis.cures import Edge, only_anchors
from mcjax.laws.collapse.components import DataFlow
from mcjax.network.feed import Feed
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from scipy.sparse import csr_array

MOST_TOLD, MOST_LOOKED_AT = 12, 24
"""Largest numbers of feeds that are reported and that are examined closely."""
NEVER = float("inf")


class Danger(NamedTuple):
    """A new feed that makes stable models collapse.

    Attributes
    ----------
    origin, reader : str
        Its ends.
    harmed : int
        How many stable models collapse with it.
    doubles : int or None
        Generations until the error of the reader is twice the first one; None if not known.
    """

    origin: str
    reader: str
    harmed: int
    doubles: int | None

    @property
    def edge(self) -> Edge:
        """The ends of the feed."""
        return self.origin, self.reader


class Pairs(NamedTuple):
    """New feeds, by the positions of their ends."""

    origin: Int[np.ndarray, " F"]
    reader: Int[np.ndarray, " F"]


def pairs_of(net: Network, edges: tuple[Edge, ...]) -> Pairs:
    """Return the positions of the ends of new feeds."""
    found = np.array([(net.index[j], net.index[str(i)]) for j, i in edges], int).reshape(-1, 2)
    return Pairs(found[:, 0], found[:, 1])


def fastest_pairs(
    net: Network, collapsed: Bool[np.ndarray, " M"], slopes: Float[np.ndarray, " M"]
) -> Pairs:
    """Return, for each stable model, the new feeds that can harm it soonest.

    That is a feed from the collapsed model of the largest slope, and of a frozen model also those
    that close a loop without an anchor. Others bring collapse as well, but later.
    """
    origins, readers = only_anchors(net)
    if collapsed.any():
        stable = np.flatnonzero(~collapsed)
        worst = int(np.argmax(np.where(collapsed, np.nan_to_num(slopes, nan=np.inf), -np.inf)))
        still = ~collapsed[origins]
        origins = np.append(np.full(len(stable), worst), origins[still])
        readers = np.append(stable, readers[still])
    return Pairs(origins, readers)


def dangers(
    net: Network,
    flow: DataFlow,
    pairs: Pairs,
    *,
    collapsed: Bool[np.ndarray, " M"],
    slopes: Float[np.ndarray, " M"],
    shares: csr_array,
    doubling: Callable[[Feed], int | None],
) -> tuple[Danger, ...]:
    """Return the most harmful of some new feeds, the worst first.

    Parameters
    ----------
    net : Network
        The network of the generation that stays.
    flow : DataFlow
        Its data flow.
    pairs : Pairs
        The feeds, each of which makes its reader collapse.
    collapsed : ndarray of bool, shape (M,)
        The models that collapse without them.
    slopes : ndarray, shape (M,)
        The slopes of their errors, or bounds of these.
    shares : sparse array, shape (M, M)
        W.
    doubling : callable
        Returns when the error of the reader of a new feed doubles; None if that is not known.
    """
    new = new_rows(net)
    pace = _paces(net, pairs, new, collapsed=collapsed, slopes=slopes, shares=shares)
    fed = np.diff(flow.readers.starts)[pairs.reader]
    first = np.lexsort((pairs.reader, pairs.origin, -fed, -pace))[:MOST_LOOKED_AT]
    harmed: dict[int, int] = {}
    found = []
    for k in first.tolist():
        j, i = int(pairs.origin[k]), int(pairs.reader[k])
        if i not in harmed:
            harmed[i] = int((flow.readers.reached([i]) & ~collapsed).sum())
        ends = net.models[j], net.models[i]
        danger = Danger(*ends, harmed[i], doubling(Feed(*ends, int(new[i]))))
        when = NEVER if danger.doubles is None else danger.doubles
        found.append(((when, -pace[k], -harmed[i], j, i), danger))
    return tuple(danger for _, danger in sorted(found)[:MOST_TOLD])


def new_rows(net: Network) -> Int[np.ndarray, " M"]:
    """Return how many rows of a new feed each model is taken to read."""
    rows = net.columns.rows(net.size)
    result: np.ndarray = np.where(rows > 0, rows, np.array(net.initial))
    return result


def _paces(
    net: Network,
    pairs: Pairs,
    new: Int[np.ndarray, " M"],
    *,
    collapsed: Bool[np.ndarray, " M"],
    slopes: Float[np.ndarray, " M"],
    shares: csr_array,
) -> Float[np.ndarray, " F"]:
    """Return the slopes of the readers with the feeds, over their first errors."""
    feeds, (origin, reader) = net.columns, pairs
    mass = np.bincount(feeds.reader, feeds.weight * feeds.samples, minlength=net.size)
    share = new / (mass + new)
    passed = share / (1 - (1 - share) * np.where(mass > 0, shares.diagonal(), 0.0))
    read = passed[reader] ** 2 * np.nan_to_num(slopes[origin], nan=np.inf)
    grown = np.where(collapsed[origin], read, 1 / new[reader])
    result: np.ndarray = grown * np.array(net.initial, float)[reader]
    return result
