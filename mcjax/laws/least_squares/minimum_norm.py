"""The exact law of minimum-norm least squares where every model reads one origin.

A model with n rows of a fresh design, ``x ~ N(0, c I)`` and labels ``y = x'theta_parent + eps`` of
variance v, estimates ``theta = X^+ y = P theta_parent + X^+ eps``, where P projects on the row
space of X. For n < p this is a uniformly random subspace of dimension n; for n >= p it is
everything, and P = I. Parent and design are independent.

**Mean.** ``E P = (n / p) I``, so ``E theta_g = m_g theta`` with ``m_g = prod n_i / p`` over the
fits of the lineage (factors of at most 1), and the bias is ``-(1 - m_g) theta``.

**Second moments.** For symmetric A, invariance under rotation makes ``E[P A P]`` a combination
``alpha A + beta tr(A) I``. Its trace, ``(n / p) tr A``, gives ``alpha + beta p = n / p``; with
``A = uu'``, ``u'Pu ~ Beta(n / 2, (p - n) / 2)`` gives ``alpha + beta = n (n + 2) / (p (p + 2))``:

    beta = n (p - n) / (p (p - 1) (p + 2)),    alpha = n / p - p beta.

Noise adds ``v E[X^+ X^+'] = (nu / p) I`` with ``nu = v E tr (XX')^-1 = v n / (c (p - n - 1))`` for
n < p - 1 (Wishart), ``nu = v p / (c (n - p - 1))`` for n > p + 1. So ``E[theta_i theta_k']`` is
``a_ik theta theta' + b_ik I`` always. From parents j and l, with ``s = min(n, p) / p``,

    (a_ii, b_ii) <- (alpha a_jj, alpha b_jj + beta (|theta|^2 a_jj + p b_jj) + nu_i / p),
    (a_ik, b_ik) <- s_i s_k (a_jl, b_jl)                               for i != k.

Generation 0 reads the truth, for which a = m = 1 and b = 0.

**Squared error.** The trace is ``T_i <- s_i T_j + nu_i`` and ``E ||e||^2 = T - 2 m |theta|^2 +
|theta|^2``. Without noise ``T = m |theta|^2``, hence

    E ||e_g||^2 = |theta|^2 (1 - prod n_i / p).

This is the mean squared error. The squared length of the bias is ``|theta|^2 (1 - m)^2``, and the
spread of the row spaces adds ``|theta|^2 m (1 - m)``. At n / p = 0.6 the error is 0.4, 0.64, 0.784
and 0.8704 of ``|theta|^2`` after 1, 2, 3, 4 fits: a model that reads itself forgets the truth, and
tends to ``|theta|^2 + nu / (1 - n / p)`` instead of growing for ever.

Derived here. The setting, ridgeless regression on its own labels, is that of Dohmatob, Feng & Kempe
(2024).
"""

from __future__ import annotations

import numpy as np

from mcjax.estimators.minimum_norm import MinimumNorm as Interpolator
from mcjax.laws.doubling import squared_powers
from mcjax.laws.law import GROWING, STOPS, Reason, altered, changing
from mcjax.laws.least_squares.conditions import FIXED, SOURCES, label_variances, unusual_feeds
from mcjax.laws.prediction import Prediction
from mcjax.network.feed import REAL
from mcjax.numbers import how_many
from mcjax.study.study import Condition

DOUBLINGS = 50


class MinimumNorm:
    """Exact moments of fits that interpolate where they have fewer rows than parameters."""

    name = "minimum_norm"
    reference = "moments of random projectors, derived in mcjax.laws.least_squares.minimum_norm"
    exact = True

    def applies(self, condition: Condition) -> Reason | None:
        """Return why row spaces are not uniformly random, or why lines of descent branch, or None.

        The law needs isotropic covariates, and one origin for every model.
        """
        net, cov = condition.network, condition.covariance
        squares = condition.model.least_squares is not None
        if not squares or condition.chosen_estimator != Interpolator():
            return Reason("fits are not those of minimum norm", obvious=True)
        if not condition.minimises:
            return STOPS
        reads = altered(condition)
        if reads is not None:
            return reads
        if condition.design == "fixed":
            return Reason(FIXED)
        if not np.allclose(cov, cov[0, 0] * np.eye(len(cov)), rtol=1e-12, atol=0):
            return Reason("covariates are not isotropic, so row spaces are not uniformly random")
        unusual = unusual_feeds(net) or ("" if net.plain else SOURCES)
        if unusual:
            return Reason(unusual)
        change = changing(net)
        if change is not None:
            return change
        for name, feeds in zip(net.models, net.feeds_by_reader, strict=True):
            if len(feeds) > 1:
                return Reason(f"model {name!r} reads {len(feeds)} origins; the law is for one")
        if net.later.exponent:
            return GROWING
        return _heavy_noise(condition)

    def predict(self, condition: Condition, generations: int) -> Prediction:
        """Predict the errors at generations 0 to T, and their growth and limits."""
        net, theta = condition.network, condition.theta
        p, size, square = len(theta), net.size, float(theta @ theta)
        variances = label_variances(condition)
        scale = float(condition.covariance[0, 0])
        parent, later = np.arange(size + 1), np.full(size + 1, float(p))  # the truth is number M
        noise, start = np.zeros(size + 1), np.zeros(size + 1)
        for i, feeds in enumerate(net.feeds_by_reader):
            start[i] = _noise(net.initial[i], p, variances[1]) / scale
            for feed in feeds:
                real = feed.origin == REAL
                parent[i] = size if real else net.index[feed.origin]
                later[i] = feed.samples
                noise[i] = _noise(feed.samples, p, variances[int(real)]) / scale

        m = np.ones(size + 1)
        a, b = np.ones((size + 1, size + 1)), np.zeros((size + 1, size + 1))
        means, seconds = [], []
        for t in range(generations + 1):
            reads = parent if t else np.full(size + 1, size)
            rows = np.minimum(later if t else np.array([*net.initial, p], float), p)
            added = noise if t else start
            share = rows / p
            beta = rows * (p - rows) / (p * max(p - 1, 1) * (p + 2))
            alpha = share - p * beta
            m, a, b = share * m[reads], a[np.ix_(reads, reads)], b[np.ix_(reads, reads)]
            # a model's own second moments; those between models have independent designs
            a_ii, b_ii = np.diagonal(a), np.diagonal(b)
            b_ii = alpha * b_ii + beta * (square * a_ii + p * b_ii) + added / p
            a_ii = alpha * a_ii
            a, b = (np.outer(share, share) * part for part in (a, b))
            np.fill_diagonal(a, a_ii)
            np.fill_diagonal(b, b_ii)
            means.append(m[:size])
            seconds.append((a[:size, :size], b[:size, :size]))
        mean = np.array(means)
        along, around = (np.array(part) for part in zip(*seconds, strict=True))
        centred = along - mean[:, :, None] * mean[:, None, :]
        covariance = np.kron(centred, np.outer(theta, theta)) + np.kron(around, np.eye(p))
        trace = square * np.einsum("tii->ti", along) + p * np.einsum("tii->ti", around)
        slope, limit = _long_run(
            np.minimum(later, p) / p,
            parent=parent,
            noise=noise,
            trace=trace[0],
            mean=mean[0],
            square=square,
        )
        return Prediction.of(
            covariance,
            size,
            -(1 - mean)[:, :, None] * theta,
            growth=slope,
            limit=limit,
        )


def _heavy_noise(condition: Condition) -> Reason | None:
    """Return which noise leaves a fit without second moments, or None."""
    net, p = condition.network, len(condition.theta)
    synthetic, real = label_variances(condition)
    for first, feeds in zip(net.initial, net.feeds_by_reader, strict=True):
        fits = [(first, real)]
        fits += [(feed.samples, real if feed.origin == REAL else synthetic) for feed in feeds]
        for rows, variance in fits:
            if variance == 0:
                continue
            if not np.isfinite(variance):
                return Reason("the noise has no finite variance")
            if abs(rows - p) <= 1:
                return Reason(
                    f"a fit has {how_many(rows, 'row')} for {how_many(p, 'parameter')}; with noise,"
                    " second moments need fewer than p - 1 or more than p + 1"
                )
    return None


def _noise(rows: int, p: int, variance: float) -> float:
    """Return the nu of the docstring for c = 1."""
    return variance * min(rows, p) / (abs(rows - p) - 1) if variance else 0.0


def _long_run(
    share: np.ndarray,
    parent: np.ndarray,
    noise: np.ndarray,
    trace: np.ndarray,
    mean: np.ndarray,
    square: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return growth and limit of the MSE, by doubling the affine map of T: 2^50 generations."""
    size = len(trace)
    generation = np.zeros((size + 1, size + 1))
    generation[np.arange(size + 1), parent] = share
    added = noise
    for power in squared_powers(generation, DOUBLINGS):
        added = added + power @ added
    power = power @ power
    slope = (added / 2.0**DOUBLINGS)[:size]
    grows = slope > 1e-9 * noise.max()
    periodic = np.abs(power @ generation - power).max(1)[:size] > 1e-9
    last_trace = power @ np.append(trace, square) + added
    last_mean = power @ np.append(mean, 1.0)
    limit = (last_trace - 2 * square * last_mean + square)[:size]
    return np.where(grows, slope, np.nan), np.where(grows | periodic, np.nan, limit)
