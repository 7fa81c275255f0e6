"""Apply the collapse law to a network, without simulation.

A model collapses if its noise accumulates or if it explodes; :mod:`mcjax.diagnosis.failure` says
which, and whether it forgets the truth. Rates and limits are those of the coefficient ``c_ii`` in
``Cov(e_{i,t}) = c_ii I(theta*)^-1``, the covariance of a well-specified model to first order. They
come from the system of :mod:`mcjax.laws.first_order.score_equations` with ``H = V = 1``, at the
network's sample counts, weights, draws and real data.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.diagnosis.cures import Edge, flips, repairs
from mcjax.diagnosis.explosion import FiniteSample, finite_sample
from mcjax.diagnosis.failure import Anchor, Explosion, Facts, facts_of, find_failures
from mcjax.laws.collapse.components import (
    DataFlow,
    data_flow,
    strong_components,
)
from mcjax.laws.collapse.origins import CollapseOrigin, collapse_origins
from mcjax.laws.first_order.collapse_rates import (
    CollapseRates,
    collapse_rates,
    rates_of_regressions,
)
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.information import UNIT
from mcjax.network.network import Network
from mcjax.study.load import load_condition
from mcjax.study.networks import read_pipeline
from mcjax.study.study import Condition

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True)
class ModelVerdict:
    """The verdict on one model.

    Attributes
    ----------
    noise : bool
        Whether noise accumulates, so that the variance of its estimate grows without bound.
    forgets : bool
        Whether the centre of its estimates does not tend to the truth.
    explodes : bool
        Whether a component of spectral radius above 1 reaches it, or its centre has no bounded
        limit.
    radius : float or None
        Spectral radius of the transition A of errors on its strongly connected component; None for
        a model in no cycle, and nan where it is not known.
    growth : float or None
        Slope of ``c_ii`` per generation; None for a stable model, and for one that explodes.
    limit : float or None
        Limit of ``c_ii`` as t -> infinity; None for a model that collapses. Either number is nan if
        double precision cannot resolve it, see :mod:`mcjax.laws.first_order.limits`.
    sources : tuple of tuple of str
        Members of each collapse origin that reaches the model.
    anchors : tuple of Anchor
        The false anchors that reach the model: real sources with another truth.
    explosions : tuple of tuple of str
        Members of each exploding component that reaches the model.
    path : tuple of str
        A shortest path along the data flow from a member of a collapse origin, or of an exploding
        component, to the model. The path of a member holds the member alone, that of a stable model
        is empty.
    frozen : bool
        Whether the model has no feeds, and so keeps its generation-0 estimate.
    """

    noise: bool
    forgets: bool
    explodes: bool
    radius: float | None
    growth: float | None
    limit: float | None
    sources: tuple[tuple[str, ...], ...]
    anchors: tuple[Anchor, ...]
    explosions: tuple[tuple[str, ...], ...]
    path: tuple[str, ...]
    frozen: bool

    @property
    def collapses(self) -> bool:
        """Whether the variance of its estimate grows without bound."""
        return self.noise or self.explodes


@dataclass(frozen=True)
class Diagnosis:
    """The verdict on a network.

    Attributes
    ----------
    models : dict of str to ModelVerdict
        The verdict on each model, in the order of the network.
    unstable_sources : tuple of CollapseOrigin
        The collapse origins of the network.
    explosions : tuple of Explosion
        The components of the network that explode.
    repairs : tuple of Edge
        A smallest set of new real feeds after which noise accumulates nowhere.
    flips : tuple of Edge
        Every single new feed that makes a stable model collapse, other than by an explosion.
    inapplicable : str
        Why ``radius`` is not known, and explosion was not examined; empty where they are known.
    finite_sample : FiniteSample or str, optional
        The exact law for linear regressions at the network's sample counts, or the reason why it
        does not apply; None if the number of parameters was not given.
    """

    models: dict[str, ModelVerdict]
    unstable_sources: tuple[CollapseOrigin, ...]
    explosions: tuple[Explosion, ...]
    repairs: tuple[Edge, ...]
    flips: tuple[Edge, ...]
    inapplicable: str = ""
    finite_sample: FiniteSample | str | None = None

    @property
    def collapses(self) -> bool:
        """Whether any model collapses."""
        return any(verdict.collapses for verdict in self.models.values())

    def to_json(self) -> dict[str, Any]:
        """Return the diagnosis as plain data, in which a number that is not finite is None."""
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
                    "noise": verdict.noise,
                    "forgets": verdict.forgets,
                    "explodes": verdict.explodes,
                    "radius": _finite(verdict.radius),
                    "growth": _finite(verdict.growth),
                    "limit": _finite(verdict.limit),
                    "sources": [list(members) for members in verdict.sources],
                    "anchors": [anchor._asdict() for anchor in verdict.anchors],
                    "explosions": [list(members) for members in verdict.explosions],
                    "path": list(verdict.path),
                    "frozen": verdict.frozen,
                }
                for name, verdict in self.models.items()
            },
            "unstable_sources": [
                {
                    "members": list(origin.members),
                    "period": origin.period,
                    "blind": list(origin.blind),
                }
                for origin in self.unstable_sources
            ],
            "explosions": [
                {"members": list(explosion.members), "radius": explosion.radius}
                for explosion in self.explosions
            ],
            "inapplicable": self.inapplicable or None,
            "repairs": [{"from": origin, "to": reader} for origin, reader in self.repairs],
            "flips": [{"from": origin, "to": reader} for origin, reader in self.flips],
            "finite_sample": finite,
        }


def diagnose(
    net: Network | Condition,
    parameters: int | None = None,
    *,
    covariance: Float[np.ndarray, "p p"] | None = None,
    sigma: float = 1.0,
    theta: Float[np.ndarray, " p"] | None = None,
) -> Diagnosis:
    """Apply the collapse law to a network.

    Parameters
    ----------
    net : Network or Condition
        The network. If its feeds change with time, those that stay count. With a condition, the
        model is known as well, and the other arguments are not needed.
    parameters : int, optional
        Number of parameters p, if the models are linear regressions. The diagnosis then includes
        the exact law at the network's sample counts.
    covariance : ndarray, shape (p, p), optional
        Covariance of the covariates of linear regressions. Rates and radii depend on it where a
        real source has covariates of its own, and rates where it has its own noise; without it,
        they are nan there. Rates are nan as well where a source has a truth of its own, see
        :func:`mcjax.predict`.
    sigma : float, optional
        Their noise scale.
    theta : ndarray, shape (p,), optional
        Their truth, with which those of sources are compared; without it, every source with a
        ``theta`` counts as one with another truth.

    Raises
    ------
    InputError
        If generations take turns for ever.
    """
    facts = Facts(theta, covariance, least_squares=parameters is not None)
    if isinstance(net, Condition):
        facts = facts_of(net)
        if facts.least_squares:
            parameters, covariance = len(net.theta), net.covariance
            sigma = float(net.model.params["sigma"])
        net = net.network
    failures = find_failures(net, facts)
    net = net.settled
    flow = data_flow(net)
    origins = collapse_origins(net, flow)
    reaching = _reaching(flow, origins)
    exploding = _reaching(flow, failures.explosions)
    paths = _paths(flow, (*origins, *failures.explosions))
    apart = any(source.theta is not None for source in net.sources)
    alike = all(source.covariance is None and source.noise is None for source in net.sources)
    fails = failures.noise | failures.explodes
    if alike and not apart:
        rates = collapse_rates(flow, origins, linear_system(net, UNIT))
    elif covariance is not None and not apart:
        rates = rates_of_regressions(net, fails, covariance=covariance, sigma=sigma)
    else:
        unknown = np.full(net.size, np.nan)
        rates = CollapseRates(fails, unknown, unknown)
    models = {}
    for i, name in enumerate(net.models):
        radius = float(failures.radius[i])
        models[name] = ModelVerdict(
            noise=bool(failures.noise[i]),
            forgets=bool(failures.forgets[i]),
            explodes=bool(failures.explodes[i]),
            radius=radius if failures.cyclic[i] else None,
            growth=float(rates.growth[i]) if fails[i] and not failures.explodes[i] else None,
            limit=None if fails[i] else float(rates.limit[i]),
            sources=reaching[i],
            anchors=failures.anchors[i],
            explosions=exploding[i],
            path=tuple(net.models[k] for k in paths[i]),
            frozen=bool(net.frozen[i]),
        )
    exact = None if parameters is None else finite_sample(net, parameters, flow, origins)
    return Diagnosis(
        models=models,
        unstable_sources=origins,
        explosions=failures.explosions,
        repairs=repairs(origins),
        flips=flips(net, fails),
        inapplicable=failures.inapplicable,
        finite_sample=exact,
    )


def diagnose_file(path: Path) -> Diagnosis:
    """Apply the collapse law to the network of a study file or of a graph file.

    JAX is imported only where the diagnosis depends on the model.

    Raises
    ------
    InputError
        If the file has no valid network, or no valid model where the diagnosis depends on it.
    """
    found = read_pipeline(path)
    if found.asks_model:
        return diagnose(load_condition(path))
    return diagnose(
        found.network,
        found.parameters,
        covariance=found.covariance,
        sigma=found.sigma,
        theta=found.theta,
    )


def _reaching(
    flow: DataFlow, origins: Sequence[CollapseOrigin | Explosion]
) -> list[tuple[tuple[str, ...], ...]]:
    """Return the members of the origins, each a strong component, that reach each model."""
    # a set of origins is an integer, one bit each, passed on from component to component
    bit_of = {i: 1 << k for k, origin in enumerate(origins) for i in origin.indices}
    bits = [0] * len(flow.feeders)
    names: dict[int, tuple[tuple[str, ...], ...]] = {0: ()}
    for component in strong_components(flow.readers):
        total = bit_of.get(component[0], 0)
        for i in component:
            for j in flow.feeders[i]:
                total |= bits[j]
        for i in component:
            bits[i] = total
        if total not in names:
            names[total] = tuple(
                origin.members for k, origin in enumerate(origins) if total >> k & 1
            )
    return [names[total] for total in bits]


def _paths(flow: DataFlow, origins: Sequence[CollapseOrigin | Explosion]) -> list[list[int]]:
    """Return a shortest path from one of the origins to each model, empty where there is none."""
    paths: list[list[int]] = [[] for _ in flow.readers]
    queue: deque[int] = deque()
    for origin in origins:
        for i in origin.indices:
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
