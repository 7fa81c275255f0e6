"""Find in which of three ways models fail, without simulation.

Noise accumulates
    where a collapse origin reaches a model (:mod:`mcjax.laws.collapse.origins`). The variance of
    its estimate grows without bound.
The truth is forgotten
    where a false anchor reaches a model and is not cancelled by others: a real source with another
    truth, or a penalty. The centre of its estimates does not tend to the truth, however large
    samples are.
Errors explode
    where a component reaches a model whose transition A has a spectral radius above 1, or whose
    centres have no bounded limit. Errors are multiplied in every generation, their mean included.

A component that topology takes for an origin is none if its radius is below 1, as that of penalised
fits is: false anchors hold its noise, at the price of the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from mcjax.diagnosis.long_run import (
    Facts,
    false_anchors,
    long_run,
    relative_curvature,
)
from mcjax.laws.collapse.anchors import BackwardWalk
from mcjax.laws.collapse.components import data_flow, reached, strong_components
from mcjax.laws.collapse.origins import CollapseOrigin, collapse_origins, collapsing
from mcjax.laws.collapse.radius import component_radii, in_cycles
from mcjax.laws.first_order.growing_samples import NEAR_UNIT
from mcjax.laws.law import Inapplicable
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class Anchor(NamedTuple):
    """A false anchor of a model.

    Attributes
    ----------
    name : str
        Name of the real source, or ``penalty``.
    kind : {"source", "penalty"}
        Whether it is a real source with another truth, or the penalty of the fits.
    weight : float or None
        Its weight, see :mod:`mcjax.laws.collapse.anchors`; None where centres do not average.
    """

    name: str
    kind: Literal["source", "penalty"]
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
    """

    members: tuple[str, ...]
    radius: float
    indices: tuple[int, ...]


@dataclass(frozen=True)
class Failures:
    """How the M models of a network fail.

    Attributes
    ----------
    noise, forgets, explodes : ndarray of bool, shape (M,)
        Whether noise accumulates, the truth is forgotten, and an explosion reaches a model.
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
    """

    noise: Bool[np.ndarray, " M"]
    forgets: Bool[np.ndarray, " M"]
    explodes: Bool[np.ndarray, " M"]
    origins: tuple[CollapseOrigin, ...]
    explosions: tuple[Explosion, ...]
    radius: Float[np.ndarray, " M"]
    cyclic: Bool[np.ndarray, " M"]
    anchors: tuple[tuple[Anchor, ...], ...]
    inapplicable: str = ""


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
    flow = data_flow(late_net)
    origins = () if facts.penalised else collapse_origins(late_net, flow)
    curvature = relative_curvature(net, facts)
    walk = BackwardWalk(net, curvature)
    radius, runs, reason = np.full(net.size, np.nan), np.zeros(net.size, bool), ""
    forgotten = np.any(walk.reach & false_anchors(net, facts), axis=1) | facts.penalised
    try:
        late = long_run(net, facts, walk, curvature)
        radius = component_radii(flow, late.transition, len(late.transition) // net.size)
        forgotten, runs = late.forgets, late.runs
    except Inapplicable as error:
        reason = str(error)
    begins = (radius > 1 + NEAR_UNIT) | runs
    return Failures(
        noise=np.array(collapsing(flow, origins)),
        forgets=forgotten,
        explodes=np.array(reached(flow.readers, np.flatnonzero(begins))),
        origins=origins,
        explosions=tuple(
            Explosion(tuple(net.models[i] for i in part), float(radius[part[0]]), tuple(part))
            for part in strong_components(flow.readers)
            if begins[part].any()
        ),
        radius=radius,
        cyclic=in_cycles(flow),
        anchors=_anchors(net, facts, walk, curvature is not None),
        inapplicable=reason,
    )


def _anchors(
    net: Network, facts: Facts, walk: BackwardWalk, proportional: bool
) -> tuple[tuple[Anchor, ...], ...]:
    """Return the false anchors that reach each model, from a walk of proportional curvatures."""
    false, names = false_anchors(net, facts), tuple(net.source_index)
    averages = proportional and (facts.averages or facts.condition is None)
    weights = walk.weights() if false.any() and averages and not facts.penalised else None
    penalty = (Anchor("penalty", "penalty", None),) if facts.penalised else ()
    return tuple(
        tuple(
            Anchor(names[s], "source", None if weights is None else float(weights[:, i, s].mean()))
            for s in np.flatnonzero(walk.reach[i] & false)
        )
        + penalty
        for i in range(net.size)
    )
