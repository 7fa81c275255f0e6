"""Linear systems that errors follow: covariances and means, generation by generation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcjax.laws.first_order.accumulation import Selection, accumulated, accumulated_means

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


@dataclass(frozen=True)
class LinearSystem:
    """``e_t = transition e_{t-1} + reuse xi + push + noise_t`` for the stacked errors of M models.

    Attributes
    ----------
    transition : ndarray, shape (M p, M p)
        A.
    noise : ndarray, shape (M p, M p)
        Covariance N of one generation's noise.
    reuse : ndarray, shape (M p, Q)
        R, zero where all real data are fresh.
    initial : ndarray, shape (Q, Q)
        ``X = Cov(xi)`` of everything that is drawn once. The first M p entries of xi are the
        generation-0 errors e_0 less their mean; the others, if any, are scores of samples that are
        used again.
    frozen : ndarray of bool, shape (M,)
        Which models never change.
    p : int
        Number of entries of each model's error.
    hidden : int
        How many of them, the last, are no errors of parameters but a state that optimisers carry
        over. Moments are without them.
    inertia : ndarray, shape (M p, M p), optional
        Where data accumulate, ``K_i^-1 K_{i,0}`` of each model, block diagonal: how many
        generations of feeds its generation-0 sample is worth. The system then describes the data of
        one generation, and :mod:`mcjax.laws.first_order.accumulation` the errors.
    selection : Selection, optional
        Where models fit a subsample of what accumulates, the matrices behind its noise.
    growth : float
        Where sample counts grow like ``t^growth``: the noise of generation t has the covariance
        ``N t^-growth``.
    push, start : ndarray, shape (M p,), optional
        What other truths of real sources add to the mean in every later generation, and the mean at
        generation 0; None for 0.
    before : tuple of LinearSystem
        Where feeds change with time, the systems that lead to generations 1, 2, ... before this
        one.
    turns : int
        How many systems take turns for ever: this one, and the last of ``before``. If 1, this one
        stays.
    """

    transition: Float[np.ndarray, "M*p M*p"]
    noise: Float[np.ndarray, "M*p M*p"]
    reuse: Float[np.ndarray, "M*p Q"]
    initial: Float[np.ndarray, "Q Q"]
    frozen: Bool[np.ndarray, " M"]
    p: int
    inertia: Float[np.ndarray, "M*p M*p"] | None = None
    selection: Selection | None = None
    growth: float = 0.0
    push: Float[np.ndarray, " M*p"] | None = None
    start: Float[np.ndarray, " M*p"] | None = None
    before: tuple[LinearSystem, ...] = ()
    turns: int = 1
    hidden: int = 0

    @property
    def seen(self) -> Bool[np.ndarray, " M*p"]:
        """True for entries that are errors of parameters."""
        return np.tile(np.arange(self.p) < self.p - self.hidden, len(self.frozen))

    def at(self, generation: int) -> LinearSystem:
        """Return the system that leads to a generation, from 1 on."""
        place, begin = generation - 1, len(self.before) + 1 - self.turns
        if place >= begin:
            place = begin + (place - begin) % self.turns
        return self.before[place] if place < len(self.before) else self


def covariances(system: LinearSystem, generations: int) -> Float[np.ndarray, "T+1 M*p M*p"]:
    """Return the covariances of the stacked errors at generations 0 to T.

    Notes
    -----
    With ``D_t = Cov(e_t, xi)``, where D_0 is the first M p rows of X and C_0 their first M p
    columns,

        C_t = A C_{t-1} A' + A D_{t-1} R' + R D_{t-1}' A' + R X R' + N
        D_t = A D_{t-1} + R X
    """
    if system.inertia is not None:
        return accumulated(system, generations)
    x, size = system.initial, len(system.transition)
    result = np.empty((generations + 1, size, size))
    result[0] = x[:size, :size]
    cross = x[:size]
    for t in range(generations):
        a, r = system.at(t + 1).transition, system.at(t + 1).reuse
        if t <= len(system.before) or system.turns > 1:  # otherwise R stays the same after that
            constant = r @ x @ r.T
        mixed = a @ cross @ r.T
        noise = system.at(t + 1).noise * (t + 1.0) ** -system.growth
        following = a @ result[t] @ a.T + mixed + mixed.T + constant + noise
        result[t + 1] = (following + following.T) / 2
        cross = a @ cross + r @ x
    return result[:, system.seen][:, :, system.seen] if system.hidden else result


def means(system: LinearSystem, generations: int) -> Float[np.ndarray, "T+1 M p"]:
    """Return the means of the models' errors at generations 0 to T, ``m_t = A m_{t-1} + push``.

    They are zero where all real sources have one truth. For data that accumulate see
    :mod:`mcjax.laws.first_order.accumulation`.
    """
    result = whole_means(system, generations)[:, system.seen]
    return result.reshape(generations + 1, -1, system.p - system.hidden)


def whole_means(system: LinearSystem, generations: int) -> Float[np.ndarray, "T+1 M*p"]:
    """Return the means of all entries of the models' errors at generations 0 to T."""
    result = np.zeros((generations + 1, len(system.transition)))
    if system.start is None or system.push is None:
        pass
    elif system.inertia is not None:
        result = accumulated_means(system, generations)
    else:
        result[0] = system.start
        for t in range(generations):
            current = system.at(t + 1)
            result[t + 1] = current.transition @ result[t] + current.push
    return result
