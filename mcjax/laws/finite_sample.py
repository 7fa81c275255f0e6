"""The exact law of least squares at every sample size: fresh Gaussian designs on any network.

The moments are those of :mod:`mcjax.laws.design_moments`, which is also their derivation; here is
where they apply.

Where data accumulate, the law is in closed form if every model reads itself alone. With S_t the
Gram matrix of the N_t = n_0 + t n rows of its pool and e_{t-1} what all new labels are centred on,
``e_t = e_{t-1} + S_t^-1 X_t' eps_t``, and by exchangeability of the rows of a pool

    E[S_t^-1 X_t' X_t S_t^-1] = (n / N_t) E[S_t^-1] = (n / N_t) Sigma^-1 / (N_t - p - 1) ,

so that the sum over generations is exact (derived here).
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

from mcjax.laws.biased_moments import biased_moments
from mcjax.laws.design_moments import (
    SecondMomentMap,
    few_rows,
    second_moment_map,
    second_moments,
    unusual_feeds,
)
from mcjax.laws.explosion import fates
from mcjax.laws.inapplicable import Inapplicable
from mcjax.laws.prediction import Prediction
from mcjax.study.study import Condition, covariance_root, whitener

NAME = "finite_sample"
SOURCE = "Wishart and matrix-variate Dirichlet moments, derived in mcjax.laws.design_moments"


def finite_sample(condition: Condition, generations: int) -> Prediction:
    """The law's moments of one condition; see :class:`Prediction` for shapes.

    Raises
    ------
    Inapplicable: for fixed designs, another family, singular covariates, weights, samples that two
        models read, reused real data, or fits without a second moment.
    """
    variance, real_variance = check_least_squares(condition)
    if condition.design == "fixed":
        raise Inapplicable("designs are fixed, and it averages over random ones")
    net, p = condition.network, len(condition.theta)
    if net.memory == "accumulate":
        return _pooled_loops(condition, generations, variance, real_variance)
    reason = few_rows(net, p, 1) or unusual_feeds(net)
    if reason:
        raise Inapplicable(reason)
    if net.growth:
        return _growing(condition, generations, variance, real_variance)
    one = second_moment_map(net, p, variance, real_variance)
    if not net.plain:
        return _with_sources(condition, generations, one, variance, real_variance)
    initial = real_variance / (np.array(net.initial, float) - p - 1)
    white = second_moments(one, np.diag(np.repeat(initial, p)), generations)
    inverse = np.linalg.inv(condition.covariance)
    size = float(np.trace(inverse))
    found = fates(one, net, initial)
    scalar = white[:, ::p, ::p]  # E e_i e_k' = m_ik I
    with np.errstate(over="ignore", invalid="ignore"):
        covariance = np.kron(scalar, inverse)
        mse = np.diagonal(scalar, axis1=1, axis2=2) * size
    covariance[np.isnan(covariance)] = 0  # infinity x 0, which any finite number leaves 0
    return Prediction(
        law=NAME,
        source=SOURCE,
        exact=True,
        covariance=covariance,
        mse=mse,
        standard_error=np.zeros((generations + 1, net.size)),
        growth=found.growth * size,
        limit=found.limit * size,
    )


def _growing(
    condition: Condition, generations: int, variance: float, real_variance: float
) -> Prediction:
    """The law where sample counts grow: each generation has a map of its own. Long run: none."""
    net, p = condition.network, len(condition.theta)
    m = np.diag(real_variance / (np.array(net.initial, float) - p - 1))
    scalar = [m]
    for t in range(1, generations + 1):
        one = second_moment_map(net.at(t), p, variance, real_variance)
        m = one.isotropic(m) + one.added
        scalar.append(m)
    inverse = np.linalg.inv(condition.covariance)
    covariance = np.kron(np.array(scalar), inverse)
    size = float(np.trace(inverse))
    nothing = np.full(net.size, np.nan)
    return Prediction(
        law=NAME,
        source=SOURCE,
        exact=True,
        covariance=covariance,
        mse=np.diagonal(np.array(scalar), axis1=1, axis2=2) * size,
        standard_error=np.zeros((generations + 1, net.size)),
        growth=nothing,
        limit=nothing,
    )


def _with_sources(
    condition: Condition,
    generations: int,
    one: SecondMomentMap,
    variance: float,
    real_variance: float,
) -> Prediction:
    """The law where there are several real sources, in coordinates in which Sigma = I."""
    net, size, p = condition.network, condition.network.size, len(condition.theta)
    back = whitener(condition.covariance)  # of errors in these coordinates
    noise = np.concatenate([[variance], source_variances(condition, real_variance)])
    offsets = condition.sources.offsets @ covariance_root(condition.covariance)
    second, mean, late = biased_moments(net, noise, offsets, generations)
    both = np.kron(np.eye(size), back)
    found = fates(one, net, np.zeros(size))
    with np.errstate(over="ignore", invalid="ignore"):
        mean = mean @ back.T
        second = np.nan_to_num(both @ second @ both.T, nan=np.inf, posinf=np.inf)
        flat = mean.reshape(generations + 1, size * p)
        diagonal = np.diagonal(second, axis1=1, axis2=2).reshape(mean.shape)
        limit = np.einsum("ab,ibc,ac->i", back, late, back)
        covariance = second - flat[:, :, None] * flat[:, None, :]
        growth = found.growth * float(np.trace(back @ back.T))
    return Prediction(
        law=NAME,
        source="the same, and frozen sources, derived in mcjax.laws.biased_moments",
        exact=True,
        covariance=covariance,
        mse=diagonal.sum(-1),
        standard_error=np.zeros((generations + 1, size)),
        growth=growth,
        limit=np.where(np.isnan(found.growth), limit, np.nan),
        mean=mean if offsets.any() else None,
    )


def source_variances(condition: Condition, real_variance: float) -> np.ndarray:
    """Noise variances of the real sources' labels, (S,), given that of ``real``."""
    model, sigma = condition.model, condition.sources.sigma
    if sigma is None:
        return np.full(len(condition.sources.theta), real_variance)
    assert model.least_squares is not None
    assert model.noise_scale is not None
    variances = model.least_squares.variances
    return np.array([variances(model.params | {model.noise_scale: s})[1] for s in sigma])


def _pooled_loops(
    condition: Condition, generations: int, variance: float, real_variance: float
) -> Prediction:
    """The law where data accumulate and every model reads itself alone, or nothing."""
    net, p = condition.network, len(condition.theta)
    for feed in net.feeds:
        if feed.origin != feed.reader:
            raise Inapplicable("data accumulate, and not every model reads itself alone")
        if feed.weight != 1:
            raise Inapplicable("data accumulate with weights other than 1")
    if min(net.initial) <= p + 1:
        raise Inapplicable(f"a fit has {min(net.initial)} rows, and p + 1 = {p + 1} are too few")
    fed = np.array([sum(feed.samples for feed in feeds) for feeds in net.feeds_by_reader], float)
    rows = np.array(net.initial) + np.arange(generations + 1.0)[:, None] * fed
    added = variance * fed / rows / (rows - p - 1)
    added[0] = real_variance / (rows[0] - p - 1)
    inverse = np.linalg.inv(condition.covariance)
    scalar = np.cumsum(added, axis=0)
    short, least = p + 1.0, np.array(net.initial, float)
    tail = digamma(1 + least / np.maximum(fed, 1)) - digamma(
        1 + (least - short) / np.maximum(fed, 1)
    )
    limit = scalar[0] + np.where(fed > 0, variance * tail / short, 0)
    return Prediction(
        law=NAME,
        source="sums over exchangeable rows, derived in mcjax.laws.finite_sample",
        exact=True,
        covariance=np.kron(scalar[:, None] * np.eye(net.size), inverse),
        mse=scalar * float(np.trace(inverse)),
        standard_error=np.zeros((generations + 1, net.size)),
        growth=np.full(net.size, np.nan),
        limit=limit * float(np.trace(inverse)),
    )


def check_least_squares(condition: Condition) -> tuple[float, float]:
    """Noise variances of synthetic and real labels.

    Raises
    ------
    Inapplicable: unless the family is least squares with noise of finite variance, and covariates
        determine every parameter.
    """
    model = condition.model
    if model.least_squares is None:
        raise Inapplicable(f"exact laws are those of least squares, and {model.name} is not")
    variance, real_variance = model.least_squares.variances(model.params)
    if not np.isfinite([variance, real_variance]).all():
        raise Inapplicable("the noise has no finite variance")
    if not np.linalg.cond(condition.covariance) < 1e12:
        raise Inapplicable("the covariates do not determine every parameter (low rank)")
    return variance, real_variance
