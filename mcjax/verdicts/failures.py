"""Chains that are lost: whose, when, why, and what that does to the numbers.

A model without an estimate has none to generate from, so whoever reads it loses its own in the next
generation: a failure is absorbing, unless a model fits real data alone. A mean over the chains that
are left is a mean over those that did not fail, another quantity than a law is about; cells that
lost too many are not judged, and here both means are told: over the chains that still had an
estimate at generation t, and over those that had one at every generation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcjax.engine.outcome import Outcome
from mcjax.solvers.status import FAILURES
from mcjax.study.study import Condition


@dataclass(frozen=True)
class Loss:
    """One model of one condition that lost chains; sequences over generations 0 to T.

    Attributes
    ----------
    rates: by reason, share of all chains whose fit ended so at generation t.
    lost: share of all chains without an estimate.
    mse: over the chains with one; mse_complete: over those with one at every generation.
    """

    condition: str
    model: str
    rates: dict[str, tuple[float, ...]]
    lost: tuple[float, ...]
    mse: tuple[float, ...]
    mse_complete: tuple[float, ...]


def losses(conditions: Sequence[Condition], outcomes: Sequence[Outcome]) -> tuple[Loss, ...]:
    """Every model with a failed fit."""
    found = []
    for condition, outcome in zip(conditions, outcomes, strict=True):
        moments = outcome.moments
        for i, model in enumerate(condition.network.models):
            counts = {s.reason: outcome.fits[:, i, s] / outcome.chains for s in FAILURES}
            rates = {reason: tuple(r.tolist()) for reason, r in counts.items() if r.any()}
            if not rates:
                continue
            left = moments.squared.chains[:, i]
            mse = np.where(left > 0, moments.squared.mean[:, i], np.nan)
            complete = moments.across.mean[i] if moments.across.chains[i] else mse * np.nan
            found.append(
                Loss(
                    condition.name,
                    model,
                    rates,
                    tuple((1 - left / outcome.chains).tolist()),
                    tuple(mse.tolist()),
                    tuple(complete.tolist()),
                )
            )
    return tuple(found)
