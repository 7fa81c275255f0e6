"""How likely a study is to refute a law that is wrong, if another one is true.

The other law tells what is simulated; errors are taken for normal with its covariances. A ratio of
MSEs is then about normal with mean r, the ratio of the two laws, and standard error
``r sqrt(2 tr(C^2)) / (tr(C) sqrt(n))``; the products behind an entry of a covariance have means
B_uv and covariances ``B_uw B_vx + B_ux B_vw`` (Isserlis 1918), B being the true covariance whitened
by the judged one; and T^2 is noncentral chi-squared with ``n D^2``. A slope's two ends count as
independent, which makes its chance smaller than it is, and extreme directions of a covariance, of
which half the chains tell, are left out. What is announced of several cells is the chance in that
cell where it is largest, at the first level of Holm's procedure: all together refute the law at
least as often.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.linalg import block_diag
from scipy.special import chndtr, chndtrix, ndtr, stdtrit

from mcjax.engine.outcome import kept
from mcjax.laws.prediction import Prediction, Predictions
from mcjax.verdicts.collapse import BOUNDARY, ROOM, growth_share, share_slopes, sides_of

Chance = Callable[[float], float]
"""Of a refutation, by the number of chains."""
FEWEST, MOST = 32, 2**40
"""Chains; below, means of squares are far from normal."""
DRAWS, LIKELIEST = 4096, 32
"""Of the numbers in one claim: draws of their joint normal law, and how many are looked at."""


def true_law(own: Predictions, asymptotic: bool) -> Prediction | None:
    """What stands for the truth among a condition's own laws: one for every sample size if there
    is one, unless a limit is asked for."""
    laws = sorted(own.laws.values(), key=lambda law: law.asymptotic != asymptotic)
    return laws[0] if laws else None


@np.errstate(all="ignore")  # a chance that is no number is 0
def chances(
    quantity: str,
    judged: Prediction,
    truth: Prediction,
    tolerance: float,
    level: float,
    limit: float | None = None,
) -> list[Chance]:
    """Of every cell of one quantity; normality has none.

    Parameters
    ----------
    level: of each cell.
    limit: of a ladder instead of cells by themselves, its standard error over a rung's.
    """
    allowed = np.broadcast_to(judged.allowance, judged.mse.shape)
    edge = tolerance + (0 * allowed if limit is not None else allowed)
    if quantity == "mse":
        ratio = (truth.mse / judged.mse).ravel()
        theirs = (judged.standard_error / judged.mse).ravel()
        sd = ratio * relative_spread(truth).ravel() * (1.0 if limit is None else limit)
        shape = _shape(truth) if limit is None else np.zeros((*truth.mse.shape, 2))
        beyond = np.abs(ratio - 1) - edge.ravel()
        parts = [beyond, np.sign(ratio - 1), sd, ratio * theirs, *shape.reshape(-1, 2).T]
        return [_mean(cell, level) for cell in np.stack(parts, axis=-1)]
    if quantity == "collapse":
        return _collapse(judged, truth, allowed[-1], level)
    if quantity == "growth":
        return _growth(judged, truth, edge[-1], level)
    if quantity == "bias":
        return _bias(judged, truth, tolerance + np.sqrt(allowed), level)
    return _covariance(judged, truth, edge[-1], level) if quantity == "covariance" else []


def likeliest(
    found: Sequence[Chance], chains: float, power: float
) -> tuple[int, float, int | None]:
    """Where the chance is largest with so many chains, that chance, and with how many it reaches
    the power (to 1%)."""

    def largest(n: float) -> float:
        return max(chance(n) for chance in found)

    here = [chance(chains) for chance in found]
    which = int(np.argmax(here))
    if largest(MOST) < power:
        return which, here[which], None
    low, high = float(FEWEST), float(MOST)
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if largest(middle) >= power else (middle, high)
    return which, here[which], math.ceil(high)


def relative_spread(law: Prediction) -> np.ndarray:
    """Of one chain's ``||e||^2`` about its mean, over that mean; (T + 1, M). With a mean m of the
    errors the variance is ``2 tr(C^2) + 4 m'Cm``."""
    blocks = own_covariances(law)
    variance = 2 * np.einsum("tiab,tiab->ti", blocks, blocks)
    if law.mean is not None:
        variance = variance + 4 * np.einsum("tia,tiab,tib->ti", law.mean, blocks, law.mean)
    return np.sqrt(variance) / law.mse


def own_covariances(law: Prediction) -> np.ndarray:
    """Every model's own, (T + 1, M, p, p)."""
    times, models = law.mse.shape
    p = law.covariance.shape[1] // models
    return np.einsum("tiaib->tiab", law.covariance.reshape(times, models, p, models, p))


def singular(law: Prediction) -> np.ndarray:
    """Which models' own covariances are finite and singular, (T + 1, M)."""
    blocks = own_covariances(law)
    finite = np.isfinite(blocks).all((-2, -1))
    safe = np.where(finite[..., None, None], blocks, np.eye(blocks.shape[-1]))
    return finite & ~(np.linalg.cond(safe) < 1e12)


def _shape(law: Prediction) -> np.ndarray:
    """Skewness and excess kurtosis of ``||e||^2``, (T + 1, M, 2)."""
    blocks = own_covariances(law)
    squares = blocks @ blocks
    second, third, fourth = (
        np.einsum("tiab,tiab->ti", one, other)
        for one, other in ((blocks, blocks), (squares, blocks), (squares, squares))
    )
    return np.stack([8 * third / (2 * second) ** 1.5, 12 * fourth / second**2], axis=-1)


def _mean(cell: np.ndarray, level: float) -> Chance:
    """That a mean is seen beyond an edge. ``cell``: how far it is beyond, to which side (1 above),
    sd of a chain, error of the law, skewness and excess kurtosis of a chain."""
    off, side, sd, theirs, skewness, kurtosis = map(float, cell)

    def chance(n: float) -> float:
        # what the judged law does not know of itself is the same in every run
        z, error = float(stdtrit(n - 1, level / 2)), sd / math.sqrt(n)
        reach = z * math.hypot(error, theirs)
        end = error * float(_end(side * z, skewness, kurtosis, n))
        found = float(ndtr((off + reach) / end)) if end > 0 else float(off + reach > 0)
        return found if math.isfinite(found) else 0.0

    return chance


def _end(z: Any, skewness: Any, kurtosis: Any, n: float) -> Any:
    """Spread of the end of an interval, over that of the mean.

    A mean m and its standard error s / sqrt(n) go together where terms are skewed: the variance of
    ``m + z s / sqrt(n)`` is ``1 + z skewness / sqrt(n) + z^2 (kurtosis + 2) / (4 n)`` times that of
    m, to second order.
    """
    return np.sqrt(1 + z * skewness / math.sqrt(n) + z**2 * (kurtosis + 2) / (4 * n))


def _growth(judged: Prediction, truth: Prediction, edge: np.ndarray, level: float) -> list[Chance]:
    last = len(judged.mse) - 1
    ends = [last, last // 2]
    if last == last // 2:
        return []
    told, true = (law.mse[last] - law.mse[last // 2] for law in (judged, truth))
    error = np.hypot(*judged.standard_error[ends])
    sd = np.hypot(*(relative_spread(truth) * truth.mse)[ends])
    off, none = true / told - 1, 0 * told  # the shape of a difference is taken for normal
    parts = [abs(off) - edge, np.sign(off), sd / abs(told), error / abs(told), none, none]
    return [_mean(cell, level) for cell in np.stack(parts, axis=-1)[~np.isnan(judged.growth)]]


def _collapse(
    judged: Prediction, truth: Prediction, allowed: np.ndarray, level: float
) -> list[Chance]:
    sides, told, true = sides_of(judged), growth_share(judged.mse), growth_share(truth.mse)
    sd = share_spread(truth)
    clear = sides * (told - BOUNDARY) > ROOM
    off = np.where(clear, sides * (BOUNDARY - true) - allowed, -np.inf)
    none = 0 * sd
    parts = [off, -sides, sd, none, none, none]
    return [_mean(cell, level) for cell in np.stack(parts, axis=-1)[sides != 0]]


def share_spread(law: Prediction) -> np.ndarray:
    """Of one chain's part in r (see :mod:`mcjax.verdicts.collapse`), as if its two ends were
    independent; (M,)."""
    last = len(law.mse) - 1
    ends = [last // 2, last]
    slopes = share_slopes(law.mse[ends], last) if last else np.zeros((2, 1))
    return np.hypot(*(slopes * (relative_spread(law) * law.mse)[ends]))


def _bias(judged: Prediction, truth: Prediction, edge: np.ndarray, level: float) -> list[Chance]:
    blocks = own_covariances(truth)
    p = blocks.shape[-1]
    zero = np.zeros(blocks.shape[:-1])
    told, true = (zero if law.mean is None else law.mean for law in (judged, truth))
    off = true - told
    found = []
    for t, i in np.ndindex(*edge.shape):
        if np.linalg.cond(blocks[t, i]) < 1e12:
            distance = float(off[t, i] @ np.linalg.solve(blocks[t, i], off[t, i]))
            found.append(_hotelling(p, distance, float(edge[t, i]), level))
    return found


def _hotelling(p: int, distance: float, edge: float, level: float) -> Chance:
    def chance(n: float) -> float:
        n = min(n, 1e6 / max(distance, edge**2))  # far out the functions have no value
        critical = float(chndtrix(1 - level / 2, p, n * edge**2))
        found = 1 - float(chndtr(critical, p, n * distance))
        return found if math.isfinite(found) else 0.0

    return chance


def _covariance(
    judged: Prediction, truth: Prediction, edge: np.ndarray, level: float
) -> list[Chance]:
    models, p = judged.mse.shape[1], own_covariances(judged).shape[-1]
    blocks = own_covariances(judged)[-1]
    if not (np.linalg.cond(blocks) < 1e12).all():
        return []
    root = block_diag(*np.linalg.inv(np.linalg.cholesky(blocks)))
    told, true = (root @ law.covariance[-1] @ root.T for law in (judged, truth))
    theirs = judged.standard_error[-1] / judged.mse[-1]
    most = kept(models * p)
    found = []
    for i in range(models):
        mine = np.arange(i * p, (i + 1) * p)
        others = np.setdiff1d(np.arange(models * p), mine)
        lower = np.tril_indices(p)
        pairs = {"own": (mine[lower[0]], mine[lower[1]], theirs[i], 0 if p == 1 else 2)}
        if models > 1:
            pairs["cross"] = (np.repeat(mine, len(others)), np.tile(others, p), theirs.max(), 0)
        for u, v, error, more in pairs.values():
            each = level / (len(u) + more)
            variance = true[u, u] * true[v, v] + true[u, v] ** 2
            beyond = (np.abs(true[u, v] - told[u, v]) - edge[i]) / np.sqrt(variance)
            order = np.argsort(-np.nan_to_num(beyond))[:LIKELIEST]
            u, v = u[order], v[order]
            spread = (
                true[np.ix_(u, u)] * true[np.ix_(v, v)] + true[np.ix_(u, v)] * true[np.ix_(v, u)]
            )
            off, known = true[u, v] - told[u, v], np.abs(told[u, v]) * error
            shape = _product_shape(true, u, v)
            found.append(_any(off, spread, shape, known, float(edge[i]), each, most))
    return found


def _product_shape(covariance: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Skewness and excess kurtosis of products of normal variables u and v, (2, m)."""
    both, one, other = covariance[u, v], covariance[u, u], covariance[v, v]
    variance = one * other + both**2
    third = 2 * both * (both**2 + 3 * one * other)
    fourth = 6 * ((one * other) ** 2 + 6 * one * other * both**2 + both**4)
    return np.stack([third / variance**1.5, fourth / variance**2])


def _any(
    off: np.ndarray,
    covariance: np.ndarray,
    shape: np.ndarray,
    theirs: np.ndarray,
    edge: float,
    level: float,
    most: int,
) -> Chance:
    """That any one of several means is seen beyond an edge."""
    sd = np.sqrt(np.diagonal(covariance))
    values, vectors = np.linalg.eigh(covariance)
    normal = np.random.default_rng(0).standard_normal((DRAWS, len(off)))
    drawn = (normal * np.sqrt(np.maximum(values, 0))) @ vectors.T

    def chance(n: float) -> float:
        n = min(n, most)
        if n < FEWEST:
            return 0.0
        z = float(stdtrit(n // 2 - 1, level / 2))
        end = _end(z * np.sign(off), shape[0], shape[1], n)
        reach = z * np.hypot(sd / math.sqrt(n), theirs)
        seen = np.sign(off) * (off + end * drawn / math.sqrt(n))
        return float((seen + reach > edge).any(1).mean())

    return chance
