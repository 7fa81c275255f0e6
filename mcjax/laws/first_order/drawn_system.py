"""The second moments of first-order errors where networks are drawn: recursion, growth and limit.

Let generation t use network ``z_t``, drawn by a stationary Markov chain with probabilities pi,
``Q^_zy`` the probability that y came before z, and ``x^z_t`` the mean of ``e_t e_t'`` over networks
and data, given that ``z_t = z``. What happened before y depends on z through y alone, so

    x^z_t = A^z (sum_y Q^_zy x^y_{t-1}) A^z' + N^z ,

exactly to first order, with A and N of :mod:`mcjax.laws.first_order.linear_system`. If networks are
drawn independently, the mean x over z is enough: ``x <- E[A x A'] + E N``.

**Growth.** Unroll x: two *backward walkers* go through the same networks, from (i, k) in z to
(j, l) in y with probability ``Q^_zy A^z_ij A^z_kl``, and are lost where either reads real data. By
its closed classes, with stationary shares mu, and the chances h to end in them,
``x^z(i, i) / t`` tends to ``sum_C h_C mu_C . N``: the share of time that two lineages of i are at
one fit, by the noise of that fit.

**Limit.** Entries of models that do not collapse solve the same equations without the others.

The mean of A alone is not enough: it tells the mean error, and the square of a mean is at most the
mean of squares. Derived here.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import block_array, csc_array, csr_array, eye_array, kron
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import MatrixRankWarning, spsolve

from mcjax.laws.first_order.random_shares import RandomShares
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.information import Information
from mcjax.network.drawn import Drawn, Followed
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

MOST_ENTRIES = 4_000
"""Largest number of entries of second moments, of all networks together, in the long run."""


@dataclass(frozen=True)
class DrawnSystem:
    """The systems of K networks that are drawn, for errors and constants together.

    Attributes
    ----------
    transitions, noises : ndarray, shape (K, n, n)
        A^z and N^z. The first M p of the n entries are the errors of models. Others are scores of
        samples that are used again, and errors of generation 0 that are.
    start : ndarray, shape (n, n)
        Second moments at generation 0.
    before : ndarray, shape (K, K)
        ``Q^_zy``.
    chances : ndarray, shape (K,)
        The probability of each network.
    constant : ndarray of bool, shape (n,)
        Entries that never change.
    size : int
        M p.
    """

    transitions: Float[np.ndarray, "K n n"]
    noises: Float[np.ndarray, "K n n"]
    start: Float[np.ndarray, "n n"]
    before: Float[np.ndarray, "K K"]
    chances: Float[np.ndarray, " K"]
    constant: Bool[np.ndarray, " n"]
    size: int

    def step(self, x: Float[np.ndarray, "K n n"]) -> Float[np.ndarray, "K n n"]:
        """Return the second moments of the next generation."""
        known = np.einsum("zy,yab->zab", self.before, x)
        a = self.transitions
        return np.asarray(a @ known @ a.transpose(0, 2, 1) + self.noises)

    def averages(self, occupancy: Float[np.ndarray, "T+1 K"]) -> Float[np.ndarray, "T+1 M*p M*p"]:
        """Return the second moments of errors at generations 0 to T, averaged over networks.

        ``occupancy``: the probability of each network in each generation.
        """
        x = np.repeat(self.start[None], len(self.chances), 0)
        result = np.empty((len(occupancy), self.size, self.size))
        for t, chances in enumerate(occupancy):
            mean = np.einsum("z,zab->ab", chances, x)[: self.size, : self.size]
            result[t] = (mean + mean.T) / 2
            x = self.step(x)
        return result


def drawn_system(net: Network, information: Information) -> DrawnSystem:
    """Return the systems of a network whose networks are drawn, with one truth.

    Parameters
    ----------
    net : Network
        Its later generations are :class:`mcjax.Drawn`.
    information : Information
        H and V of real data, of data that models generate, and of further real sources.

    Raises
    ------
    InputError
        If the weighted sum of a model's expected Hessians is singular.
    """
    law = net.later
    assert isinstance(law, Drawn), "others have a system of their own"
    one_each = replace(net, later=Followed(law, tuple(range(law.turns))))
    system = linear_system(one_each, information)
    steps = [system.at(z + 1) for z in range(law.turns)]
    size = len(system.transition)
    used = np.flatnonzero(np.any([step.reuse.any(0) for step in steps], axis=0))
    n = size + len(used)
    transitions, noises = np.zeros((2, law.turns, n, n))
    for z, step in enumerate(steps):
        transitions[z, :size, :size] = step.transition
        transitions[z, :size, size:] = step.reuse[:, used]
        noises[z, :size, :size] = step.noise
    transitions[:, np.arange(size, n), np.arange(size, n)] = 1
    drawn = np.concatenate([np.arange(size), used])
    constant = np.ones(n, bool)
    constant[:size] = np.repeat(net.frozen, system.p)
    return DrawnSystem(
        transitions,
        noises,
        start=system.initial[np.ix_(drawn, drawn)],
        before=law.reversed,
        chances=law.stationary,
        constant=constant,
        size=size,
    )


def reads_real(net: Network) -> Bool[np.ndarray, "K M"]:
    """Return which models read real data in each network that may be drawn."""
    return np.array(
        [
            [any(f.weight and f.origin in net.source_index for f in feeds) for feeds in table]
            for table in net.tables
        ]
    )


@dataclass(frozen=True)
class DrawnRates:
    """Long-run behaviour of ``c_ii`` where networks are drawn.

    Attributes
    ----------
    growth : ndarray, shape (K, M)
        Slope per generation, given the network; 0 where there is none.
    limit : ndarray, shape (K, M)
        Value as t -> infinity, given the network; nan where there is none.
    """

    growth: Float[np.ndarray, "K M"]
    limit: Float[np.ndarray, "K M"]


def drawn_rates(
    system: DrawnSystem, leaks: Bool[np.ndarray, "K M"], grows: Bool[np.ndarray, "L M"]
) -> DrawnRates:
    """Return growth and limits of a system of one parameter.

    Parameters
    ----------
    system : DrawnSystem
        With H = V = 1.
    leaks : ndarray of bool, shape (K, M)
        Which models read real data in each network.
    grows : ndarray of bool, shape (K, M) or (1, M)
        Which models collapse in each network; in the mean over networks, one row, if these are
        drawn independently.
    """
    count, size, n = len(system.chances), system.size, len(system.start)
    a = system.transitions
    independent = len(grows) == 1
    weights = system.chances[None] if independent else None
    errors = [csr_array(step[:size, :size]) for step in a]
    slopes = _slopes(
        _walk(errors, system.before, weights),
        _pooled(system.noises[:, :size, :size].reshape(count, -1), weights),
        _pooled(_either(leaks).reshape(count, -1), weights).astype(bool),
    ).reshape(-1, size, size)
    whole = [csr_array(step) for step in a]
    doomed = np.hstack([grows, np.zeros((len(grows), n - size), bool)])
    fixed = np.outer(system.constant, system.constant)
    known = np.repeat(np.where(fixed, system.start, 0.0)[None], len(grows), 0)
    open_ = ~(_either(doomed) | fixed)
    x = _fixed_point(
        _walk(whole, system.before, weights),
        _pooled(system.noises.reshape(count, -1), weights),
        known.ravel(),
        open_.ravel(),
    ).reshape(-1, n, n)
    if independent:  # from the mean over networks to each of them
        slopes = np.array([step @ slopes[0] @ step.T for step in errors])
        bad = np.array([(step @ doomed[0].astype(float)) > 0 for step in whole])[:, :size]
        x = np.array([step @ x[0] @ step.T for step in whole]) + system.noises
    else:
        bad = grows
    limits = np.diagonal(x, axis1=1, axis2=2)[:, :size]
    growth = np.diagonal(slopes, axis1=1, axis2=2)
    return DrawnRates(np.where(bad, growth, 0.0), np.where(bad, np.nan, limits))


def mean_rates(
    shares: RandomShares,
    *,
    start: Float[np.ndarray, "M M"],
    leaks: Bool[np.ndarray, " M"],
    grows: Bool[np.ndarray, " M"],
    constant: Bool[np.ndarray, " M"],
) -> tuple[Float[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    """Return growth and limits of mean squares where feeds are active at random.

    Parameters
    ----------
    shares : RandomShares
        Means of transitions and noise.
    start : ndarray, shape (M, M)
        Second moments at generation 0.
    leaks, grows, constant : ndarray of bool, shape (M,)
        Which models may read real data, which collapse, and which never change.
    """
    size, walk, noise = len(start), shares.walk, shares.noise.ravel()
    slopes = _slopes(walk.copy(), noise, _either(leaks[None]).ravel())
    fixed = np.outer(constant, constant)
    known, open_ = np.where(fixed, start, 0.0).ravel(), ~(_either(grows[None])[0] | fixed)
    x = _fixed_point(walk, noise, known, open_.ravel())
    growth, limit = (np.diagonal(values.reshape(size, size)) for values in (slopes, x))
    return np.where(grows, growth, 0.0), np.where(grows, np.nan, limit)


def _either(marks: Bool[np.ndarray, "K n"]) -> Bool[np.ndarray, "K n n"]:
    """Return which pairs have a member that is marked."""
    return np.asarray(marks[:, :, None] | marks[:, None, :])


def _pooled(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return values of all networks, one after the other, or their mean."""
    return np.asarray((values if weights is None else weights @ values).ravel())


def _walk(
    steps: list[csr_array], before: Float[np.ndarray, "K K"], weights: np.ndarray | None
) -> csr_array:
    """Return the matrix of the walk of pairs, through networks or in the mean over them."""
    steps = [kron(step, step, format="csr") for step in steps]
    if weights is not None:
        total = csr_array(steps[0].shape)
        for weight, step in zip(weights[0], steps, strict=True):
            total = total + weight * step
        return total
    blocks = [
        [chance * step if chance else None for chance in chances]
        for chances, step in zip(before, steps, strict=True)
    ]
    return csr_array(block_array(blocks))


def _slopes(
    walk: csr_array, noise: Float[np.ndarray, " P"], leaks: Bool[np.ndarray, " P"]
) -> Float[np.ndarray, " P"]:
    """Return the long-run mean of the noise that the walk of each pair meets."""
    walk.eliminate_zeros()  # or they would be edges
    count, labels = connected_components(walk, connection="strong")
    rows, columns = walk.nonzero()
    left = np.zeros(count, bool)
    left[labels[rows[labels[rows] != labels[columns]]]] = True
    left[labels[leaks]] = True
    result = np.zeros(len(noise))
    ends = ~left[labels]
    for label in np.flatnonzero(~left):
        members = np.flatnonzero(labels == label)
        if noise[members].any():
            result[members] = _stationary_mean(walk[members][:, members], noise[members])
    passing = np.flatnonzero(~ends)
    if len(passing) and result.any():
        own = walk[passing]
        inside = eye_array(len(passing), format="csc") - own[:, passing].tocsc()
        result[passing] = _solved(inside, own @ result)
    return result


def _stationary_mean(walk: csr_array, noise: Float[np.ndarray, " P"]) -> float:
    """Return the mean of the noise in the stationary distribution of a closed class."""
    matrix = (walk.T - eye_array(len(noise))).tolil()
    matrix[0] = 1.0
    right = np.zeros(len(noise))
    right[0] = 1.0
    return float(np.atleast_1d(_solved(matrix.tocsc(), right)) @ noise)


def _fixed_point(
    walk: csr_array,
    noise: Float[np.ndarray, " P"],
    known: Float[np.ndarray, " P"],
    open_: Bool[np.ndarray, " P"],
) -> Float[np.ndarray, " P"]:
    """Return the x with ``x = walk x + noise`` where entries are open, and known elsewhere."""
    places = np.flatnonzero(open_)
    if len(places):
        own = walk[places]
        inside = eye_array(len(places), format="csc") - own[:, places].tocsc()
        known = known.copy()
        known[places] = _solved(inside, own @ known + noise[places])
    return known


def _solved(matrix: csc_array, right: Float[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
    """Return the solution of linear equations, nan where double precision finds none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MatrixRankWarning)
        return np.asarray(spsolve(matrix, right))
