"""Apply the collapse law to a network whose feeds come and go, phase by phase.

The law is that of the lift (:mod:`mcjax.laws.collapse.lift`), a static network of models in their
phases. A model is called by the worst of its phases.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from mcjax.diagnosis.cures import repairs
from mcjax.diagnosis.failure import Anchor
from mcjax.diagnosis.graph import paths, reaching
from mcjax.diagnosis.long_run import Facts, false_anchors, relative_curvature
from mcjax.diagnosis.verdict import Diagnosis, ModelVerdict, PhaseVerdict
from mcjax.errors import InputError
from mcjax.laws.collapse.components import DataFlow, reached, strong_components
from mcjax.laws.collapse.lift import Lift
from mcjax.laws.collapse.origins import CollapseOrigin, collapsing
from mcjax.laws.collapse.radius import component_radii, in_cycles
from mcjax.laws.first_order.collapse_rates import CollapseRates, collapse_rates
from mcjax.laws.first_order.lifted_system import lifted
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.information import UNIT
from mcjax.network.feed import Feed
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

MOST_VERTICES = 200_000
"""Largest number of models times phases of a diagnosis."""
MOST_RATES = 2_000
"""Largest number of models times phases for which rates are computed."""
DIFFERENT = (
    "feeds come and go, and fits are penalised, or data selected or of different curvature; the"
    " law of the phases is for whole samples of one curvature"
)
EXACT = "feeds come and go, and the exact law is for feeds that stay"


def diagnose_schedule(net: Network, facts: Facts) -> Diagnosis:
    """Return the diagnosis of a network whose feeds take turns for ever.

    Parameters
    ----------
    net : Network
        The network.
    facts : Facts
        What is known of the model. Rates are those of data of one curvature.

    Raises
    ------
    InputError
        If there are too many models in too many phases.
    """
    vertices = net.size * net.later.turns
    if vertices > MOST_VERTICES:
        raise InputError(
            "network.feeds",
            f"come and go in {net.later.turns:,} phases of {net.size:,} models, more than"
            f" {MOST_VERTICES:,} together; give `every` common factors",
        )
    lift = Lift(net)
    flow = lift.flow()
    cyclic = in_cycles(flow)
    marked = np.full(vertices, facts.penalised)
    marked |= [any(feed.keep is not None for feed in feeds) for feeds in lift.feeds_by_reader]
    origins, noise, unknown = _noise(lift, flow, marked, cyclic)
    alike = relative_curvature(net, facts) == {} and not marked.any()
    radius, rates = _rates(net, lift, flow, origins, known=alike)
    forgets, anchors = _forgotten(net, facts, lift, flow)
    found, sources = paths(flow, origins), reaching(flow, origins)
    models = {}
    shape = (net.later.turns, net.size)
    growth, limit = rates.growth.reshape(shape).T, rates.limit.reshape(shape).T
    largest = np.where(cyclic, radius, -np.inf).reshape(shape).max(0)
    slopes = np.where(noise, np.nan_to_num(rates.growth, nan=0.0), -np.inf)
    worst = slopes.reshape(shape).argmax(0)
    open_, grows = unknown.reshape(shape).T.tolist(), noise.reshape(shape).T.tolist()
    lost = np.any(forgets.reshape(shape), axis=0)
    for i, name in enumerate(net.models):
        phases = tuple(map(_phase, range(lift.phases), open_[i], grows[i], growth[i], limit[i]))
        worst_vertex = int(worst[i]) * net.size + i
        noisy, settled = any(grows[i]), not any(open_[i])
        models[name] = ModelVerdict(
            noise=noisy if noisy or settled else None,
            forgets=bool(lost[i]),
            explodes=False,
            radius=None if largest[i] == -np.inf else float(largest[i]),
            growth=phases[worst[i]].growth,
            limit=None if noisy or not settled else float(limit[i].max()),
            sources=tuple(dict.fromkeys(chain.from_iterable(sources[i :: net.size]))),
            anchors=anchors if lost[i] else (),
            explosions=(),
            path=tuple(lift.models[k] for k in found[worst_vertex]),
            frozen=lift.frozen[i],
            phases=phases,
        )
    return Diagnosis(
        models=models,
        unstable_sources=origins,
        explosions=(),
        repairs=repairs(origins),
        flips=(),
        inapplicable="" if alike else DIFFERENT,
        finite_sample=None if facts.regression is None else EXACT,
    )


def _phase(z: int, unknown: bool, grows: bool, growth: float, limit: float) -> PhaseVerdict:
    """Return the verdict on a model in one phase."""
    if unknown:
        return PhaseVerdict(z, collapses=None, growth=None, limit=None)
    if grows:
        return PhaseVerdict(z, collapses=True, growth=float(growth), limit=None)
    return PhaseVerdict(z, collapses=False, growth=None, limit=float(limit))


def _noise(
    lift: Lift, flow: DataFlow, marked: Bool[np.ndarray, " V"], cyclic: Bool[np.ndarray, " V"]
) -> tuple[tuple[CollapseOrigin, ...], Bool[np.ndarray, " V"], Bool[np.ndarray, " V"]]:
    """Return the collapse origins, where noise accumulates, and where it may do so.

    A penalty or a selection, which mark a vertex, may hold noise or pass it on.
    """
    if not marked.any():
        noise = np.array(collapsing(flow, lift.origins))
        return lift.origins, noise, np.zeros(len(marked), bool)
    origins = tuple(part for part in lift.origins if not marked[list(part.indices)].any())
    whole = [[i for i in readers if not marked[i]] for readers in flow.readers]
    begins = [i for origin in origins for i in origin.indices]
    noise = np.array(reached(whole, begins))
    for part in strong_components(flow.readers):
        if cyclic[part[0]] and marked[part].any():
            begins += part
    return origins, noise, np.array(reached(flow.readers, begins)) & ~noise


def _rates(
    net: Network, lift: Lift, flow: DataFlow, origins: tuple[CollapseOrigin, ...], known: bool
) -> tuple[Float[np.ndarray, " V"], CollapseRates]:
    """Return the radius of each vertex's component and the rates, nan where not known."""
    nothing = np.full(len(lift.models), np.nan)
    collapses = np.array(collapsing(flow, origins))
    few = len(lift.models) <= MOST_RATES and net.memory.current_only
    if not (known and few):
        return nothing, CollapseRates(collapses, nothing, nothing)
    system = lifted(linear_system(net, UNIT), np.array(lift.frozen[: net.size]))
    rates = collapse_rates(flow, origins, system)
    return component_radii(flow, system.transition), rates


def _forgotten(
    net: Network, facts: Facts, lift: Lift, flow: DataFlow
) -> tuple[Bool[np.ndarray, " V"], tuple[Anchor, ...]]:
    """Return whose centres do not tend to the truth, and the false anchors of the network.

    Whether false anchors cancel is not asked.
    """
    false = false_anchors(net, facts)
    names = {name for name, s in lift.source_index.items() if false[s]}
    anchors = [Anchor(name, "source", None) for name in names]
    begins = [v for v, feeds in enumerate(lift.feeds_by_reader) if names & _origins(feeds)]
    if facts.penalised:
        anchors.append(Anchor("penalty", "penalty", None))
        begins = list(range(len(lift.models)))
    for v, feeds in enumerate(lift.feeds_by_reader):
        kept = [feed for feed in feeds if feed.keep is not None]
        anchors += [Anchor(f"{f.origin} -> {f.reader}", "selection", None) for f in kept]
        begins += [v] * bool(kept)
    # what closed components and frozen models begin with stays
    held = _held(net, names)
    last = (lift.before - 1) % lift.phases * net.size
    for part in strong_components(flow.readers):
        closed = not any(flow.anchored[i] or set(flow.feeders[i]) - set(part) for i in part)
        if closed and any(lift.frozen[v] or last <= v < last + net.size for v in part):
            begins += [v for v in part if held[v % net.size]]
    return np.array(reached(flow.readers, begins)), tuple(dict.fromkeys(anchors))


def _held(net: Network, names: set[str]) -> list[bool]:
    """Return which models have read these sources, at first or through others, before the turns."""
    held = [bool(names & _origins(feeds)) for feeds in net.first_by_reader]
    for table in net.tables[: len(net.tables) - net.later.turns]:
        carried = names | {name for name, has in zip(net.models, held, strict=True) if has}
        held = [
            bool(carried & _origins(feeds)) if feeds else before
            for feeds, before in zip(table, held, strict=True)
        ]
    return held


def _origins(feeds: tuple[Feed, ...]) -> set[str]:
    return {feed.origin for feed in feeds if feed.weight}
