"""Rates, limits and times to harm of the models that are asked for.

Errors of a model depend on the models alone from which data reach it. So those that are asked for
have the rates of a smaller network: that of these models, in dense arrays. Where it is large all
the same, errors come from lineages, generation by generation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mcjax.diagnosis.early import early_harm
from mcjax.diagnosis.failure import Failures
from mcjax.diagnosis.long_run import Facts, alike, whole_samples
from mcjax.diagnosis.ranking import noise_of_fits, origin_slopes
from mcjax.laws.collapse.adjacency import Adjacency
from mcjax.laws.collapse.components import data_flow
from mcjax.laws.collapse.origins import CollapseOrigin, collapse_origins, collapsing
from mcjax.laws.first_order.collapse_rates import collapse_rates, rates_of_regressions
from mcjax.laws.first_order.lifted_system import lifted
from mcjax.laws.first_order.lineages import Walk, lineages
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.first_order.time_to_harm import TIMES, time_to_harm
from mcjax.models.information import UNIT
from mcjax.network.feed import Feed
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

MOST_MODELS = 2_000
"""Largest number of models, with all that feed them, for which rates are computed together."""
MOST_ASKED = 2_000
"""Largest number of models of a large network whose rates are computed."""
MOST_TRIED = 60
"""Largest number of models of networks that are looked at with a new feed."""


@dataclass(frozen=True)
class Rates:
    """Hold the known rates of the errors of M models, nan where unknown.

    Attributes
    ----------
    growth, limit : ndarray, shape (M,)
        Slope per generation, and value as t -> infinity, of the coefficient ``c_ii``.
    relative : ndarray, shape (4, M)
        The errors in generations 1, 5 and 20 and in the limit over the first ones; infinite in the
        limit of models that collapse.
    doubles, tenfold : ndarray, shape (M,)
        Generations until errors are so many times the first ones.
    """

    growth: Float[np.ndarray, " M"]
    limit: Float[np.ndarray, " M"]
    relative: Float[np.ndarray, "4 M"]
    doubles: Float[np.ndarray, " M"]
    tenfold: Float[np.ndarray, " M"]

    @classmethod
    def unknown(cls, size: int) -> Rates:
        """Return the rates of models of which nothing is known."""
        nothing = [np.full(size, np.nan) for _ in range(4)]
        return cls(
            growth=nothing[0],
            limit=nothing[1],
            relative=np.full((len(TIMES) + 1, size), np.nan),
            doubles=nothing[2],
            tenfold=nothing[3],
        )


def rates_of(
    net: Network, facts: Facts, failures: Failures, asked: Int[np.ndarray, " K"] | None = None
) -> Rates:
    """Return the rates of a network of constant feeds.

    Parameters
    ----------
    net : Network
        The network, with the feeds of earlier generations.
    facts : Facts
        What is known of the model.
    failures : Failures
        How models fail.
    asked : ndarray of int, shape (K,), optional
        The models that are asked for, by position; defaults to all, at most :data:`MOST_MODELS`.
    """
    collapses = failures.noise | failures.explodes
    if asked is None:
        return _rates(net, facts, failures, collapses)
    result = Rates.unknown(net.size)
    if not alike(net, facts) or failures.fine_tuned is not None:
        return result
    tables = [g.columns(net.places) for g in net.later.generations]
    origin = np.concatenate([feeds.origin for feeds in tables])
    reader = np.concatenate([feeds.reader for feeds in tables])
    model = origin < net.size
    feeders = Adjacency(reader[model], origin[model], net.size)
    together, many = _together(feeders, asked)
    _set_lineages(result, net, failures, feeders=feeders, asked=many)
    for models in together:
        chosen = np.flatnonzero(models)
        own = _alike(net.part(models), collapses[chosen], asked=np.isin(chosen, asked))
        for name in ("growth", "limit", "relative", "doubles", "tenfold"):
            getattr(result, name)[..., chosen] = getattr(own, name)
    return result


def _together(
    feeders: Adjacency, asked: Int[np.ndarray, " K"]
) -> tuple[list[Bool[np.ndarray, " M"]], list[int]]:
    """Return sets of models, each with all that feeds them, and models for which these are large.

    Positions of models that too many others feed for dense arrays are in the second part.
    """
    found, many, total = [], [], np.zeros(len(feeders), bool)
    for i in asked[:MOST_ASKED].tolist():
        if total[i]:
            continue
        own = feeders.reached([i])
        if own.sum() > MOST_MODELS:
            many.append(i)
            continue
        if (total | own).sum() > MOST_MODELS:
            found.append(total)
            total = np.zeros(len(feeders), bool)
        total = total | own
    return ([*found, total] if total.any() else found), many


def _set_lineages(
    rates: Rates, net: Network, failures: Failures, *, feeders: Adjacency, asked: list[int]
) -> None:
    """Set the rates of models that very many others feed, where samples are private."""
    applies = net.later.constant and net.memory.current_only and net.plain
    if not asked or not applies or net.shares_draws or net.reuses_real:
        return
    shares, noise = failures.walk.shares, noise_of_fits(net)
    inside = feeders.reached(asked)
    models, place = np.flatnonzero(inside), np.cumsum(inside) - 1
    origins = [origin for origin in failures.origins if inside[origin.indices[0]]]
    slopes = origin_slopes(origins, shares, noise)
    moved = [replace(o, indices=tuple(place[list(o.indices)].tolist())) for o in origins]
    first = 1 / np.array(net.initial, float)
    walk = Walk(shares[models][:, models], noise[models], first[models])
    found = lineages(walk, place[asked], moved, slopes)
    collapses = (failures.noise | failures.explodes)[asked]
    rates.growth[asked], rates.limit[asked] = found.growth, found.limit
    last = np.where(collapses, np.inf, found.limit / first[asked])
    rates.relative[:, asked] = np.vstack([found.relative, last])
    rates.doubles[asked], rates.tenfold[asked] = found.times


def _rates(
    net: Network, facts: Facts, failures: Failures, collapses: Bool[np.ndarray, " M"]
) -> Rates:
    regression, whole = facts.regression, Rates.unknown(net.size)
    if failures.fine_tuned is not None:
        slow = failures.fine_tuned.rates(collapses)
        return replace(whole, growth=slow.growth, limit=slow.limit)
    if alike(net, facts):
        return _alike(net, collapses, failures.origins)
    changes = _changes(net)
    if regression is not None and regression.covariance is not None:
        known = net.memory.current_only or net.memory.vanishing
        if known and not changes and whole_samples(net, facts):
            slow = rates_of_regressions(
                net.settled,
                collapses,
                covariance=regression.covariance,
                sigma=regression.sigma,
                own=regression.own,
            )
            return replace(whole, growth=slow.growth, limit=slow.limit)
    return whole


def doubling(net: Network, facts: Facts, new: Feed) -> int | None:
    """Return when the error of the reader of a new feed doubles; None if that is not known."""
    known = net.later.constant and net.memory.current_only and net.plain and not net.shares_draws
    if not known or net.size > MOST_TRIED or not alike(net, facts):
        return None
    net = net.with_feed(new.origin, new.reader, new.samples)
    reader = net.index[new.reader]
    origins = collapse_origins(net)
    collapses = collapsing(data_flow(net), origins)
    found = _alike(net, collapses, origins, asked=np.arange(net.size) == reader).doubles[reader]
    return None if math.isnan(found) else int(found)


def _changes(net: Network) -> bool:
    return net.later.rows_vary and not net.later.exponent


def _alike(
    whole: Network,
    collapses: Bool[np.ndarray, " M"],
    origins: tuple[CollapseOrigin, ...] | None = None,
    asked: Bool[np.ndarray, " M"] | None = None,
) -> Rates:
    """Return the rates where all data have one law besides."""
    net, changes, nothing = whole.settled, _changes(whole), Rates.unknown(whole.size)
    if not (net.memory.current_only or (net.memory.vanishing and not changes)):
        return nothing
    system = linear_system(net, UNIT)
    if changes:  # models that read nothing in the end may have read before
        system = lifted(linear_system(whole, UNIT), np.array(net.frozen))
    origins = collapse_origins(net) if origins is None else origins
    slow = collapse_rates(data_flow(net), origins, system)
    rates = replace(nothing, growth=slow.growth, limit=slow.limit)
    if not whole.later.constant or not net.memory.current_only:
        harm = early_harm(whole)
    else:
        period = math.lcm(*(origin.period for origin in origins))
        harm = time_to_harm(system, slow.growth, slow.limit, period=period, asked=asked)
    first = np.diagonal(system.initial)[: net.size]
    last = np.where(collapses, np.inf, slow.limit / first)
    return replace(
        rates,
        relative=np.vstack([harm.relative, last]),
        doubles=harm.times[0],
        tenfold=harm.times[1],
    )
