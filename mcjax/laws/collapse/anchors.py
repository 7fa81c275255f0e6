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
from mcjax.network.feed import Feed
from mcjax.network.markov import stationary_distribution
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

CANCELLED = 1e-9
"""Distance from the truth, relative to those of the false anchors, that is rounding."""


class BackwardWalk:
    """The backward walk of a network.

    Parameters
    ----------
    net : Network
        A network with S real sources, of which some generation stays.
    curvature : mapping of str to float, optional
        Curvature of one row of each source, relative to the others; defaults to 1.

    Attributes
    ----------
    shares : ndarray, shape (M, M)
        W of the generation that stays. A model that reads nothing stays where it is.
    reach : ndarray of bool, shape (M, S)
        Which sources reach a model, other than by what it will have forgotten.
    """

    def __init__(self, net: Network, curvature: Mapping[str, float] | None = None):
        size = net.size
        self._begun, steps = _beginning(net, curvature or {})
        self.shares, self._ends = steps[:, :size], steps[:, size:]
        self._readers = [np.flatnonzero(column).tolist() for column in self.shares.T]
        self._closed = [
            part for part in strong_components(self._readers) if not _leaves(steps, part)
        ]
        self._held = np.zeros(size, bool)
        self._held[[i for part in self._closed for i in part]] = True
        taken = np.where(self._held[:, None], self._begun > 0, self._ends > 0)
        reach = [reached(self._readers, np.flatnonzero(models)) for models in taken.T]
        self.reach: np.ndarray = np.array(reach).T
        frozen = net.frozen
        moving = [part for part in self._closed if not frozen[part[0]]]
        self._mixed = not net.memory.current_only and any(
            len(net.tables) > 1 or np.ptp(self._begun[part], axis=0).any() for part in moving
        )

    def readers_of(self, model: int) -> Bool[np.ndarray, " M"]:
        """Return which models a model reaches along the data flow that stays, itself included."""
        return np.array(reached(self._readers, [model]))

    def weights(self) -> Float[np.ndarray, "L M S"] | None:
        """Return the weight of every real source in every model, in the end.

        Returns
        -------
        ndarray, shape (L, M, S), or None
            The weights in L generations, which take turns for ever where closed components of
            several cyclic classes begin with different sources; otherwise L = 1. They are 0 exactly
            where a source does not reach a model. None if they are not known, because data
            accumulate in closed components whose members begin with different sources.
        """
        if self._mixed:
            return None
        walk, ends, held = self.shares, self._ends, self._held
        turns = [self._turns(part) for part in self._closed]
        length = math.lcm(*map(len, turns))
        weights = np.zeros((length, *ends.shape))
        for part, turn in zip(self._closed, turns, strict=True):
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
        return np.where(self.reach, weights, 0.0)

    def _turns(self, part: list[int]) -> np.ndarray:
        """Return the weights in the n members of a closed component, generation by generation.

        The shape is (period, n, S), with one entry if all members begin with the same weights.
        """
        begun = self._begun[part]
        pi = stationary_distribution(self.shares[np.ix_(part, part)])
        if not np.ptp(begun, axis=0).any():
            return begun[None]
        period, phase_of = cyclic_classes(part[0], self._readers, set(part))
        phase = np.array([phase_of[i] for i in part])
        member = phase == np.arange(period)[:, None]  # of each class, (period, n)
        means = period * (member * pi) @ begun
        return means[(phase - np.arange(period)[:, None]) % period]


def forgets(
    weights: Float[np.ndarray, "L M S"], distances: Float[np.ndarray, "S q"]
) -> Bool[np.ndarray, " M"]:
    """Return which models forget the truth.

    Parameters
    ----------
    weights : ndarray, shape (L, M, S)
        Of the sources in the models, see :class:`BackwardWalk`.
    distances : ndarray, shape (S, q)
        Of the truths of the sources from the truth, in coordinates in which they average.
    """
    left = np.abs(weights @ distances)
    most = weights @ np.abs(distances)
    result: np.ndarray = (left > CANCELLED * most.max(-1, keepdims=True)).any((0, 2))
    return result


def _beginning(net: Network, curvature: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights where the feeds that stay begin, (M, S), and their steps (M, M + S)."""
    begun = _steps(net, net.first_by_reader, curvature)[:, net.size :]
    *before, last = (_steps(net, table, curvature) for table in net.tables)
    for steps in before:
        begun = steps[:, : net.size] @ begun + steps[:, net.size :]
    return begun, last


def _steps(
    net: Network, table: Sequence[Sequence[Feed]], curvature: Mapping[str, float]
) -> np.ndarray:
    """Return the probabilities of one step, to the models and then to the sources, (M, M + S)."""
    places = net.index | {name: net.size + s for name, s in net.source_index.items()}
    steps = np.zeros((net.size, len(places)))
    for i, feeds in enumerate(table):
        for feed in feeds:
            mass = feed.weight * feed.samples * curvature.get(feed.origin, 1.0)
            steps[i, places[feed.origin]] += mass
        if not steps[i].any():
            steps[i, i] = 1.0
    return steps / steps.sum(1, keepdims=True)


def _leaves(steps: np.ndarray, part: list[int]) -> bool:
    """Return whether the walk leaves a component."""
    return bool(np.count_nonzero(steps[part]) > np.count_nonzero(steps[np.ix_(part, part)]))
