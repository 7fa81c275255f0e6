"""Fits that take steps from a start: what they keep of it, and what they make of their data.

A step is affine, so k of them take the error s of the start and the mean score of the data to

    e' = A s + B g + c ,      g = sum_b (C_b e_parent(b) - w_b U_b) / sum_b w_b n_b ,

in the notation of :mod:`mcjax.laws.first_order.score_equations`. For gradient descent with the mean
Hessian H of the fit, ``A = L^k`` with ``L = I - eta H`` and ``B = eta sum_{s<k} L^s``, so that
``A + B H = I``. A refit has ``A = 0`` and ``B = H^-1``. So one linear system serves both: B takes
the place of ``H^-1``, and A adds an edge from the start, without noise:

* A start at a model's last parameters, its own or another's, adds A to the transition.
* A start at the weighted mean of the parameters behind the data adds its share of A to what an
  error of each of them adds. Generation 0 takes such steps as well.
* A start at its parameters of generation 0 adds A to what is drawn once.
* A start at a base that is given pushes the mean by ``A (base - theta*)``, and weight decay by c.
  So do first steps, in generation 0, from a base or from zero.
* Steps that are not linear have a response of their own to each feed in place of ``B C_b``, and
  their noise is that of the whole fit (:mod:`mcjax.laws.first_order.measured_steps`).

An optimiser that carries its state over, such as a momentum, has K p further numbers, which follow
such equations as well. They are the errors of K further models for each, which read the same
samples and begin at the same start. Each model and its states keep shares of its states, too.

What is left out is of relative order 1/n, as for refits. Derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from mcjax.estimators.starts import FIRST, GIVEN, Starts
from mcjax.laws.first_order.linear_system import LinearSystem

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from mcjax.chains.layout import Feeds


class Means(NamedTuple):
    """The mean curvatures and scores of the data of M fits.

    Attributes
    ----------
    feeds : Feeds
        What the fits read, in B slots each.
    curvature : ndarray, shape (M, B, p, p)
        Share of each feed in ``hessian``.
    hessian : ndarray, shape (M, p, p)
        Weighted mean of the expected Hessian of a row; the identity for models that read nothing.
    score : ndarray, shape (M, p, p)
        Mean covariance of the score of a row.
    rows : ndarray, shape (M,)
        Rows of each fit, 0 for models that read nothing.
    """

    feeds: Feeds
    curvature: Float[np.ndarray, "M B p p"]
    hessian: Float[np.ndarray, "M p p"]
    score: Float[np.ndarray, "M p p"]
    rows: Int[np.ndarray, " M"]


class Trained(NamedTuple):
    """The linear maps from starts and data to estimates, of M fits, states included.

    Attributes
    ----------
    kept, gain : ndarray, shape (M, p, p)
        A and B.
    noise : ndarray, shape (M, p, p)
        What the steps add to the covariance of one generation's noise.
    drift : ndarray, shape (M, p)
        c.
    starts : Starts
        Where the steps begin.
    base : ndarray, shape (M, p)
        The base that is given less theta*; zero if none is.
    response : ndarray, shape (M, B, p, p), optional
        What errors of the parents add, for each feed, where it is not ``B C_b``; nan elsewhere.
    states : ndarray, shape (M, K, p, p), optional
        What fits keep of the states of their model; None if none goes on.
    common : ndarray, shape (M, p, M, p), optional
        What the steps add to covariances between a model and its states; None for nothing.
    """

    kept: Float[np.ndarray, "M p p"]
    gain: Float[np.ndarray, "M p p"]
    noise: Float[np.ndarray, "M p p"]
    drift: Float[np.ndarray, "M p"]
    starts: Starts
    base: Float[np.ndarray, "M p"]
    response: Float[np.ndarray, "M B p p"] | None = None
    states: Float[np.ndarray, "M K p p"] | None = None
    common: Float[np.ndarray, "M p M p"] | None = None


class Training(Protocol):
    """Returns the linear maps of one generation's fits, which begin at ``starts``."""

    @property
    def starts(self) -> Starts:
        """Starting points of the steps."""

    def __call__(self, means: Means) -> Trained:
        """Return the maps."""

    @property
    def states(self) -> int:
        """Number K of states of p numbers that each model carries over."""

    @property
    def first(self) -> Callable[[Means], Trained] | None:
        """Function that returns the maps of generation 0; None if all fits go to the minimum."""


def with_starts(
    system: LinearSystem, trained: Trained, first: Trained | None = None
) -> LinearSystem:
    """Return a system of fits that take steps, from one in which they begin at the truth.

    Its ``frozen`` models take no steps. The means of generation 0 are those of the system, unless
    ``first`` says what its fits make of their data.
    """
    size, p = len(system.frozen), system.p
    moving = np.flatnonzero(~system.frozen)
    begin = trained.starts.model
    transition = system.transition.reshape(size, p, size, p).copy()
    reuse = system.reuse.reshape(size, p, -1, p).copy()
    nothing = np.zeros(size * p)
    start = nothing if system.start is None else system.start
    if first is not None:
        given = (first.starts.model == GIVEN)[:, None]
        begun = np.where(given, np.einsum("iab,ib->ia", first.kept, first.base), 0)
        start = start + (first.drift + begun).ravel()
    push = (nothing if system.push is None else system.push).reshape(size, p).copy()
    models = len(begin)
    for i in moving:
        kept, owner = trained.kept[i], i % models
        if begin[owner] >= 0:
            transition[i, :, begin[owner]] += kept
        elif begin[owner] == FIRST:
            reuse[i, :, owner] += kept
            push[i] += kept @ start.reshape(size, p)[owner]
        elif begin[owner] == GIVEN:
            push[i] += kept @ trained.base[owner]
        if trained.states is not None:
            for k, share in enumerate(trained.states[i], 1):
                transition[i, :, k * models + owner] += share
        push[i] += trained.drift[i]
    moves = push.any() or start.any() or system.push is not None or system.start is not None
    return replace(
        system,
        transition=transition.reshape(system.transition.shape),
        reuse=reuse.reshape(system.reuse.shape),
        push=push.ravel() if moves else None,
        start=start if moves else None,
    )


def with_states(feeds: Feeds, states: int, models: int) -> Feeds:
    """Return what models and their states read, whose rows follow those of the models."""
    if not states:
        return feeds

    def repeated(field: Any) -> Any:
        return None if field is None else np.concatenate([field] * (1 + states))

    whole = type(feeds)(*map(repeated, feeds))
    real = whole.origin >= models
    return whole._replace(origin=whole.origin + np.int32(states * models) * real)


def by_model(system: LinearSystem, states: int) -> LinearSystem:
    """Return a system in which the states of a model are part of its error."""
    if not states:
        return system
    size, p = len(system.frozen), system.p
    models = size // (1 + states)
    order = np.arange(size * p).reshape(1 + states, models, p).swapaxes(0, 1).ravel()
    drawn = np.append(order, np.arange(size * p, len(system.initial)))
    return replace(
        system,
        transition=system.transition[np.ix_(order, order)],
        noise=system.noise[np.ix_(order, order)],
        reuse=system.reuse[np.ix_(order, drawn)],
        initial=system.initial[np.ix_(drawn, drawn)],
        frozen=system.frozen[:models],
        p=(1 + states) * p,
        push=None if system.push is None else system.push[order],
        start=None if system.start is None else system.start[order],
        hidden=states * p,
    )
