"""Gram matrices of Gaussian designs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def wishart(
    rng: np.random.Generator,
    draws: int,
    p: int,
    rows: int,
    *,
    root: Float[np.ndarray, "p p"] | None = None,
) -> Float[np.ndarray, "D p p"]:
    """Draw ``X'X`` for designs X with independent Gaussian rows.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of random numbers.
    draws : int
        D, the number of designs.
    p : int
        Number of covariates.
    rows : int
        Number of rows.
    root : ndarray, shape (p, p), optional
        F, for rows that are N(0, F F'); defaults to the identity.

    Notes
    -----
    Bartlett's decomposition (1933): ``X'X = L L'`` with independent ``L_ii ~ chi(rows - i)`` and
    standard normal entries below the diagonal; from column ``rows`` on L is zero.
    """
    lower = np.tril(rng.standard_normal((draws, p, p)), -1)
    lower[:, :, rows:] = 0
    for i in range(min(p, rows)):
        lower[:, i, i] = np.sqrt(rng.chisquare(rows - i, draws))
    half = lower if root is None else root @ lower
    gram: np.ndarray = half @ np.swapaxes(half, 1, 2)
    return gram
