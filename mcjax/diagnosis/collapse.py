"""The collapse law applied to one network, without simulation.

A model collapses if and only if an unstable source reaches it (:mod:`mcjax.laws.sources`). Rates
and limits are those of the coefficient ``c_ii`` of a well-specified model's covariance
``Cov(e_{i,t}) = c_ii I(theta*)^-1`` to first order: the linear law of :mod:`mcjax.laws.system` with
``H = V = 1``, at the network's own sample counts, weights, draws and real data.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

from mcjax.diagnosis.cures import Edge, flips, repairs
from mcjax.diagnosis.explosion import FiniteSample, finite_sample
from mcjax.laws.batches import system_of
from mcjax.laws.fate import fate
from mcjax.laws.sources import (
    DataFlow,
    UnstableSource,
    data_flow,
    strong_components,
    unstable_sources,
)
from mcjax.models.information import UNIT
from mcjax.network.network import Network


@dataclass(frozen=True)
class ModelVerdict:
    """What becomes of one model.

    Attributes
    ----------
    collapses: whether its variance grows without bound.
    growth: slope of ``c_ii`` per generation; None for a stable model.
    limit: ``c_ii`` as t -> infinity; None for a model that collapses. Either number is nan where
        double precision cannot resolve it, see :mod:`mcjax.laws.asymptotics`.
    sources: members of each unstable source that reaches it.
    path: models along the data flow, from a member of an unstable source to this model, as few as
        possible; a member's own path is itself, a stable model's is empty.
    frozen: whether it reads nothing, and so keeps its generation-0 estimate.
    """

    collapses: bool
    growth: float | None
    limit: float | None
    sources: tuple[tuple[str, ...], ...]
    path: tuple[str, ...]
    frozen: bool


@dataclass(frozen=True)
class Diagnosis:
    """The verdict on a network.

    Attributes
    ----------
    models: the verdict on each model, by name, in the order of the network.
    unstable_sources: where collapse comes from.
    repairs: a smallest set of new real feeds after which nothing collapses.
    flips: every single new feed that makes a model collapse which is stable now.
    finite_sample: what the sample counts do to linear regressions on this network, or why that is
        not known; None unless the number of parameters was given.
    """

    models: dict[str, ModelVerdict]
    unstable_sources: tuple[UnstableSource, ...]
    repairs: tuple[Edge, ...]
    flips: tuple[Edge, ...]
    finite_sample: FiniteSample | str | None = None

    @property
    def collapses(self) -> bool:
        """Whether any model does."""
        return bool(self.unstable_sources)

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, strings, bools and finite numbers; other numbers are None."""
        exact = self.finite_sample
        if isinstance(exact, str):
            finite: dict[str, Any] | None = {"inapplicable": exact}
        else:
            finite = None if exact is None else exact.to_json()
        return {
            "collapses": self.collapses,
            "models": {
                name: {
                    "collapses": verdict.collapses,
                    "growth": _finite(verdict.growth),
                    "limit": _finite(verdict.limit),
                    "sources": [list(members) for members in verdict.sources],
                    "path": list(verdict.path),
                    "frozen": verdict.frozen,
                }
                for name, verdict in self.models.items()
            },
            "unstable_sources": [
                {"members": list(source.members), "period": source.period}
                for source in self.unstable_sources
            ],
            "repairs": [{"from": origin, "to": reader} for origin, reader in self.repairs],
            "flips": [{"from": origin, "to": reader} for origin, reader in self.flips],
            "finite_sample": finite,
        }


def diagnose(net: Network, parameters: int | None = None) -> Diagnosis:
    """Apply the collapse law to a network.

    Parameters
    ----------
    parameters: p, if the models are linear regressions: for the exact law at the network's sample
        counts.
    """
    net = net.settled
    flow = data_flow(net)
    sources = unstable_sources(net, flow)
    reaching = _reaching(flow, sources)
    paths = _paths(flow, sources)
    system = system_of(net, UNIT)
    found = fate(flow, sources, system)
    models = {}
    for i, name in enumerate(net.models):
        fails = bool(found.collapses[i])
        models[name] = ModelVerdict(
            collapses=fails,
            growth=float(found.growth[i]) if fails else None,
            limit=None if fails else float(found.limit[i]),
            sources=reaching[i],
            path=tuple(net.models[k] for k in paths[i]),
            frozen=bool(system.frozen[i]),
        )
    exact = None if parameters is None else finite_sample(net, parameters, flow, sources)
    return Diagnosis(models, sources, repairs(sources), flips(net, flow, found.collapses), exact)


def _reaching(
    flow: DataFlow, sources: tuple[UnstableSource, ...]
) -> list[tuple[tuple[str, ...], ...]]:
    """Members of the unstable sources that reach each model.

    Sets of sources are bits of one integer, passed on from component to component.
    """
    own = {i: 1 << k for k, source in enumerate(sources) for i in source.indices}
    bits = [0] * len(flow.feeders)
    names: dict[int, tuple[tuple[str, ...], ...]] = {0: ()}
    for component in strong_components(flow.readers):
        total = own.get(component[0], 0)
        for i in component:
            for j in flow.feeders[i]:
                total |= bits[j]
        for i in component:
            bits[i] = total
        if total not in names:
            names[total] = tuple(s.members for k, s in enumerate(sources) if total >> k & 1)
    return [names[total] for total in bits]


def _paths(flow: DataFlow, sources: tuple[UnstableSource, ...]) -> list[list[int]]:
    """A shortest path from an unstable source to each model, empty where there is none."""
    paths: list[list[int]] = [[] for _ in flow.readers]
    queue: deque[int] = deque()
    for source in sources:
        for i in source.indices:
            paths[i] = [i]
            queue.append(i)
    while queue:
        j = queue.popleft()
        for i in flow.readers[j]:
            if not paths[i]:
                paths[i] = [*paths[j], i]
                queue.append(i)
    return paths


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
