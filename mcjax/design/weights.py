"""Find the weights of the rows of a network that make a weighted sum of errors smallest.

Counts are given: n_ij rows from model j and m_i real rows for model i. Model i takes the shares
W_ij and r_i of what it learns from them, which are from 0 on and add up to 1. With the noise
``D_i = sum_j W_ij^2 / n_ij + r_i^2 / m_i`` and the covariance ``S = W S W' + diag(D)``, the sum
``J = sum_i q_i S_ii`` has the gradient

    dJ / dW_ij = 2 (Y W S)_ij + 2 Y_ii W_ij / n_ij,    dJ / dr_i = 2 Y_ii r_i / m_i,

with ``Y = W' Y W + diag(q)``. The weight of a row is proportional to the share over the count.

J is not convex. Searches by spectral projected gradients, in a metric in which the counts are the
units, start at equal weights and at random shares.

**Bound.** The weights of the noise in the error of output i, lag by lag, are a flow of one unit
from i back to real data, which costs its square over the count on every feed. Let the flow depend
on the lag, and take either sign: the least cost of a unit is then that of a linear-quadratic
problem, ``1 / L_0``, with

    L_k = diag(b) - n (L_{k+1} + diag(s))^-1 n',

in which n has the rows of the models that the flow can be at after exactly k steps, and the columns
of those after k + 1; b and s are the sums of its rows, real rows included, and of its columns.
Whatever is beyond a horizon costs nothing, so that ``L = diag(b)`` there. So J >= sum_i q_i / L_0
of output i. The bound is met where every model reads at most one model. Derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.laws.first_order.limits import noise_sum

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

STARTS, SEED = 12, 0
"""Number of searches, the first of which starts at equal weights, and the seed of the others."""
FEW, FEWER_STARTS = 30, 3
"""Number of models up to which there are as many searches, and their number beyond."""
MOST_STEPS, CLOSE = 2_000, 1e-10
"""Steps of a search, and the relative descent left by linear approximation at which it ends."""
MEMORY, DESCENT, SHORTEST = 8, 1e-4, 1e-12
HORIZON, LONGEST, SETTLED = 32, 2_048, 1e-9
"""First and last horizon of a bound, which is doubled until the bound changes by less than this."""


class Weighting(NamedTuple):
    """Shares of what each model learns.

    Attributes
    ----------
    shares : ndarray, shape (M, M + 1)
        Shares of models, and of real data in the last column.
    value : float
        The sum of errors.
    errors : ndarray, shape (M,)
        The errors.
    """

    shares: Float[np.ndarray, "M M+1"]
    value: float
    errors: Float[np.ndarray, " M"]


@dataclass(frozen=True)
class Counts:
    """A network of which every model is fitted, by its rows.

    Attributes
    ----------
    rows : ndarray, shape (M, M + 1)
        Rows that each model reads of each model, and real ones in the last column.
    weights : ndarray, shape (M,)
        Weights q of the errors.
    """

    rows: Float[np.ndarray, "M M+1"]
    weights: Float[np.ndarray, " M"]

    def at(self, shares: Float[np.ndarray, "M M+1"]) -> Weighting:
        """Return the errors at some shares; the value is infinite if they grow without bound."""
        covariance = self._covariance(shares)
        errors = np.full(len(shares), np.inf) if covariance is None else np.diagonal(covariance)
        value = np.inf if covariance is None else float(self.weights @ errors)
        return Weighting(shares, value, errors)

    def _covariance(self, shares: np.ndarray) -> np.ndarray | None:
        noise = (shares**2 / np.where(self.rows > 0, self.rows, 1.0)).sum(1)
        found, unsettled = noise_sum(shares[:, :-1], np.diag(noise))
        return None if unsettled.any() or not np.isfinite(found).all() else found

    def gradient(self, shares: Float[np.ndarray, "M M+1"]) -> Float[np.ndarray, "M M+1"]:
        """Return the derivatives of the sum by the shares; zero where nothing is read."""
        w, covariance = shares[:, :-1], self._covariance(shares)
        assert covariance is not None, "errors are finite"
        adjoint, _ = noise_sum(w.T, np.diag(self.weights))
        own = np.diagonal(adjoint)[:, None] * shares / np.where(self.rows > 0, self.rows, 1.0)
        own[:, :-1] += adjoint @ w @ covariance
        return np.where(self.rows > 0, 2 * own, 0.0)

    @property
    def pooled(self) -> Float[np.ndarray, "M M+1"]:
        """The shares at equal weights."""
        return self.rows / self.rows.sum(1, keepdims=True)

    def nearest(self, shares: Float[np.ndarray, "M M+1"]) -> Float[np.ndarray, "M M+1"]:
        """Return the valid shares nearest to others, by squares over counts.

        Each row is lowered by one number times the counts, and cut at zero.
        """
        unit = np.where(self.rows > 0, self.rows, 1.0)
        ratio = np.where(self.rows > 0, shares / unit, -np.inf)
        order = np.argsort(-ratio, axis=1)
        sums = np.cumsum(np.take_along_axis(np.where(self.rows > 0, shares, 0.0), order, 1), 1)
        units = np.cumsum(np.take_along_axis(self.rows, order, 1), 1)
        level = (sums - 1) / units
        count = (np.take_along_axis(ratio, order, 1) > level).sum(1) - 1
        lowered = shares - np.take_along_axis(level, count[:, None], 1) * unit
        return np.where(self.rows > 0, np.maximum(lowered, 0.0), 0.0)


def best_weights(counts: Counts) -> tuple[Weighting, float]:
    """Return the best shares that searches find, and the relative spread of what they find."""
    rng = np.random.default_rng(SEED)
    searches = STARTS if len(counts.rows) <= FEW else FEWER_STARTS
    found = [_descended(counts, counts.pooled)]
    for _ in range(searches - 1):
        drawn = np.where(counts.rows > 0, rng.standard_exponential(counts.rows.shape), 0.0)
        found.append(_descended(counts, drawn / drawn.sum(1, keepdims=True)))
    best = min(found, key=lambda weighting: weighting.value)
    return best, max(weighting.value for weighting in found) / best.value - 1


def _descended(counts: Counts, start: np.ndarray) -> Weighting:
    """Return shares where the sum has a local minimum."""
    unit = np.where(counts.rows > 0, counts.rows, 1.0)
    state = counts.at(start)
    slope = counts.gradient(state.shares)
    values, length = [state.value], 1.0 / max(np.abs(slope * unit).max(), 1e-300)
    for _ in range(MOST_STEPS):
        inside = np.where(counts.rows > 0, slope, np.inf)
        if (slope * state.shares).sum() - inside.min(1).sum() <= CLOSE * state.value:
            break
        move = counts.nearest(state.shares - length * slope * unit) - state.shares
        descent, share = float((slope * move).sum()), 1.0
        highest = max(values[-MEMORY:])
        following = counts.at(state.shares + move)
        while following.value > highest + DESCENT * share * descent:
            share /= 2
            if share < SHORTEST:
                return state
            following = counts.at(state.shares + share * move)
        steeper = counts.gradient(following.shares)
        change = following.shares - state.shares
        bend = float((change * (steeper - slope)).sum())
        length = float((change**2 / unit).sum()) / bend if bend > 0 else length * 10
        state, slope = following, steeper
        values.append(state.value)
    return state


def weight_bound(counts: Counts) -> float:
    """Return a number that the sum of errors undercuts with no weights, not even changing ones."""
    return float(
        sum(
            weight * _least(counts.rows, i) for i, weight in enumerate(counts.weights) if weight > 0
        )
    )


def _least(rows: np.ndarray, output: int) -> float:
    """Return the bound of one error, with a horizon that is long enough."""
    at = _lineage(rows[:, :-1] > 0, output, HORIZON)
    horizon, before = HORIZON, _with_horizon(rows, at)
    while horizon < LONGEST:
        horizon *= 2
        at = _lineage(rows[:, :-1] > 0, output, horizon)
        value = _with_horizon(rows, at)
        if value - before <= SETTLED * value:
            return value
        before = value
    return before


def _lineage(reads: Bool[np.ndarray, "M M"], output: int, horizon: int) -> list[np.ndarray]:
    """Return the models that a lineage can be at after 0, 1, ... steps back."""
    found = [np.array([output])]
    for _ in range(horizon):
        found.append(np.flatnonzero(reads[found[-1]].any(0)))
    return found


def _with_horizon(rows: np.ndarray, at: list[np.ndarray]) -> float:
    last = rows[at[-1]].sum(1)
    information = np.diag(last)
    for here, back in zip(at[-2::-1], at[:0:-1], strict=True):
        between = rows[np.ix_(here, back)]
        total = information + np.diag(between.sum(0))
        information = np.diag(rows[here].sum(1)) - between @ np.linalg.solve(total, between.T)
    return float(1 / information[0, 0])
