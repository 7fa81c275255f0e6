"""Errors at the last generation, whitened model by model by a law's covariance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.counts import ChainCount, count_chains

FEWEST_WHITENED = 30
"""Chains without which no covariance is judged."""


class Whitened(NamedTuple):
    """Whitened errors of the chains that have every estimate.

    Attributes
    ----------
    errors : ndarray of shape (K, M, p)
        Less their mean; with the identity as covariance of each model's own if the law is right.
    between : ndarray of shape (M, p, M, p)
        Covariance of all whitened errors by the law.
    chains : ChainCount
        The chains K, with a note if there are no whitened errors or chains do not suffice.
    """

    errors: np.ndarray
    between: np.ndarray
    chains: ChainCount


def whiten(prediction: Prediction, outcome: Outcome, tolerance: float) -> Whitened:
    """Whiten the errors of the chains that are kept as they are (``outcome.sample``)."""
    _, size, p = outcome.sample.shape
    predicted = prediction.covariance[-1].reshape(size, p, size, p)
    blocks = np.einsum("iaib->iab", predicted)
    sample = outcome.sample[np.isfinite(outcome.sample).all((1, 2))].astype(float)
    count = count_chains(len(sample), len(outcome.sample), tolerance)
    if not (np.isfinite(blocks).all() and (np.linalg.cond(blocks) < 1e12).all()):
        note = "the covariance of the law is singular or infinite"
        return Whitened(sample, predicted, count._replace(note=note))
    if len(sample) < FEWEST_WHITENED:
        note = f"fewer than {FEWEST_WHITENED} chains have every estimate"
        return Whitened(sample, predicted, count._replace(note=note))
    inverse = np.linalg.inv(np.linalg.cholesky(blocks))
    errors = np.einsum("iab,kib->kia", inverse, sample)
    between = np.einsum("iab,ibkc,kdc->iakd", inverse, predicted, inverse, optimize=True)
    return Whitened(errors - errors.mean(0), between, count)
