"""The surrogate chain: a model on its own output, far from where it began.

Expansions around the truth hold for a number of generations in proportion to n. A model that reads
nothing but its own output can be described fit by fit instead. Given the estimate theta before it,
a fit to n rows is drawn as

    theta + b(theta) / n + (O0(theta) / n + S(theta) / n^2)^(1/2) xi ,    xi standard normal,

with the bias b, the spread O0 and the second-order noise S of a fit to data of theta itself
(:mod:`mcjax.laws.second_order.step`). These are expansions at the current theta, and so as good
after many generations as after one. In whitened coordinates they depend on ``gamma = |L'theta|``
alone, and are tabulated. No rows are drawn, and nothing is fitted: p numbers make a fit. To second
order in 1/n the moments are those of :mod:`mcjax.laws.second_order.recursion`.

Moments are means over draws, with the error of 32 batches (:mod:`mcjax.laws.jackknife`). The same
draws with the O0 of the truth and nothing else make a process with known moments, which takes most
of the variance away.

Derived here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from mcjax.estimators.penalty import Firth
from mcjax.laws.jackknife import HEAVIEST, tail_index, without_each
from mcjax.laws.law import Inapplicable, Reason
from mcjax.laws.prediction import Prediction
from mcjax.laws.second_order.m_estimators import SecondOrder, expansion
from mcjax.laws.second_order.moments import axis_of, expansions, generations_of, tensors_of
from mcjax.laws.second_order.row_tensors import grid_for, noise_axes
from mcjax.laws.second_order.samples import Sample
from mcjax.laws.second_order.step import Layout, step_of
from mcjax.study.study import Condition

BATCHES, DRAWS = 32, 4096
"""Batches, and chains drawn in each."""
SEED = 0x5A6
"""The draws belong to the law, and never change."""
NODES, REACH = 32, 12.0
"""Values of gamma that are tabulated, and to how many standard deviations from the truth."""
MOST_OUTSIDE = 0.01
"""Largest share of chains that have left the table in the mean squared error."""


class Surrogate:
    """Moments of a generalised linear model on its own output, fit by fit."""

    name = "surrogate"
    reference = "chain of second-order fits, derived in mcjax.laws.second_order.surrogate"
    exact = False

    def applies(self, condition: Condition) -> Reason | None:
        """Return why fits cannot be drawn one after the other, or None."""
        model, net = condition.model, condition.network
        reason = SecondOrder().applies(condition)
        if reason is not None:
            return reason
        predictor = model.predictor
        canonical = predictor is not None and predictor.log_curvature is not None
        canonical &= model.scores is not None
        if not canonical or model.least_squares is not None:
            return Reason(f"the law is for logistic and Poisson regression, not for {model.name}")
        origins = {feed.origin for table in net.tables for feeds in table for feed in feeds}
        if net.size > 1 or origins != {*net.models}:
            return Reason("the law is for one model that reads nothing but its own output")
        return None

    def predict(self, condition: Condition, generations: int) -> Prediction:
        """Predict the errors at generations 0 to T, with their standard error.

        Raises
        ------
        Inapplicable
            As the second-order law does.
        """
        known = expansion(condition, generations)
        validity, leading = known.validity, known.leading
        assert validity is not None, "an expansion knows where it holds"
        assert leading is not None, "an expansion has its first order"
        axis, p = axis_of(condition), len(condition.theta)
        rows = _rows(condition, generations)
        batches, credible = _simulated(_table(condition, rows), axis.gamma, p, rows=rows)

        def prediction(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            mean, along, across = moments.T
            both = (along - mean**2)[:, None, None] * axis.along
            both = both + across[:, None, None] / max(p - 1, 1) * axis.across
            return both, mean[:, None, None] * axis.direction

        covariance, mean = prediction(batches.mean(0))
        found = Prediction.of(covariance, 1, mean)
        versions = [Prediction.of(c, 1, m) for c, m in map(prediction, without_each(batches))]
        return Prediction.of(
            covariance,
            1,
            mean,
            allowance=validity.remainder * leading.mse / found.mse,
            validity=validity,
            leading=leading,
            versions=versions,
            credible=credible[:, None],
        )


class _Table(NamedTuple):
    """Numbers of one fit as functions of gamma, in units of 1/n: b, O0 and S, along and across."""

    spline: CubicSpline
    ends: tuple[float, float]

    def at(self, gamma: Float[np.ndarray, " C"]) -> Float[np.ndarray, "5 C"]:
        """Return the numbers at some gamma; beyond the ends, those of the ends."""
        return np.asarray(self.spline(np.clip(gamma, *self.ends))).T


def _rows(condition: Condition, generations: int) -> list[float]:
    """Return the rows of each fit, 0 where the model is not fitted."""
    read = generations_of(condition, generations)
    counts = [float(sum(sample.rows for sample in table)) for table in read.samples]
    return [counts[place] for place in read.order]


def _table(condition: Condition, rows: list[float]) -> _Table:
    """Return the table of a condition whose fits have these rows.

    Raises
    ------
    Inapplicable
        If moments are not finite somewhere in its range.
    """
    p, gamma = len(condition.theta), axis_of(condition).gamma
    [begin] = _fits(condition, np.array([gamma]))
    inverse_rows = sum(1 / n for n in rows if n)
    reach = REACH * float(np.sqrt((begin[1] + (p - 1) * begin[2]) * inverse_rows))
    ends = max(gamma - reach, 0.0), gamma + reach
    nodes = np.linspace(*ends, NODES)
    found = _fits(condition, nodes)
    if not np.isfinite(found).all():
        raise Inapplicable("errors are so large that moments are not finite within their range")
    return _Table(CubicSpline(nodes, found), ends)


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused
def _fits(condition: Condition, nodes: Float[np.ndarray, " K"]) -> Float[np.ndarray, "K 5"]:
    """Return b, O0 along and across, and S along and across, of a fit of one row, by gamma."""
    p, firth = len(condition.theta), isinstance(condition.model.penalty, Firth)
    sample = Sample(rows=1, origin=1, kept=None, shares={0: 1.0})
    result = []
    for gamma in nodes:
        grid, parts = grid_for(gamma), []
        rows = expansions(condition, grid, gamma)
        for q in (p,) if p < 3 else (2, 3):
            layout = Layout(1, q, noise_axes(q), 0)
            try:
                step = step_of([sample], tensors_of(rows, grid, q), layout, firth)
            except np.linalg.LinAlgError as error:
                raise Inapplicable("an expected Hessian is singular") from error
            ends = [step.spread[[0, -1], [0, -1]], step.noise[[0, -1], [0, -1]]]
            parts.append(np.concatenate([step.bias[:1], *ends]))
        first, *more = parts
        result.append(first + (p - 2) * (more[0] - first) if more else first)
    return np.array(result)


def _simulated(
    table: _Table, gamma: float, p: int, rows: list[float]
) -> tuple[Float[np.ndarray, "K T+1 3"], Float[np.ndarray, " T+1"]]:
    """Return moments of errors by batch, and in which generations they are credible.

    The moments are the mean and the mean square along the truth, and the mean squared length
    across it.
    """
    steady = table.at(np.array([gamma]))[1:3, 0]
    grams = np.empty((BATCHES, len(rows), 7, 7))
    heavy, outside, total = np.zeros((3, BATCHES, len(rows)))
    variance = np.cumsum([1 / n if n else 0.0 for n in rows])
    for batch in range(BATCHES):
        rng = np.random.default_rng([SEED, batch])
        theta, linear = np.zeros((2, DRAWS, p))
        theta[:, 0] = gamma
        left = np.zeros(DRAWS, bool)
        for t, n in enumerate(rows):
            if n:
                length = np.linalg.norm(theta, axis=1)
                unit = theta / np.maximum(length, 1e-300)[:, None]
                xi = rng.standard_normal((DRAWS, p))
                theta = theta + _moved(table.at(length), unit, xi, n)
                linear = linear + xi * np.sqrt(np.r_[steady[0], [steady[1]] * (p - 1)] / n)
                left |= length > table.ends[1]
            error = theta - gamma * np.eye(p)[0]
            squares, control = error**2, linear**2
            known = steady * variance[t]
            grams[batch, t] = _gram(
                np.ones(DRAWS),
                linear[:, 0],
                control[:, 0] - known[0],
                control[:, 1:].sum(1) - (p - 1) * known[1],
                error[:, 0],
                squares[:, 0],
                squares[:, 1:].sum(1),
            )
            whole = squares.sum(1)
            outside[batch, t], total[batch, t] = whole[left].sum(), whole.sum()
            heavy[batch, t] = tail_index(whole)
    inside = outside.sum(0) < MOST_OUTSIDE * total.sum(0)
    credible = inside & (heavy.mean(0) < HEAVIEST)
    return _controlled(grams), credible


def _moved(
    numbers: Float[np.ndarray, "5 C"],
    unit: Float[np.ndarray, "C p"],
    xi: Float[np.ndarray, "C p"],
    n: float,
) -> Float[np.ndarray, "C p"]:
    """Return what one fit adds to theta."""
    bias, *spreads = numbers
    along, across = (
        np.sqrt(np.maximum(first / n + second / n**2, 0))
        for first, second in zip(spreads[:2], spreads[2:], strict=True)
    )
    x = (xi * unit).sum(1)
    return np.asarray((bias / n + (along - across) * x)[:, None] * unit + across[:, None] * xi)


def _gram(*columns: Float[np.ndarray, " C"]) -> Float[np.ndarray, "7 7"]:
    """Return means of products of columns."""
    matrix = np.stack(columns)
    return np.asarray(matrix @ matrix.T / matrix.shape[1])


def _controlled(grams: Float[np.ndarray, "K T+1 7 7"]) -> Float[np.ndarray, "K T+1 3"]:
    """Return means by batch, less what the controls explain, given products of all columns."""
    whole = grams.mean(0)
    factors = np.linalg.pinv(whole[:, :4, :4]) @ whole[:, :4, 4:]  # of 1 and the three controls
    return np.asarray(
        grams[:, :, 0, 4:] - np.einsum("ktc,tcf->ktf", grams[:, :, 0, 1:4], factors[:, 1:])
    )
