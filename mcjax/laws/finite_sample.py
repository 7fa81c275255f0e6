"""The exact law of least squares at every sample size: fresh Gaussian designs on any network.

The moments are those of :mod:`mcjax.laws.design_moments`, which is also their derivation; here is
where they apply.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from mcjax.laws.design_moments import second_moment_map, second_moments
from mcjax.laws.explosion import fates
from mcjax.laws.inapplicable import Inapplicable
from mcjax.laws.prediction import Prediction
from mcjax.network.network import REAL, Network
from mcjax.study.study import Condition

NAME = "finite_sample"
SOURCE = "Wishart and matrix-variate Dirichlet moments, derived in mcjax.laws.design_moments"
WEIGHTED = "a model's feeds have different weights; the closed form needs equal ones"
SHARED = "two models read one published sample; the closed form needs samples with one reader"
REUSED = (
    "real data are reused: their design is the same in every generation, so errors depend on it"
    " for ever and generations are not independent given the last"
)


def finite_sample(condition: Condition, generations: int) -> Prediction:
    """The law's moments of one condition; see :class:`Prediction` for shapes.

    Raises
    ------
    Inapplicable: for another family, singular covariates, weights, samples that two models read,
        reused real data, or fits without a second moment.
    """
    variance, real_variance = check_least_squares(condition)
    net, p = condition.network, len(condition.theta)
    reason = check_network(net, p)
    if reason:
        raise Inapplicable(reason)
    one = second_moment_map(net, p, variance, real_variance)
    initial = real_variance / (np.array(net.initial, float) - p - 1)
    white = second_moments(one, np.diag(np.repeat(initial, p)), generations)
    inverse = np.linalg.inv(condition.covariance)
    scalar = white[:, ::p, ::p]  # E e_i e_k' = m_ik I
    found = fates(one, net, initial)
    size = float(np.trace(inverse))
    return Prediction(
        law=NAME,
        source=SOURCE,
        exact=True,
        covariance=np.kron(scalar, inverse),
        mse=np.diagonal(scalar, axis1=1, axis2=2) * size,
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


def check_network(net: Network, p: int) -> str:
    """Why the closed form does not cover a network with p parameters; empty if it does."""
    return few_rows(net, p, 1) or unusual_feeds(net)


def few_rows(net: Network, p: int, more: int) -> str:
    """A fit with no more than ``p + more`` rows, as a sentence; empty if there is none."""
    for i, name in enumerate(net.models):
        counts = [net.initial[i]]
        if net.feeds_by_reader[i]:
            counts.append(sum(feed.samples for feed in net.feeds_by_reader[i]))
        if min(counts) <= p + more:
            return (
                f"model {name!r} fits {min(counts)} rows; second moments need more than"
                f" p + {more} = {p + more}"
            )
    return ""


def unusual_feeds(net: Network) -> str:
    """Weights, samples with several readers or reused real data, as a sentence."""
    if any(len({feed.weight for feed in feeds}) > 1 for feeds in net.feeds_by_reader):
        return WEIGHTED
    readers = Counter(feed.origin for feed in net.feeds if feed.origin != REAL)
    if net.draws == "shared" and max(readers.values(), default=0) > 1:
        return SHARED
    if net.real == "reused" and any(feed.origin == REAL for feed in net.feeds):
        return REUSED
    return ""
