"""Whiten the errors at the last generation, model by model, by a law's covariance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.engine.outcome import Outcome
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import ChainCount, count_chains

FEWEST_WHITENED = 30
"""Smallest number of chains with which a covariance is judged."""


class Whitened(NamedTuple):
    """Whitened errors of the chains that have an estimate of every model.

    Attributes
    ----------
    errors : ndarray of shape (C, M, p)
        Centred errors. If the law is right, the covariance of each model's own is the identity.
    between : ndarray of shape (M, p, M, p)
        Covariance of all whitened errors as predicted by the law.
    chains : ChainCount
        The chains C, with a note if the errors cannot be whitened or the chains do not suffice.
    """

    errors: Float[np.ndarray, "C M p"]
    between: Float[np.ndarray, "M p M p"]
    chains: ChainCount


def whiten(comparison: Comparison, outcome: Outcome) -> Whitened:
    """Whiten the errors of the chains kept in ``outcome.sample`` by the law's covariance."""
    _, size, p = outcome.sample.shape
    predicted = comparison.prediction.covariance[-1].reshape(size, p, size, p)
    blocks = np.einsum("iaib->iab", predicted)
    sample = outcome.sample[np.isfinite(outcome.sample).all((1, 2))].astype(float)
    count = count_chains(len(sample), len(outcome.sample), comparison.tolerance)
    if not (np.isfinite(blocks).all() and (np.linalg.cond(blocks) < 1e12).all()):
        note = "the law's covariance is singular or infinite"
        return Whitened(sample, predicted, count._replace(note=note))
    if len(sample) < FEWEST_WHITENED:
        note = f"fewer than {FEWEST_WHITENED} chains have an estimate of every model"
        return Whitened(sample, predicted, count._replace(note=note))
    inverse = np.linalg.inv(np.linalg.cholesky(blocks))
    errors = np.einsum("iab,kib->kia", inverse, sample)
    between = np.einsum("iab,ibkc,kdc->iakd", inverse, predicted, inverse, optimize=True)
    return Whitened(errors - errors.mean(0), between, count)
