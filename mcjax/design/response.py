"""Response of long-run errors to real rows.

Let model i fit rows of total weight N_i that are given, and m_i real rows of weight 1 (others are
scaled to it). With ``b_i = N_i + m_i``, the transition W_0 and the noise V_0 of the network without
real rows (:mod:`mcjax.laws.first_order.score_equations`) become

    W = a W_0,    V = a V_0 a + diag(m / b^2),    a = diag(N / b),

and the covariance is ``S = W S W' + V``, to which frozen models and samples that are used again add
``K X K'`` with ``K = W K + a F_0`` (:func:`mcjax.laws.first_order.limits.limit`).

**Convexity.** If all weights are equal, S is a power series in 1 / b whose coefficients are not
negative. So ``S_ii`` is a posynomial of b: convex in m, and it decreases in every m_i. With unequal
weights the noise of a model is ``1 / b - kappa / b^2``, where ``kappa = N_i - N_i^2 V_0ii``. It is
log-convex, and S still convex, if ``kappa <= (1 - 1 / sqrt 2) b``.

**Gradient.** A row more scales row i of W, and of a F_0, by ``1 - 1 / b_i``. With the adjoint
``Y = W' Y W + diag(q)`` of the models that are not frozen, ``J = sum q_i S_ii`` has

    dJ / dm_i = -(2 (Y S)_ii - Y_ii / b_i + 2 [K X K' diag(q) (I - W)^-1]_ii) / b_i ,

where S is without ``K X K'``. Derived here.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from mcjax.laws.collapse.components import data_flow
from mcjax.laws.collapse.origins import collapse_origins
from mcjax.laws.first_order.collapse_rates import collapse_rates
from mcjax.laws.first_order.limits import limit, noise_sum
from mcjax.laws.first_order.linear_system import LinearSystem
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.information import UNIT
from mcjax.network.feed import REAL
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

CONVEX = 1 - math.sqrt(0.5)
"""Largest kappa / b of a model whose noise is log-convex in b."""


class State(NamedTuple):
    """Errors in the long run at some numbers of real rows.

    Attributes
    ----------
    rows : ndarray, shape (M,)
        The real rows m.
    errors : ndarray, shape (M,)
        ``S_ii``; infinite where errors grow without bound, nan for models that do not matter.
    noise, constant : ndarray, shape (M, M)
        The covariance from noise, S, and that from what is drawn once, ``K X K'``.
    transition : ndarray, shape (M, M)
        W.
    """

    rows: Float[np.ndarray, " M"]
    errors: Float[np.ndarray, " M"]
    noise: Float[np.ndarray, "M M"]
    constant: Float[np.ndarray, "M M"]
    transition: Float[np.ndarray, "M M"]


class Response:
    """The errors of a network of constant feeds as functions of its real rows.

    Parameters
    ----------
    net : Network
        The network. Its feeds from ``real`` say which models may read real rows although they read
        nothing else, and which weight real rows have.
    matters : ndarray of bool, shape (M,)
        The models that matter, with all that feed them.
    opened : ndarray of bool, shape (M,)
        Models that read real rows in any case.

    Attributes
    ----------
    models : tuple of str
        The names of the models.
    fits : ndarray of bool, shape (M,)
        Which models are fitted, and may read real rows.
    given : ndarray, shape (M,)
        N, the weight of the rows that are given.
    groups : tuple of tuple of int
        Groups of models of which one must read real rows, or errors grow without bound.
    resolved : bool
        Whether errors of single models are known, and not only their weighted sum.
    passes : int
        Number of passes over the models in which a budget is filled up with whole rows.
    """

    resolved: ClassVar[bool] = True
    passes: ClassVar[int] = 100

    def __init__(
        self, net: Network, matters: Bool[np.ndarray, " M"], opened: Bool[np.ndarray, " M"]
    ):
        self.models = net.models
        weight = real_weights(net)
        base = net.with_feeds(feed for feed in net.feeds if feed.weight and feed.origin != REAL)
        self.given = np.zeros(net.size)
        for feed in base.feeds:
            self.given[net.index[feed.reader]] += feed.weight * feed.samples
        self.given /= weight
        fed = np.zeros(net.size, bool)
        fed[[net.index[feed.reader] for feed in net.feeds if feed.weight]] = True
        self.fits = fed | opened
        self._matters = matters
        self._moving = matters & self.fits
        self._prepare(base)
        alone = (i for i in np.flatnonzero(self._moving & (self.given == 0)).tolist())
        self.groups = (
            *(o.indices for o in collapse_origins(base) if matters[list(o.indices)].any()),
            *((i,) for i in alone),
        )

    def _prepare(self, base: Network) -> None:
        """Hold what the network without real feeds does."""
        system = linear_system(base, UNIT)
        self._system = replace(system, frozen=~self.fits)
        still = (self._matters & ~self.fits).any()
        self._constants = bool(still or system.reuse.any())

    def kappa(self) -> Float[np.ndarray, " M"]:
        """Return kappa, by which the noise of each model departs from ``1 / b``."""
        noise = np.diagonal(self._system.noise)
        return np.where(self._moving, self.given - self.given**2 * noise, 0.0)

    def at(self, rows: Float[np.ndarray, " M"]) -> State:
        """Return the errors at some numbers of real rows."""
        total = self.given + rows
        size = len(total)
        if any(not rows[list(group)].sum() > 0 for group in self.groups):
            nothing = np.zeros((size, size))
            infinite = np.full(size, np.inf)
            return State(rows, infinite, noise=nothing, constant=nothing, transition=nothing)
        inside = np.where(self.fits & (total > 0), total, 1.0)
        share = np.where(self.fits, self.given / inside, 1.0)
        noise = share[:, None] * self._system.noise * share
        noise[np.diag_indices(size)] += np.where(self.fits, rows / inside**2, 0.0)
        transition = share[:, None] * self._system.transition
        transition[self.fits & (self.given == 0)] = 0
        system = replace(
            self._system,
            transition=transition,
            noise=noise,
            reuse=share[:, None] * self._system.reuse,
        )
        whole = limit(system, self._matters)
        own, constant = whole, np.zeros_like(whole)
        if self._constants:
            own = limit(_without_constants(system), self._matters)
            constant = whole - own
        errors = np.where(self._matters, np.diagonal(whole), np.nan)
        errors = np.where(self._matters & np.isnan(errors), np.inf, errors)  # too slow to settle
        return State(rows, errors, noise=own, constant=constant, transition=transition)

    def errors_in(self, net: Network, rows: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
        """Return the errors in a network that reads these real rows, also of other models."""
        system = linear_system(net, UNIT)
        rates = collapse_rates(data_flow(net), collapse_origins(net), system)
        return np.where(rates.collapses, np.inf, rates.limit)

    def gradient(self, state: State, weights: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
        """Return the derivatives by m of the errors' sum with these weights; zero for other models.

        ``state`` has finite errors.
        """
        moving = self._moving
        at = np.ix_(moving, moving)
        w, q = state.transition[at], weights[moving]
        total = (self.given + state.rows)[moving]
        adjoint, _ = noise_sum(w.T, np.diag(q))
        slope = 2 * np.einsum("ij,ji->i", adjoint, state.noise[at]) - np.diagonal(adjoint) / total
        if self._constants:
            lasting = np.linalg.inv(np.eye(len(w)) - w)
            slope += 2 * np.einsum("ik,k,ki->i", state.constant[at], q, lasting)
        result = np.zeros(len(moving))
        result[moving] = -slope / total
        return result

    def jacobian(self, state: State) -> Float[np.ndarray, "M M"]:
        """Return the derivatives of every error, a row, by every m, a column."""
        return np.array([self.gradient(state, row) for row in np.eye(len(state.rows))])


def real_weights(net: Network) -> Float[np.ndarray, " M"]:
    """Return the weight of the real rows of each model, 1 where it reads none."""
    weights = np.ones(net.size)
    for feed in net.feeds:
        if feed.origin == REAL and feed.weight:
            weights[net.index[feed.reader]] = feed.weight
    return weights


def _without_constants(system: LinearSystem) -> LinearSystem:
    return replace(system, initial=np.zeros_like(system.initial))
