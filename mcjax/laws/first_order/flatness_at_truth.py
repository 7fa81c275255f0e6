"""How flat the loss of NB2 regression is at the truth, which the number of rows does not tell.

Small counts say little of the dispersion, so that log a may have a large error where the
coefficients have a small one. The law takes the curvature J of the loss to be constant within it.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from jaxtyping import Float

from mcjax.laws.first_order.population_path import Populations, flatness
from mcjax.models.dispersion_scores import DispersionScores
from mcjax.study.study import Condition


@np.errstate(all="ignore")  # what overflows is not finite, and then J is not constant at all
def flatness_at_truth(
    condition: Condition, covariances: Float[np.ndarray, "T+1 M p p"]
) -> Float[np.ndarray, "T+1 M"]:
    """Return how much the mean of J over the spread of estimates differs from J, relative to J.

    It is 0 for other models than NB2. What changes J at the same distance to either side of the
    truth is, on average, proportional to a variance. So one covariance says it of all.
    """
    if not isinstance(condition.model.scores, DispersionScores):
        return np.zeros(covariances.shape[:2])
    widest = np.linalg.eigvalsh(covariances)[..., -1]
    truth = condition.theta
    rows = Populations(condition).of(0, np.tile(truth, (condition.network.size, 1)))
    slope = rows.score(truth).by_reader
    change = partial(rows.change_of_slope, truth)
    first = flatness(truth, slope, change, covariances[0, 0])
    return np.maximum.accumulate(first * widest / widest[0, 0])
