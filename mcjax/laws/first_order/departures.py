"""Tell how, and why, errors depart from the law around one truth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.models.generative import WeightedMean
from mcjax.study.study import Condition


class Departure(NamedTuple):
    """Why errors must be described around the population path.

    Attributes
    ----------
    problem : str
        The beginning of a sentence.
    remedy : str
        What would keep them at the truth, or an empty string.
    """

    problem: str
    remedy: str = ""


def departure(condition: Condition) -> Departure | None:
    """Return why errors must be described around the population path, or None."""
    if condition.model.shrinkage:
        return Departure("fits are penalised, which draws them away from the truth")
    if condition.sources.from_files:
        return Departure("real data are rows of a file, which the model need not describe")
    if condition.intercept:
        return Departure("the first covariate is an intercept, so that covariates have a mean")
    offsets = condition.sources.offsets
    for s, source in enumerate(condition.network.sources, 1):
        if source.theta is not None and offsets[s].any():
            return Departure(
                f"source {source.name!r} has a theta of its own, a distance that does not shrink as"
                " samples grow",
                "; give a shift instead",
            )
    for feed in (*condition.network.first, *condition.network.later.feeds):
        if feed.keep is not None:
            return Departure(
                f"model {feed.reader!r} keeps a selection of what {feed.origin!r} generates"
            )
    if condition.own_covariances is not None:
        return Departure("models generate rows with covariates of their own")
    return None


def power_of_departures(condition: Condition) -> float:
    """Return q if second moments depart from first-order laws by a series in ``n^-q``.

    Notes
    -----
    An estimate is a series in powers of the errors of means over rows, which are of the order
    ``1 / sqrt(n)``. In second moments the terms of odd degree have expectations that are smaller by
    another such factor, which makes a series in 1/n. That is not so where

    * a source has a ``shift``: its distance from the truth is of the order ``1 / sqrt(n)`` and does
      not average out. For least squares only shares multiply it, whose moments are series in 1/n;
      for other losses curvature changes with the distance;
    * the density of the noise has a kink at the target of the loss, so that the expected loss has
      no third derivative there.
    """
    shifted = condition.model.least_squares is None and any(
        source.shift is not None and any(source.shift) for source in condition.network.sources
    )
    kinked = condition.model.allowance is not None and condition.model.allowance.kink
    return 0.5 if shifted or kinked else 1.0


def spread_lost(
    condition: Condition, covariances: Float[np.ndarray, "T+1 M p p"]
) -> Float[np.ndarray, "T+1 M"]:
    """Return the share of their variance that the samples behind each estimate have lost.

    Parameters
    ----------
    condition : Condition
        The condition.
    covariances : ndarray, shape (T + 1, M, p, p)
        Covariance of each model's own errors, to first order.

    Returns
    -------
    ndarray, shape (T + 1, M)
        Largest share of any model up to the generation before; 0 unless the model is one of
        classes.

    Notes
    -----
    If the covariance of model j's estimate is ``c_jj V``, where V is that of a real row, a row that
    it generates has the covariance ``(1 - c_jj) V`` on average. First-order laws leave that factor
    out: their errors grow for ever, while true ones end at V, when one class is left. They hold as
    long as c is small, that is, for t much smaller than n. Each term of a second moment is off by
    such a factor of an ancestor, so the relative departure is at most the largest c_jj.
    """
    known = condition.model.generative
    share = np.zeros(covariances.shape[:2])
    if isinstance(known, WeightedMean) and known.spread_loss and condition.model.information:
        information = condition.model.information(
            condition.model.params, condition.theta, condition.covariance
        )
        whole = np.trace(information.real.score_covariance)
        lost = known.spread_loss * np.trace(covariances, axis1=2, axis2=3).max(1) / whole
        share[1:] = np.maximum.accumulate(lost)[:-1, None]
    return share
