"""Moments of all errors, generation by generation.

The state has mean m, of order 1/n, covariance ``C1 + C2`` of orders 1/n and 1/n^2, and third
cumulants K3 of order 1/n^2. Given the state delta before it, a generation has the mean
``P(delta) + b(delta)`` and the covariance ``Omega(delta) + S`` of
:mod:`mcjax.laws.second_order.fits` and :mod:`mcjax.laws.second_order.fit_noise`. By the laws of
total cumulance, with derivatives P1, P2, P3, b0, b1, O0, O1, O2 at the truth,

    m'  = P1 m + P2:C1 / 2 + b0
    C1' = P1 C1 P1' + O0
    C2' = P1 C2 P1' + sym[P1 C1 (b1 + P2 m)']                                       (bias)
          + sym[P1 K3:P2] / 2 + P2:(C1 x C1):P2 / 2 + sym[P1 C1 (P3:C1)'] / 2       (target)
          + O1 m                                                                    (drift)
          + O2:C1 / 2                                                               (curvature)
          + S                                                                       (noise)
    K3' = P1 P1 P1 K3 + sym3[P2[C1 P1', C1 P1']] + sym3[O1[C1 P1']] + k3 ,

where ``sym[A] = A + A'``, and sym3 adds the three ways to place the odd axis. The recursion
closes: fourth cumulants of normal leading terms vanish. The second moment of the errors is
``C1 + C2 + m m'``, up to terms of order 1/n^3.

C1 and C2 are kept apart, and C2 as a sum over the five sources at the right, because sources can
cancel: their absolute sum tells how large the neglected terms may be
(:mod:`mcjax.laws.second_order.validity`).

**Generation 0** is a step whose samples are real. The noise zeta of kept samples is part of the
state before it, with mean 0, known covariance and third cumulants, and no C2.

Derived here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.sparse import csr_array

from mcjax.laws.doubling import squared_powers
from mcjax.laws.second_order.row_tensors import Tensors
from mcjax.laws.second_order.samples import Sample
from mcjax.laws.second_order.step import Layout, Step

SOURCES = ("bias", "target", "drift", "curvature", "noise")
DOUBLINGS, VANISHED = 40, 1e-12
"""Powers of P1 are squared until what they keep of the past is below ``VANISHED``, or give up."""


@dataclass(frozen=True)
class State:
    """Moments of the D entries of the state.

    Attributes
    ----------
    mean : ndarray, shape (D,)
        m.
    leading : ndarray, shape (D, D)
        C1.
    parts : ndarray, shape (5, D, D)
        C2, a part for each of ``SOURCES``.
    third : ndarray, shape (D, D, D), or None
        K3; None where it does not matter.
    """

    mean: Float[np.ndarray, " D"]
    leading: Float[np.ndarray, "D D"]
    parts: Float[np.ndarray, "5 D D"]
    third: Float[np.ndarray, "D D D"] | None


def before(
    layout: Layout, kept: Mapping[int, Sample], tensors: Mapping[int, Tensors], skewed: bool
) -> State:
    """Return the state before generation 0: models at the truth, and the noise of kept samples.

    Parameters
    ----------
    layout : Layout
        How the state is arranged.
    kept : mapping of int to Sample
        The kept samples by number.
    tensors : mapping of int to Tensors
        Moments of a row by origin.
    skewed : bool
        Whether third cumulants matter.
    """
    size = layout.size
    leading = np.zeros((size, size))
    third = np.zeros((size, size, size)) if skewed else None
    for k, sample in kept.items():
        at, row = layout.noise(k), tensors[sample.origin]
        leading[np.ix_(at, at)] = row.noise / sample.rows
        if third is not None:
            third[np.ix_(at, at, at)] = row.noise_third / sample.rows**2
    return State(np.zeros(size), leading, np.zeros((len(SOURCES), size, size)), third)


def advance(step: Step, state: State) -> State:
    """Return the moments after one generation."""
    p1 = step.first
    leading = p1 @ state.leading @ p1.T + step.spread
    third = None
    if state.third is not None:
        third = _moved(csr_array(p1), state.third) + added_third(step, state.leading)
    return State(
        p1 @ state.mean + added_mean(step, state.leading),
        (leading + leading.T) / 2,
        p1 @ state.parts @ p1.T + added_parts(step, state),
        third,
    )


def added_mean(step: Step, leading: Float[np.ndarray, "D D"]) -> Float[np.ndarray, " D"]:
    """Return what a generation adds to m."""
    return np.asarray(step.second @ leading.ravel()) / 2 + step.bias


def added_third(step: Step, leading: Float[np.ndarray, "D D"]) -> Float[np.ndarray, "D D D"]:
    """Return what a generation adds to K3."""
    carried = step.first @ leading
    total = np.zeros([len(leading)] * 3)
    for fit in step.moved:
        at = carried[:, fit.variables]
        bent = np.tensordot(np.tensordot(fit.second, at, (1, 1)), at, (1, 1))
        total[fit.own] += bent
    result = total + total.transpose(1, 0, 2) + total.transpose(1, 2, 0)
    total[:] = 0.0
    for pair in step.spreads:
        change = np.tensordot(pair.slope, carried[:, pair.variables], (2, 1))
        total[np.ix_(pair.first, pair.second)] += change
        if pair.first[0] != pair.second[0]:
            total[np.ix_(pair.second, pair.first)] += change.transpose(1, 0, 2)
    result += total + total.transpose(0, 2, 1) + total.transpose(2, 0, 1)
    return result + step.noise_third


def added_parts(step: Step, state: State) -> Float[np.ndarray, "5 D D"]:
    """Return what a generation adds to each part of C2."""
    size = len(state.mean)
    carried = step.first @ state.leading
    slope, third = step.bias_slope.copy(), np.zeros((size, size))
    for fit in step.moved:
        at = np.ix_(fit.own, fit.variables)
        slope[at] += fit.second @ state.mean[fit.variables]
        own = state.leading[np.ix_(fit.variables, fit.variables)]
        third[at] = np.tensordot(fit.third, own, 2) / 2
    target = _symmetric(carried @ third.T)
    if state.third is not None:
        bent = step.second @ state.third.reshape(size * size, size) / 2
        target += _symmetric(step.first @ np.asarray(bent).T)
    for fit in step.moved:
        if fit.second.any():
            beside = state.leading[:, fit.variables]
            wide = np.einsum("xab,ca,db->xcd", fit.second, beside, beside, optimize=True)
            target[fit.own] += np.asarray(step.second @ wide.reshape(len(fit.own), -1).T).T / 2
    drift, curvature = np.zeros((2, size, size))
    for pair in step.spreads:
        at = np.ix_(pair.first, pair.second)
        own = state.leading[np.ix_(pair.variables, pair.variables)]
        drift[at] = pair.slope @ state.mean[pair.variables]
        curvature[at] = np.tensordot(pair.curvature, own, 2) / 2
        for part in (drift, curvature):
            part[np.ix_(pair.second, pair.first)] = part[at].T
    return np.array([_symmetric(carried @ slope.T), target, drift, curvature, step.noise])


def settled(step: Step, state: State, stable: Bool[np.ndarray, " D"]) -> State | None:
    """Return the limit of the moments if the same step follows for ever, None if it is not found.

    Parameters
    ----------
    step : Step
        The step.
    state : State
        Where it begins. Entries that stay, such as the noise of kept samples, keep its moments.
    stable : ndarray of bool, shape (D,)
        The entries that settle, which depend on no others. The limit is right for these.

    Notes
    -----
    Each moment X follows ``X' = P1 ... P1 X + s`` with an s that depends on moments found before,
    and no s has only axes of entries that stay. Its sum is found by doubling.
    """
    moves = np.zeros(len(stable), bool)
    for fit in step.moved:
        moves[fit.own] = True
    powers: list[np.ndarray] = []
    for power in squared_powers(step.first, DOUBLINGS):
        powers.append(power)
        past = np.abs(power[np.ix_(stable, moves)])
        if past.max(initial=0.0) < VANISHED:
            break
    else:
        return None
    *before, last = powers
    leading = _sum(before, step.spread) + last @ state.leading @ last.T
    leading = (leading + leading.T) / 2
    mean = added_mean(step, leading)
    for power in before:
        mean = mean + power @ mean
    mean = mean + last @ state.mean
    third = None
    if state.third is not None:
        third = added_third(step, leading)
        for power in before:
            third = third + _moved(power, third)
        third = third + _moved(last, state.third)
    end = State(mean, leading, state.parts, third)
    parts = _sum(before, added_parts(step, end)) + last @ state.parts @ last.T
    return State(mean, leading, parts, third)


def _sum(powers: list[np.ndarray], noise: np.ndarray) -> np.ndarray:
    """Return the sum of ``P^k noise P'^k`` for k below 2^n, given P, P^2, P^4, ... (n of them)."""
    total = noise
    for power in powers:
        total = total + power @ total @ power.T
    return total


def _moved(p1: np.ndarray | csr_array, third: np.ndarray) -> np.ndarray:
    """Return third cumulants after a linear map of all three axes."""
    size = len(third)
    for _ in range(3):  # maps the first axis, and makes it the last
        mapped = np.asarray(p1 @ third.reshape(size, size * size))
        third = mapped.T.reshape(size, size, size)
    return third


def _symmetric(matrix: np.ndarray) -> np.ndarray:
    return matrix + matrix.T
