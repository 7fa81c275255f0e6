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
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array, csr_array

from mcjax.laws.collapse.adjacency import Adjacency
from mcjax.laws.collapse.components import cyclic_classes
from mcjax.network.columns import FeedColumns
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
    shares : sparse array, shape (M, M)
        W of the generation that stays. A model that reads nothing stays where it is.
    """

    def __init__(self, net: Network, curvature: Mapping[str, float] | None = None):
        size = net.size
        self._begun, self._steps = _beginning(net, curvature or {})
        self.shares, self._ends = self._steps[:, :size], self._steps[:, size:]
        edges = self.shares.tocoo()
        self._readers = Adjacency(edges.coords[1], edges.coords[0], size)
        self._frozen, self._net = np.array(net.frozen), net

    @cached_property
    def _held(self) -> Bool[np.ndarray, " M"]:
        """True for models in components that the walk does not leave."""
        parts, edges = self._readers.components, self._steps.tocoo()
        reader, origin = edges.coords
        leaves = origin >= len(parts.label)
        inside = np.where(leaves, 0, origin)
        leaves |= parts.label[reader] != parts.label[inside]
        return ~parts.having(np.isin(np.arange(len(parts.label)), reader[leaves]))[parts.label]

    @cached_property
    def reach(self) -> Bool[np.ndarray, "M S"]:
        """True for the sources that reach a model other than by what it will have forgotten."""
        taken = np.where(self._held[:, None], self._begun > 0, self._ends.toarray() > 0)
        return np.array([self._readers.reached(np.flatnonzero(models)) for models in taken.T]).T

    def readers_of(self, model: int) -> Bool[np.ndarray, " M"]:
        """Return which models a model reaches along the data flow that stays, itself included."""
        return self._readers.reached([model])

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
        closed = [part for part in self._readers.components if self._held[part[0]]]
        if not self._net.memory.current_only and any(
            len(self._net.later.generations) > 1 or np.ptp(self._begun[part], axis=0).any()
            for part in closed
            if not self._frozen[part[0]]
        ):
            return None
        walk, ends, held = self.shares.toarray(), self._ends.toarray(), self._held
        turns = [self._turns(part) for part in closed]
        length = math.lcm(*map(len, turns))
        weights = np.zeros((length, *ends.shape))
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
        return np.where(self.reach, weights, 0.0)

    def _turns(self, part: list[int]) -> np.ndarray:
        """Return the weights in the n members of a closed component, generation by generation.

        The shape is (period, n, S), with one entry if all members begin with the same weights.
        """
        begun = self._begun[part]
        pi = stationary_distribution(self.shares[part][:, part].toarray())
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


def _beginning(net: Network, curvature: Mapping[str, float]) -> tuple[np.ndarray, csr_array]:
    """Return the weights where the feeds that stay begin, (M, S), and their steps (M, M + S)."""
    begun = np.zeros((net.size, len(net.source_index)))
    begun[:, 0] = 1
    if net.first:
        first = net.at(0).columns(net.places)
        begun = _steps(net, first, curvature)[:, net.size :].toarray()
    *before, last = (_steps(net, g.columns(net.places), curvature) for g in net.later.generations)
    for steps in before:
        begun = steps[:, : net.size] @ begun + steps[:, net.size :].toarray()
    return begun, last


def _steps(net: Network, feeds: FeedColumns, curvature: Mapping[str, float]) -> csr_array:
    """Return the probabilities of one step, to the models and then to the sources, (M, M + S)."""
    factor = np.array([curvature.get(name, 1.0) for name in net.places]) if curvature else None
    mass = feeds.weight * feeds.samples
    if factor is not None:
        mass = mass * factor[feeds.origin]
    total = np.zeros(net.size)
    np.add.at(total, feeds.reader, mass)
    rest, some = np.flatnonzero(total == 0), mass > 0
    entries = np.concatenate([mass[some] / total[feeds.reader[some]], np.ones(len(rest))])
    reader = np.concatenate([feeds.reader[some], rest])
    origin = np.concatenate([feeds.origin[some], rest])
    return coo_array((entries, (reader, origin)), shape=(net.size, len(net.places))).tocsr()
