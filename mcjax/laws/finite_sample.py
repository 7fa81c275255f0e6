"""The exact law of least squares at every sample size: fresh Gaussian designs on any network.

The moments are those of :mod:`mcjax.laws.design_moments`, which is also their derivation; here is
where they apply.
"""

from __future__ import annotations

import numpy as np

from mcjax.laws.design_moments import few_rows, second_moment_map, second_moments, unusual_feeds
from mcjax.laws.explosion import fates
from mcjax.laws.inapplicable import Inapplicable
from mcjax.laws.prediction import Prediction
from mcjax.study.study import Condition

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
    reason = few_rows(net, p, 1) or unusual_feeds(net)
    if reason:
        raise Inapplicable(reason)
    one = second_moment_map(net, p, variance, real_variance)
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


def check_least_squares(condition: Condition) -> tuple[float, float]:
    """Noise variances of synthetic and real labels.

    Raises
    ------
    Inapplicable: unless the family is least squares with noise of finite variance, and covariates
        determine every parameter.
    """
    family = condition.family
    if family.noise_variances is None:
        raise Inapplicable(f"exact laws are those of least squares, and {family.name} is not")
    variance, real_variance = family.noise_variances(family.params)
    if not np.isfinite([variance, real_variance]).all():
        raise Inapplicable("the noise has no finite variance")
    if not np.linalg.cond(condition.covariance) < 1e12:
        raise Inapplicable("the covariates do not determine every parameter (low rank)")
    return variance, real_variance
