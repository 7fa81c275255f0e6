"""First-order errors in the long run where sample counts grow from generation to generation.

If each feed of generation t has ``n t^a`` samples, shares stay the same and the noise of the
generation has the covariance ``N t^-a`` (:mod:`mcjax.laws.first_order.linear_system`). One model on
its own output then has the variance ``V sum_t 1 / n_t``, which is bounded if and only if ``a > 1``
(Xu, He & Cheng 2025). On any network, derived here:

* A model that no collapse origin reaches forgets its past, and the noise vanishes. What is left
  comes from the frozen models that it reads, directly or not; there is nothing left if its data
  come from real sources alone in the end.
* The variance of a model that a collapse origin reaches grows without bound if ``a <= 1``, like
  ``t^(1 - a)`` or log t, so that its slope per generation tends to 0.
* If ``a > 1`` nothing collapses. Noise of generation s that is not forgotten is
  ``sum_{|lambda| = 1} lambda^(t - s) P noise_s`` over the spectral projectors P of A, so

      lim C = sum P (X + zeta(a) N) P* ,

  where X is the covariance of generation 0. (Where cyclic classes take turns, this is the mean over
  their turns.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import zeta

if TYPE_CHECKING:
    from jaxtyping import Float, Inexact

    from mcjax.laws.first_order.linear_system import LinearSystem

NEAR_UNIT = 1e-9
"""Eigenvalues whose modulus is this close to 1 count as having modulus 1."""


def faded_limit(system: LinearSystem) -> Float[np.ndarray, "M*p M*p"]:
    """Return the covariance of the stacked errors as t -> infinity for a > 1, (M p, M p)."""
    kept = system.initial + zeta(system.growth) * system.noise
    result = np.zeros_like(kept)
    for projector in unit_projectors(system.transition):
        result += (projector @ kept @ projector.conj().T).real
    return result


def unit_projectors(a: Float[np.ndarray, "n n"]) -> list[Inexact[np.ndarray, "n n"]]:
    """Return the spectral projectors of the eigenvalues of modulus 1, which are semisimple."""
    values = np.linalg.eigvals(a)
    unit = values[np.abs(values) > 1 - NEAR_UNIT]
    projectors = []
    while len(unit):
        near = np.abs(unit - unit[0]) < 1e-6
        left, _, right = np.linalg.svd(a - unit[near].mean() * np.eye(len(a)))
        count = int(near.sum())
        basis, dual = right[-count:].conj().T, left[:, -count:].conj().T
        projectors.append(basis @ np.linalg.solve(dual @ basis, dual))
        unit = unit[~near]
    return projectors
