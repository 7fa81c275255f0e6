"""Apply the collapse law to a network, without simulation.

A model collapses if its noise accumulates or if it explodes; :mod:`mcjax.diagnosis.failure` says
which, and whether it forgets the truth. Rates and limits are those of the coefficient ``c_ii`` in
``Cov(e_{i,t}) = c_ii I(theta*)^-1``, the covariance of a well-specified model to first order. They
come from the system of :mod:`mcjax.laws.first_order.score_equations` with ``H = V = 1``, at the
network's sample counts, weights, draws and real data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mcjax.diagnosis.cures import flips, repairs
from mcjax.diagnosis.explosion import finite_sample
from mcjax.diagnosis.failure import Explosion, find_failures
from mcjax.diagnosis.long_run import Facts, facts_of
from mcjax.diagnosis.verdict import Diagnosis, ModelVerdict
from mcjax.laws.collapse.components import (
    DataFlow,
    data_flow,
    strong_components,
)
from mcjax.laws.collapse.origins import CollapseOrigin
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
    origins = failures.origins
    reaching = _reaching(flow, origins)
    exploding = _reaching(flow, failures.explosions)
    paths = _paths(flow, (*origins, *failures.explosions))
    marked = facts.penalised or bool(net.selections)
    apart = marked or any(source.theta is not None for source in net.sources)
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
        flips=() if marked else flips(net, fails),
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
