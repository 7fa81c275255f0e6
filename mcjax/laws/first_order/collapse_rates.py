"""Compute which models collapse, how fast, and where the others settle, to first order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.laws.collapse.components import DataFlow, data_flow
from mcjax.laws.collapse.origins import Clause, CollapseOrigin, collapse_origins, collapsing
from mcjax.laws.first_order.limits import growth, limit
from mcjax.laws.first_order.linear_system import LinearSystem
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.first_order.spectral_growth import spectral_growth
from mcjax.laws.prediction import mean_squares
from mcjax.models.information import UNIT, BatchInformation, Information
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class CollapseRates(NamedTuple):
    """Long-run behaviour of the coefficient ``c_ii`` of every model's covariance.

    Attributes
    ----------
    collapses : ndarray of bool, shape (M,)
        Whether ``c_ii`` grows without bound.
    growth : ndarray, shape (M,)
        Its slope per generation, nan for a stable model.
    limit : ndarray, shape (M,)
        Its value as t -> infinity, nan for a model that collapses.
    """

    collapses: Bool[np.ndarray, " M"]
    growth: Float[np.ndarray, " M"]
    limit: Float[np.ndarray, " M"]


def collapse_rates(
    flow: DataFlow, origins: tuple[CollapseOrigin, ...], system: LinearSystem
) -> CollapseRates:
    """Return the rates of a network from its collapse origins and its system with H = V = 1."""
    collapses = collapsing(flow, origins)
    slopes = growth(system, origins)[:, 0, 0]
    limits = np.diagonal(limit(system, ~collapses))
    return CollapseRates(
        collapses, np.where(collapses, slopes, np.nan), np.where(collapses, np.nan, limits)
    )


def rates_of_regressions(
    net: Network,
    collapses: Bool[np.ndarray, " M"],
    *,
    covariance: Float[np.ndarray, "p p"],
    sigma: float,
    own: Float[np.ndarray, "M p p"] | None = None,
) -> CollapseRates:
    """Return the rates of linear regressions whose data have different covariates or noise.

    Parameters
    ----------
    net : Network
        The network.
    collapses : ndarray of bool, shape (M,)
        The models that collapse, or explode.
    covariance : ndarray, shape (p, p)
        Covariance of the covariates of models and of the source ``real``.
    sigma : float
        Their noise scale.
    own : ndarray, shape (M, p, p), optional
        Covariances of the covariates of each model's rows; default to ``covariance``.

    Returns
    -------
    CollapseRates
        In place of ``c_ii``, the trace of a model's covariance in units of that of the inverse
        information.
    """
    information = information_of_regressions(net, covariance, sigma=sigma, own=own)
    system = linear_system(net, information)
    slopes, _ = spectral_growth(system, net)
    limits = mean_squares(limit(system, ~collapses), net.size)
    unit = np.trace(np.linalg.inv(covariance))
    return CollapseRates(
        collapses,
        np.where(collapses, slopes, np.nan) / unit,
        np.where(collapses, np.nan, limits) / unit,
    )


def information_of_regressions(
    net: Network,
    covariance: Float[np.ndarray, "p p"],
    *,
    sigma: float = 1.0,
    own: Float[np.ndarray, "M p p"] | None = None,
) -> Information:
    """Return the information of linear regressions, in units of their noise variance.

    Parameters
    ----------
    net : Network
        The network.
    covariance : ndarray, shape (p, p)
        Covariance of the covariates of models and of the source ``real``.
    sigma : float, optional
        Their noise scale, with which that of sources is compared.
    own : ndarray, shape (M, p, p), optional
        Covariances of the covariates of each model's rows; default to ``covariance``.
    """
    further = []
    for source in net.sources:
        seen = covariance if source.covariance is None else np.array(source.covariance)
        relative = 1.0 if source.noise is None else source.noise / sigma
        further.append(BatchInformation(seen, relative**2 * seen))
    common = BatchInformation(covariance, covariance)
    models = () if own is None else tuple(BatchInformation(part, part) for part in own)
    return Information(common, common, sources=tuple(further), models=models)


def rates_without(net: Network, without: Clause | None = None) -> CollapseRates:
    """Return the rates of a network by the collapse law less one of its clauses.

    Parameters
    ----------
    net : Network
        The network.
    without : Clause, optional
        The clause, by default none; see :data:`mcjax.laws.collapse.origins.CLAUSES`. Numbers that
        the rest of the law does not give are nan.
    """
    flow = data_flow(net)
    origins = collapse_origins(net, flow, without)
    with np.errstate(all="ignore"):
        try:
            return collapse_rates(flow, origins, linear_system(net, UNIT))
        except np.linalg.LinAlgError:
            nothing = np.full(net.size, np.nan)
            return CollapseRates(collapsing(flow, origins), nothing, nothing)
