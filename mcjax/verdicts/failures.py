"""Lost chains: which models lost them, when, why, and how that changes the observed means.

A model without an estimate cannot generate data, so every model that reads it has no estimate in
the next generation: a failure is absorbing, except for models that fit real data alone. A mean over
the remaining chains is conditional on survival, which is not what a law predicts. Cells that lost
too many chains are therefore not judged, and two means are reported instead: over the chains that
have an estimate at generation t, and over the chains that have one at every generation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from mcjax.engine.outcome import Outcome
from mcjax.solvers.status import FAILURES
from mcjax.study.study import Condition


@dataclass(frozen=True)
class LostChains:
    """Chains that one model of one condition lost, at generations 0 to T.

    Attributes
    ----------
    condition, model : str
        The model that lost the chains, and its condition.
    rates : dict of str to tuple of float
        By reason, the share of all chains in which the fit failed for it, shape (T + 1,).
    lost : tuple of float
        Share of all chains without an estimate, shape (T + 1,).
    mse : tuple of float
        Mean squared error over the chains with an estimate, shape (T + 1,).
    mse_complete : tuple of float
        Mean squared error over the chains with an estimate at every generation, shape (T + 1,).
    """

    condition: str
    model: str
    rates: dict[str, tuple[float, ...]]
    lost: tuple[float, ...]
    mse: tuple[float, ...]
    mse_complete: tuple[float, ...]


def count_failures(fits: Iterable[Int[np.ndarray, "*shape statuses"]]) -> dict[str, int]:
    """Count the failed fits by reason, given numbers of fits by status, shapes (..., statuses)."""
    counts = {s.reason: 0 for s in FAILURES}
    for table in fits:
        for status in FAILURES:
            counts[status.reason] += int(table[..., status].sum())
    return {reason: count for reason, count in counts.items() if count}


def lost_chains(
    conditions: Sequence[Condition], outcomes: Sequence[Outcome]
) -> tuple[LostChains, ...]:
    """Return the lost chains of every model with a failed fit."""
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
