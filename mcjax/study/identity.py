"""A study as plain data, and the digest by which results are told apart."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from mcjax.study.parts import describe_estimator, describe_selections
from mcjax.study.quantities import name_of
from mcjax.study.study import Condition, Study


def describe(study: Study) -> dict[str, Any]:
    """Return a study as plain data.

    Raises
    ------
    InputError
        See :mod:`mcjax.study.parts`.
    """
    settings = {f.name: getattr(study, f.name) for f in dataclasses.fields(study)}
    settings["quantities"] = [name_of(quantity) for quantity in study.quantities]
    del settings["conditions"]
    return {
        "settings": settings,
        "conditions": [_described(condition) for condition in study.conditions],
    }


def _described(condition: Condition) -> dict[str, Any]:
    """Return a condition as plain data; what few conditions have is left out where it is absent."""
    model = condition.model
    described: dict[str, Any] = {
        "label": condition.label,
        "seed": condition.seed,
        "network": condition.network.described(),
        "family": {"name": model.name, "variant": model.variant, "params": model.params},
        "theta": condition.theta.tolist(),
        "covariance": condition.covariance.tolist(),
        "design": condition.design,
    }
    if model.penalty is not None:
        described["family"]["penalty"] = model.penalty.described
    if condition.own_covariances is not None:
        described["own_covariances"] = condition.own_covariances.tolist()
    if condition.intercept:
        described["intercept"] = True
    if condition.data is not None:
        described["data"] = condition.data.digest
    if model.structure is not None:
        described["structure"] = [str(model.structure.nesting), *model.structure.shapes]
    estimator = describe_estimator(condition)
    if estimator is not None:
        described["estimator"] = estimator
    selections = describe_selections(condition.network)
    if selections:
        described["selections"] = selections
    return described


def identity(study: Study) -> str:
    """Return a digest of everything that the numbers of a study depend on.

    The number of chains, and the settings by which they are judged, may change.

    Raises
    ------
    InputError
        See :func:`describe`.
    """
    about = describe(study)
    kept = ("generations", "precision", "solver", "sampling", "path")
    settings = {k: about["settings"][k] for k in kept}
    text = json.dumps([settings, about["conditions"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
