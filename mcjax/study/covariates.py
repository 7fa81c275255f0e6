"""Laws of covariates: a normal distribution, or rows of data. Does not import JAX."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.data.data import Data

if TYPE_CHECKING:
    from jaxtyping import Float

    from mcjax.study.study import Condition


class NormalCovariates(NamedTuple):
    """Covariates ``x ~ N(mean, covariance)``, of shapes (q,) and (q, q)."""

    mean: Float[np.ndarray, " q"]
    covariance: Float[np.ndarray, "q q"]


class RowCovariates(NamedTuple):
    """Covariates of rows of data, each with the same probability."""

    data: Data


Covariates = NormalCovariates | RowCovariates


class CovariateLaws(NamedTuple):
    """Laws of the covariates of rows of models, and of those of each of S real sources.

    ``own`` are those of each of the M models, where they differ.
    """

    models: Covariates
    sources: tuple[Covariates, ...]
    own: tuple[NormalCovariates, ...] = ()


def covariate_laws(condition: Condition) -> CovariateLaws:
    """Return where covariates come from."""
    data, laws, apart = condition.data, condition.sources, condition.own_covariances

    def normal(second_moments: np.ndarray) -> NormalCovariates:
        mean = np.zeros(len(second_moments))
        if not condition.intercept:
            return NormalCovariates(mean, second_moments)
        mean[0] = 1
        return NormalCovariates(mean, second_moments - np.outer(mean, mean))

    models: Covariates
    if data is None:
        models = normal(condition.covariance)
    elif data.synthetic_covariates == "rows":
        models = RowCovariates(data)
    else:
        models = NormalCovariates(data.x.mean(0), np.atleast_2d(np.cov(data.x.T, ddof=0)))
    given = None, *(source.covariance for source in condition.network.sources)
    sources: list[Covariates] = []
    for rows, own, covariance in zip(laws.data, given, laws.covariance, strict=True):
        if rows is not None:
            sources.append(RowCovariates(rows))
        elif own is not None:
            sources.append(normal(covariance))
        else:
            sources.append(models)
    return CovariateLaws(models, tuple(sources), () if apart is None else tuple(map(normal, apart)))
