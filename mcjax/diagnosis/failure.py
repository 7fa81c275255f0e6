"""Find in which of three ways models fail, without simulation.

Noise accumulates
    where a collapse origin reaches a model (:mod:`mcjax.laws.collapse.origins`). The variance of
    its estimate grows without bound.
The truth is forgotten
    where a false anchor reaches a model and is not cancelled by others: a real source with another
    truth, a penalty, or a selection of what a feed brings. The centre of its estimates does not
    tend to the truth, however large samples are.
Errors explode
    where a component reaches a model whose transition A has a spectral radius above 1, or whose
    centres have no bounded limit. Errors are multiplied in every generation, their mean included.

Where A is computed, it decides whether noise accumulates. A component that lives on its own output
is no origin then if its radius is below 1, as that of penalised fits is: false anchors hold its
noise, at the price of the truth. Where a penalty or a selection needs A and it is not known,
nothing is known of the noise of these components, nor of what they reach.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.diagnosis.fine_tuning import FineTuned
from mcjax.diagnosis.long_run import (
    Facts,
    LongRun,
    false_anchors,
    long_run,
    relative_curvature,
)
from mcjax.laws.collapse.adjacency import Adjacency
from mcjax.laws.collapse.anchors import BackwardWalk
from mcjax.laws.collapse.components import DataFlow, data_flow
from mcjax.laws.collapse.origins import CollapseOrigin, collapse_origins, collapsing, origin_at
from mcjax.laws.collapse.radius import component_radii, in_cycles
from mcjax.laws.first_order.growing_samples import NEAR_UNIT
from mcjax.laws.law import Inapplicable
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

ABOUT_UNIT = 1e-6
"""Distance from 1 of a radius of modulus 1 that is known at a late generation alone."""


class Anchor(NamedTuple):
    """A false anchor of a model.

    Attributes
    ----------
    name : str
        Name of the real source, ``penalty``, ``base``, ``decay``, or ``ORIGIN -> READER`` of a
        feed.
    kind : str
        ``source`` for a real source with another truth, ``penalty`` for that of the fits, ``base``
        for a base with another truth, ``decay`` for weight decay; for a
        selection its field in study files, such as ``flip``.
    weight : float or None
        Its weight, see :mod:`mcjax.laws.collapse.anchors`; None where centres do not average.
    """

    name: str
    kind: str
    weight: float | None


class Explosion(NamedTuple):
    """A component that explodes.

    Attributes
    ----------
    members : tuple of str
        Names, in the order of the network.
    radius : float
        Spectral radius of A on it.
    indices : tuple of int
        Positions of the members in the network.
    drifts : bool
        Whether centres run away although the radius is 1, so that errors have no factor.
    """

    members: tuple[str, ...]
    radius: float
    indices: tuple[int, ...]
    drifts: bool = False


@dataclass(frozen=True)
class Failures:
    """Failures of the M models of a network.

    Attributes
    ----------
    noise, forgets, explodes : ndarray of bool, shape (M,)
        Whether noise accumulates, the truth is forgotten, and an explosion reaches a model.
    unknown : ndarray of bool, shape (M,)
        Whether it is not known if noise accumulates; ``noise`` is False there.
    origins : tuple of CollapseOrigin
        Where noise accumulates.
    explosions : tuple of Explosion
        The components where explosions begin.
    radius : ndarray, shape (M,)
        Spectral radius of A on the model's component; nan outside of cycles, and where unknown.
    cyclic : ndarray of bool, shape (M,)
        Which models are in a cycle.
    anchors : tuple of tuple of Anchor
        The false anchors that reach each model.
    inapplicable : str
        Why ``radius`` is unknown and explosion was not examined; empty if they are known.
    walk : BackwardWalk
        The backward walk of the network.
    fine_tuned : FineTuned or None
        What is known of models whose fits take steps from a start.
    """

    noise: Bool[np.ndarray, " M"]
    forgets: Bool[np.ndarray, " M"]
    explodes: Bool[np.ndarray, " M"]
    unknown: Bool[np.ndarray, " M"]
    origins: tuple[CollapseOrigin, ...]
    explosions: tuple[Explosion, ...]
    radius: Float[np.ndarray, " M"]
    cyclic: Bool[np.ndarray, " M"]
    anchors: tuple[tuple[Anchor, ...], ...]
    walk: BackwardWalk
    inapplicable: str = ""
    fine_tuned: FineTuned | None = None


def find_failures(net: Network, facts: Facts) -> Failures:
    """Return how the models of a network fail.

    Parameters
    ----------
    net : Network
        The network. If its feeds change with time, those that stay decide.
    facts : Facts
        What is known of the model.

    Raises
    ------
    InputError
        If generations take turns for ever.
    """
    late_net = net.settled
    flow = data_flow(late_net, starts=facts.edges)
    curvature = relative_curvature(net, facts)
    walk = BackwardWalk(net, curvature)
    anchors = _anchors(net, facts, walk, curvature is not None)
    forgotten, reason = np.fromiter(map(bool, anchors), bool, net.size), ""
    late = LongRun(walk.shares, forgotten, np.zeros(net.size, bool))
    radius = np.full(net.size, np.nan)
    try:
        late = long_run(net, facts, walk, curvature)
        radius = component_radii(flow, late.transition, late.transition.shape[0] // net.size)
    except Inapplicable as error:
        reason = str(error)
    runs, grows = late.runs, late.grows
    begins = radius > 1 + NEAR_UNIT
    if net.selections:  # those that run away at the speed of a random walk, or faster
        begins |= runs & (radius > 1 - ABOUT_UNIT)
    explodes = flow.readers.reached(np.flatnonzero(begins))
    origins = () if facts.penalised else collapse_origins(late_net, flow)
    if not late.settles:
        origins = tuple(
            origin
            for origin in origins
            for i in origin.indices[:1]
            if abs(radius[i] - 1) < ABOUT_UNIT and (grows is None or grows[i])
        )
    elif grows is not None:
        origins = _origins_of(
            late_net,
            flow,
            closed=origins,
            grows=grows & ~explodes,
            # a component that lives on raw output keeps an eigenvalue 1, unless a base holds it
            radius=radius if facts.refits else np.zeros_like(radius),
        )
    noise, unknown = collapsing(flow, origins), np.zeros(net.size, bool)
    if reason:
        origins, noise, unknown = _without_law(
            late_net, flow, origins, facts.penalised or not facts.refits
        )
    elif grows is not None and late.settles:
        noise &= grows
    return Failures(
        noise=noise,
        forgets=late.forgets,
        explodes=explodes,
        unknown=unknown,
        origins=origins,
        explosions=tuple(
            Explosion(
                tuple(net.models[i] for i in part),
                float(radius[part[0]]),
                tuple(part),
                drifts=bool(runs[part].any() and radius[part[0]] < 1 + ABOUT_UNIT),
            )
            for part in map(
                flow.readers.components.__getitem__,
                np.flatnonzero(flow.readers.components.having(begins)).tolist(),
            )
        ),
        radius=radius,
        cyclic=in_cycles(flow),
        anchors=_held_by_steps(flow, anchors, late.fine_tuned),
        walk=walk,
        fine_tuned=late.fine_tuned,
        inapplicable=reason,
    )


def _without_law(
    net: Network, flow: DataFlow, origins: tuple[CollapseOrigin, ...], penalised: bool
) -> tuple[tuple[CollapseOrigin, ...], Bool[np.ndarray, " M"], Bool[np.ndarray, " M"]]:
    """Return what topology alone knows of noise: origins, and where it accumulates or may do so.

    A model is *marked* if its fit has a penalty, or a feed of which it keeps a selection. A cycle
    with a marked member may hold its noise or not. Origins without marks accumulate noise, and all
    data that are passed on as they are carry it; a selection may take it away.

    Parameters
    ----------
    net : Network
        The network of the generation that stays.
    flow : DataFlow
        Its data flow.
    origins : tuple of CollapseOrigin
        Its collapse origins, by topology.
    penalised : bool
        Whether fits have a penalty, or take steps.
    """
    marked = np.full(net.size, penalised)
    raw: list[list[int]] = [[] for _ in net.models]  # who reads the output of each as it is
    for feed in net.feeds:
        i = net.index[feed.reader]
        if feed.keep is not None:
            marked[i] = True
        elif feed.origin in net.index:
            raw[net.index[feed.origin]].append(i)
    return what_is_known(flow, origins, marked, Adjacency.of(raw))


def what_is_known(
    flow: DataFlow,
    origins: tuple[CollapseOrigin, ...],
    marked: Bool[np.ndarray, " M"],
    raw: Adjacency,
) -> tuple[tuple[CollapseOrigin, ...], Bool[np.ndarray, " M"], Bool[np.ndarray, " M"]]:
    """Return the origins that topology knows, where noise accumulates, and where it may do so.

    Parameters
    ----------
    flow : DataFlow
        A data flow.
    origins : tuple of CollapseOrigin
        Its collapse origins, by topology.
    marked : ndarray of bool, shape (M,)
        What has a penalty, or keeps a selection.
    raw : Adjacency
        Who reads the output of each as it is.
    """
    known = tuple(origin for origin in origins if not marked[list(origin.indices)].any())
    begins, cyclic = [i for origin in known for i in origin.indices], in_cycles(flow)
    noise = raw.reached(begins)
    for part in flow.readers.components:
        if cyclic[part[0]] and marked[part].any():
            begins += part
    return known, noise, flow.readers.reached(begins) & ~noise


def _origins_of(
    net: Network,
    flow: DataFlow,
    closed: tuple[CollapseOrigin, ...],
    grows: Bool[np.ndarray, " M"],
    radius: Float[np.ndarray, " M"],
) -> tuple[CollapseOrigin, ...]:
    """Return the components where noise accumulates first.

    Parameters
    ----------
    net : Network
        The network of the generation that stays.
    flow : DataFlow
        Its data flow.
    closed : tuple of CollapseOrigin
        Its components that live on their own output.
    grows : ndarray of bool, shape (M,)
        Models whose variance grows and that do not explode.
    radius : ndarray, shape (M,)
        Spectral radius of A on their components.
    """
    known = {origin.indices: origin for origin in closed}
    found = []
    for part in flow.readers.components:
        feeders = {j for i in part for j in flow.feeders[i]}
        origin = known.get(tuple(part))
        raw = not net.selections  # a component that lives on raw output keeps an eigenvalue 1
        if origin is not None and (grows[part].any() or (raw and radius[part[0]] > 1)):
            found.append(origin)
        elif origin is None and grows[part].any() and not grows[list(feeders - set(part))].any():
            found.append(origin_at(net, flow, part))
    return tuple(sorted(found, key=lambda origin: origin.indices))


def _held_by_steps(
    flow: DataFlow, anchors: tuple[tuple[Anchor, ...], ...], known: FineTuned | None
) -> tuple[tuple[Anchor, ...], ...]:
    """Add the false anchors of fine-tuned models, and of all that these reach."""
    if known is None:
        return anchors
    result = [list(own) for own in anchors]
    for name, begins in (("base", known.base), ("decay", known.decays)):
        for i in np.flatnonzero(flow.readers.reached(np.flatnonzero(begins))):
            result[i].append(Anchor(name, name, None))
    return tuple(map(tuple, result))


def _anchors(
    net: Network, facts: Facts, walk: BackwardWalk, proportional: bool
) -> tuple[tuple[Anchor, ...], ...]:
    """Return the false anchors that reach each model, from a walk of proportional curvatures."""
    false, names = false_anchors(net, facts), tuple(net.source_index)
    if not (false.any() or facts.penalised or net.selections):
        return ((),) * net.size
    averages = proportional and (facts.averages or facts.condition is None)
    marked = facts.penalised or bool(net.selections)
    weights = walk.weights() if false.any() and averages and not marked else None
    marks: list[tuple[Anchor, ...]] = [()] * net.size
    if facts.penalised:
        marks = [(Anchor("penalty", "penalty", None),)] * net.size
    for feed in dict.fromkeys((*net.first, *net.later.feeds)):
        if feed.keep is not None:
            kind = fields(feed.keep)[0].name
            anchor = Anchor(f"{feed.origin} -> {feed.reader}", kind, None)
            for i in np.flatnonzero(walk.readers_of(net.index[feed.reader])):
                marks[i] += (anchor,)
    return tuple(
        tuple(
            Anchor(names[s], "source", None if weights is None else float(weights[:, i, s].mean()))
            for s in np.flatnonzero(walk.reach[i] & false)
        )
        + marks[i]
        for i in range(net.size)
    )
