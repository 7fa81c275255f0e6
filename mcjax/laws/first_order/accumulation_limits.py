"""Limits of first-order errors if data accumulate (:mod:`mcjax.laws.first_order.accumulation`).

Deviations along eigenvectors of A with eigenvalue lambda decay like ``t^-(1 - lambda)``, so what
remains lies in the space of eigenvalue 1, with projector ``P = R L'``. The models of a closed
synthetic origin end with one common error, and models that real data reach end with none. From a
late generation T on

    lim C = P C_T P' + sum_{t > T} P g_t N g_t' P' .

This is exact if inertias are equal; otherwise it holds up to relative terms of the order of their
spread over T.

``P C_T P'`` needs ``L' C_T L`` alone. With ``V_T = L`` and ``V_{t-1} = (I + g_t (A - I))' V_t``,

    L' C_T L = V_0' C_0 V_0 + sum_{t <= T} (g_t' V_t)' N (g_t' V_t) ,

and the mean alike, so that a generation takes products of a sparse matrix and a thin one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from scipy.sparse import bsr_array, csr_array, issparse

from mcjax.laws.first_order.accumulation import Selection
from mcjax.laws.first_order.lasting import Lasting, lasting
from mcjax.laws.first_order.linear_system import LinearSystem

if TYPE_CHECKING:
    from jaxtyping import Float

    Matrix: TypeAlias = np.ndarray | csr_array | bsr_array

LATE, OPERATIONS = 4096, 1e9
"""T, and the multiplications it may cost: networks of many models use an earlier T."""
FEWEST = 64
"""The earliest T."""
MOST_DENSE = 10_000
"""Entries up to which matrices are dense, which is faster."""


def accumulated_limit(system: LinearSystem) -> Float[np.ndarray, "M*p M*p"]:
    """Return the covariance of the stacked errors as t -> infinity, (M p, M p)."""
    right, left = space = lasting(system.transition)
    chosen = np.zeros_like(system.noise) if system.selection is None else system.selection.later
    noise = system.noise + system.transition @ chosen @ system.transition.T
    late, inertia = _late(system, space), np.diagonal(_inertia(system))
    # sum over t > T of 1 / (t + a)(t + b), as an integral from T + 1/2
    rest = 1 / (late + 0.5 + (inertia[:, None] + inertia) / 2)
    seen = left.T @ (noise * rest) @ left
    fresh, first, back = map(_kept, (system.noise, system.initial, system.transition.T))
    subsample = None if system.selection is None else _subsample(system, system.selection)
    for t, v in _backward(system, left, late):
        seen = seen + _dense(v.T @ ((fresh if t else first) @ v))
        if t > 1 and subsample is not None:
            fed = back @ v
            seen = seen + _dense(fed.T @ (_selected(subsample, t - 1) @ fed))
    result: np.ndarray = right @ seen @ right.T
    return (result + result.T) / 2 + chosen


def accumulated_mean_limit(system: LinearSystem) -> Float[np.ndarray, " M*p"]:
    """Return the mean of the stacked errors as t -> infinity, (M p,)."""
    assert system.push is not None, "callers have asked"
    assert system.start is not None, "callers have asked"
    right, left = space = lasting(system.transition)
    seen = np.zeros(left.shape[1])
    for t, v in _backward(system, left, _late(system, space)):
        seen = seen + v.T @ (system.push if t else system.start)
    off = np.eye(len(right)) - system.transition
    # a push has no part in the space of eigenvalue 1, and elsewhere m = A m + push in the end
    result: np.ndarray = right @ seen + np.linalg.solve(off + right @ left.T, system.push)
    return result


def _backward(
    system: LinearSystem, left: Float[np.ndarray, "n k"], late: int
) -> Iterator[tuple[int, Matrix]]:
    """Yield what L sees of the noise of generations T to 1, and of the first errors, (n, k).

    That is ``g_t' V_t``, and in the end ``V_0``, with 0 in place of a generation.
    """
    if not left.shape[1]:
        return
    back, v = _kept((system.transition - np.eye(len(left))).T), _kept(left)
    blocks = _blocks(_inertia(system), system.p)
    for t in range(late, 0, -1):
        seen = _diagonal(_gains(blocks, t).swapaxes(1, 2)) @ v
        yield t, seen
        v = v + back @ seen
    yield 0, v


class _Subsample(NamedTuple):
    """The blocks of inertias and of the matrices of :class:`Selection`, (M, p, p)."""

    inertia: Float[np.ndarray, "M p p"]
    start: Float[np.ndarray, "M p p"]
    later: Float[np.ndarray, "M p p"]
    ratio: Float[np.ndarray, "M p 1"]


def _subsample(system: LinearSystem, selection: Selection) -> _Subsample:
    p = system.p
    start, later = (_blocks(matrix, p) for matrix in selection[:2])
    return _Subsample(_blocks(_inertia(system), p), start, later, selection.ratio.reshape(-1, p, 1))


def _selected(subsample: _Subsample, t: int) -> bsr_array:
    """Return U_t, which the choice of a subsample adds; generation 0 is fitted whole."""
    inertia, start, later, ratio = subsample
    gains = _gains(inertia, t)
    return _diagonal((ratio + t - 1) * (gains @ (start + t * later) @ gains.swapaxes(1, 2)))


def _late(system: LinearSystem, space: Lasting) -> int:
    """Return the generation from which limits are known."""
    size, held = len(system.transition), np.count_nonzero(space.left)
    entries = np.count_nonzero(system.transition) + np.count_nonzero(system.noise) + held
    work = 2 * entries * max(held / size, 1)
    return int(np.clip(OPERATIONS / work, FEWEST, LATE))


def _gains(inertia: Float[np.ndarray, "M p p"], t: int) -> Float[np.ndarray, "M p p"]:
    """Return the blocks of g_t."""
    found: np.ndarray = np.linalg.inv(inertia + t * np.eye(inertia.shape[1]))
    return found


def _blocks(matrix: Float[np.ndarray, "M*p M*p"], p: int) -> Float[np.ndarray, "M p p"]:
    """Return the blocks of a block diagonal matrix."""
    size = len(matrix) // p
    models = np.arange(size)
    found: np.ndarray = matrix.reshape(size, p, size, p)[models, :, models]
    return found


def _diagonal(blocks: Float[np.ndarray, "M p p"]) -> bsr_array:
    """Return a block diagonal matrix."""
    places = np.arange(len(blocks) + 1)
    return bsr_array((np.ascontiguousarray(blocks), places[:-1], places))


def _kept(matrix: np.ndarray) -> Matrix:
    """Return a matrix as it is multiplied fastest."""
    return matrix if matrix.size <= MOST_DENSE else csr_array(matrix)


def _dense(found: Any) -> np.ndarray:
    return found.toarray() if issparse(found) else np.asarray(found)


def _inertia(system: LinearSystem) -> np.ndarray:
    assert system.inertia is not None  # callers have asked
    return system.inertia
