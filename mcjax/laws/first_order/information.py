"""The information of a condition: H and V of every kind of data that its models read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcjax.laws.first_order.monte_carlo_information import estimate_information
from mcjax.laws.law import Inapplicable
from mcjax.models.information import BatchInformation, Information
from mcjax.solvers.conditioning import condition_number
from mcjax.study.roots import covariance_root
from mcjax.study.study import Condition

LARGEST_CONDITION = 1e12
"""Condition number, with a unit diagonal, from which an expected Hessian counts as singular."""


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
        If the matrices are not finite, or the expected Hessian is singular.
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
                "the score has no finite covariance (noise too heavy-tailed, or theta too large)"
            )
        if not condition_number(batch.hessian) < LARGEST_CONDITION:
            raise Inapplicable(
                "the expected Hessian is singular (covariates of low rank, or a loss without"
                " curvature)"
            )
    return information, versions


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
