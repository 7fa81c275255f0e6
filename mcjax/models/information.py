"""What the first-order law needs to know of a family: two matrices for each kind of data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BatchInformation:
    """One observation's expected Hessian and score covariance at the truth.

    Attributes
    ----------
    hessian: ``H = E grad^2 loss``, shape (p, p).
    score_covariance: ``V = Cov(grad loss)``, shape (p, p).
    """

    hessian: np.ndarray
    score_covariance: np.ndarray


@dataclass(frozen=True)
class Information:
    """The matrices of real data and of data that a model generates.

    ``sources``: of further real sources, in order, where they are not those of ``real``.
    """

    real: BatchInformation
    synthetic: BatchInformation
    sources: tuple[BatchInformation, ...] = ()


def same_information(hessian: np.ndarray, score_covariance: np.ndarray) -> Information:
    """Real and synthetic data from one law."""
    batch = BatchInformation(hessian, score_covariance)
    return Information(real=batch, synthetic=batch)


UNIT = same_information(np.ones((1, 1)), np.ones((1, 1)))
"""A family with ``H = V = 1``: its first-order law is the scalar recursion of the c_t."""
