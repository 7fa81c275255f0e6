"""The exact law of least squares at every sample size: fresh Gaussian designs on any network.

The moments are those of :mod:`mcjax.laws.least_squares.second_moments`, which also derives them.
Where data accumulate, the law is in closed form if every model reads itself alone. Let S_t be the
Gram matrix of the N_t = n_0 + t n rows of its pool. All new labels are centred on e_{t-1}, so
``e_t = e_{t-1} + S_t^-1 X_t' eps_t``, and by exchangeability of the rows of a pool

    E[S_t^-1 X_t' X_t S_t^-1] = (n / N_t) E[S_t^-1] = (n / N_t) Sigma^-1 / (N_t - p - 1) ,

so that the sum over generations is exact (derived here).
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

from mcjax.laws.collapse.lift import Lift
from mcjax.laws.law import CHANGING, Reason, changing
from mcjax.laws.least_squares.biased_sources import biased_moments
from mcjax.laws.least_squares.conditions import (
    FIXED,
    few_rows,
    label_variances,
    not_least_squares,
    source_variances,
    unusual_feeds,
)
from mcjax.laws.least_squares.drawn_explosion import drawn_explosion, maps_of
from mcjax.laws.least_squares.explosion import long_run
from mcjax.laws.least_squares.second_moments import (
    advanced,
    mixed,
    second_moment_map,
    second_moments,
)
from mcjax.laws.prediction import Prediction
from mcjax.network.drawn import Drawn
from mcjax.network.network import Network
from mcjax.numbers import how_many
from mcjax.study.roots import covariance_root, whitener
from mcjax.study.study import Condition

SOURCES_IN_TIME = Reason(
    "feeds change from generation to generation, which this law follows where `real` is the only"
    " source"
)


class FiniteSample:
    """Exact moments of least squares on fresh designs, in closed form."""

    name = "finite_sample"
    reference = (
        "Wishart and matrix-variate Dirichlet moments, derived in"
        " mcjax.laws.least_squares.second_moments"
    )
    exact = True
    averages_networks = True

    def applies(self, condition: Condition) -> Reason | None:
        """Return why there is no closed form, or None."""
        reason = not_least_squares(condition)
        if reason is not None:
            return reason
        if condition.design == "fixed":
            return Reason(FIXED)
        net, p = condition.network, len(condition.theta)
        if net.memory.adds_up:
            return changing(net) or _not_loops(net, p)
        if not net.plain and (net.later.rows_vary or net.later.lasting is None):
            return SOURCES_IN_TIME if net.sources or net.first else CHANGING
        unusual = unusual_feeds(net)
        return few_rows(net, p, 1) or (Reason(unusual) if unusual else None)

    def predict(self, condition: Condition, generations: int) -> Prediction:
        """Predict the errors at generations 0 to T and, where known, their growth and limits."""
        net, p = condition.network, len(condition.theta)
        variances = label_variances(condition)
        if net.memory.adds_up:
            return _accumulated_loops(condition, generations)
        if isinstance(net.later, Drawn):
            return _averaged(condition, net.later, generations)
        if net.plain and not net.later.constant:
            return _by_generation(condition, generations)
        if not net.plain:
            return _with_sources(condition, generations)
        step = second_moment_map(net, p, *variances)
        initial = variances[1] / (np.array(net.initial, float) - p - 1)
        white = second_moments(step, np.diag(np.repeat(initial, p)), generations)
        inverse = np.linalg.inv(condition.covariance)
        size = float(np.trace(inverse))
        late = long_run(step, net, initial)
        with np.errstate(over="ignore", invalid="ignore"):
            # E e_i e_k' = m_ik I
            covariance = np.kron(white[:, ::p, ::p], inverse)
        covariance[np.isnan(covariance)] = 0  # infinity x 0, which any finite number leaves 0
        return Prediction.of(
            covariance, net.size, growth=late.growth * size, limit=late.limit * size
        )


def _not_loops(net: Network, p: int) -> Reason | None:
    """Return why data that accumulate leave no closed form, or None."""
    if not net.plain:
        return Reason("data accumulate, and generation 0 has several real sources")
    for feed in net.feeds:
        if feed.origin != feed.reader:
            return Reason("data accumulate, and not every model reads itself alone")
        if feed.weight != 1:
            return Reason("data accumulate with weights other than 1")
    if min(net.initial) <= p + 1:
        return Reason(
            f"a fit has {how_many(min(net.initial), 'row')}, and p + 1 = {p + 1} are too few"
        )
    return None


def _by_generation(condition: Condition, generations: int) -> Prediction:
    """Predict where sample counts or feeds change: each generation has a map of its own."""
    net, p = condition.network, len(condition.theta)
    variances = label_variances(condition)
    m = np.diag(variances[1] / (np.array(net.initial, float) - p - 1))
    scalar = [m]
    for t in range(1, generations + 1):
        step = second_moment_map(net.staying_at(t), p, *variances)
        m = step.isotropic(m) + step.added
        scalar.append(m)
    covariance = np.kron(np.array(scalar), np.linalg.inv(condition.covariance))
    return Prediction.of(covariance, net.size)


def _averaged(condition: Condition, law: Drawn, generations: int) -> Prediction:
    """Predict where every chain draws its networks: second moments, given the network, averaged."""
    net, p = condition.network, len(condition.theta)
    variances = label_variances(condition)
    steps, lift = maps_of(net, law, p, *variances), Lift(net)
    explosion = drawn_explosion(steps, law=law, lift=lift, flow=lift.flow())
    growth = np.full(net.size, np.nan)
    if explosion is not None:
        growth[explosion.explodes.reshape(lift.phases, net.size).any(0)] = np.inf
    begun = np.diag(variances[1] / (np.array(net.initial, float) - p - 1))
    moments = np.repeat(begun[None], law.turns, 0)
    scalar = np.empty((generations + 1, net.size, net.size))
    for t, occupied in enumerate(law.occupancy(generations)):
        scalar[t] = mixed(occupied, moments)
        before = (mixed(chances, moments) for chances in law.reversed)
        moments = np.array([advanced(step, m) for step, m in zip(steps, before, strict=True)])
    with np.errstate(over="ignore", invalid="ignore"):
        covariance = np.kron(scalar, np.linalg.inv(condition.covariance))
    covariance[np.isnan(covariance)] = 0  # infinity x 0, which any finite number leaves 0
    return Prediction.of(
        covariance,
        net.size,
        growth=growth,
        reference="the same, given the network and averaged over networks, derived in"
        " mcjax.laws.least_squares.second_moments",
    )


def _with_sources(condition: Condition, generations: int) -> Prediction:
    """Predict where there are several real sources, in coordinates in which Sigma = I."""
    net, size, p = condition.network, condition.network.size, len(condition.theta)
    variances = label_variances(condition)
    step = second_moment_map(net, p, *variances)
    back = whitener(condition.covariance)  # of errors in these coordinates
    noise = np.concatenate([[variances[0]], source_variances(condition)])
    offsets = condition.sources.offsets @ covariance_root(condition.covariance)
    second, mean, late = biased_moments(net, noise, offsets, generations)
    both = np.kron(np.eye(size), back)
    slopes = long_run(step, net, np.zeros(size)).growth
    with np.errstate(over="ignore", invalid="ignore"):
        mean = mean @ back.T
        second = np.nan_to_num(both @ second @ both.T, nan=np.inf, posinf=np.inf)
        flat = mean.reshape(generations + 1, size * p)
        squares = np.diagonal(second, axis1=1, axis2=2).reshape(mean.shape).sum(-1)
        limit = np.einsum("ab,ibc,ac->i", back, late, back)
        covariance = second - flat[:, :, None] * flat[:, None, :]
        growth = slopes * float(np.trace(back @ back.T))
    return Prediction.of(
        covariance,
        size,
        mean if offsets.any() else None,
        mse=squares,
        growth=growth,
        limit=np.where(np.isnan(slopes), limit, np.nan),
        reference="the same, and frozen sources, derived in"
        " mcjax.laws.least_squares.biased_sources",
    )


def _accumulated_loops(condition: Condition, generations: int) -> Prediction:
    """Predict where data accumulate and every model reads itself alone, or nothing."""
    net, p = condition.network, len(condition.theta)
    variance, real_variance = label_variances(condition)
    fed = np.array([sum(feed.samples for feed in feeds) for feeds in net.feeds_by_reader], float)
    rows = np.array(net.initial) + np.arange(generations + 1.0)[:, None] * fed
    added = variance * fed / rows / (rows - p - 1)
    added[0] = real_variance / (rows[0] - p - 1)
    inverse = np.linalg.inv(condition.covariance)
    scalar = np.cumsum(added, axis=0)
    short, least = p + 1.0, np.array(net.initial, float)
    # sum over t > 0 of 1 / ((n0 / n + t) (n0 / n + t - short / n)), a difference of digammas
    tail = digamma(1 + least / np.maximum(fed, 1)) - digamma(
        1 + (least - short) / np.maximum(fed, 1)
    )
    limit = scalar[0] + np.where(fed > 0, variance * tail / short, 0)
    return Prediction.of(
        np.kron(scalar[:, None] * np.eye(net.size), inverse),
        net.size,
        limit=limit * float(np.trace(inverse)),
        reference="sums over exchangeable rows, derived in mcjax.laws.least_squares.finite_sample",
    )
