"""Test of whether losses of one seed are correlated across generations.

Verdicts take losses for independent. Losses of one run need not be: its errors are handed from one
generation to the next. Where seeds recur, it shows: their means, over generations, then differ by
more than losses of one generation do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy import special


def together_by_chance(
    generations: Int[np.ndarray, " N"], losses: Float[np.ndarray, " N"], seeds: Sequence[str | None]
) -> float:
    """Return the probability that seeds of independent losses differ as much as these.

    Parameters
    ----------
    generations : ndarray of int, shape (N,)
        Generations of a workflow.
    losses : ndarray of shape (N,)
        Losses.
    seeds : sequence of str or None
        Their seeds.

    Returns
    -------
    float
        P-value of the F-test of seeds beside generations; 1 if seeds do not recur.
    """
    known = np.array([seed is not None for seed in seeds])
    labels = np.array([seed for seed in seeds if seed is not None])
    if not len(labels):
        return 1.0
    rows, y = _indicators(generations[known]), losses[known]
    both = np.concatenate([rows, _indicators(labels)], axis=1)
    left = [y - columns @ np.linalg.lstsq(columns, y)[0] for columns in (rows, both)]
    ranks = [int(np.linalg.matrix_rank(columns)) for columns in (rows, both)]
    more, freedom = ranks[1] - ranks[0], len(y) - ranks[1]
    within = float(left[1] @ left[1])
    if more < 1 or freedom < 1 or within <= 0:
        return 1.0
    between = float(left[0] @ left[0]) - within
    return float(special.fdtrc(more, freedom, max(between, 0.0) / more / (within / freedom)))


def _indicators(labels: np.ndarray) -> Float[np.ndarray, "N k"]:
    return np.asarray(labels[:, None] == np.unique(labels), float)
