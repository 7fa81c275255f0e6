"""Whiten errors, model by model, by a law's covariance.

Where that is singular, because probabilities add up to 1, say, errors are whitened on its range: in
as many coordinates as there are directions in which they vary.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import SMALLEST, Prediction
from mcjax.solvers.conditioning import scaled, scales_of
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import ChainCount, count_chains

FEWEST_WHITENED = 30
"""Smallest number of chains with which a covariance is judged."""
ROUNDING = 1e-5
"""Errors in directions in which they must not vary, relative to all, that are rounding."""
SINGULAR = "the law's covariance is infinite, or singular in different ways for different models"
BEYOND = "errors vary in directions in which the law says that they do not"


class Whitened(NamedTuple):
    """Whitened errors of the chains that have an estimate of every model.

    Attributes
    ----------
    errors : ndarray of shape (C, M, r)
        Centred errors in r coordinates, p unless the covariance is singular. If the law is right,
        the covariance of each model's own is the identity.
    inverse : ndarray of shape (M, r, p)
        Maps that whiten the errors of each model.
    chains : ChainCount
        The chains C, with a note if the errors cannot be whitened or the chains do not suffice.
    """

    errors: Float[np.ndarray, "C M r"]
    inverse: Float[np.ndarray, "M r p"]
    chains: ChainCount

    def covariance_of(self, law: Prediction) -> Float[np.ndarray, "M r M r"]:
        """Return the covariance that a law predicts for all whitened errors."""
        size, _, p = self.inverse.shape
        predicted = law.covariance[-1].reshape(size, p, size, p)
        return np.asarray(
            np.einsum("iab,ibkc,kdc->iakd", self.inverse, predicted, self.inverse, optimize=True)
        )


def whiten(comparison: Comparison, outcome: Outcome) -> Whitened:
    """Whiten the errors of the chains kept in ``outcome.sample`` by the law's covariance."""
    _, size, p = outcome.sample.shape
    blocks = comparison.prediction.own_covariances[-1]
    sample = outcome.sample[np.isfinite(outcome.sample).all((1, 2))].astype(float)
    count = count_chains(len(sample), len(outcome.sample), comparison.tolerance)
    ranks, nothing = comparison.prediction.rank[-1], np.full((size, p, p), np.nan)
    if not np.isfinite(blocks).all() or ranks[0] == 0 or (ranks != ranks[0]).any():
        return Whitened(sample, nothing, count._replace(note=SINGULAR))
    if len(sample) < FEWEST_WHITENED:
        note = f"fewer than {FEWEST_WHITENED} chains have an estimate of every model"
        return Whitened(sample, nothing, count._replace(note=note))
    if ranks[0] == p:
        inverse = np.linalg.inv(np.linalg.cholesky(blocks))
    else:
        spread = sample - sample.mean(0)
        basis = np.stack([range_of(block) for block in blocks])  # (M, r, p)
        left = spread - np.einsum("ira,irb,kib->kia", basis, basis, spread, optimize=True)
        if np.abs(left).max() > ROUNDING * np.abs(spread).max():
            return Whitened(sample, nothing, count._replace(note=BEYOND))
        roots = np.linalg.cholesky(np.einsum("ira,iab,isb->irs", basis, blocks, basis))
        inverse = np.linalg.solve(roots, basis)
    errors = np.einsum("iab,kib->kia", inverse, sample)
    return Whitened(errors - errors.mean(0), inverse, count)


def planned_spread(law: Prediction) -> Float[np.ndarray, " M"]:
    """Return the standard deviation of whitened errors for a plan, shape (M,).

    It is infinite where covariances are not alike, so that no number of chains suffices.
    """
    ranks = law.rank[-1]
    return np.where((ranks == ranks[0]) & (ranks > 0), 1.0, np.inf)


def range_of(covariance: Float[np.ndarray, "p p"]) -> Float[np.ndarray, "r p"]:
    """Return an orthonormal basis of the range of a covariance."""
    values, vectors = np.linalg.eigh(scaled(covariance))
    within = scales_of(covariance)[:, None] * vectors[:, values > SMALLEST * values[-1]]
    basis: np.ndarray = np.linalg.qr(within)[0].T
    return basis
