"""The laws of a condition's real sources, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.errors import InputError
from mcjax.network import Network
from mcjax.network.source import Source

if TYPE_CHECKING:
    from mcjax.models.model import Model


class SourceLaws(NamedTuple):
    """S real sources, ``real`` first.

    Attributes
    ----------
    theta: their truths, (S, p). covariance: of their covariates, (S, p, p). sigma: their noise
        scales, (S,), or None if none has its own.
    """

    theta: np.ndarray
    covariance: np.ndarray
    sigma: np.ndarray | None

    @property
    def offsets(self) -> np.ndarray:
        """Their truths less that of ``real``, (S, p)."""
        return self.theta - self.theta[0]


def source_laws(
    net: Network, model: Model, theta: np.ndarray, covariance: np.ndarray
) -> SourceLaws:
    """The laws of a network's real sources.

    Raises
    ------
    InputError: if a source has another number of parameters, a covariance that is none, or noise
        in a family without a scale for it.
    """
    p = len(theta)
    truths, covariances = [theta], [covariance]
    for source in net.sources:
        field = f"network.sources ({source.name})"
        for name in ("theta", "shift"):
            value = getattr(source, name)
            if value is not None and len(value) != p:
                raise InputError(f"{field}.{name}", f"has {len(value)} numbers; give {p}, as theta")
        if source.noise is not None and model.noise_scale is None:
            raise InputError(f"{field}.noise", f"means nothing in a {model.name} family; drop it")
        truths.append(_truth(source, theta))
        own = source.covariance
        covariances.append(
            covariance if own is None else read_covariance(own, p, f"{field}.covariance")
        )
    sigma = None
    if model.noise_scale is not None and any(s.noise is not None for s in net.sources):
        common = float(model.params[model.noise_scale])
        sigma = np.array([common, *(s.noise or common for s in net.sources)])
    return SourceLaws(np.array(truths), np.array(covariances), sigma)


def check_determined(net: Network, laws: SourceLaws) -> None:
    """That the covariates of every fit determine every parameter.

    Raises
    ------
    InputError: if the sum of the covariances of what a model reads is singular.
    """
    for t, table in enumerate((net.first_by_reader, *net.tables)):
        for name, feeds in zip(net.models, table, strict=True):
            read = [feed for feed in feeds if feed.weight]
            if not read:
                continue
            total = sum(laws.covariance[net.source_index.get(f.origin, 0)] for f in read)
            if not np.linalg.cond(total) < 1e12:
                raise InputError(
                    f"network.{'feeds' if t else 'first'}",
                    f"give model {name!r} in generation {t} covariates whose covariances have a"
                    " singular sum; add a feed that shows it the other directions",
                )


def read_covariance(rows: object, p: int, field: str = "covariates.covariance") -> np.ndarray:
    """A covariance matrix of size p, from lists of numbers.

    Raises
    ------
    InputError: naming the field, if it is none.
    """
    try:
        cov = np.asarray(rows, float)
    except (TypeError, ValueError) as error:
        raise InputError(field, f"must be {p} rows of {p} numbers") from error
    if cov.shape != (p, p) or not np.isfinite(cov).all():
        raise InputError(field, f"must be {p} rows of {p} finite numbers, as theta has {p}")
    if not np.allclose(cov, cov.T, rtol=1e-9, atol=0):
        raise InputError(field, "is not symmetric; make entry (i, j) equal to entry (j, i)")
    lowest = float(np.linalg.eigvalsh(cov)[0])
    if lowest < -1e-10 * max(1.0, float(np.abs(cov).max())) or not np.trace(cov) > 0:
        raise InputError(field, f"is not positive semi-definite (eigenvalue {lowest:.3g})")
    return cov


def _truth(source: Source, theta: np.ndarray) -> np.ndarray:
    if source.shift is not None and source.samples is not None:
        return theta + np.array(source.shift) / np.sqrt(source.samples)
    return theta if source.theta is None else np.array(source.theta)
