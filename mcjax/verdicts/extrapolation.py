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
from dataclasses import dataclass, replace

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


@dataclass(frozen=True)
class Limit:
    """The limit of a ratio on a ladder.

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

    value: float
    error: float
    form_error: float
    slope: float
    slope_error: float
    curvature: float
    power: float
    size: float
    misfit: float
    gap: float = 0.0


@dataclass(frozen=True)
class _Fit:
    coefficients: np.ndarray
    covariance: np.ndarray
    projection: np.ndarray  # (2, K), of ratios on coefficients
    residual: np.ndarray  # inverse covariance times what is left
    chi_square: float


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
    slowed = slowed_power(scales, ratios, covariance, power)
    limit = _with_power(scales, ratios, covariance, slowed)
    if slowed == power:
        return limit
    # by theory the series becomes one in x^power in the end, and so the limit lies between
    other = _with_power(scales, ratios, covariance, power)
    gap = abs(limit.value - other.value) / 2
    return replace(
        limit,
        value=(limit.value + other.value) / 2,
        error=float(np.hypot(limit.error, gap)),
        form_error=float(np.hypot(limit.form_error, gap)),
        gap=gap,
    )


def _with_power(
    scales: np.ndarray, ratios: np.ndarray, covariance: np.ndarray, power: float
) -> Limit:
    """Extrapolate ratios with a given q."""
    x = (scales.min() / scales) ** power
    freedom = len(x) - 2
    fit, size = _fit(x, ratios, covariance, 0.0), 0.0
    for _ in range(ROUNDS):
        size = float(np.hypot(fit.coefficients[1], np.sqrt(fit.covariance[1, 1])))
        fit = _fit(x, ratios, covariance, size)
    misfit = float(chdtrc(freedom, fit.chi_square))
    if misfit < UNLIKELY:
        size = _enlarged(x, ratios, covariance, size)
        fit = _fit(x, ratios, covariance, size)
    weights = fit.projection[0]
    sampling = float(weights @ covariance @ weights)
    unit = scales.min() ** power
    return Limit(
        value=float(fit.coefficients[0]),
        error=float(np.sqrt(fit.covariance[0, 0])),
        form_error=float(np.sqrt(max(fit.covariance[0, 0] - sampling, 0.0))),
        slope=float(fit.coefficients[1] * unit),
        slope_error=float(np.sqrt(fit.covariance[1, 1]) * unit),
        curvature=float(size**2 * (x**2 @ fit.residual) * unit**2),
        power=power,
        size=size,
        misfit=misfit,
    )


def slowed_power(
    scales: Float[np.ndarray, " K"],
    ratios: Float[np.ndarray, " K"],
    covariance: Float[np.ndarray, "K K"],
    power: float,
) -> float:
    """Return the largest q, at most ``power``, with which the rungs do not fall more slowly."""
    choices = [q for q in POWERS if q <= power] or [power]
    weight = np.linalg.inv(covariance)
    for q in choices[:-1]:
        design = np.vander((scales.min() / scales) ** q, 3, increasing=True)
        spread = np.linalg.inv(design.T @ weight @ design)
        _, a, d = spread @ design.T @ weight @ ratios
        if d * np.sign(a) >= -CLEARLY * np.sqrt(spread[2, 2]):
            return q
    return choices[-1]


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
    weight = np.linalg.inv(covariance + size[:, None, None] ** 2 * _left_out(x))
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


def _left_out(x: Float[np.ndarray, " K"]) -> Float[np.ndarray, "K K"]:
    """Return the covariance of the terms with random coefficients, for tau = 1."""
    terms = np.stack([x**k for k in TERMS])
    return np.asarray(terms.T @ terms)


def _fit(x: np.ndarray, ratios: np.ndarray, covariance: np.ndarray, size: float) -> _Fit:
    """Fit c and a by generalised least squares."""
    design = np.vander(x, 2, increasing=True)
    weight = np.linalg.inv(covariance + size**2 * _left_out(x))
    spread = np.linalg.inv(design.T @ weight @ design)
    projection = spread @ design.T @ weight
    coefficients = projection @ ratios
    left = ratios - design @ coefficients
    return _Fit(
        coefficients=coefficients,
        covariance=spread,
        projection=projection,
        residual=weight @ left,
        chi_square=float(left @ weight @ left),
    )


def _enlarged(x: np.ndarray, ratios: np.ndarray, covariance: np.ndarray, size: float) -> float:
    """Return the tau with which chi-square is just likely enough, to 1%."""
    most = chdtri(len(x) - 2, UNLIKELY)
    low = high = max(size, float(np.sqrt(covariance.diagonal().min())))
    for _ in range(MOST_DOUBLINGS):
        high *= 2
        if _fit(x, ratios, covariance, high).chi_square <= most:
            break
        low = high
    while high > 1.01 * low:
        middle = float(np.sqrt(low * high))
        above = _fit(x, ratios, covariance, middle).chi_square > most
        low, high = (middle, high) if above else (low, middle)
    return high
