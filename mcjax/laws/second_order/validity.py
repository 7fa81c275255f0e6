"""Range of validity of the second-order law, from the law itself.

**Indicator.** X is the sum of ``|trace|`` over the sources of C2
(:data:`mcjax.laws.second_order.recursion.SOURCES`), plus ``|m|^2``, over the trace of C1. Absolute
values, because sources of opposite sign can cancel while the orders that follow them do not. X is
of order 1/n, and what the law neglects of order ``X^2``. The same ratio in a single direction,
along the truth or across it, is larger than X in one of the two; what is claimed about whitened
errors depends on the larger one.

**Leverage.** With the curvature r2 of the loss in the predictor, an observation has the leverage
``r2 w x'K^-1 x`` in its fit, where K is the sum of the weighted curvatures of its rows. The sum of
the expected third powers,

    L_i = sum_e pi_ie^3 / n_e^2 E[(r2 x'J_i^-1 x)^3] ,

is of order ``1/n^2``. Where it is not small, few observations decide a fit, as in Poisson
regression with a large theta, and orders in 1/n separate late.

The allowance ``(2 X^2 + L / 10) tr C1`` for departures from the law, and the limits
``X <= 1/2`` and ``L <= 1/2`` are empirical: in 550 simulated cells within the limits (logistic,
Poisson, Huber, log-cosh and linear regression; 50 to 1,600 rows; 1 to 4 parameters; loops, networks
with real data, rings of three models, shared draws, reused data), departures beyond three standard
errors were at most 0.7 of it. With ten rows for each parameter it can be too small: one parameter
of Poisson regression on 10 rows, with X = 0.13 and L = 0.33, had an error 27% above that of first
order. Beyond the limits the law is no statement about the data: at
``X = 0.93`` it predicted 1.9 times the first-order error where it was 4.4 times that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

from mcjax.laws.prediction import mean_squares
from mcjax.laws.second_order.moments import ExpandedMoments, Generations
from mcjax.laws.second_order.row_tensors import Grid
from mcjax.laws.validity import Radii, Validity
from mcjax.models.score_expansion import ScoreExpansion


def validity_of(
    moments: ExpandedMoments,
    leverage: Float[np.ndarray, "T+1 M"],
    rows: int,
    radii: Callable[[], Radii | None],
) -> Validity:
    """Return the validity of a prediction; ``rows`` are those of the smallest fit."""
    leading = mean_squares(moments.leading, moments.mean.shape[1])
    sources = np.abs(moments.sources).sum(1) + (moments.mean**2).sum(-1)
    return Validity(
        indicator=sources / leading,
        directed=moments.directed,
        leverage=leverage,
        rows=rows,
        third=moments.thirds[-1],
        radii=radii,
    )


def leverage_of(
    read: Generations, rows: Mapping[int, ScoreExpansion], grid: Grid, size: int, p: int
) -> Float[np.ndarray, "T+1 M"]:
    """Return the largest L of a model's fits so far and of those that it descends from.

    Parameters
    ----------
    read : Generations
        What generations 0 to T read.
    rows : mapping of int to ScoreExpansion
        Expansions of the score of one row by origin, at the predictors of the grid.
    grid : Grid
        The grid.
    size, p : int
        M and p.
    """
    curvature = {o: grid.moments(row.mean_term(1, 0), 2)[[2, 0]] for o, row in rows.items()}
    third = {o: grid.moments(row.cubed_curvature, 6)[[6, 4, 2, 0]] for o, row in rows.items()}
    rest = p - 1  # moments of the chi-squared length of z in the other directions
    others = np.array([1, rest, rest * (p + 1), rest * (p + 1) * (p + 3)])
    result = np.zeros((len(read.order), size))
    for t, place in enumerate(read.order):
        samples = read.samples[place]
        along, across = np.zeros((2, size))
        for sample in samples:
            for i, share in sample.shares.items():
                along[i] += share * curvature[sample.origin][0]
                across[i] += share * curvature[sample.origin][1]
        own = np.zeros(size)
        earlier = result[t - 1] if t else np.zeros(size)
        inherited = np.where(along == 0, earlier, 0.0)  # a frozen model keeps its estimate
        for sample in samples:
            for i, share in sample.shares.items():
                scales = along[i] ** -np.arange(3.0, -1, -1) * across[i] ** -np.arange(4.0)
                cube = (np.array([1, 3, 3, 1]) * scales * third[sample.origin] * others).sum()
                own[i] += share**3 / sample.rows**2 * cube
                if sample.origin < size:
                    inherited[i] = max(inherited[i], earlier[sample.origin])
        result[t] = np.maximum(own, inherited)
    return result
