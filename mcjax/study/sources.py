"""The distributions of a condition's real sources, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mcjax.data.data import Data
from mcjax.errors import InputError, did_you_mean
from mcjax.network import Network
from mcjax.network.source import Source
from mcjax.numbers import how_many
from mcjax.solvers.conditioning import LARGEST, SMALLEST, condition_number

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import ArrayLike

    from mcjax.models.model import Model


class SourceLaws(NamedTuple):
    """Distributions of S real sources, ``real`` first.

    Attributes
    ----------
    theta : ndarray
        Truths, shape (S, p).
    covariance : ndarray
        Covariances of the covariates, shape (S, q, q); with an intercept, second moments.
    sigma : ndarray or None
        Noise scales, shape (S,); None if all equal that of the model.
    data : tuple of (Data or None)
        Rows that sources draw from instead, S entries. Truths are then what fits these, and
        covariances second moments.
    """

    theta: Float[np.ndarray, "S p"]
    covariance: Float[np.ndarray, "S q q"]
    sigma: Float[np.ndarray, " S"] | None
    data: tuple[Data | None, ...]

    @property
    def from_files(self) -> bool:
        """Return whether some source draws rows of real data."""
        return any(data is not None for data in self.data)

    @property
    def offsets(self) -> Float[np.ndarray, "S p"]:
        """Return the differences of the truths from that of ``real``, shape (S, p)."""
        offsets: np.ndarray = self.theta - self.theta[0]
        return offsets


def source_laws(
    net: Network,
    model: Model,
    theta: Float[np.ndarray, " p"],
    covariance: Float[np.ndarray, "q q"],
    data: Data | None = None,
    *,
    intercept: bool,
) -> SourceLaws:
    """Return the distributions of a network's real sources.

    Parameters
    ----------
    net : Network
        The network, with its sources.
    model : Model
        The model that is fitted.
    theta : ndarray
        Truth of ``real``, shape (p,).
    covariance : ndarray
        Covariance of the covariates of ``real``, or their second moments, shape (q, q).
    data : Data, optional
        Rows that ``real`` draws from.
    intercept : bool
        Whether the first covariate is 1, wherever covariates are generated.

    Returns
    -------
    SourceLaws
        The distributions, ``real`` first.

    Raises
    ------
    InputError
        If a source has the wrong number of parameters or an invalid covariance, or if it has noise
        and the model has no noise scale.
    """
    p = len(theta)
    truths, covariances = [theta], [covariance]
    for source in net.sources:
        field = f"network.sources ({source.name})"
        for name in ("theta", "shift"):
            value = getattr(source, name)
            if value is not None and len(value) != p:
                raise InputError(
                    f"{field}.{name}", f"has {how_many(len(value), 'number')}; give {p}, as theta"
                )
            if value is not None and max(map(abs, value)) > LARGEST:
                raise InputError(
                    f"{field}.{name}", f"has a number beyond {LARGEST:g}; use another unit"
                )
        if source.noise is not None and not SMALLEST <= source.noise <= LARGEST:
            raise InputError(
                f"{field}.noise",
                f"is {source.noise!r}; give a number from {SMALLEST:g} to {LARGEST:g}",
            )
        if source.noise is not None and model.noise_scale is None:
            raise InputError(
                f"{field}.noise", f"has no meaning in the family {model.name!r}; drop it"
            )
        if source.data is not None:
            truths.append(_fit_of(source, model, p))
            covariances.append(source.data.second_moments)
            continue
        truths.append(_truth(source, theta))
        rows = source.covariance
        covariances.append(
            covariance
            if rows is None
            else read_covariance(rows, len(covariance), f"{field}.covariance", intercept)
        )
    sigma = None
    if model.noise_scale is not None and any(s.noise is not None for s in net.sources):
        common = float(model.params[model.noise_scale])
        sigma = np.array([common, *(s.noise or common for s in net.sources)])
    drawn = data, *(source.data for source in net.sources)
    laws = SourceLaws(np.array(truths), np.array(covariances), sigma, drawn)
    for array in laws[:3]:
        if array is not None:
            array.setflags(write=False)
    return laws


def check_sources(
    net: Network,
    model: Model,
    theta: Float[np.ndarray, " p"],
    covariance: Float[np.ndarray, "q q"],
    *,
    data: Data | None,
    own: Float[np.ndarray, "M q q"] | None,
    intercept: bool,
) -> None:
    """Check that a model takes several sources, and that every fit to them has one minimum.

    Arguments are those of :func:`source_laws` and :func:`check_determined`.

    Raises
    ------
    InputError
        If the model has no covariates, or those of a fit do not determine every parameter.
    """
    if model.covariates == 0:
        raise InputError(
            "network",
            "has sources, first or weights by generation, which need a family with covariates;"
            f" {model.name} has none; leave them out",
        )
    laws = source_laws(net, model, theta, covariance, data=data, intercept=intercept)
    if not model.shrinkage:  # which determines every parameter
        check_determined(net, laws, own)


def check_determined(
    net: Network, laws: SourceLaws, own: Float[np.ndarray, "M p p"] | None = None
) -> None:
    """Check that the covariates of every fit determine every parameter.

    Parameters
    ----------
    net : Network
        The network.
    laws : SourceLaws
        The distributions of its real sources.
    own : ndarray, shape (M, p, p), optional
        Covariances of the covariates of each model's rows; default to that of ``real``.

    Raises
    ------
    InputError
        If the covariances of the feeds of a model have a singular sum.
    """
    for t, table in enumerate((net.first_by_reader, *net.tables)):
        for name, feeds in zip(net.models, table, strict=True):
            read = [feed for feed in feeds if feed.weight]
            if not read:
                continue
            total = sum(
                laws.covariance[net.source_index.get(f.origin, 0)]
                if own is None or f.origin in net.source_index
                else own[net.index[f.origin]]
                for f in read
            )
            if not condition_number(total) < 1e12:
                raise InputError(
                    f"network.{'feeds' if t else 'first'}",
                    f"give model {name!r} in generation {t} covariates that do not determine every"
                    " parameter (the sum of their covariances is singular); add a feed with others",
                )


def read_second_moments(
    model: Model, p: int, covariance: Any, *, intercept: bool, other: bool
) -> tuple[Model, Float[np.ndarray, "q q"]]:
    """Return a model that knows how many covariates it has, and their second moments.

    Parameters
    ----------
    model : Model
        The model, with the structure of its parameters.
    p : int
        Number of parameters.
    covariance : array_like or None
        As it is given, without the intercept; the identity if None.
    intercept : bool
        Whether the first covariate is 1.
    other : bool
        Whether something else about covariates is given.

    Raises
    ------
    InputError
        If the model has no covariates, there is none beside the intercept, or the covariance is
        not valid.
    """
    if model.covariates == 0 and (covariance is not None or intercept or other):
        raise InputError("covariates", f"do not exist in the family {model.name!r}; leave them out")
    count = model.covariates_for(p) or p
    if model.structure is not None and covariance is not None and model.covariates is None:
        # only the covariance tells how many there are
        count = len(np.atleast_1d(covariance)) + intercept
        model = replace(model, covariates=count)
    if count <= intercept:
        raise InputError(
            "covariates.intercept", "is the only covariate; give theta a number for a further one"
        )
    if covariance is None:
        return model, np.eye(count)
    return model, read_covariance(covariance, count, intercept=intercept)


def read_covariance(
    rows: object, q: int, field: str = "covariates.covariance", intercept: bool = False
) -> Float[np.ndarray, "q q"]:
    """Return the q x q second moments of covariates from a covariance as lists of numbers.

    If the first covariate is an intercept, the covariance is that of the others.

    Raises
    ------
    InputError
        If it is not a valid covariance; the message names ``field``.
    """
    p, wanted = q - intercept, f"theta has {q}"
    if intercept:
        wanted += ", the first of them for the intercept"
    try:
        cov = np.asarray(rows, float)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            field, f"must be {how_many(p, 'row')} of {how_many(p, 'number')}"
        ) from error
    if cov.shape != (p, p) or not np.isfinite(cov).all():
        raise InputError(
            field,
            f"must be {how_many(p, 'row')} of {how_many(p, 'finite number')}, as {wanted}",
        )
    if not np.allclose(cov, cov.T, rtol=1e-9, atol=0):
        raise InputError(field, "is not symmetric; make entry (i, j) equal to entry (j, i)")
    variances = np.diagonal(cov)[np.diagonal(cov) > 0]
    if (variances < SMALLEST).any() or (variances > LARGEST).any():
        raise InputError(
            field,
            f"has a variance outside the range from {SMALLEST:g} to {LARGEST:g}; use another unit",
        )
    lowest = float(np.linalg.eigvalsh(cov)[0])
    if not cov.any():
        raise InputError(field, "is zero, so that no parameter can be seen; give some variance")
    if lowest < -1e-10 * max(1.0, float(np.abs(cov).max())) or not np.trace(cov) > 0:
        raise InputError(field, f"is not positive semi-definite (eigenvalue {lowest:.3g})")
    if not intercept:
        return cov
    moments = np.eye(q)
    moments[1:, 1:] = cov
    return moments


def read_own_covariances(
    network: Network,
    cov: Float[np.ndarray, "q q"],
    given: Mapping[str, ArrayLike],
    intercept: bool = False,
) -> Float[np.ndarray, "M q q"] | None:
    """Return the covariances of the covariates of each model's rows; None if all are equal.

    Parameters
    ----------
    network : Network
        The network.
    cov : ndarray, shape (q, q)
        Covariance of the covariates of ``real``, and of models that ``given`` does not name.
    given : mapping of str to array_like
        Covariances by model.
    intercept : bool
        Whether the first covariate is 1; second moments are then returned.

    Raises
    ------
    InputError
        If a model is unknown or a covariance is not valid, or fits are of subsamples.
    """
    result = np.tile(cov, (network.size, 1, 1))
    for name, rows in given.items():
        field = f"covariates.models.{name}"
        if name not in network.index:
            hint = did_you_mean(name, network.models)
            raise InputError(field, f"is for the unknown model {name!r}{hint}")
        result[network.index[name]] = read_covariance(rows, len(cov), field, intercept)
    if (result == cov).all():
        return None
    if network.memory.selects:
        raise InputError(
            "covariates.models", "is for memory 'replace' or 'accumulate'; use one of these"
        )
    result.setflags(write=False)
    return result


def _fit_of(source: Source, model: Model, p: int) -> np.ndarray:
    """Return the parameters that fit the rows of a source."""
    from mcjax.study.file_fit import fit_to_file  # imports JAX

    assert source.data is not None, "it has been asked"
    found = source.data.x.shape[1]
    if model.parameters_for(found) != p:
        raise InputError(
            f"network.sources ({source.name}).data",
            f"has {how_many(found, 'covariate')} for {how_many(p, 'parameter')}; encode it like the"
            " data of the study, by its method `like`",
        )
    try:
        return fit_to_file(model, source.data)
    except InputError as error:
        if error.field.split(".")[0] != "data":
            raise
        # `data` is the table of a study file, and these are rows of another file
        raise InputError(f"network.sources ({source.name})", error.message) from error


def _truth(source: Source, theta: np.ndarray) -> np.ndarray:
    truth = theta if source.theta is None else np.array(source.theta)
    if source.shift is not None and source.samples is not None:
        truth = theta + np.array(source.shift) / np.sqrt(source.samples)
    return truth
