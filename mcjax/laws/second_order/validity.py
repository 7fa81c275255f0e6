"""How far the second-order law can be trusted, from the law itself.

**Indicator.** X is the sum of ``|trace|`` over the sources of C2
(:data:`mcjax.laws.second_order.recursion.SOURCES`), plus ``|m|^2``, over the trace of C1. Absolute
values, because sources of opposite sign can cancel while the orders that follow them do not. X is
of order 1/n, and what the law neglects of order ``X^2``.

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
errors were at most 0.7 of it. Beyond the limits the law is no statement about the data: at
``X = 0.93`` it predicted 1.9 times the first-order error where it was 4.4 times that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
from jaxtyping import Float

from mcjax.laws.prediction import mean_squares
from mcjax.laws.second_order.moments import ExpandedMoments, Generations
from mcjax.laws.second_order.row_tensors import Grid
from mcjax.laws.validity import Validity
from mcjax.models.score_expansion import ScoreExpansion

LARGEST_INDICATOR, LARGEST_LEVERAGE = 0.5, 0.5
SQUARE, SHARE = 2.0, 0.1
"""Factors of ``X^2`` and of L in the allowance."""
OUTSIDE = "third order matters here; give more samples"


def validity_of(
    moments: ExpandedMoments, leverage: Float[np.ndarray, "T+1 M"], rows: int
) -> Validity:
    """Return the validity of a prediction; ``rows`` are those of the smallest fit."""
    leading = mean_squares(moments.leading, moments.mean.shape[1])
    sources = np.abs(moments.sources).sum(1) + (moments.mean**2).sum(-1)
    indicator = sources / leading
    judged = (indicator <= LARGEST_INDICATOR) & (leverage <= LARGEST_LEVERAGE)
    largest = float(indicator.max()), float(leverage.max())
    return Validity(
        indicator,
        leverage,
        judged,
        note="" if judged.all() else OUTSIDE,
        accurate_from=partial(rows_needed, rows, *largest),
    )


def allowance(validity: Validity, moments: ExpandedMoments) -> Float[np.ndarray, "T+1 M"]:
    """Return departures that are no evidence against the law, over the mean squared errors.

    They are infinite where the law is not judged.
    """
    stated = SQUARE * validity.indicator**2 + SHARE * validity.leverage
    size = moments.mean.shape[1]
    leading = mean_squares(moments.leading, size)
    predicted = mean_squares(moments.leading + moments.following, size, moments.mean)
    with np.errstate(divide="ignore", invalid="ignore"):  # where it is judged, X <= 1/2
        return np.where(validity.judged, stated * leading / predicted, np.inf)


def rows_needed(rows: int, indicator: float, leverage: float, tolerance: float) -> dict[str, int]:
    """Return the rows of the smallest fit from which both laws are accurate to a tolerance.

    Parameters
    ----------
    rows : int
        The present rows of the smallest fit.
    indicator, leverage : float
        The largest X and L, which fall like ``1/n`` and ``1/n^2``.
    tolerance : float
        The largest error, relative to C1. That of the first-order law is about X, and that of this
        one is at most ``2 X^2 + L / 10``.

    Returns
    -------
    dict of str to int
        By law.
    """
    stated = math.sqrt((SQUARE * indicator**2 + SHARE * leverage) / tolerance)
    inside = max(indicator / LARGEST_INDICATOR, math.sqrt(leverage / LARGEST_LEVERAGE))
    second = max(inside, stated)
    first = max(second, indicator / tolerance)
    return {"first_order": math.ceil(rows * first), "second_order": math.ceil(rows * second)}


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
