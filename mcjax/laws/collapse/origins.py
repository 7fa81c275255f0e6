"""Collapse origins: the parts of a network where collapse begins.

A *collapse origin* is a strongly connected component of the graph of models that contains a cycle
(a self-loop counts), gets no real data, and has no feed from outside itself. It lives on its own
output alone. A frozen model has no cycle, so it is not one.

**Law.** The variance of a model grows without bound if and only if a collapse origin reaches it
along the data flow; otherwise it converges. Derived here, for the errors
``e_t = W e_{t-1} + noise_t (+ bounded constants)`` of
:mod:`mcjax.laws.first_order.score_equations`, where W holds the shares of the models' data, and its
rows sum to 1 minus the share of real data:

* In a collapse origin C the rows of ``W_CC`` sum to 1, so with its stationary row vector pi,
  ``pi e_{C,t} = pi e_{C,t-1} + pi noise_t`` is a random walk. The noise of every member has
  positive variance, so the variance of the walk grows linearly, and so does that of everything that
  reads C, even indirectly: first-order errors do not cancel, because all shares are positive.
* Take a set of models that contains the feeders of its members and no collapse origin. Without its
  frozen models, which are constants, it has no recurrent class: from each model the backward walk
  with transition probabilities W leaves for real data or for a frozen model. So the spectral radius
  of the rest of W is below 1, and the covariance converges.

Nothing collapses where data accumulate: generation t is a share of 1 / t of a model's data, so it
adds to the variance a term of order 1 / t^2 (:mod:`mcjax.laws.first_order.accumulation`).

Every real source counts as real data, even one whose truth differs, since constants do not change
the variance.

**Directions.** A source whose covariates do not vary in some direction says nothing about the
parameters in that direction. A component is therefore an origin if there is a direction that none
of the real sources that its members read shows: there its errors are a random walk like those of a
component without real data. Feeds from outside models always show every direction. Derived here:
with the curvature ``K_i = c_i Sigma + sum_s c_is Sigma_s`` of a member, A maps equal errors u of
all members to themselves if and only if every ``Sigma_s u = 0``.

The verdict is the same with p parameters and with different positive definite H for real and
synthetic data. In coordinates in which both are diagonal the errors follow p networks that are
coupled only by their noise. These differ only in their shares of real data, which are positive
wherever they were.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from mcjax.laws.collapse.components import (
    DataFlow,
    Graph,
    Member,
    blind_sources,
    cyclic_classes,
    data_flow,
)
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool

Clause = Literal["closed", "self-loop", "period", "phases", "kept", "squares"]
CLAUSES: tuple[Clause, ...] = get_args(Clause)
"""Parts of the law that are easily overlooked: an origin has no feed from outside; a self-loop is a
cycle; cyclic classes do not average one another's noise. Where networks switch, besides: it matters
in which phase a feed is active; an estimate that is kept for a phase is no anchor; the square of a
mean is not the mean square (:mod:`mcjax.laws.first_order.switching_rates`)."""


@dataclass(frozen=True)
class CollapseOrigin:
    """A closed cycle of models without real data.

    Attributes
    ----------
    members : tuple of str or tuple of Vertex
        Names, in the order of the network; where feeds come and go, models in their phases.
    period : int
        Greatest common divisor d of the lengths of its cycles.
    indices : tuple of int
        Positions of the members in the network.
    phases : tuple of int
        Cyclic class of each member, 0 to d - 1; every feed inside leads from one class to the next.
    blind : tuple of str
        The real sources that members read, none of which shows some direction; empty if they read
        no real data.
    """

    members: tuple[Member, ...]
    period: int
    indices: tuple[int, ...]
    phases: tuple[int, ...]
    blind: tuple[str, ...] = ()


def collapse_origins(
    net: Network, flow: DataFlow | None = None, without: Clause | None = None
) -> tuple[CollapseOrigin, ...]:
    """Return all collapse origins of a network, in the order of their first members.

    Parameters
    ----------
    net : Network
        The network.
    flow : DataFlow, optional
        Its data flow, if that is known already.
    without : Clause, optional
        A clause to leave out of the law, to see that a simulation then refutes it.
    """
    if net.forgives:
        return ()
    directions = blind_sources(net)
    if directions == [frozenset()]:
        return origins_in(net, [flow or data_flow(net)], without)
    return origins_in(net, (data_flow(net, blind) for blind in directions), without)


def origins_in(
    graph: Graph, flows: Iterable[DataFlow], without: Clause | None = None
) -> tuple[CollapseOrigin, ...]:
    """Return the collapse origins of a graph, in the order of their first members.

    Parameters
    ----------
    graph : Network or Lift
        The models, and what each of them reads.
    flows : iterable of DataFlow
        The data flow, with the real data that count in some direction; one for each direction.
    without : Clause, optional
        A clause to leave out of the law.
    """
    found = {
        origin.indices: origin for flow in flows for origin in _origins_in(graph, flow, without)
    }
    return tuple(found[indices] for indices in sorted(found))


def _origins_in(graph: Graph, flow: DataFlow, without: Clause | None) -> list[CollapseOrigin]:
    """Return the collapse origins in one direction."""
    parts, readers = flow.readers.components, flow.readers
    inside = parts.label[readers.origins] == parts.label[readers.ends]
    cyclic, fed = np.zeros(len(parts), bool), np.zeros(len(parts), bool)
    cyclic[parts.label[readers.ends[inside]]] = True
    fed[parts.label[readers.ends[~inside]]] = without != "closed"
    if without == "self-loop":
        cyclic[parts.sizes == 1] = False
    origins = []
    for k in np.flatnonzero(cyclic & ~fed & ~parts.having(flow.anchored)).tolist():
        origin = origin_at(graph, flow, parts[k])
        if without == "period":
            origin = replace(origin, period=1, phases=(0,) * len(origin.indices))
        origins.append(origin)
    return origins


def origin_at(graph: Graph, flow: DataFlow, members: list[int]) -> CollapseOrigin:
    """Return a strongly connected component, given by its positions, as a collapse origin."""
    period, phase = cyclic_classes(members[0], flow.readers, set(members))
    read = graph.sources_of(members)
    return CollapseOrigin(
        members=tuple(graph.models[i] for i in members),
        period=period,
        indices=tuple(members),
        phases=tuple(phase[i] for i in members),
        blind=tuple(sorted(read)),
    )


def collapsing(flow: DataFlow, origins: tuple[CollapseOrigin, ...]) -> Bool[np.ndarray, " M"]:
    """Return which models collapse: those that an origin reaches, its members included."""
    return flow.readers.reached(i for origin in origins for i in origin.indices)
