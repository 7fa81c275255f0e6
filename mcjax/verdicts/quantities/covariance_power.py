"""Predict how likely a wrong covariance is to be refuted.

Let B be the covariance of the true errors, whitened by the judged law. The products whose means are
the entries of the observed covariance have expectations B_uv and covariances ``B_uw B_vx +
B_ux B_vw`` (Isserlis 1918). The extreme directions are left out, which understates the chances.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy.linalg import block_diag

from mcjax.engine.outcome import kept
from mcjax.laws.prediction import Prediction
from mcjax.solvers.conditioning import condition_number
from mcjax.verdicts.power import FEWEST_CHAINS, Chance, interval_end_spread, shape_of_mean
from mcjax.verdicts.skewed_means import Tails, reaches

DRAWS, LIKELIEST = 4096, 32
"""Draws of the joint normal distribution of a claim's entries, and how many entries are drawn."""


def covariance_chances(
    judged: Prediction, truth: Prediction, edge: Float[np.ndarray, " M"], level: float
) -> list[Chance]:
    """Return the chances of refuting every claim about a covariance, in the order of the claims.

    ``edge`` is the departure beyond which the claims about each model are refuted. The result is
    empty if the judged law has a singular covariance.
    """
    models, p = judged.mse.shape[1], judged.p
    blocks = judged.own_covariances[-1]
    if not (condition_number(blocks) < 1e12).all():
        return []
    root = block_diag(*np.linalg.inv(np.linalg.cholesky(blocks)))
    predicted, true = (root @ law.covariance[-1] @ root.T for law in (judged, truth))
    errors, most = judged.relative_error[-1], kept(models * p)
    rows, columns = np.tril_indices(p)
    extremes = 0 if p == 1 else 2
    chances = []
    for i in range(models):
        inside = np.arange(i * p, (i + 1) * p)
        outside = np.setdiff1d(np.arange(models * p), inside)
        claims = [(inside[rows], inside[columns], errors[i], extremes)]
        if models > 1:
            claims.append((np.repeat(inside, len(outside)), np.tile(outside, p), errors.max(), 0))
        chances += [
            _any_beyond(
                true,
                predicted,
                u,
                v,
                error=float(error),
                edge=float(edge[i]),
                level=level / (len(u) + further),
                most=most,
            )
            for u, v, error, further in claims
        ]
    return chances


def _product_shape(covariance: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return skewness and excess kurtosis of products of normal variables u and v, shape (2, m)."""
    uv, uu, vv = covariance[u, v], covariance[u, u], covariance[v, v]
    variance = uu * vv + uv**2
    third = 2 * uv * (uv**2 + 3 * uu * vv)
    fourth = 6 * ((uu * vv) ** 2 + 6 * uu * vv * uv**2 + uv**4)
    return np.stack([third / variance**1.5, fourth / variance**2])


def _any_beyond(
    true: np.ndarray,
    predicted: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    *,
    error: float,
    edge: float,
    level: float,
    most: int,
) -> Chance:
    """Return the chance that any entry (u, v) of a covariance is found to lie beyond an edge.

    ``error`` is the relative standard error of the prediction, ``level`` that of a single entry,
    and ``most`` the largest number of chains whose errors are kept.
    """
    variance = true[u, u] * true[v, v] + true[u, v] ** 2
    beyond = (np.abs(true[u, v] - predicted[u, v]) - edge) / np.sqrt(variance)
    likeliest = np.argsort(-np.nan_to_num(beyond))[:LIKELIEST]
    u, v = u[likeliest], v[likeliest]
    departure, error_of_law = true[u, v] - predicted[u, v], np.abs(predicted[u, v]) * error
    skewness, kurtosis = _product_shape(true, u, v)
    covariance = true[np.ix_(u, u)] * true[np.ix_(v, v)] + true[np.ix_(u, v)] * true[np.ix_(v, u)]
    spread = np.sqrt(np.diagonal(covariance))
    values, vectors = np.linalg.eigh(covariance)
    normal = np.random.default_rng(0).standard_normal((DRAWS, len(departure)))
    drawn = (normal * np.sqrt(np.maximum(values, 0))) @ vectors.T

    def chance(n: float) -> float:
        n = min(n, most)
        if n < max(FEWEST_CHAINS, 2 * Tails.MEASURED.fewest_chains(level)):
            return 0.0
        width = spread / math.sqrt(n)
        total, side = np.hypot(width, error_of_law), np.sign(departure)
        down, up = reaches(
            level, int(n) // 2 - 1, shape_of_mean(skewness, kurtosis, n, width / total)
        )
        z = np.where(side > 0, -down, up)
        end = interval_end_spread(z, skewness, kurtosis, n)
        observed = side * (departure + end * drawn / math.sqrt(n))
        return float((observed - np.abs(z) * total > edge).any(1).mean())

    return chance
