"""Expected Hessians and score covariances, the two matrices of each kind of data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True)
class BatchInformation:
    """Expected Hessian and score covariance of one observation at the truth.

    Attributes
    ----------
    hessian : ndarray
        ``H = E grad^2 loss``, shape (p, p).
    score_covariance : ndarray
        ``V = Cov(grad loss)``, shape (p, p).
    """

    hessian: Float[np.ndarray, "p p"]
    score_covariance: Float[np.ndarray, "p p"]


@dataclass(frozen=True)
class Information:
    """The matrices of real data and of data that models generate.

    Attributes
    ----------
    real, synthetic : BatchInformation
        Matrices of the source ``real`` and of a model's output.
    sources : tuple of BatchInformation
        Matrices of the further real sources, in order; empty if they equal ``real``.
    models : tuple of BatchInformation
        Matrices of the output of each model; empty if they equal ``synthetic``.
    """

    real: BatchInformation
    synthetic: BatchInformation
    sources: tuple[BatchInformation, ...] = ()
    models: tuple[BatchInformation, ...] = ()


def same_information(
    hessian: Float[np.ndarray, "p p"], score_covariance: Float[np.ndarray, "p p"]
) -> Information:
    """Return the information of real and synthetic data with the same distribution."""
    batch = BatchInformation(hessian, score_covariance)
    return Information(real=batch, synthetic=batch)


UNIT = same_information(np.ones((1, 1)), np.ones((1, 1)))
"""A model with ``H = V = 1``: its first-order law is the scalar recursion of the c_t."""
