"""Facts about a file for its diagnosis. Imports JAX only if readers keep a selection."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mcjax.errors import InputError, naming
from mcjax.models.names import MOST_PARAMETERS, check_family, is_least_squares
from mcjax.network.network import Network
from mcjax.numbers import how_many
from mcjax.study.networks import read_content
from mcjax.study.sources import read_covariance, read_own_covariances
from mcjax.study.tables import CovariateTable, DesignTable, StudyFile

if TYPE_CHECKING:
    from jaxtyping import Float


class Regression(NamedTuple):
    """Facts about models that are linear regressions, fitted by ordinary least squares.

    Attributes
    ----------
    parameters : int
        Number p of parameters.
    covariance : ndarray or None
        Covariance of the covariates of ``real`` and of models, shape (p, p).
    sigma : float
        Noise scale.
    theta : ndarray or None
        The truth, shape (p,).
    own : ndarray or None
        Covariances of the covariates of each model's rows, shape (M, p, p); None if all have
        ``covariance``.
    """

    parameters: int
    covariance: Float[np.ndarray, "p p"] | None = None
    sigma: float = 1.0
    theta: Float[np.ndarray, " p"] | None = None
    own: Float[np.ndarray, "M p p"] | None = None


class Pipeline(NamedTuple):
    """The network of a file, and what a diagnosis needs of its model.

    Attributes
    ----------
    network : Network
        The network.
    note : str
        What was read, for people.
    regression : Regression or None
        The model, if it is ordinary least squares.
    differs : bool
        Whether data differ in more than the model that generates them, so that the diagnosis
        depends on a model that is no regression, or missing.
    modelled : bool
        Whether the file has a model.
    design : DesignTable or None
        What is asked of its real data.
    steps : bool
        Whether fits take steps, so that the diagnosis depends on the model.
    groups : dict of str to tuple of str
        The members of groups of models, such as the versions of one.
    """

    network: Network
    note: str
    regression: Regression | None = None
    differs: bool = False
    modelled: bool = False
    steps: bool = False
    design: DesignTable | None = None
    groups: dict[str, tuple[str, ...]] = {}  # noqa: RUF012 - nobody changes it


def read_pipeline(path: Path) -> Pipeline:
    """Read what a diagnosis needs of a file.

    Raises
    ------
    InputError
        If the file has no valid network or truth; the message names file and field.
    """
    net, content, note, groups = read_content(path)
    if content is None:
        return Pipeline(net, note, groups=groups)
    return _described(path, net, content, note)._replace(groups=groups)


def _described(path: Path, net: Network, content: StudyFile, note: str) -> Pipeline:
    """Return what a diagnosis needs of a study file."""
    family, covariates = content.family or {}, content.covariates or CovariateTable()
    if content.data is not None:
        note += "; rates depend on the rows of the file, which `mcjax predict` reads"
    asked = content.design
    fitted = content.estimator or {}
    own = fitted.get("models") or {}  # whoever reads it as a study checks it
    tables = [fitted, *(own.values() if isinstance(own, dict) else ())]
    steps = any(isinstance(table, dict) and "steps" in table for table in tables)
    with naming(path):
        if covariates.models and content.network is not None and content.network.groups:
            problem = "and [network.groups] exclude each other, as groups have one distribution"
            raise InputError("covariates.models", f"{problem}; keep one")
        if content.family is not None:
            check_family(family)
            plain = not (net.selections or steps or content.data or covariates.intercept)
            if is_least_squares(family) and plain:
                regression = _regression(net, family, covariates)
                return Pipeline(net, note, regression, modelled=True, design=asked)
    differs = bool(net.selections or covariates.models)
    if not family:
        return Pipeline(net, note, differs=differs, steps=steps, design=asked)
    differs = differs or steps or content.data is not None or _differs(net, family)
    return Pipeline(net, note, differs=differs, modelled=True, steps=steps, design=asked)


def _regression(net: Network, family: Mapping[str, Any], covariates: CovariateTable) -> Regression:
    theta, sigma = family.get("theta"), family.get("sigma", 1.0)
    if not isinstance(theta, list) or not theta or not all(map(_is_number, theta)):
        raise InputError("family.theta", "must be a list of numbers, one per parameter")
    if not isinstance(sigma, int | float) or not sigma > 0:
        raise InputError("family.sigma", f"is {sigma!r}; give a positive number")
    if len(theta) > MOST_PARAMETERS:
        raise InputError(
            "family.theta", f"has {len(theta)} numbers; give at most {MOST_PARAMETERS}"
        )
    p, given = len(theta), covariates.covariance
    covariance = np.eye(p) if given is None else read_covariance(given, p)
    for source in net.sources:
        field = f"network.sources ({source.name})"
        if source.covariance is not None:
            read_covariance(source.covariance, p, f"{field}.covariance")
        for name in ("theta", "shift"):
            numbers = getattr(source, name)
            if numbers is not None and len(numbers) != p:
                raise InputError(
                    f"{field}.{name}", f"has {how_many(len(numbers), 'number')}; give {p}, as theta"
                )
    return Regression(
        p,
        covariance=covariance,
        sigma=float(sigma),
        theta=np.array(theta, float),
        own=read_own_covariances(net, covariance, covariates.models),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _differs(net: Network, family: Mapping[str, Any]) -> bool:
    """Return whether real data have several laws, or fits a penalty."""
    own = any(part is not None for s in net.sources for part in (s.theta, s.covariance, s.noise))
    return own or not {"real_noise", "penalty"}.isdisjoint(family)
