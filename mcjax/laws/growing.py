"""The first-order law where sample counts grow from generation to generation.

If each feed of generation t has ``n t^a`` samples, shares stay as they are and the noise of the
generation has the covariance ``N t^-a`` (:mod:`mcjax.laws.system`). One model on its own output
then has the variance ``V sum_t 1 / n_t``, which is bounded if and only if ``a > 1`` (Xu, He & Cheng
2025). On any network, derived here:

* A model that no unstable source reaches forgets, and noise vanishes: what is left is what frozen
  models tell it, nothing if it reads real data alone in the end.
* What an unstable source reaches grows without bound if ``a <= 1``, like ``t^(1 - a)`` or log t,
  so that its slope per generation tends to 0.
* If ``a > 1`` nothing collapses. Noise of generation s that is not forgotten is
  ``sum_{|lambda| = 1} lambda^(t - s) P noise_s`` over the spectral projectors P of A, so

      lim C = sum P (X + zeta(a) N) P* ,

  X being the covariance of generation 0. (Where cyclic classes take turns, this is the mean over
  their turns.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mcjax.laws.system import LinearSystem

UNIT = 1e-9
"""Eigenvalues so close to modulus 1 count as such."""


def faded_limit(system: LinearSystem) -> np.ndarray:
    """Covariance of the stacked errors as t -> infinity where growth is above 1, (Mp, Mp)."""
    kept = system.initial + zeta(system.growth) * system.noise
    found = np.zeros_like(kept)
    for projector in unit_projectors(system.transition):
        found += (projector @ kept @ projector.conj().T).real
    return found


def zeta(a: float) -> float:
    """``sum_{t >= 1} t^-a`` for a > 1, by the formula of Euler and Maclaurin."""
    last = 256.0
    head = float((np.arange(1, last) ** -a).sum())
    return head + last ** (1 - a) / (a - 1) + last**-a / 2 + a * last ** (-a - 1) / 12


def unit_projectors(a: np.ndarray) -> list[np.ndarray]:
    """Spectral projectors of the eigenvalues of modulus 1, which are semisimple."""
    values = np.linalg.eigvals(a)
    unit = values[np.abs(values) > 1 - UNIT]
    found = []
    while len(unit):
        near = np.abs(unit - unit[0]) < 1e-6
        left, _, right = np.linalg.svd(a - unit[near].mean() * np.eye(len(a)))
        count = int(near.sum())
        basis, dual = right[-count:].conj().T, left[:, -count:].conj().T
        found.append(basis @ np.linalg.solve(dual @ basis, dual))
        unit = unit[~near]
    return found
