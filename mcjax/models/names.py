"""The names of the built-in models. Does not import JAX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcjax.errors import InputError, did_you_mean

PLACES = {
    "linear": "mcjax.models.location:linear",
    "logistic": "mcjax.models.glm:logistic",
    "poisson": "mcjax.models.glm:poisson",
    "probit": "mcjax.models.probit:probit",
    "negative_binomial": "mcjax.models.negative_binomial:negative_binomial",
    "nb2": "mcjax.models.nb2:nb2",
    "multinomial": "mcjax.models.multinomial:multinomial",
    "huber": "mcjax.models.location:huber",
    "quantile": "mcjax.models.quantile:quantile",
    "minimum_norm": "mcjax.models.minimum_norm:minimum_norm",
    "gaussian": "mcjax.models.gaussian:gaussian",
    "gaussian_mixture": "mcjax.models.mixture:gaussian_mixture",
    "categorical": "mcjax.models.generative:categorical",
    "unigram": "mcjax.models.unigram:unigram",
    "bigram": "mcjax.models.bigram:bigram",
    "bernoulli": "mcjax.models.generative:bernoulli",
    "poisson_mean": "mcjax.models.generative:poisson_mean",
}
"""Modules and functions of the built-in models, by name."""

MOST_PARAMETERS = 5000
"""Largest number of parameters of a model in a file."""
LEAST_SQUARES = ("linear",)
"""Those that are fitted by ordinary least squares."""


def check_family(spec: Mapping[str, Any]) -> None:
    """Check that a ``[family]`` table names a built-in model, or the file of a user's.

    Raises
    ------
    InputError
        If it does not.
    """
    name = spec.get("name")
    if "file" not in spec and (not isinstance(name, str) or name not in PLACES):
        hint = did_you_mean(name, PLACES)
        raise InputError("family.name", f"is {name!r}, not one of {', '.join(PLACES)}{hint}")


def is_least_squares(spec: Mapping[str, Any]) -> bool:
    """Return whether the model of a ``[family]`` table is fitted by ordinary least squares."""
    plain = "file" not in spec and "penalty" not in spec
    return plain and spec.get("name") in LEAST_SQUARES
