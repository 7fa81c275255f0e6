"""Judge a survey, which asks whether the collapse law is right about every network.

There are two claims about each model of each network.

``collapse``: whether the model collapses. Let r be the growth of its squared error in the late
generations (slope times the time from generation 0 to the middle of the window) as a share of the
level. A straight line through 0 has r = 1, a constant r = 0. The claim that the model collapses is
r > 2/5, the opposite claim r < 2/5. There must be enough generations for growth to dominate, and
for transients to decay: after 64 generations of 3 models, the law's own r is at least .78 for
models that collapse and at most .12 for the others; after 384 generations of 4 models, .62 and .07.

``growth`` of a model that collapses, or ``limit`` of one that does not: the ratio of the simulated
to the predicted number lies within 1 +- tolerance.

All claims of a survey share one error budget (:mod:`mcjax.verdicts.equivalence`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from mcjax.engine.survey import SurveyMoments, late_windows
from mcjax.laws.first_order.collapse_rates import CollapseRates
from mcjax.study.survey import Survey
from mcjax.verdicts.claims import Cell
from mcjax.verdicts.equivalence import (
    INCONCLUSIVE,
    REFUTED,
    VERIFIED,
    Verdict,
    decide,
    worst,
)
from mcjax.verdicts.quantities.collapse import BOUNDARY

LAW = "collapse_law"


@dataclass(frozen=True)
class SurveyVerdict:
    """A judged survey of K networks.

    Attributes
    ----------
    survey : Survey
        The survey.
    codes : ndarray of int, shape (K,)
        Codes of the networks.
    sizes : ndarray of int, shape (K,)
        Number of labelled networks that each network represents.
    fates : tuple of CollapseRates
        The law's predictions for each network.
    share, share_error : ndarray of shape (K, M)
        The estimate of r for each model, and its standard error.
    rate, standard_error : ndarray of shape (K, M)
        Simulated growth or limit, and its standard error.
    predicted : ndarray of shape (K, M)
        Growth or limit as predicted by the law; nan if the law makes no prediction.
    verdicts : ndarray of str, shape (K, M, 2)
        Verdicts on collapse, and on growth or limit; the latter is empty if the law predicts no
        number.
    low, high : ndarray of shape (K, M, 2)
        Ends of the confidence intervals of r, and of the ratio of ``rate`` to ``predicted``.
    networks : ndarray of str, shape (K,)
        The worst verdict on each network.
    verdict : {"verified", "refuted", "inconclusive"}
        The verdict on all networks together.
    failures : int
        Number of fits without an estimate.
    without : str or None
        Clause that is left out of the law, if any.
    """

    survey: Survey
    codes: np.ndarray
    sizes: np.ndarray
    fates: tuple[CollapseRates, ...]
    share: np.ndarray
    share_error: np.ndarray
    rate: np.ndarray
    standard_error: np.ndarray
    predicted: np.ndarray
    verdicts: np.ndarray
    low: np.ndarray
    high: np.ndarray
    networks: np.ndarray
    verdict: Verdict
    failures: int
    without: str | None

    def cells(self) -> list[Cell]:
        """Return every claim as a cell."""
        cells = []
        for k, code in enumerate(self.codes):
            name = self.survey.name(int(code))
            for i in range(self.survey.models):
                cells.append(self._cell(name, k, i, 0))
                if self.verdicts[k, i, 1]:
                    cells.append(self._cell(name, k, i, 1))
        return cells

    def _cell(self, name: str, k: int, i: int, claim: int) -> Cell:
        collapses = bool(self.fates[k].collapses[i])
        if claim == 0:
            quantity, observed, error = "collapse", self.share[k, i], self.share_error[k, i]
            predicted, ratio = float(collapses), self.share[k, i]
        else:
            quantity = "growth" if collapses else "limit"
            observed, error = self.rate[k, i], self.standard_error[k, i]
            predicted = self.predicted[k, i]
            ratio = observed / predicted
        interval = float(self.low[k, i, claim]), float(self.high[k, i, claim])
        return Cell(
            condition=name,
            model=str(i),
            generation=self.survey.generations,
            quantity=quantity,
            law=LAW,
            empirical=float(observed),
            standard_error=float(error),
            predicted=float(predicted),
            ratio=float(ratio),
            interval=interval,
            verdict=cast(Verdict, str(self.verdicts[k, i, claim])),
            chains=self.survey.chains,
            lost=0,
            chains_needed=None,
            note="",
        )


def judge_survey(
    survey: Survey,
    codes: np.ndarray,
    sizes: np.ndarray,
    fates: Sequence[CollapseRates],
    simulated: SurveyMoments,
    without: str | None = None,
) -> SurveyVerdict:
    """Judge the collapse law by the chains of every network.

    Parameters
    ----------
    survey : Survey
        The survey.
    codes, sizes : ndarray of int, shape (K,)
        Codes of the networks, and the number of labelled networks that each represents.
    fates : sequence of CollapseRates
        The law's predictions for each network.
    simulated : SurveyMoments
        Moments of the chains of each network.
    without : str, optional
        Clause that was left out of the law.

    Returns
    -------
    SurveyVerdict
    """
    collapses = np.array([fate.collapses for fate in fates])
    growth = np.array([fate.growth for fate in fates])
    limit = np.array([fate.limit for fate in fates])
    mean, chains = simulated.late.mean, simulated.late.chains
    with np.errstate(all="ignore"):
        covariance = simulated.late.square / (chains * (chains - 1.0))[..., None, None]
        slope, level = mean[..., 0], mean[..., 1]
        span = np.mean(np.arange(survey.generations + 1)[late_windows(survey.generations)[2]])
        share = span * slope / level
        # delta method: r is a ratio of means
        variance = (
            span**2 * covariance[..., 0, 0]
            - 2 * span * share * covariance[..., 0, 1]
            + share**2 * covariance[..., 1, 1]
        )
        share_error = np.sqrt(np.maximum(variance, 0)) / level
        rate = np.where(collapses, slope, level)
        rate_variance = np.where(collapses, covariance[..., 0, 0], covariance[..., 1, 1])
        standard_error = np.sqrt(rate_variance)
        predicted = np.where(collapses, growth, limit)
        ratio, ratio_error = rate / predicted, standard_error / predicted
    has_rate = np.isfinite(predicted)
    lower = np.where(collapses, BOUNDARY, -np.inf)
    upper = np.where(collapses, np.inf, BOUNDARY)
    verdicts = np.full((*share.shape, 2), "", dtype=object)
    low, high = np.full((2, *share.shape, 2), np.nan)
    # one flat list of claims, under one budget: first collapse, then growth or limit
    count = share.size
    decided, lows, highs = decide(
        np.concatenate([share.ravel(), ratio[has_rate]]),
        np.concatenate([share_error.ravel(), ratio_error[has_rate]]),
        np.concatenate([chains.ravel(), chains[has_rate]]),
        np.concatenate([lower.ravel(), np.full(has_rate.sum(), 1 - survey.tolerance)]),
        np.concatenate([upper.ravel(), np.full(has_rate.sum(), 1 + survey.tolerance)]),
        survey.confidence,
    )
    for table, values in ((verdicts, decided), (low, lows), (high, highs)):
        table[..., 0] = values[:count].reshape(share.shape)
        table[..., 1][has_rate] = values[count:]
    networks = np.where(
        (verdicts == REFUTED).any((1, 2)),
        REFUTED,
        np.where((verdicts == INCONCLUSIVE).any((1, 2)), INCONCLUSIVE, VERIFIED),
    )
    return SurveyVerdict(
        survey=survey,
        codes=codes,
        sizes=sizes,
        fates=tuple(fates),
        share=share,
        share_error=share_error,
        rate=rate,
        standard_error=standard_error,
        predicted=predicted,
        verdicts=verdicts,
        low=low,
        high=high,
        networks=networks,
        verdict=worst(networks),
        failures=int(simulated.failures.sum()),
        without=without,
    )
