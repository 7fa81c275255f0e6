"""Exact moments of smoothed frequencies of classes, on any network that forgets.

A fit of rows of the total weight m adds alpha to the count of each of K classes. With
``lam = m / (m + alpha K)``, its estimate is lam times the frequencies plus ``(1 - lam) / K``. Let
``d = 1/K - p*``, let W hold the shares of the rows, and ``e_i = p_i - p*``. Then the means stay on
one line, ``E e_i = b_i d`` with

    b <- lam (W b) + 1 - lam .

A row of model j has, given its probabilities, the covariance ``diag(p_j) - p_j p_j'``. Its mean is
a combination of ``V = diag(p*) - p* p*'``, ``D = diag(d) - p* d' - d p*'`` and ``d d'``:

    (1 - c_jj) V + (b_j - a_jj) D - g_jj d d',     E e_i e_k' = c_ik V + a_ik D + g_ik d d' .

So second moments have three coefficients, each with the recursion of
:mod:`mcjax.laws.generative.weighted_means` for a spread of its own,

    c <- lam lam' (W c W' + N(1 - c_jj) + real terms)
    a <- lam lam' (W a W' + N(b_j - a_jj))
    g <- lam lam' (W g W' - N(g_jj)) + what the means add,

where ``lam lam'`` multiplies entry (i, k) by ``lam_i lam_k``. The means add
``lam_i (W b)_i (1 - lam_k) + (1 - lam_i) lam_k (W b)_k + (1 - lam_i) (1 - lam_k)``. In fits of
reused real data their frequencies count, without smoothing. Frozen models have lam = 1. Derived
here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mcjax.laws.generative.conditions import not_of_last_data
from mcjax.laws.generative.weighted_means import WeightedMeans, weighted_means
from mcjax.laws.law import Reason
from mcjax.laws.prediction import Prediction
from mcjax.models.generative import SmoothedShares
from mcjax.network.network import Network
from mcjax.study.study import Condition

LATE = 4096
"""Generations after which moments count as never settled."""
STILL = 1e-12
"""Largest relative change of settled moments from one generation to the next."""


class Smoothed:
    """Exact means and covariances of smoothed frequencies."""

    name = "smoothed"
    reference = "moments of smoothed frequencies, derived in mcjax.laws.generative.smoothed_shares"
    exact = True

    def applies(self, condition: Condition) -> Reason | None:
        """Return why estimates are not smoothed frequencies of the last data, or None."""
        if not isinstance(condition.model.generative, SmoothedShares):
            return Reason("estimates are not smoothed frequencies", obvious=True)
        return not_of_last_data(condition)

    def predict(self, condition: Condition, generations: int) -> Prediction:
        """Predict the errors at generations 0 to T, and the MSE at which models settle."""
        truth, net = condition.theta, condition.network
        smoothing = float(condition.model.params["smoothing"]) * len(truth)
        parts = _Parts.around(truth)
        steps = _moments(weighted_means(net), net, smoothing)
        path = [next(steps) for _ in range(generations + 1)]
        covariance = np.array([parts.covariance(state) for state in path])
        mean = np.array([np.outer(state.b, parts.drift) for state in path])
        left = np.array([parts.left(state, truth) for state in path])
        return Prediction.of(
            covariance,
            net.size,
            mean,
            limit=_settled(steps, path[-1], parts),
            functionals={"heterozygosity": left},
        )


@dataclass(frozen=True)
class _State:
    """Coefficients of the moments: b of shape (M,), the others (M, M)."""

    b: Float[np.ndarray, " M"]
    c: Float[np.ndarray, "M M"]
    a: Float[np.ndarray, "M M"]
    g: Float[np.ndarray, "M M"]


@dataclass(frozen=True)
class _Parts:
    """The vector d and the matrices V and D."""

    drift: Float[np.ndarray, " K"]
    real: Float[np.ndarray, "K K"]
    tilted: Float[np.ndarray, "K K"]

    @classmethod
    def around(cls, truth: Float[np.ndarray, " K"]) -> _Parts:
        """Return the parts for the true probabilities."""
        d = 1 / len(truth) - truth
        mixed = np.outer(truth, d)
        return cls(d, np.diag(truth) - np.outer(truth, truth), np.diag(d) - mixed - mixed.T)

    def covariance(self, state: _State) -> Float[np.ndarray, "M*K M*K"]:
        """Return the covariance of the stacked errors."""
        scatter = state.g - np.outer(state.b, state.b)
        square = np.outer(self.drift, self.drift)
        terms = ((state.c, self.real), (state.a, self.tilted), (scatter, square))
        return np.asarray(sum(np.kron(*term) for term in terms))

    def squares(self, state: _State) -> Float[np.ndarray, " M"]:
        """Return ``E |e_i|^2``."""
        terms = ((state.c, self.real), (state.a, self.tilted))
        traces = sum(np.diagonal(matrix) * np.trace(part) for matrix, part in terms)
        return np.asarray(traces + np.diagonal(state.g) * (self.drift @ self.drift))

    def left(self, state: _State, truth: Float[np.ndarray, " K"]) -> Float[np.ndarray, " M"]:
        """Return the mean heterozygosity, ``1 - E |p_i|^2``."""
        between = 2 * state.b * (truth @ self.drift)
        return np.asarray(1 - truth @ truth - between - self.squares(state))


def squared_errors(
    means: WeightedMeans,
    net: Network,
    smoothing: float,
    truth: Float[np.ndarray, " K"],
    *,
    generations: int,
) -> Float[np.ndarray, "T+1 M"]:
    """Return ``E |e_i|^2``, for fits that add so many rows in all, at generations 0 to T."""
    parts, steps = _Parts.around(truth), _moments(means, net, smoothing)
    return np.array([parts.squares(next(steps)) for _ in range(generations + 1)])


def _moments(means: WeightedMeans, net: Network, smoothing: float) -> Iterator[_State]:
    """Yield the coefficients of the moments, generation by generation."""
    system = means.system
    w, start = system.transition, system.initial
    lam = np.array(net.initial) / (np.array(net.initial) + smoothing)
    b = 1 - lam
    both = np.outer(lam, lam)
    c, a, g, cross = both * start, np.zeros_like(start), np.outer(b, b), lam[:, None] * start
    yield _State(b, c, a, g)
    mass = np.array([sum(f.weight * f.samples for f in feeds) for feeds in net.feeds_by_reader])
    lam = np.where(system.frozen, 1.0, mass / (mass + smoothing))
    both, rest = np.outer(lam, lam), 1 - lam
    while True:
        fed = lam * (w @ b)
        shifts = np.outer(fed, rest)
        means_add = shifts + shifts.T + np.outer(rest, rest)
        own = tuple(np.diagonal(part) for part in (c, a, g))
        c, cross = means.following(c, cross, 1 - own[0], 0)
        c, cross = both * c, lam[:, None] * cross
        a = both * (w @ a @ w.T + means.synthetic(b - own[1]))
        g = both * (w @ g @ w.T - means.synthetic(own[2])) + means_add
        b = fed + rest
        yield _State(b, c, a, g)


def _settled(steps: Iterator[_State], last: _State, parts: _Parts) -> Float[np.ndarray, " M"]:
    """Return the MSEs at which models settle, nan if they have not after a long time."""
    before = parts.squares(last)
    for _, state in zip(range(LATE), steps, strict=False):
        now = parts.squares(state)
        if (abs(now - before) <= STILL * now).all():
            return now
        before = now
    return np.full_like(before, np.nan)
