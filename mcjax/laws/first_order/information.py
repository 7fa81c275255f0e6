"""The information of a condition: H and V of every kind of data that its models read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcjax.laws.first_order.monte_carlo_information import estimate_information
from mcjax.laws.jackknife import jackknife_error
from mcjax.laws.law import Inapplicable
from mcjax.models.information import BatchInformation, Information
from mcjax.solvers.conditioning import condition_number, scaled
from mcjax.study.roots import covariance_root
from mcjax.study.study import Condition

LARGEST_CONDITION = 1e12
"""Condition number, with a unit diagonal, from which an expected Hessian counts as singular."""
CLEAR = 6.0
"""Standard errors by which the least eigenvalue of a simulated Hessian must exceed 0."""


def information_of(condition: Condition) -> tuple[Information, list[Information]]:
    """Return the information of a condition, and versions of it without one batch of draws each.

    Returns
    -------
    information : Information
        In closed form where the model knows it, otherwise by Monte Carlo.
    versions : list of Information
        Their spread gives the jackknife error of the information; empty for a closed form.

    Raises
    ------
    Inapplicable
        If the matrices are not finite, or the expected Hessian is singular, as far as can be told.
    """
    model, theta, cov = condition.model, condition.theta, condition.covariance
    if model.information is None:
        information, versions = estimate_information(model, theta, covariance_root(cov))
    else:
        information, versions = model.information(model.params, theta, cov), []
    if condition.network.sources:
        information, versions = _with_sources(condition, information, versions)
    for batch in (information.real, information.synthetic):
        if not np.isfinite(batch.score_covariance).all():
            raise Inapplicable(
                "the score has no finite covariance, or none that can be computed (noise too"
                " heavy-tailed, or theta too large)"
            )
        if not condition_number(batch.hessian) < LARGEST_CONDITION:
            raise Inapplicable(
                "the expected Hessian is singular (covariates of low rank, or a loss without"
                " curvature)"
            )
    if condition.minimises and versions:  # what takes steps does not invert the Hessian
        shrinkage = float(model.shrinkage)
        _check_determined(information.real, [v.real for v in versions], shrinkage)
        _check_determined(information.synthetic, [v.synthetic for v in versions], shrinkage)
    return information, versions


def _check_determined(
    batch: BatchInformation, versions: list[BatchInformation], shrinkage: float
) -> None:
    """Check that a simulated Hessian is positive definite beyond the error of its simulation.

    Otherwise its inverse may be that of noise. Its diagonal is scaled to 1.

    Raises
    ------
    Inapplicable
        If it is not.
    """
    drawn = np.stack([each.hessian for each in (batch, *versions)])
    least = np.linalg.eigvalsh(scaled(drawn + shrinkage * np.eye(drawn.shape[-1])))[:, 0]
    error = jackknife_error(least[1:])
    if not least[0] > CLEAR * error:
        raise Inapplicable(
            "the expected Hessian is singular or indefinite, as far as simulation tells: its least"
            f" eigenvalue, with a unit diagonal, is {least[0]:.2g} ± {error:.2g} (parameters that"
            " coincide or nearly do, as those of components of a mixture, or a loss without"
            " curvature)"
        )


def _with_sources(
    condition: Condition, information: Information, versions: list[Information]
) -> tuple[Information, list[Information]]:
    """Add the information of the further real sources, each at its own truth."""
    model, laws = condition.model, condition.sources
    sources: list[BatchInformation] = []
    parts: list[list[BatchInformation]] = [[] for _ in versions]
    for s, source in enumerate(condition.network.sources, 1):
        if model.information is None:
            root = covariance_root(laws.covariance[s])
            own, drawn = estimate_information(model, laws.theta[s], root)
            for part, version in zip(parts, drawn, strict=True):
                part.append(version.real)
        else:
            params = model.params
            if laws.sigma is not None:
                params = params | {"sigma": laws.sigma[s]}
            own = model.information(params, laws.theta[s], laws.covariance[s])
        if not np.isfinite(own.real.score_covariance).all():
            raise Inapplicable(f"the score of source {source.name!r} has no finite covariance")
        sources.append(own.real)
    others = [
        replace(version, sources=tuple(part)) for version, part in zip(versions, parts, strict=True)
    ]
    return replace(information, sources=tuple(sources)), others
