"""Apply the collapse law to a network, without simulation.

A model collapses if and only if a collapse origin reaches it (:mod:`mcjax.laws.collapse.origins`).
Rates and limits are those of the coefficient ``c_ii`` in ``Cov(e_{i,t}) = c_ii I(theta*)^-1``, the
covariance of a well-specified model to first order. They come from the system of
:mod:`mcjax.laws.first_order.score_equations` with ``H = V = 1``, at the network's sample counts,
weights, draws and real data.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.diagnosis.cures import Edge, flips, repairs
from mcjax.diagnosis.explosion import FiniteSample, finite_sample
from mcjax.laws.collapse.components import (
    DataFlow,
    data_flow,
    strong_components,
)
from mcjax.laws.collapse.origins import CollapseOrigin, collapse_origins, collapsing
from mcjax.laws.first_order.collapse_rates import (
    CollapseRates,
    collapse_rates,
    rates_of_regressions,
)
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.information import UNIT
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True)
class ModelVerdict:
    """The verdict on one model.

    Attributes
    ----------
    collapses : bool
        Whether the variance of its estimate grows without bound.
    growth : float or None
        Slope of ``c_ii`` per generation; None for a stable model.
    limit : float or None
        Limit of ``c_ii`` as t -> infinity; None for a model that collapses. Either number is nan if
        double precision cannot resolve it, see :mod:`mcjax.laws.first_order.limits`.
    sources : tuple of tuple of str
        Members of each collapse origin that reaches the model.
    path : tuple of str
        A shortest path along the data flow from a member of a collapse origin to the model. The
        path of a member holds the member alone, that of a stable model is empty.
    frozen : bool
        Whether the model has no feeds, and so keeps its generation-0 estimate.
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
    models : dict of str to ModelVerdict
        The verdict on each model, in the order of the network.
    unstable_sources : tuple of CollapseOrigin
        The collapse origins of the network.
    repairs : tuple of Edge
        A smallest set of new real feeds after which nothing collapses.
    flips : tuple of Edge
        Every single new feed that makes a stable model collapse.
    finite_sample : FiniteSample or str, optional
        The exact law for linear regressions at the network's sample counts, or the reason why it
        does not apply; None if the number of parameters was not given.
    """

    models: dict[str, ModelVerdict]
    unstable_sources: tuple[CollapseOrigin, ...]
    repairs: tuple[Edge, ...]
    flips: tuple[Edge, ...]
    finite_sample: FiniteSample | str | None = None

    @property
    def collapses(self) -> bool:
        """Whether any model collapses."""
        return bool(self.unstable_sources)

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
                    "growth": _finite(verdict.growth),
                    "limit": _finite(verdict.limit),
                    "sources": [list(members) for members in verdict.sources],
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
            "repairs": [{"from": origin, "to": reader} for origin, reader in self.repairs],
            "flips": [{"from": origin, "to": reader} for origin, reader in self.flips],
            "finite_sample": finite,
        }


def diagnose(
    net: Network,
    parameters: int | None = None,
    *,
    covariance: Float[np.ndarray, "p p"] | None = None,
    sigma: float = 1.0,
) -> Diagnosis:
    """Apply the collapse law to a network.

    Parameters
    ----------
    net : Network
        The network. If its feeds change with time, those that stay count.
    parameters : int, optional
        Number of parameters p, if the models are linear regressions. The diagnosis then includes
        the exact law at the network's sample counts.
    covariance : ndarray, shape (p, p), optional
        Covariance of the covariates of linear regressions. Rates depend on it where a real source
        has covariates or noise of its own; without it, they are nan there. They are nan as well
        where a source has a truth of its own, see :func:`mcjax.predict`.
    sigma : float, optional
        Their noise scale.

    Raises
    ------
    InputError
        If generations take turns for ever.
    """
    net = net.settled
    flow = data_flow(net)
    origins = collapse_origins(net, flow)
    reaching = _reaching(flow, origins)
    paths = _paths(flow, origins)
    apart = any(source.theta is not None for source in net.sources)
    alike = all(source.covariance is None and source.noise is None for source in net.sources)
    if alike and not apart:
        rates = collapse_rates(flow, origins, linear_system(net, UNIT))
    elif covariance is not None and not apart:
        rates = rates_of_regressions(net, flow, origins, covariance=covariance, sigma=sigma)
    else:
        unknown = np.full(net.size, np.nan)
        rates = CollapseRates(np.array(collapsing(flow, origins)), unknown, unknown)
    models = {}
    for i, name in enumerate(net.models):
        fails = bool(rates.collapses[i])
        models[name] = ModelVerdict(
            collapses=fails,
            growth=float(rates.growth[i]) if fails else None,
            limit=None if fails else float(rates.limit[i]),
            sources=reaching[i],
            path=tuple(net.models[k] for k in paths[i]),
            frozen=bool(net.frozen[i]),
        )
    exact = None if parameters is None else finite_sample(net, parameters, flow, origins)
    return Diagnosis(
        models=models,
        unstable_sources=origins,
        repairs=repairs(origins),
        flips=flips(net, rates.collapses),
        finite_sample=exact,
    )


def _reaching(
    flow: DataFlow, origins: tuple[CollapseOrigin, ...]
) -> list[tuple[tuple[str, ...], ...]]:
    """Return the members of the collapse origins that reach each model."""
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


def _paths(flow: DataFlow, origins: tuple[CollapseOrigin, ...]) -> list[list[int]]:
    """Return a shortest path from a collapse origin to each model, empty where there is none."""
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
