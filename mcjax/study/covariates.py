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
    """Laws of the covariates of rows of models, and of those of each of S real sources."""

    models: Covariates
    sources: tuple[Covariates, ...]


def covariate_laws(condition: Condition) -> CovariateLaws:
    """Return where covariates come from; models with covariances of their own are left out."""
    data, laws = condition.data, condition.sources
    models: Covariates
    if data is None:
        models = NormalCovariates(np.zeros(len(condition.covariance)), condition.covariance)
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
            sources.append(NormalCovariates(np.zeros(len(covariance)), covariance))
        else:
            sources.append(models)
    return CovariateLaws(models, tuple(sources))
