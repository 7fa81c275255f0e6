"""Extrapolate a ratio to its limit as sample counts grow.

With every sample count multiplied by s, the ratio of the simulated to the predicted number departs
from its limit c by a series in ``x = (s_1 / s)^q``, where s_1 is the smallest scale,

    r(s) = c + a x + d_2 x^2 + d_3 x^3 + ... .

**Powers.** Moments of estimates are series in 1/n, so q = 1. Where something differs from the truth
by a distance of order 1/sqrt(n), terms of odd order do not cancel, and q = 1/2
(:func:`~mcjax.laws.first_order.departures.power_of_departures`).

**Size of what is left out.** No number of rungs determines all coefficients. As in expansions of
effective field theories (Furnstahl et al., Physical Review C 92, 024005, 2015), those that the
rungs do not determine are taken to be of natural size: d_2 to d_5 are independent and normal, with
mean 0 and standard deviation tau. That is |a|, the departure at the smallest scale to first order,
with its own error added in quadrature. Generalised least squares gives c and a. The error of c has
two parts: that of the chains, and that of the form, which chains reduce only as far as they
determine tau. If the rungs
depart from the curve by more than is likely with all this, tau grows until they do not, as by Paule
& Mandel (Journal of Research of the National Bureau of Standards 87, 1982).

**Slower departures.** At the sizes at hand a departure may fall more slowly than 1/n, as where few
rows hold most of the information. A series in 1/s then begins with coefficients of alternating
sign. If d_2, fitted alone, has the sign opposite to that of a by more than two standard errors, q
is lowered to 3/4, and to 1/2 if the signs are still opposite with 3/4. In the end the series is the
one that theory gives, so the limit is taken to lie midway between those with the two powers, and
half their distance is added to the error of the form.

In simulations of ladders (``benchmarks/ladders.py``) with 3 to 5 rungs, of laws that are true and
off by up to a factor 7 at the smallest scale, this form kept limits within their errors where
``c + a / s + b / s^2`` did not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import chdtrc, chdtri

TERMS = range(2, 6)
"""Powers of x whose coefficients are taken to be random."""
POWERS = (1.0, 0.75, 0.5)
"""Values of q, from the fastest departure to the slowest."""
UNLIKELY = 0.1
"""P-value of the goodness of fit below which tau grows."""
CLEARLY = 2.0
"""Standard errors by which d_2 must have the sign opposite to a for a slower departure."""
ROUNDS, MOST_DOUBLINGS = 3, 40

Numbers = Any
"""A number, or an array of shape (N,)."""


@dataclass(frozen=True)
class Limit:
    """The limit of a ratio on a ladder, or the limits of N ratios in arrays of shape (N,).

    Attributes
    ----------
    value : float
        The limit c.
    error : float
        Its standard error.
    form_error : float
        The part of the standard error that is due to the form of the departure.
    slope, slope_error : float
        The coefficient of the first power, for ``x = s^-q``, and its standard error.
    curvature : float
        The coefficient of the second power.
    power : float
        q.
    size : float
        tau, for ``x = (s_1 / s)^q``.
    misfit : float
        P-value of the goodness of fit, for the tau that follows from a.
    gap : float
        Half the distance between the limits with q and with the power that theory gives.
    """

    value: Numbers
    error: Numbers
    form_error: Numbers
    slope: Numbers
    slope_error: Numbers
    curvature: Numbers
    power: Numbers
    size: Numbers
    misfit: Numbers
    gap: Numbers = 0.0


@dataclass(frozen=True)
class _Fit:
    coefficients: np.ndarray  # (N, 2)
    covariance: np.ndarray  # (N, 2, 2)
    projection: np.ndarray  # (N, 2, K), of ratios on coefficients
    residual: np.ndarray  # (N, K), inverse covariance times what is left
    chi_square: np.ndarray  # (N,)


def extrapolate(
    scales: Float[np.ndarray, " K"],
    ratios: Float[np.ndarray, " K"],
    covariance: Float[np.ndarray, "K K"],
    power: float,
) -> Limit:
    """Extrapolate ratios to the limit of large scales.

    Parameters
    ----------
    scales : ndarray of shape (K,)
        Factors of the sample counts, three or more.
    ratios : ndarray of shape (K,)
        Simulated over predicted numbers.
    covariance : ndarray of shape (K, K)
        Covariance of the errors of the ratios.
    power : float
        q that theory gives; slower powers are tried too.
    """
    found = extrapolate_all(scales, ratios[None], covariance[None], power)
    return Limit(**{field.name: float(getattr(found, field.name)[0]) for field in fields(found)})


def extrapolate_all(
    scales: Float[np.ndarray, " K"],
    ratios: Float[np.ndarray, "N K"],
    covariance: Float[np.ndarray, "N K K"],
    power: float,
) -> Limit:
    """Extrapolate the ratios of N ladders with the same scales, as :func:`extrapolate` does one."""
    slowed = slowed_powers(scales, ratios, covariance, power)
    columns = np.full((len(fields(Limit)), len(ratios)), 0.0)
    for q in np.unique(slowed):
        chosen = slowed == q
        columns[:, chosen] = _with_power(scales, ratios[chosen], covariance[chosen], float(q))
    limit = Limit(*columns)
    chosen = slowed != power
    if not chosen.any():
        return limit
    # by theory the series becomes one in x^power in the end, and so the limit lies between
    other, gap = limit.value.copy(), np.zeros(len(ratios))
    other[chosen] = _with_power(scales, ratios[chosen], covariance[chosen], power)[0]
    gap[chosen] = np.abs(limit.value - other)[chosen] / 2
    return replace(
        limit,
        value=(limit.value + other) / 2,
        error=np.hypot(limit.error, gap),
        form_error=np.hypot(limit.form_error, gap),
        gap=gap,
    )


def _with_power(
    scales: np.ndarray, ratios: np.ndarray, covariance: np.ndarray, power: float
) -> Float[np.ndarray, "10 N"]:
    """Extrapolate N ratios with a given q; the rows of the result are the fields of a limit."""
    x = (scales.min() / scales) ** power
    freedom = len(x) - 2
    size = np.zeros(len(ratios))
    fit = _fit(x, ratios, covariance, size)
    for _ in range(ROUNDS):
        size = np.hypot(fit.coefficients[:, 1], np.sqrt(fit.covariance[:, 1, 1]))
        fit = _fit(x, ratios, covariance, size)
    misfit = chdtrc(freedom, fit.chi_square)
    unlikely = misfit < UNLIKELY
    if unlikely.any():
        size[unlikely] = _enlarged(x, ratios[unlikely], covariance[unlikely], size[unlikely])
        fit = _fit(x, ratios, covariance, size)
    weights = fit.projection[:, 0]
    sampling = np.einsum("nk,nkl,nl->n", weights, covariance, weights)
    unit = scales.min() ** power
    return np.array(
        [
            fit.coefficients[:, 0],
            np.sqrt(fit.covariance[:, 0, 0]),
            np.sqrt(np.maximum(fit.covariance[:, 0, 0] - sampling, 0.0)),
            fit.coefficients[:, 1] * unit,
            np.sqrt(fit.covariance[:, 1, 1]) * unit,
            size**2 * (fit.residual @ x**2) * unit**2,
            np.full(len(ratios), power),
            size,
            misfit,
            np.zeros(len(ratios)),
        ]
    )


def slowed_powers(
    scales: Float[np.ndarray, " K"],
    ratios: Float[np.ndarray, "N K"],
    covariance: Float[np.ndarray, "N K K"],
    power: float,
) -> Float[np.ndarray, " N"]:
    """Return the largest q, at most ``power``, with which rungs do not fall more slowly, (N,)."""
    choices = [q for q in POWERS if q <= power] or [power]
    weight = np.linalg.inv(covariance)
    slowed, open_ = np.full(len(ratios), choices[-1]), np.ones(len(ratios), bool)
    for q in choices[:-1]:
        design = np.vander((scales.min() / scales) ** q, 3, increasing=True)
        spread = np.linalg.inv(design.T @ weight @ design)
        _, a, d = (spread @ design.T @ weight @ ratios[:, :, None])[:, :, 0].T
        settled = open_ & (d * np.sign(a) >= -CLEARLY * np.sqrt(spread[:, 2, 2]))
        slowed[settled] = q
        open_ &= ~settled
    return slowed


def size_with(limit: Limit, scales: Float[np.ndarray, " K"], more: float) -> float:
    """Return the tau of a limit with ``more`` times as many chains, if the ratios do not change.

    The part of tau that is the error of a shrinks. What misfits have added stays.
    """
    unit = float(scales.min()) ** limit.power
    error = limit.slope_error / unit
    seen = math.hypot(limit.slope / unit, error)
    return float(math.hypot(limit.slope / unit, error / math.sqrt(more)) * limit.size / seen)


def limit_errors(
    scales: Float[np.ndarray, " K"],
    power: float,
    covariance: Float[np.ndarray, "N K K"],
    size: Float[np.ndarray, " N"],
) -> Float[np.ndarray, " N"]:
    """Return the standard errors of N limits.

    Parameters
    ----------
    scales : ndarray of shape (K,)
        Factors of the sample counts.
    power : float
        q.
    covariance : ndarray of shape (N, K, K)
        Covariances of the errors of the rungs.
    size : ndarray of shape (N,)
        tau.
    """
    x = (scales.min() / scales) ** power
    weight = np.linalg.inv(covariance + size[:, None, None] ** 2 * left_out(x))
    design = np.vander(x, 2, increasing=True)
    return np.asarray(np.sqrt(np.linalg.inv(design.T @ weight @ design)[:, 0, 0]))


def further_scales(limit: Limit, scales: Float[np.ndarray, " K"], enough: float) -> list[float]:
    """Return the fewest scales to add for the error of the form to be at most ``enough``.

    Each is ``2^(1/q)`` times the one before, or the next whole number, at which any sample counts
    stay whole. The result is empty if three do not suffice.
    """
    more: list[float] = []
    for _ in range(3):
        more.append(math.ceil(float(scales.max()) * 2 ** ((len(more) + 1) / limit.power)))
        every = np.append(scales, more)
        # many chains: rungs have errors far below that of the form
        covariance = np.eye(len(every))[None] * (enough / 10) ** 2
        if limit_errors(every, limit.power, covariance, np.array([limit.size]))[0] <= enough:
            return more
    return []


def left_out(x: Float[np.ndarray, " K"]) -> Float[np.ndarray, "K K"]:
    """Return the covariance of the terms with random coefficients, for tau = 1."""
    terms = np.stack([x**k for k in TERMS])
    return np.asarray(terms.T @ terms)


def _fit(x: np.ndarray, ratios: np.ndarray, covariance: np.ndarray, size: np.ndarray) -> _Fit:
    """Fit c and a of N ladders by generalised least squares."""
    design = np.vander(x, 2, increasing=True)
    weight = np.linalg.inv(covariance + size[:, None, None] ** 2 * left_out(x))
    spread = np.linalg.inv(design.T @ weight @ design)
    projection = spread @ design.T @ weight
    coefficients = np.einsum("nik,nk->ni", projection, ratios)
    left = ratios - coefficients @ design.T
    residual = np.einsum("nkl,nl->nk", weight, left)
    return _Fit(
        coefficients=coefficients,
        covariance=spread,
        projection=projection,
        residual=residual,
        chi_square=np.einsum("nk,nk->n", left, residual),
    )


def _enlarged(
    x: np.ndarray, ratios: np.ndarray, covariance: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Return the tau with which chi-square is just likely enough, to 1%, shape (N,)."""
    most = chdtri(len(x) - 2, UNLIKELY)
    smallest = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2).min(1))
    low = np.maximum(size, smallest)
    high, short = 2 * low, np.ones(len(low), bool)
    for _ in range(MOST_DOUBLINGS):
        short[short] = _fit(x, ratios[short], covariance[short], high[short]).chi_square > most
        if not short.any():
            break
        low[short], high[short] = high[short], 2 * high[short]
    while (high > 1.01 * low).any():
        middle = np.sqrt(low * high)
        above = _fit(x, ratios, covariance, middle).chi_square > most
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high
