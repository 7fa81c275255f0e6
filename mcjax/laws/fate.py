"""The collapse law of one network in numbers: who collapses, how fast, and who settles where."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mcjax.laws.asymptotics import growth, limit
from mcjax.laws.batches import system_of
from mcjax.laws.sources import DataFlow, UnstableSource, collapsing, data_flow, unstable_sources
from mcjax.laws.system import LinearSystem
from mcjax.models.information import UNIT
from mcjax.network.network import Network


class Fate(NamedTuple):
    """Of every model, arrays of shape (M,), for the coefficient ``c_ii`` of the first-order law.

    Attributes
    ----------
    collapses: whether ``c_ii`` grows without bound.
    growth: its slope per generation, nan for a stable model.
    limit: its value as t -> infinity, nan for a model that collapses.
    """

    collapses: np.ndarray
    growth: np.ndarray
    limit: np.ndarray


def fate(flow: DataFlow, sources: tuple[UnstableSource, ...], system: LinearSystem) -> Fate:
    """Fate of every model given the network's unstable sources and its law with H = V = 1."""
    collapses = np.array(collapsing(flow, sources))
    slopes = growth(system, sources)[:, 0, 0]
    limits = np.diagonal(limit(system, ~collapses))
    return Fate(collapses, np.where(collapses, slopes, np.nan), np.where(collapses, np.nan, limits))


def fate_without(net: Network, without: str | None = None) -> Fate:
    """Fate of every model by the collapse law, or by what is left of it without one of its clauses
    (:data:`mcjax.laws.sources.CLAUSES`); numbers that the rest of a law does not give are nan."""
    flow = data_flow(net)
    sources = unstable_sources(net, flow, without)
    with np.errstate(all="ignore"):
        try:
            return fate(flow, sources, system_of(net, UNIT))
        except np.linalg.LinAlgError:
            nothing = np.full(net.size, np.nan)
            return Fate(np.array(collapsing(flow, sources)), nothing, nothing)
