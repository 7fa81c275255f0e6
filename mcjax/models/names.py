"""The names of the built-in models. Does not import JAX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PLACES = {
    "linear": "mcjax.models.location:linear",
    "logistic": "mcjax.models.glm:logistic",
    "poisson": "mcjax.models.glm:poisson",
    "huber": "mcjax.models.location:huber",
    "quantile": "mcjax.models.quantile:quantile",
    "minimum_norm": "mcjax.models.minimum_norm:minimum_norm",
    "gaussian": "mcjax.models.gaussian:gaussian",
    "categorical": "mcjax.models.generative:categorical",
    "bernoulli": "mcjax.models.generative:bernoulli",
    "poisson_mean": "mcjax.models.generative:poisson_mean",
}
"""Modules and functions of the built-in models, by name."""

LEAST_SQUARES = ("linear",)
"""Those that are fitted by ordinary least squares."""


def is_least_squares(spec: Mapping[str, Any]) -> bool:
    """Return whether the model of a ``[family]`` table is fitted by ordinary least squares."""
    return "file" not in spec and spec.get("name") in LEAST_SQUARES
