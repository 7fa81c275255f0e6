"""The bias of small samples around the population path: the mean error to order 1/n.

Estimates have the mean ``mu_{i,t} + m_{i,t} + o(1/n)``. Expand the score equation of a fit to
second order, around its centre and those of its parents. With the derivatives ``E_ac`` of the mean
score of sample b, a times in the reader and c times in the parent, and all sums over the samples of
the fit,

    m_{i,t} = sum_b A_b m_{j(b),t-1} - J^-1 ( K:Cov(xi_{i,t}) / 2
              + sum_b pi_b (E_11[d, xi_b] + E_02[xi_b, xi_b] / 2) - sum_b pi_b^2 / n_b N_b:J^-1 ) .

Here ``K = sum_b pi_b E_20``, d is what the errors xi_b of the parents move the centre by, products
of errors stand for covariances, and ``(N:G)_a = N_abc G_bc`` with the covariance N_b of the Hessian
(first two axes) and the score of one row. Means are subtracted, because the scores of a sample do
not average to 0 at the centre of a mixture. The penalty of a ridge is part of J and of A alone.
Where every centre is the truth, m is the mean of :mod:`mcjax.laws.second_order.recursion`.

**Why it belongs to the first-order law.** With ``D = mu - theta*``, a mean squared error is

    E |theta - theta*|^2 = |D|^2 + ( tr Cov(xi) + 2 D'm ) + O(1/n^2) ,

and both terms in brackets are of order 1/n. So away from the truth m belongs to the first order of
a mean squared error, without which that is not known. The second-order law has second moments to
order ``1/n^2`` besides, which are not known around a path.

**How far m can be off.** A Newton step that a fit takes is right up to the relative change of its
Hessian, which is ``J^-1 (h + K[xi] + sum_b pi_b E_11[xi_b])`` with the noise h of the Hessian. Its
mean square, with the factor 11/4 for all but h, takes the place of the indicator X of
:mod:`mcjax.laws.second_order.validity`. Of the second-order terms of one parameter of a canonical
model, these two have the factors 1 and 11/4. Where both are known, in the networks of
``tests/laws/second_order_cases.py``, it is 0.9 to 1.8 times X.

Fits to rows that are read again are not covered: their noise is correlated with parents' errors.

Derived here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from mcjax.laws.first_order.path_system import Path
from mcjax.laws.first_order.population import Curvature, SlopeMoments
from mcjax.laws.first_order.population_path import Fit, Fits, transition_of
from mcjax.laws.law import Inapplicable
from mcjax.laws.validity import (
    LARGEST_INDICATOR,
    LARGEST_LEVERAGE,
    ROWS_A_PARAMETER,
    SHARE,
    SQUARE,
    SmallSampleBias,
)

KEPT = "real data are read again and again"
POOLED = "data accumulate"
BENT = 11 / 4
"""Factor of what bends the score equation in X."""


class PathBias(NamedTuple):
    """The bias of small samples on a path of T generations.

    Attributes
    ----------
    mean : ndarray, shape (T + 1, M, p)
        m.
    indicator : ndarray, shape (T + 1, M)
        X in the direction in which it is largest, of the fit of a model and of those that it
        descends from.
    leverage : ndarray, shape (T + 1, M)
        L of :mod:`mcjax.laws.second_order.validity`, of the same fits.
    """

    mean: Float[np.ndarray, "T+1 M p"]
    indicator: Float[np.ndarray, "T+1 M"]
    leverage: Float[np.ndarray, "T+1 M"]


class _Bend(NamedTuple):
    """Moments of one sample at the centre of its reader."""

    curvature: Curvature
    slope: SlopeMoments


class _Generation(NamedTuple):
    """Fits of one generation, their effect on errors, and the covariances before and after it."""

    fits: Fits
    bends: dict[int, list[_Bend]]  # of the samples of each fit
    moved: np.ndarray  # A, (M p, M p)
    before: np.ndarray  # (M p, M p)
    after: np.ndarray


def path_bias(path: Path) -> PathBias:
    """Return the bias of small samples on a path.

    Raises
    ------
    Inapplicable
        If data accumulate or are read again, or the curvature of a score is not known.
    """
    if not path.fits:
        raise Inapplicable(POOLED)
    if not all(fit.renewed.all() for fits in path.fits[1:] for fit in fits.values()):
        raise Inapplicable(KEPT)
    times, size, p = path.centres.shape
    mean, (indicator, leverage) = np.zeros((times, size, p)), np.zeros((2, times, size))
    known: dict[int, list[_Bend]] = {}  # generations may share fits
    for t, fits in enumerate(path.fits):
        for fit in fits.values():
            if id(fit) not in known:
                known[id(fit)] = _bends_of(fit)
        now = _Generation(
            fits,
            {i: known[id(fit)] for i, fit in fits.items()},
            transition_of(fits, size, p) if t else np.zeros((size * p, size * p)),
            before=path.covariance[t - 1] if t else np.zeros((size * p, size * p)),
            after=path.covariance[t],
        )
        last = max(t - 1, 0)
        mean[t] = _added_mean(now, size, p)
        mean[t] += (now.moved @ mean[last].ravel()).reshape(size, p)
        for i in range(size):
            if i not in fits:  # a frozen model keeps its estimate
                indicator[t, i], leverage[t, i] = indicator[last, i], leverage[last, i]
                continue
            parents = fits[i].origin[(fits[i].origin < size) & (t > 0)]
            ahead = _slope_noise(now, i)
            for worst, own in zip((indicator, leverage), ahead, strict=True):
                worst[t, i] = max(own, *worst[last, parents], 0.0)
    return PathBias(mean, indicator, leverage)


def small_sample_bias(
    path: Path, bias: PathBias, truth: Float[np.ndarray, " p"], rule: Float[np.ndarray, "T+1 M"]
) -> SmallSampleBias:
    """Return a bias with the allowances for what it leaves out.

    Parameters
    ----------
    path : Path
        The path.
    bias : PathBias
        Its bias.
    truth : ndarray, shape (p,)
        The truth.
    rule : ndarray, shape (T + 1, M)
        Allowance for variances, relative to these.

    Raises
    ------
    Inapplicable
        If the bias exceeds the errors of which it is a part.
    """
    times, size, p = path.centres.shape
    blocks = np.einsum("tiaib->tiab", path.covariance.reshape(times, size, p, size, p))
    away = path.centres - truth
    variance, distance = np.trace(blocks, axis1=-2, axis2=-1), (away**2).sum(-1)
    mse = distance + variance + 2 * (away * bias.mean).sum(-1)
    if (mse <= 0).any():
        raise Inapplicable("the bias of small samples exceeds their errors")
    indicator, leverage = bias.indicator, bias.leverage
    neglected = SQUARE * indicator**1.5
    neglected += SHARE * leverage / np.sqrt(np.maximum(indicator, np.finfo(float).tiny))
    outside = (indicator > LARGEST_INDICATOR) | (leverage > LARGEST_LEVERAGE)
    outside |= path.rows <= ROWS_A_PARAMETER * p
    whole = np.einsum("tia,tiab,tib->ti", bias.mean, np.linalg.pinv(blocks), bias.mean)
    neglected += np.where(outside, np.sqrt(whole), 0.0)
    beside = np.sqrt(np.einsum("tia,tiab,tib->ti", away, blocks, away))
    return SmallSampleBias(
        bias.mean, neglected, of_squares=(rule * variance + 2 * neglected * beside) / mse
    )


def bias_at_end(
    path: Path,
    bias: PathBias,
    stable: Bool[np.ndarray, " M"],
    covariance: Float[np.ndarray, "M*p M*p"],
) -> Float[np.ndarray, "M p"]:
    """Return the limit of m for the models that settle, nan for others.

    Parameters
    ----------
    path : Path
        A path whose centres settle.
    bias : PathBias
        Its bias.
    stable : ndarray of bool, shape (M,)
        The models that settle.
    covariance : ndarray, shape (M p, M p)
        The limit of the covariance of the errors.
    """
    assert path.end is not None, "the centres settle"
    _, size, p = path.centres.shape
    bends = {i: _bends_of(fit) for i, fit in path.end.items()}
    moved = transition_of(path.end, size, p)
    now = _Generation(path.end, bends, moved, before=covariance, after=covariance)
    result = bias.mean[-1].flatten()  # which frozen models keep
    frozen = np.repeat([i not in path.end for i in range(size)], p)
    settles = np.repeat(stable, p) & ~frozen
    added = _added_mean(now, size, p).ravel() + moved[:, frozen] @ result[frozen]
    own = moved[np.ix_(settles, settles)]
    result[settles] = np.linalg.solve(np.eye(len(own)) - own, added[settles])
    result[~np.repeat(stable, p)] = np.nan
    return result.reshape(size, p)


def bias_of_fit(
    fit: Fit, curvatures: list[Curvature], covariance: Float[np.ndarray, "p p"]
) -> Float[np.ndarray, " p"]:
    """Return what a fit of this covariance adds to m, but for the errors of its parents."""
    gain = np.linalg.inv(fit.slope)
    total = np.zeros(len(gain))
    for b, (data, bent) in enumerate(zip(fit.data, curvatures, strict=True)):
        score = data.score(fit.centre)
        beside = bent.product - np.multiply.outer(score.by_reader, score.mean)
        total += fit.share[b] / 2 * np.tensordot(bent.by_reader, covariance, 2)
        total -= fit.share[b] ** 2 / fit.rows[b] * np.tensordot(beside, gain, 2)
    return -gain @ total


def _bends_of(fit: Fit) -> list[_Bend]:
    gain = np.linalg.inv(fit.slope)
    return [
        _Bend(data.curvature(fit.centre), data.slope_moments(fit.centre, gain)) for data in fit.data
    ]


def _added_mean(now: _Generation, size: int, p: int) -> np.ndarray:
    """Return what a generation adds to m, but for the bias of parents, (M, p)."""
    result = np.zeros((size, p))
    carried = now.moved @ now.before
    for i, fit in now.fits.items():
        own = _entries(i, p)
        curvatures = [bend.curvature for bend in now.bends[i]]
        result[i] = bias_of_fit(fit, curvatures, now.after[own, own])
        for b in np.flatnonzero(fit.origin < size):
            parent, bent = _entries(fit.origin[b], p), curvatures[b]
            pull = np.tensordot(bent.mixed, carried[own, parent], 2)
            pull += np.tensordot(bent.by_parent, now.before[parent, parent], 2) / 2
            result[i] += fit.gain[b] @ pull
    return result


def _slope_noise(now: _Generation, i: int) -> tuple[float, float]:
    """Return X and L of the fit of a model."""
    fit, p = now.fits[i], len(now.fits[i].centre)
    own, gain = _entries(i, p), np.linalg.inv(fit.slope)
    noise, cube = np.zeros((p, p)), 0.0
    whole, inherited = np.zeros((p, p, p)), np.zeros((p, p, len(now.before)))
    for b, data in enumerate(fit.data):
        bent, mean = now.bends[i][b], data.score(fit.centre).by_reader
        noise += fit.share[b] ** 2 / fit.rows[b] * (bent.slope.square - mean @ gain @ mean)
        cube += fit.share[b] ** 3 / fit.rows[b] ** 2 * bent.slope.cube
        whole += fit.share[b] * bent.curvature.by_reader
        if fit.origin[b] * p < len(now.before):
            parent = _entries(fit.origin[b], p)
            inherited[..., parent] += fit.share[b] * bent.curvature.mixed
    inherited += whole @ now.moved[own]
    fresh = now.after[own, own] - now.moved[own] @ now.before @ now.moved[own].T
    for bend, spread in ((whole, fresh), (inherited, now.before)):
        noise += BENT * np.einsum("abc,bd,edf,cf->ae", bend, gain, bend, spread, optimize=True)
    return float(np.linalg.eigvals(gain @ noise).real.max()), cube


def _entries(i: int, p: int) -> slice:
    """Return the places of a model's errors."""
    return slice(i * p, (i + 1) * p)
