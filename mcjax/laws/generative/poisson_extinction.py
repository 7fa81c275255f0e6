"""Extinction of all events of Poisson models, exactly, on any network that forgets.

Given the rates of its parents, the events that reach a model are independent Poisson variates, and
``E exp(-s X / m) = exp(-n theta (1 - exp(-s / m)))`` for X events in n rows of rate theta. So the
exponent stays linear in the rates going back in time from
``P(theta_{i,t} = 0) = lim E exp(-s theta_{i,t})``. With m_i the mass of model i's rows,

    private draws:  s_j <- sum_i n_ij (1 - exp(-s_i w_ij / m_i))
    shared draws:   s_j <- n_j (1 - exp(-sum_i s_i w_ij / m_i))
    frozen:         s_i <- s_i ;      fresh real data add  theta* n_i (1 - exp(-s_i w_i / m_i))

(private draws add up over readers and the model itself), and at generation 0
``sum_i theta* n_i0 (1 - exp(-s_i / n_i0))`` ends it. This is a branching process with immigration.
For one model on its own output ``P(alive) = 1 - exp(-n theta* g_k)`` after k fits, with ``g_1 = 1``
and ``g_{k+1} = 1 - exp(-g_k)`` (Suresh et al. 2024). Derived here for networks.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mcjax.laws.law import Reason, not_constant
from mcjax.network.feed import REAL
from mcjax.network.network import Network


def not_one_generation(net: Network) -> Reason | None:
    """Return why fits are not of one generation's data of constant size, or None."""
    if not net.memory.current_only:
        return Reason("fits use data of several generations; the law needs one generation's data")
    return not_constant(net)


def poisson_extinction(net: Network, rate: float, generations: int) -> Float[np.ndarray, "T+1 M"]:
    """Return the chance that each model's rate is not 0 at generations 0 to T, (T + 1, M)."""
    size, frozen = net.size, np.array(net.frozen)
    initial = np.array(net.initial, float)
    feeds = np.zeros((size, size + 1))  # samples
    parts = np.zeros((size, size + 1))  # of an estimate that one observation makes: weight / mass
    for i, incoming in enumerate(net.feeds_by_reader):
        largest = max((feed.weight for feed in incoming), default=1.0)
        mass = sum(feed.weight / largest * feed.samples for feed in incoming)
        for feed in incoming:
            j = size if feed.origin == REAL else net.index[feed.origin]
            feeds[i, j], parts[i, j] = feed.samples, feed.weight / largest / mass
    published = feeds[:, :size].max(0)
    kept = np.zeros((size, size))  # exponent that reused real data add at generation 0
    added = np.zeros(size)
    s = np.where(np.eye(size, dtype=bool), np.inf, 0.0)  # (targets, M)

    def times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.where((a > 0) & (b > 0), np.where(b > 0, b, 1) * a, 0.0)

    alive = []
    for t in range(generations + 1):
        ends = -np.expm1(-(s + kept) / initial) @ initial
        alive.append(-np.expm1(-rate * (ends + added)))
        if t == generations:
            break
        real, pull = feeds[:, size], times(s, parts[:, size])
        if net.reuses_real:
            kept = kept + times(pull, real)
        else:
            added = added - np.expm1(-pull) @ real
        reach = times(s[:, :, None], parts[None, :, :size])  # target, reader, origin
        if net.shares_draws:
            following = -np.expm1(-reach.sum(1)) * published
        else:
            following = np.einsum("tij,ij->tj", -np.expm1(-reach), feeds[:, :size])
        s = following + np.where(frozen, s, 0.0)
    return np.array(alive)
