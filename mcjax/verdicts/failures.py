"""Chains that are lost: whose, when, why, and what that does to the numbers.

A model without an estimate has none to generate from, so whoever reads it loses its own in the next
generation: a failure is absorbing, unless a model fits real data alone. A mean over the chains that
are left is a mean over those that did not fail, another quantity than a law is about. Cells that
lost too many chains are not judged, and here both means are given: over the chains that still had
an estimate at generation t, and over those that had one at every generation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcjax.engine.outcome import Outcome
from mcjax.solvers.status import FAILURES
from mcjax.study.study import Condition


@dataclass(frozen=True)
class LostChains:
    """The chains that one model of one condition lost; sequences over generations 0 to T.

    Attributes
    ----------
    condition, model : str
        Whose chains.
    rates : dict of str to tuple of float
        By reason, share of all chains whose fit ended so at generation t.
    lost : tuple of float
        Share of all chains without an estimate.
    mse : tuple of float
        Mean squared error over the chains with an estimate.
    mse_complete : tuple of float
        Mean squared error over the chains with an estimate at every generation.
    """

    condition: str
    model: str
    rates: dict[str, tuple[float, ...]]
    lost: tuple[float, ...]
    mse: tuple[float, ...]
    mse_complete: tuple[float, ...]


def lost_chains(
    conditions: Sequence[Condition], outcomes: Sequence[Outcome]
) -> tuple[LostChains, ...]:
    """Return what every model with a failed fit lost."""
    losses = []
    for condition, outcome in zip(conditions, outcomes, strict=True):
        moments = outcome.moments
        for i, model in enumerate(condition.network.models):
            counts = {s.reason: outcome.fits[:, i, s] / outcome.chains for s in FAILURES}
            rates = {reason: tuple(rate.tolist()) for reason, rate in counts.items() if rate.any()}
            if not rates:
                continue
            left = moments.squared.chains[:, i]
            mse = np.where(left > 0, moments.squared.mean[:, i], np.nan)
            complete = moments.across.mean[i] if moments.across.chains[i] else mse * np.nan
            losses.append(
                LostChains(
                    condition=condition.name,
                    model=model,
                    rates=rates,
                    lost=tuple((1 - left / outcome.chains).tolist()),
                    mse=tuple(mse.tolist()),
                    mse_complete=tuple(complete.tolist()),
                )
            )
    return tuple(losses)
