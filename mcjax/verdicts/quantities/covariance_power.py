"""How likely a wrong covariance is to be refuted.

Whitened by the judged law, the true errors have the covariance B, and the products behind an entry
have means B_uv and covariances ``B_uw B_vx + B_ux B_vw`` (Isserlis 1918). Extreme directions, of
which half the chains tell, are left out, which makes chances smaller than they are.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import block_diag
from scipy.special import stdtrit

from mcjax.engine.outcome import kept
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.power import FEWEST_CHAINS, Chance, interval_end_spread, own_covariances

DRAWS, LIKELIEST = 4096, 32
"""For the entries of one claim: draws of their joint normal law, and how many are looked at."""


def covariance_chances(
    judged: Prediction, truth: Prediction, edge: np.ndarray, level: float
) -> list[Chance]:
    """Return the chances of every claim about a covariance, in the order of the claims.

    Parameters
    ----------
    judged, truth : Prediction
        Of the judged law and of the true one.
    edge : ndarray of shape (M,)
        From which departure on each model's claims are refuted.
    level : float
        Level of each claim.

    Returns
    -------
    list of Chance
        Empty if the judged law has a singular covariance.
    """
    models, p = judged.mse.shape[1], own_covariances(judged).shape[-1]
    blocks = own_covariances(judged)[-1]
    if not (np.linalg.cond(blocks) < 1e12).all():
        return []
    root = block_diag(*np.linalg.inv(np.linalg.cholesky(blocks)))
    predicted, true = (root @ law.covariance[-1] @ root.T for law in (judged, truth))
    relative_error = judged.standard_error[-1] / judged.mse[-1]
    most = kept(models * p)
    chances = []
    for i in range(models):
        mine = np.arange(i * p, (i + 1) * p)
        others = np.setdiff1d(np.arange(models * p), mine)
        lower = np.tril_indices(p)
        extremes = 0 if p == 1 else 2
        pairs = [(mine[lower[0]], mine[lower[1]], relative_error[i], extremes)]
        if models > 1:
            pairs.append(
                (np.repeat(mine, len(others)), np.tile(others, p), relative_error.max(), 0)
            )
        for u, v, error, further in pairs:
            each = level / (len(u) + further)
            variance = true[u, u] * true[v, v] + true[u, v] ** 2
            beyond = (np.abs(true[u, v] - predicted[u, v]) - edge[i]) / np.sqrt(variance)
            order = np.argsort(-np.nan_to_num(beyond))[:LIKELIEST]
            u, v = u[order], v[order]
            spread = (
                true[np.ix_(u, u)] * true[np.ix_(v, v)] + true[np.ix_(u, v)] * true[np.ix_(v, u)]
            )
            chances.append(
                _any_beyond(
                    departure=true[u, v] - predicted[u, v],
                    covariance=spread,
                    shape=_product_shape(true, u, v),
                    error=np.abs(predicted[u, v]) * error,
                    edge=float(edge[i]),
                    level=each,
                    most=most,
                )
            )
    return chances


def _product_shape(covariance: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return skewness and excess kurtosis of products of normal variables u and v, (2, m)."""
    both, one, other = covariance[u, v], covariance[u, u], covariance[v, v]
    variance = one * other + both**2
    third = 2 * both * (both**2 + 3 * one * other)
    fourth = 6 * ((one * other) ** 2 + 6 * one * other * both**2 + both**4)
    return np.stack([third / variance**1.5, fourth / variance**2])


def _any_beyond(
    *,
    departure: np.ndarray,
    covariance: np.ndarray,
    shape: np.ndarray,
    error: np.ndarray,
    edge: float,
    level: float,
    most: int,
) -> Chance:
    """Return the chance that any one of m means is observed beyond an edge.

    Parameters
    ----------
    departure : ndarray of shape (m,)
        True means less the predicted ones.
    covariance : ndarray of shape (m, m)
        Of one chain's terms.
    shape : ndarray of shape (2, m)
        Their skewness and excess kurtosis.
    error : ndarray of shape (m,)
        Standard errors of the predictions.
    edge, level : float
        From which departure on, and at which level, one mean refutes.
    most : int
        Chains that are kept as they are.
    """
    spread = np.sqrt(np.diagonal(covariance))
    values, vectors = np.linalg.eigh(covariance)
    normal = np.random.default_rng(0).standard_normal((DRAWS, len(departure)))
    drawn = (normal * np.sqrt(np.maximum(values, 0))) @ vectors.T

    def chance(n: float) -> float:
        n = min(n, most)
        if n < FEWEST_CHAINS:
            return 0.0
        z = float(stdtrit(n // 2 - 1, level / 2))
        side = np.sign(departure)
        end = interval_end_spread(z * side, shape[0], shape[1], n)
        reach = z * np.hypot(spread / math.sqrt(n), error)
        observed = side * (departure + end * drawn / math.sqrt(n))
        return float((observed + reach > edge).any(1).mean())

    return chance
