"""Design the real data of a network: how many rows for which model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mcjax.arguments import checked
from mcjax.design.allocation import Allocation, Objective, Share
from mcjax.design.amounts import named
from mcjax.design.conditions import check_network
from mcjax.design.demand import Demand, read_demand
from mcjax.design.exact import exact_errors
from mcjax.design.offers import Offer, cheapest_cure
from mcjax.design.response import CONVEX, Response, real_weights
from mcjax.design.risk import risk_of
from mcjax.design.room import Room
from mcjax.diagnosis.long_run import Facts
from mcjax.errors import InputError, naming
from mcjax.laws.collapse.components import data_flow
from mcjax.network.feed import REAL, Feed
from mcjax.network.network import Network
from mcjax.study.pipeline import read_pipeline

if TYPE_CHECKING:
    from jaxtyping import Float

UNEQUAL = (
    "weights of {names} are so unequal that the error is not known to be convex in the real rows"
)
SAMPLED = "errors of so many models are estimated by random signs, and the bound is for these"
MISSING = "is missing; add a [design] table with a budget or with targets"


@checked
def design_file(path: Path, tell: Callable[[str], object] | None = None) -> Allocation:
    """Find the real rows that the ``[design]`` table of a study file asks for.

    Parameters
    ----------
    path : Path
        The study file.
    tell : callable, optional
        Called with a line that says what was read.

    Raises
    ------
    InputError
        If the file has no valid network or design, the network is none to which the law applies, or
        no allocation is good enough.
    """
    found = read_pipeline(path)
    if tell is not None:
        tell(found.note)
    with naming(path):
        if found.design is None:
            raise InputError("design", MISSING)
        demand = read_demand(found.design, found.network)
        facts = Facts(found.regression, differs=found.differs, steps=found.steps)
        return _allocation(found.network, demand, facts)


def _allocation(net: Network, demand: Demand, facts: Facts) -> Allocation:
    aim = demand.aim
    check_network(net, facts, aim)
    net = net.with_feeds(feed for feed in net.feeds if feed.weight)
    told = demand.amounts.given(demand.budget)
    given, (net, demand, bought) = net, _robust(net, demand)
    flow = data_flow(net)
    matters = flow.feeders.reached(np.flatnonzero(aim.weights > 0).tolist())
    response = aim.response(net, matters, demand.at_least > 0)
    room = _room(net, response, demand, matters)
    found, whole = demand.amounts.best(response, room, _missing(response, demand))
    after = _with_real_rows(net, whole.rows)
    before = np.zeros(net.size, int)
    for feed in given.feeds:
        if feed.origin == REAL:
            before[net.index[feed.reader]] = feed.samples
    last = response.errors_in(after, whole.rows)
    errors = np.array([response.errors_in(given, before), last, last])
    errors[1, matters] = found.state.errors[matters]
    weighting = aim.weighted(after) if demand.weights else None
    network = after if weighting is None else weighting.network
    doubt = _doubt(net, response, room)
    objective = Objective(
        aim,
        before=aim.value(response, errors[0], float(demand.costs @ before)),
        after=found.value,
        bound=None if doubt and response.resolved else min(found.bound, found.value),
        rows=aim.value(response, errors[2], float(demand.costs @ whole.rows)),
    )
    worth = found.worth / demand.costs
    shown = errors if response.resolved else np.full_like(errors, np.nan)
    shares = {
        name: Share(
            before=int(before[i]),
            after=float(found.state.rows[i]),
            rows=int(whole.rows[i]),
            cost=float(demand.costs[i] * found.state.rows[i]),
            value=float(worth[i]),
            errors=(float(shown[0, i]), float(shown[1, i]), float(shown[2, i])),
        )
        for i, name in enumerate(net.models)
    }
    return Allocation(
        objective=objective,
        budget=demand.budget,
        given=told,
        share=demand.amounts.share,
        shares=shares,
        cures=cheapest_cure(given, demand.offers, _anchored(given)),
        robust=demand.robust,
        bought=bought,
        weighted=weighting,
        doubt=doubt,
        risk=risk_of(network, facts, demand.sealed),
        network=network,
        exact=exact_errors(given, after, facts),
    )


def _robust(net: Network, demand: Demand) -> tuple[Network, Demand, tuple[Offer, ...]]:
    """Return network and demand with the feeds that make the network robust, and these feeds."""
    if demand.robust is None:
        return net, demand, ()
    fixed = _with_real_rows(net, demand.at_least)
    least, largest = demand.amounts.sizes
    taken = {(feed.origin, feed.reader) for feed in fixed.feeds}
    allowed = dict(zip(net.models, demand.at_most >= least, strict=True))
    offers = [
        offer
        for offer in demand.offers
        if offer.edge not in taken
        and net.index[offer.reader] not in demand.sealed
        and (offer.origin != REAL or allowed[offer.reader])
    ]
    bought = demand.robust.bought(fixed, offers, demand.sealed)
    at_least, at_most = demand.at_least.copy(), demand.at_most.copy()
    for offer in bought:
        if offer.origin == REAL:
            i = net.index[offer.reader]
            at_least[i], at_most[i] = least, min(at_most[i], largest)
        else:
            net = net.with_feed(offer.origin, offer.reader, offer.samples)
    left = demand.amounts.less(sum(offer.origin == REAL for offer in bought))
    return net, replace(demand, at_least=at_least, at_most=at_most, amounts=left), bought


def _anchored(net: Network) -> list[int]:
    """Return the models that read real data or are frozen."""
    flow = data_flow(net)
    return [i for i, feeders in enumerate(flow.feeders) if flow.anchored[i] or not feeders]


def _room(net: Network, response: Response, demand: Demand, matters: np.ndarray) -> Room:
    """Return the allocations that are allowed, of which some end all collapse that matters."""
    low = demand.at_least
    high = np.where(matters & response.fits, demand.at_most, low)
    missing = _missing(response, demand)
    for group in missing:
        if not high[group].any():
            names = named(net.models, group)
            problem = f"leaves {names} without real data, on which errors grow without bound"
            raise InputError("design.at_most", f"{problem}; allow one of them real rows")
    return demand.amounts.room(Room(demand.costs, low, high, demand.budget), missing, net.models)


def _missing(response: Response, demand: Demand) -> list[list[int]]:
    """Return the groups of models of which one needs real rows that ``at_least`` lacks."""
    groups = map(list, response.groups)
    return [group for group in groups if not demand.at_least[group].any()]


def _doubt(net: Network, response: Response, room: Room) -> str:
    """Return why a local optimum may not be the optimum, or an empty string."""
    if not response.resolved:
        return SAMPLED
    unequal = response.kappa() > CONVEX * (response.given + room.low) * (1 + 1e-9)
    if not unequal.any():
        return ""
    return UNEQUAL.format(names=named(net.models, np.flatnonzero(unequal).tolist()))


def _with_real_rows(net: Network, rows: Float[np.ndarray, " M"]) -> Network:
    """Return the network with other numbers of real rows."""
    weights = real_weights(net)
    real = (
        Feed(REAL, name, int(count), float(weight))
        for name, count, weight in zip(net.models, rows, weights, strict=True)
        if count > 0
    )
    return net.with_feeds([*(feed for feed in net.feeds if feed.origin != REAL), *real])
