"""Absorption of classes, exactly.

Where every model reads one origin alone, the count of a class among the n rows of a fit is binomial
given its share among the rows of the parent, x out of n': a Wright-Fisher chain (Ewens,
"Mathematical Population Genetics", 2004) with the transition probabilities ``Bin(n, x / n')``. The
distribution of the count of each class is carried from fit to fit along the line of descent,
exactly. Richness is the sum over classes of the chances that they are left. Several parents make a
binomial of a mixture, whose distribution depends on all their counts together.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.stats import binom

from mcjax.laws.generative.gaussian_deviations import several_parents
from mcjax.laws.law import Reason
from mcjax.network.feed import REAL
from mcjax.network.network import Network

LARGEST = 1024
"""Rows of a fit up to which transition matrices are built."""


def too_large(net: Network) -> Reason | None:
    """Return why a network has no exact chain, or None: several parents, or very many rows."""
    reason = several_parents(net)
    if reason is not None:
        return reason
    fed = [sum(feed.samples for feed in feeds) for feeds in net.feeds_by_reader]
    if max(*net.initial, *fed) > LARGEST:
        return Reason(f"a fit has more than {LARGEST} rows, too many for the exact chain")
    return None


def wright_fisher(
    net: Network, shares: Float[np.ndarray, " K"], generations: int
) -> dict[str, Float[np.ndarray, "T+1 M"]]:
    """Return the mean number of classes left, and the chance that the rarest is gone.

    The models of the network read one origin each, and ``shares`` are the true probabilities of the
    K classes. The results are named ``richness`` and ``rarest_extinct``.
    """
    fed = [sum(feed.samples for feed in feeds) for feeds in net.feeds_by_reader]

    def first(rows: int) -> np.ndarray:
        return binom.pmf(np.arange(rows + 1), rows, shares[:, None])

    counts = [first(rows) for rows in net.initial]  # distribution for each class, (K, n + 1)
    gone = [[law[:, 0] for law in counts]]
    for _ in range(generations):
        before = list(counts)
        for i, feeds in enumerate(net.feeds_by_reader):
            if not feeds or (feeds[0].origin == REAL and net.reuses_real):
                continue
            if feeds[0].origin == REAL:
                counts[i] = first(fed[i])
            else:
                parent = before[net.index[feeds[0].origin]]
                counts[i] = parent @ _transition(parent.shape[1] - 1, fed[i])
        gone.append([law[:, 0] for law in counts])
    lost = np.array(gone)  # (T + 1, M, K)
    return {
        "richness": (1 - lost).sum(-1),
        "rarest_extinct": lost[..., int(np.argmin(shares))],
    }


@lru_cache(maxsize=8)
def _transition(parent: int, rows: int) -> np.ndarray:
    """Return the probability of each count among the rows, given each count of the parent.

    The result has shape (parent + 1, rows + 1).
    """
    share = np.arange(parent + 1) / parent
    return binom.pmf(np.arange(rows + 1), rows, share[:, None])
