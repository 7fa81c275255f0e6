"""Anchors: the real data that hold the centre of a model in the end.

Follow the data of a model back: from the model to the origin of one of its feeds, chosen with the
probability of its share in the fit, and from there to the generation before. This *backward walk*
ends at a real source, or at generation 0, which is a fit to real sources as well. The *weight* of a
source in a model is the probability that the walk ends there, however long ago it began.

**Law.** Let all covariates have one distribution, and let models be least squares or generalised
linear models with their canonical link, of mean b'. Then centres (see
:mod:`mcjax.laws.first_order.population_path`) follow the walk in the coordinates
``tau(m) = Sigma^-1 E[x b'(x'm)]``,

    tau(mu_{i,t}) = sum_j W_ij tau(mu_{j,t-1}) + sum_s B_is tau(theta_s) ,

with the shares W of models and B of real sources. So the centre of every model tends to the mean of
the truths, in these coordinates, with the weights of their sources. A source with another truth is
a *false anchor*: models that it reaches forget the truth, unless false anchors cancel.

Proof: the score equation of canonical models is linear in tau. Weights are limits of
``H_t = W H_{t-1} + B``, where H_0 holds the shares at generation 0. A frozen model keeps its row.
So does a closed component (no real data, no feed from outside), but for its stationary mean: there
W is stochastic. Elsewhere the radius of W is below 1. Derived here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mcjax.laws.collapse.components import cyclic_classes, reached, strong_components
from mcjax.laws.first_order.limits import stationary_distribution
from mcjax.network.feed import Feed
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

CANCELLED = 1e-9
"""Distance from the truth, relative to those of the false anchors, that is rounding."""


def backward_steps(
    net: Network,
    table: Sequence[Sequence[Feed]],
    curvature: Mapping[str, float] | None = None,
) -> Float[np.ndarray, "M M+S"]:
    """Return the probabilities of one step of the backward walk.

    Parameters
    ----------
    net : Network
        The network.
    table : sequence of sequence of Feed
        The feeds of a generation, model by model.
    curvature : mapping of str to float, optional
        Curvature of one row of each source, relative to the others; defaults to 1.

    Returns
    -------
    ndarray, shape (M, M + S)
        From each model to the models, which are W, and to the S real sources, which are B. A model
        that reads nothing stays where it is.
    """
    places = net.index | {name: net.size + s for name, s in net.source_index.items()}
    steps = np.zeros((net.size, len(places)))
    for i, feeds in enumerate(table):
        for feed in feeds:
            mass = feed.weight * feed.samples * (curvature or {}).get(feed.origin, 1.0)
            steps[i, places[feed.origin]] += mass
        if not steps[i].any():
            steps[i, i] = 1.0
    return steps / steps.sum(1, keepdims=True)


def source_weights(
    net: Network, curvature: Mapping[str, float] | None = None
) -> Float[np.ndarray, "L M S"]:
    """Return the weight of every real source in every model, in the end.

    Parameters
    ----------
    net : Network
        A network of which some generation stays.
    curvature : mapping of str to float, optional
        As in :func:`backward_steps`.

    Returns
    -------
    ndarray, shape (L, M, S)
        The weights in L generations, which take turns for ever where closed components of several
        cyclic classes begin with different sources; otherwise L = 1. They are 0 exactly for sources
        that do not reach a model.
    """
    size = net.size
    begun, steps = _beginning(net, curvature)
    walk, ends = steps[:, :size], steps[:, size:]
    readers = [np.flatnonzero(column).tolist() for column in walk.T]
    closed = [part for part in strong_components(readers) if not _leaves(steps, part)]
    turns = [_turns(part, walk=walk, begun=begun, readers=readers) for part in closed]
    length = math.lcm(*map(len, turns))
    held = np.zeros(size, bool)
    held[[i for part in closed for i in part]] = True
    weights = np.zeros((length, *begun.shape))
    for part, turn in zip(closed, turns, strict=True):
        weights[:, part] = np.resize(turn, (length, *turn.shape[1:]))
    own, entering = walk[np.ix_(~held, ~held)], walk[np.ix_(~held, held)]
    forced = np.zeros((len(own), ends.shape[1]))
    for now in weights:  # what a whole round adds to models that begin it with nothing
        forced = own @ forced + entering @ now[held] + ends[~held]
    round_trip = np.eye(len(own)) - np.linalg.matrix_power(own, length)
    following = np.linalg.solve(round_trip, forced)
    for now in weights:
        now[~held] = following
        following = own @ following + entering @ now[held] + ends[~held]
    taken = np.where(held[:, None], begun > 0, ends > 0)
    reach = [reached(readers, np.flatnonzero(models)) for models in taken.T]
    return np.where(np.array(reach).T, weights, 0.0)


def forgets(
    weights: Float[np.ndarray, "L M S"], distances: Float[np.ndarray, "S q"]
) -> Bool[np.ndarray, " M"]:
    """Return which models forget the truth.

    Parameters
    ----------
    weights : ndarray, shape (L, M, S)
        Of the sources in the models, see :func:`source_weights`.
    distances : ndarray, shape (S, q)
        Of the truths of the sources from the truth, in coordinates in which they average.
    """
    left = np.abs(weights @ distances)
    most = weights @ np.abs(distances)
    result: np.ndarray = (left > CANCELLED * most.max(-1, keepdims=True)).any((0, 2))
    return result


def _beginning(
    net: Network, curvature: Mapping[str, float] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights where the feeds that stay begin, (M, S), and their steps (M, M + S)."""
    begun = backward_steps(net, net.first_by_reader, curvature)[:, net.size :]
    *before, last = (backward_steps(net, table, curvature) for table in net.tables)
    for steps in before:
        begun = steps[:, : net.size] @ begun + steps[:, net.size :]
    return begun, last


def _leaves(steps: np.ndarray, part: list[int]) -> bool:
    """Return whether the walk leaves a component."""
    return bool(np.count_nonzero(steps[part]) > np.count_nonzero(steps[np.ix_(part, part)]))


def _turns(
    part: list[int], walk: np.ndarray, begun: np.ndarray, readers: list[list[int]]
) -> np.ndarray:
    """Return the weights in the members of a closed component, generation by generation.

    Parameters
    ----------
    part : list of int
        The members, n of them.
    walk, begun : ndarray, shape (M, M) and (M, S)
        W, and the weights at the beginning.
    readers : list of list of int
        The readers of each model.

    Returns
    -------
    ndarray, shape (period, n, S)
        One entry if all cyclic classes begin with the same weights.
    """
    pi = stationary_distribution(walk[np.ix_(part, part)])
    if len(part) == 1 or not np.ptp(begun[part], axis=0).any():
        return np.broadcast_to(pi @ begun[part], (1, len(part), begun.shape[1]))
    period, phase_of = cyclic_classes(part[0], readers, set(part))
    phase = np.array([phase_of[i] for i in part])
    member = phase == np.arange(period)[:, None]  # of each class, (period, n)
    means = period * (member * pi) @ begun[part]
    return means[(phase - np.arange(period)[:, None]) % period]
