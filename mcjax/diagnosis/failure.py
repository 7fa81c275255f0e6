"""Find in which of three ways models fail, without simulation.

Noise accumulates
    where a collapse origin reaches a model (:mod:`mcjax.laws.collapse.origins`). The variance of
    its estimate grows without bound.
The truth is forgotten
    where a false anchor, a real source with another truth, reaches a model and is not cancelled by
    others. The centre of its estimates does not tend to the truth, however large samples are.
A component explodes
    if the spectral radius of its transition A is above 1, or its centres have no bounded limit.
    Errors are multiplied in every generation, also in all models that it reaches.

Topology decides all three where the covariates of all data have one distribution, up to scale for
least squares, and models are least squares or generalised linear models with their canonical link
(:mod:`mcjax.laws.collapse.anchors`): A has the eigenvalues of the shares W, so nothing explodes.
The same is true of any other model while all real sources have one truth and give equal curvature.
Everywhere else A is computed. That of least squares does not depend on centres; otherwise it is
taken at the end of the population path (:mod:`mcjax.laws.first_order.path_end`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.laws.collapse.anchors import backward_steps, forgets, source_weights
from mcjax.laws.collapse.components import data_flow, reached, strong_components
from mcjax.laws.collapse.origins import collapse_origins, collapsing
from mcjax.laws.collapse.radius import component_radii, in_cycles
from mcjax.laws.first_order.collapse_rates import information_of_regressions
from mcjax.laws.first_order.growing_samples import NEAR_UNIT
from mcjax.laws.first_order.mean_errors import keeps_mean
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.law import Inapplicable
from mcjax.models.names import LEAST_SQUARES
from mcjax.network.network import Network
from mcjax.study.study import Condition

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

NO_FAMILY = (
    "sources have covariates of their own, so the spectral radius depends on the model and on the"
    " covariates of its own data; add [family]"
)

ALIKE = 1e-9
"""Relative difference of covariances that is rounding."""


class Facts(NamedTuple):
    """What is known of the model of a network.

    Attributes
    ----------
    theta : ndarray or None
        The truth, shape (p,).
    covariance : ndarray or None
        Covariance of the covariates of ``real`` and of models, shape (p, p).
    least_squares : bool
        Whether fits are ordinary least squares.
    condition : Condition or None
        The pipeline with its model, where that is known.
    """

    theta: Float[np.ndarray, " p"] | None = None
    covariance: Float[np.ndarray, "p p"] | None = None
    least_squares: bool = False
    condition: Condition | None = None


@dataclass(frozen=True)
class Failures:
    """How the M models of a network fail.

    Attributes
    ----------
    noise, forgets, explodes : ndarray of bool, shape (M,)
        Whether noise accumulates, the truth is forgotten, and an explosion reaches a model.
    explosions : tuple of Explosion
        The components where explosions begin.
    radius : ndarray, shape (M,)
        Spectral radius of A on the model's component; nan outside of cycles, and where unknown.
    cyclic : ndarray of bool, shape (M,)
        Which models are in a cycle.
    anchors : tuple of tuple of Anchor
        The false anchors that reach each model.
    inapplicable : str
        Why ``radius`` is unknown and ``explodes`` was not examined; empty if they are known.
    """

    noise: Bool[np.ndarray, " M"]
    forgets: Bool[np.ndarray, " M"]
    explodes: Bool[np.ndarray, " M"]
    explosions: tuple[Explosion, ...]
    radius: Float[np.ndarray, " M"]
    cyclic: Bool[np.ndarray, " M"]
    anchors: tuple[tuple[Anchor, ...], ...]
    inapplicable: str = ""


class Anchor(NamedTuple):
    """A false anchor of a model.

    Attributes
    ----------
    source : str
        Name of the real source.
    weight : float or None
        Its weight, see :mod:`mcjax.laws.collapse.anchors`; None where centres do not average.
    """

    source: str
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


class _LongRun(NamedTuple):
    """A in the long run, (M p, M p), whose centres leave the truth, and whose have no limit."""

    transition: np.ndarray
    forgets: np.ndarray
    runs: np.ndarray | None = None


def facts_of(condition: Condition) -> Facts:
    """Return what is known of the model of a condition."""
    model = condition.model
    squares = model.name in LEAST_SQUARES and model.penalty is None
    return Facts(condition.theta, condition.covariance, squares, condition)


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
    false = _false_anchors(net, facts.theta)
    curvature = _relative_curvature(net, facts)
    weights = np.zeros((1, net.size, len(false)))
    if false.any():
        weights = source_weights(net, curvature) * false
    anchored: np.ndarray = np.any(weights > 0, axis=0)
    reason = ""
    try:
        late = _long_run(net, facts, curvature=curvature, weights=weights)
    except Inapplicable as error:
        late, reason = None, str(error)
    radius, runs = np.full(net.size, np.nan), np.zeros(net.size, bool)
    forgotten: np.ndarray = np.any(anchored, axis=1)
    if late is not None:
        radius = component_radii(flow, late.transition, len(late.transition) // net.size)
        forgotten, runs = late.forgets, runs if late.runs is None else late.runs
    begins = (radius > 1 + NEAR_UNIT) | runs
    names, mean = tuple(net.source_index), None if curvature is None else weights.mean(0)
    return Failures(
        noise=np.array(collapsing(flow, collapse_origins(late_net, flow))),
        forgets=forgotten,
        explodes=np.array(reached(flow.readers, np.flatnonzero(begins))),
        explosions=tuple(
            Explosion(tuple(net.models[i] for i in part), float(radius[part[0]]), tuple(part))
            for part in strong_components(flow.readers)
            if begins[part].any()
        ),
        radius=radius,
        cyclic=in_cycles(flow),
        anchors=tuple(
            tuple(
                Anchor(names[s], None if mean is None else float(mean[i, s]))
                for s in np.flatnonzero(anchored[i])
            )
            for i in range(net.size)
        ),
        inapplicable=reason,
    )


def _false_anchors(net: Network, theta: np.ndarray | None) -> np.ndarray:
    """Return which real sources have another truth that does not come closer, (S,)."""
    return np.array(
        [False]
        + [
            source.theta is not None and (theta is None or source.theta != tuple(theta.tolist()))
            for source in net.sources
        ]
    )


def _relative_curvature(net: Network, facts: Facts) -> dict[str, float] | None:
    """Return the curvature of a row of each source relative to ``real``, or None.

    The result is None if they are not proportional, at any centres.
    """
    condition, canonical = facts.condition, facts.least_squares
    if condition is not None and not canonical:
        scores = condition.model.scores
        canonical = scores is not None and scores.canonical
        noisy = any(source.noise is not None for source in net.sources)
        if not canonical and (noisy or condition.model.sample_real is not None):
            return None
    read = {
        feed.origin for table in (net.first_by_reader, *net.tables) for f in table for feed in f
    }
    result = {}
    for source in net.sources:
        if source.covariance is None or source.name not in read:
            continue
        if facts.covariance is None:
            return None
        own = np.array(source.covariance)
        factor = float(np.trace(own) / np.trace(facts.covariance))
        alike = np.allclose(
            own, factor * facts.covariance, rtol=1e-9, atol=1e-9 * np.abs(own).max()
        )
        if not alike or not (facts.least_squares or abs(factor - 1) < 1e-9):
            return None
        result[source.name] = factor
    return result


def _long_run(
    net: Network, facts: Facts, curvature: dict[str, float] | None, weights: np.ndarray
) -> _LongRun:
    """Return A in the long run, and whose centres leave the truth.

    Raises
    ------
    Inapplicable
        If they are not known.
    """
    condition = facts.condition
    apart: np.ndarray = np.any(weights, axis=(0, 2))
    scores = None if condition is None else condition.model.scores
    if curvature is not None:
        shares = backward_steps(net, net.tables[-1], curvature)[:, : net.size]
        if not apart.any() or facts.least_squares or scores is None or scores.canonical:
            distances = _distances(net, facts)
            return _LongRun(shares, forgets(weights, distances) if apart.any() else apart)
    if facts.least_squares and facts.covariance is not None:
        information = information_of_regressions(net, facts.covariance)
        offsets = np.zeros((1 + len(net.sources), len(facts.covariance)))
        if facts.theta is not None:
            offsets = _distances(net, facts)
        system = linear_system(net, information, offsets)
        known = facts.theta is not None and apart.any()
        return _LongRun(system.transition, keeps_mean(system) if known else apart)
    if condition is None:
        raise Inapplicable(NO_FAMILY)
    condition = _without_shifts(condition)
    if condition.model.penalty is not None:
        raise Inapplicable("fits have a penalty, which holds centres away from the truth")
    if not apart.any():
        from mcjax.laws.first_order.information import information_of  # imports JAX

        information, versions = information_of(condition)
        if versions:
            raise Inapplicable(
                f"sources have laws of their own, and {condition.model.name} does not state its"
                " information in closed form"
            )
        return _LongRun(linear_system(net, information).transition, apart)
    if scores is None:
        raise Inapplicable(
            f"sources have truths and covariates of their own, and {condition.model.name} does not"
            " state the moments of its score"
        )
    from mcjax.laws.first_order.path_end import end_of_path  # imports JAX

    end = end_of_path(condition)
    return _LongRun(end.transition, end.forgets, end.runs)


def _distances(net: Network, facts: Facts) -> np.ndarray:
    """Return the distances of the sources from the truth, where centres average, (S, q)."""
    false, condition = _false_anchors(net, facts.theta), facts.condition
    scores = None if condition is None else condition.model.scores
    distances = np.zeros((len(false), 0 if facts.theta is None else len(facts.theta)))
    if facts.least_squares and facts.theta is not None:
        for s in np.flatnonzero(false):
            distances[s] = np.array(net.sources[s - 1].theta) - facts.theta
    elif condition is not None and scores is not None:
        from mcjax.laws.first_order.population_path import Populations  # imports JAX

        populations = Populations(condition)
        for s in np.flatnonzero(false):
            source = populations.of(net.size + int(s), distances)
            distances[s] = source.score(condition.theta).mean
    else:
        distances = np.diag(false.astype(float))  # nothing is known to cancel
    return distances


def _without_shifts(condition: Condition) -> Condition:
    """Return the condition without shifts of sources, which vanish as samples grow."""
    net = condition.network
    sources = tuple(replace(source, shift=None) for source in net.sources)
    return replace(condition, network=replace(net, sources=sources))
