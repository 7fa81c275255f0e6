"""Whether classes, or all events, are gone: absorption, exactly.

**Categorical, Bernoulli.** Where every model reads one origin alone, the count of a class among the
n rows of a fit is binomial given the parent's share of it, x out of n': a Wright-Fisher chain
(Ewens, "Mathematical Population Genetics", 2004) with the transition probabilities
``Bin(n, x / n')``. The law of the count of each class is carried from fit to fit along the line of
descent, exactly; richness is the sum over classes of the chances that they are left. Several
parents make a binomial of a mixture, whose law depends on all their counts together.

**Poisson mean.** On any network whose fits are of one generation's data. Given its parents' rates,
the events that reach a model are independent Poisson variates, and
``E exp(-s X / m) = exp(-n theta (1 - exp(-s / m)))`` for X events in n rows of rate theta. So,
going back in time from ``P(theta_{i,t} = 0) = lim E exp(-s theta_{i,t})``, the exponent stays
linear in the rates: with m_i the mass of model i's rows,

    private draws:  s_j <- sum_i n_ij (1 - exp(-s_i w_ij / m_i))
    shared draws:   s_j <- n_j (1 - exp(-sum_i s_i w_ij / m_i))
    frozen:         s_i <- s_i ;      fresh real data add  theta* n_i (1 - exp(-s_i w_i / m_i))

(private ones add up over readers and the model itself), and at generation 0
``sum_i theta* n_i0 (1 - exp(-s_i / n_i0))`` ends it. This is a branching process with immigration;
for one model on its own output ``P(alive) = 1 - exp(-n theta* g_k)`` after k fits, ``g_1 = 1``,
``g_{k+1} = 1 - exp(-g_k)`` (Suresh et al. 2024). Derived here for networks.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.stats import binom

from mcjax.laws.inapplicable import GROWING, Inapplicable
from mcjax.laws.lineage import one_parent
from mcjax.laws.prediction import FunctionalPrediction
from mcjax.models.generative import both_classes
from mcjax.network.network import REAL
from mcjax.study.study import Condition

NAME = "extinction"
LARGEST = 1024
"""Rows of a fit up to which transition matrices are made."""


def wright_fisher(condition: Condition, generations: int) -> FunctionalPrediction:
    """Mean number of classes left, and the chance that the rarest is gone.

    Raises
    ------
    Inapplicable: where a model reads several origins or an earlier generation's data, or a fit has
        more than ``LARGEST`` rows.
    """
    net, truth = condition.network, condition.theta
    one_parent(net)
    p = both_classes(truth) if len(truth) == 1 else truth
    fed = [sum(feed.samples for feed in own) for own in net.feeds_by_reader]
    if max(*net.initial, *fed) > LARGEST:
        raise Inapplicable(f"a fit has more than {LARGEST} rows, too many for the exact chain")

    def first(rows: int) -> np.ndarray:
        return binom.pmf(np.arange(rows + 1), rows, p[:, None])

    laws = [first(rows) for rows in net.initial]  # of the count of each class, (K, n + 1)
    gone = [[law[:, 0] for law in laws]]
    for _ in range(generations):
        before = list(laws)
        for i, own in enumerate(net.feeds_by_reader):
            if not own or (own[0].origin == REAL and net.real == "reused"):
                continue
            if own[0].origin == REAL:
                laws[i] = first(fed[i])
            else:
                parent = before[net.index[own[0].origin]]
                laws[i] = parent @ _transition(parent.shape[1] - 1, fed[i])
        gone.append([law[:, 0] for law in laws])
    lost = np.array(gone)  # (T + 1, M, K)
    return FunctionalPrediction(
        NAME,
        "absorption of a Wright-Fisher chain, derived in mcjax.laws.extinction",
        {"richness": (1 - lost).sum(-1), "rarest_extinct": lost[..., int(np.argmin(p))]},
    )


@lru_cache(maxsize=8)
def _transition(parent: int, rows: int) -> np.ndarray:
    """Chances of x among so many rows, for each count of the parent, (parent + 1, rows + 1)."""
    share = np.arange(parent + 1) / parent
    return binom.pmf(np.arange(rows + 1), rows, share[:, None])


def poisson_extinction(condition: Condition, generations: int) -> FunctionalPrediction:
    """The chance that a rate is not 0.

    Raises
    ------
    Inapplicable: where a fit is not of one generation's data.
    """
    net, rate = condition.network, float(condition.theta[0])
    if not net.memory.current_only:
        raise Inapplicable("a fit is not of one generation's data; the recursion is for those")
    if net.growth:
        raise Inapplicable(GROWING)
    size, frozen = net.size, np.array(net.frozen)
    initial = np.array(net.initial, float)
    feeds = np.zeros((size, size + 1))  # samples
    parts = np.zeros((size, size + 1))  # of an observation in an estimate: weight / mass
    for i, own in enumerate(net.feeds_by_reader):
        largest = max((feed.weight for feed in own), default=1.0)
        mass = sum(feed.weight / largest * feed.samples for feed in own)
        for feed in own:
            j = size if feed.origin == REAL else net.index[feed.origin]
            feeds[i, j], parts[i, j] = feed.samples, feed.weight / largest / mass
    published = feeds[:, :size].max(0)
    kept = np.zeros((size, size))  # of the generation-0 estimates, where real data are reused
    added = np.zeros(size)
    s = np.where(np.eye(size, dtype=bool), np.inf, 0.0)  # of each target, (targets, M)

    def times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.where((a > 0) & (b > 0), np.where(b > 0, b, 1) * a, 0.0)

    found = []
    for t in range(generations + 1):
        ends = -np.expm1(-(s + kept) / initial) @ initial
        found.append(-np.expm1(-rate * (ends + added)))
        if t == generations:
            break
        real, pull = feeds[:, size], times(s, parts[:, size])
        if net.real == "reused":
            kept = kept + times(pull, real)
        else:
            added = added - np.expm1(-pull) @ real
        reach = times(s[:, :, None], parts[None, :, :size])  # target, reader, origin
        if net.draws == "shared":
            following = -np.expm1(-reach.sum(1)) * published
        else:
            following = np.einsum("tij,ij->tj", -np.expm1(-reach), feeds[:, :size])
        s = following + np.where(frozen, s, 0.0)
    return FunctionalPrediction(
        NAME,
        "generating functions of Poisson variates, derived in mcjax.laws.extinction",
        {"alive": np.array(found)},
    )
