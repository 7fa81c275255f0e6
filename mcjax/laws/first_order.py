"""The first-order law of M-estimators on a network.

With ``theta_{i,t}`` the minimiser of the weighted loss over everything fed to model i, sample
counts growing and their shares fixed, the stacked errors follow a linear system whose matrices
:mod:`mcjax.laws.system` builds from the network and the family's H and V. Asymptotic: at finite n
the truth departs by terms of order 1/n, which for nonlinear families are several per cent at 100
rows a fit and a few parameters.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcjax.estimators.quantile_lp import QuantileLP
from mcjax.laws.asymptotics import growth, limit, mean_limit
from mcjax.laws.batches import pooled_first_order, system_of
from mcjax.laws.estimated import estimate_information, jackknife_error
from mcjax.laws.fixed_design import long_run
from mcjax.laws.inapplicable import Inapplicable
from mcjax.laws.prediction import Prediction
from mcjax.laws.sources import collapsing, data_flow, unstable_sources
from mcjax.laws.system import covariances, means
from mcjax.models.information import BatchInformation, Information
from mcjax.models.quantile import kinked
from mcjax.study.study import Condition, covariance_root

NAME = "first_order"
ALLOWANCES = {
    "linear": 2.0,
    "huber": 2.0,
    "minimum_norm": 2.0,
    "quantile": 4.0,
    "logistic": 4.0,
    "poisson": 12.0,
}
SOURCE = "first-order expansion of M-estimators on a network, derived in mcjax.laws.system"


def information_of(condition: Condition) -> tuple[Information, list[Information]]:
    """The family's information, and versions of it whose spread is its standard error (none for
    a closed form).

    Raises
    ------
    Inapplicable: if the matrices are not finite, or the expected Hessian is singular.
    """
    model, theta, cov = condition.model, condition.theta, condition.covariance
    if model.information is None:
        found, without = estimate_information(model, theta, covariance_root(cov))
    else:
        found, without = model.information(model.params, theta, cov), []
    if condition.network.sources:
        found, without = _with_sources(condition, found, without)
    for batch in (found.real, found.synthetic):
        if not np.isfinite(batch.score_covariance).all():
            raise Inapplicable(
                "the score has no finite covariance (noise too heavy-tailed, or theta too large)"
            )
        if not np.linalg.cond(batch.hessian) < 1e12:
            raise Inapplicable(
                "the expected Hessian is singular (covariates of low rank, or a loss without"
                " curvature)"
            )
    return found, without


def first_order(condition: Condition, generations: int) -> Prediction:
    """The law's moments of one condition; see :class:`Prediction` for shapes.

    Raises
    ------
    Inapplicable: see :func:`information_of`; and if a fit has no more rows than parameters.
    """
    rows, p = _fewest_rows(condition), len(condition.theta)
    if condition.model.covariates != 0 and rows <= p:
        raise Inapplicable(f"a fit has {rows} rows for {p} parameters, and it is for many rows")
    information, without = information_of(condition)
    net, offsets = condition.network, condition.sources.offsets
    system = system_of(net, information, offsets)
    covariance, mean = covariances(system, generations), means(system, generations)
    error = np.zeros((generations + 1, net.size))
    if without:
        systems = [system_of(net, w, offsets) for w in without]
        error = jackknife_error(
            np.array([_mse(covariances(s, generations), means(s, generations)) for s in systems])
        )
    if net.plain:
        sources = unstable_sources(net)
        stable = ~np.array(collapsing(data_flow(net), sources))
        slopes = np.trace(growth(system, sources), axis1=1, axis2=2)
    else:  # a real source may leave directions unseen
        slopes, stable = long_run(system, condition)
    limits = _mse(limit(system, stable), mean_limit(system, stable))
    return Prediction(
        law=NAME,
        source=SOURCE,
        exact=False,
        covariance=covariance,
        mse=_mse(covariance, mean),
        standard_error=error,
        growth=np.where(stable, np.nan, slopes),
        limit=np.where(stable, limits, np.nan),
        mean=mean if offsets.any() else None,
        asymptotic=True,
        allowance=allowance(condition, generations),
        pooled=None if net.plain else pooled_first_order(net, information, offsets),
    )


def allowance(condition: Condition, generations: int) -> np.ndarray:
    """``k (p + 1) (t + 1) / (n - p - 1)`` at generation t, n rows of the smallest fit; (T + 1, M).

    A rule of thumb for the terms of order 1/n that the law leaves out and that add up over
    generations. k is 2 for linear and Huber, 4 for logistic and 12 for Poisson regression and
    families of a user's own. In simulations of 50 to 1,600 rows with p = 2 and 3, at most 1 was
    needed for linear and Huber regression, 2.7 for logistic (without real data) and 11 for Poisson
    (theta = (1, 1), generation 0). k is 4 for quantile regression, where at most 2 was needed (50
    rows a fit, p = 2, levels 0.1, 0.25 and 0.5, normal and t noise), but under a noise density with
    a kink at the quantile the departure is of order ``1 / sqrt(n)``, whatever the generation: there
    ``2 (p + 1) / sqrt(n)`` is added, of which two thirds were needed (Laplace median, 50 to 400
    rows).
    """
    net, p = condition.network, len(condition.theta)
    spare = _fewest_rows(condition) - p - 1
    factor = ALLOWANCES.get(condition.model.name, max(ALLOWANCES.values()))
    share = factor * (p + 1) / spare if spare > 0 else np.inf
    kink = 0.0
    if condition.model.estimator == QuantileLP() and kinked(condition.model):
        kink = 2 * (p + 1) / np.sqrt(_fewest_rows(condition))
    return np.repeat(kink + share * np.arange(1, generations + 2)[:, None], net.size, axis=1)


def _fewest_rows(condition: Condition) -> int:
    net = condition.network
    later = (sum(feed.samples for feed in own) for own in net.feeds_by_reader if own)
    return min([*net.initial, *later])


def _with_sources(
    condition: Condition, found: Information, without: list[Information]
) -> tuple[Information, list[Information]]:
    """The information with that of the further real sources, each at its own truth.

    Raises
    ------
    Inapplicable: if a truth stays at a distance as samples grow, and the family is not least
        squares, of which alone the mean is linear in that distance.
    """
    model, laws = condition.model, condition.sources
    sources: list[BatchInformation] = []
    parts: list[list[BatchInformation]] = [[] for _ in without]
    for s, source in enumerate(condition.network.sources, 1):
        if source.theta is not None and laws.offsets[s].any() and model.least_squares is None:
            raise Inapplicable(
                f"source {source.name!r} has a theta of its own, a distance that does not shrink as"
                " samples grow; give its shift instead"
            )
        if model.information is None:
            root = covariance_root(laws.covariance[s])
            own, drawn = estimate_information(model, laws.theta[s], root)
            for part, one in zip(parts, drawn, strict=True):
                part.append(one.real)
        else:
            params = model.params
            if laws.sigma is not None:
                params = params | {"sigma": laws.sigma[s]}
            own = model.information(params, laws.theta[s], laws.covariance[s])
        if not np.isfinite(own.real.score_covariance).all():
            raise Inapplicable(f"the score of source {source.name!r} has no finite covariance")
        sources.append(own.real)
    others = [replace(one, sources=tuple(p)) for one, p in zip(without, parts, strict=True)]
    return replace(found, sources=tuple(sources)), others


def _mse(covariance: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Second moments of the models: covariances (..., Mp, Mp) and means (..., M, p) to (..., M)."""
    diagonal = np.diagonal(covariance, axis1=-2, axis2=-1)
    return (diagonal.reshape(mean.shape) + mean**2).sum(-1)
