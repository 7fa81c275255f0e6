"""A survey judged: is the collapse law right about every network?

Each model of each network makes two claims.

``collapse``: whether it collapses. Of its squared error in the late generations, let r be the
growth (slope times the time from generation 0 to the middle of the window) as a share of the level.
A straight line through 0 has r = 1, a level line r = 0. The claim "collapses" says r > 2/5, its
opposite r < 2/5. That takes generations enough for growth to outweigh what settles, and for that to
settle: by the law r is at least .78, and elsewhere at most .12, after 64 generations of 3 models;
.62 and .07 after 384 generations of 4.

``growth`` of a model that collapses, or ``limit`` of one that does not: the simulated number as a
ratio to the law's, inside 1 +- tolerance.

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
    """The judged survey, for K networks.

    Attributes
    ----------
    codes, sizes: which networks, and how many labelled ones each stands for, shape (K,).
    fates: what the law says. share: r of each model, shape (K, M). rate: simulated growth or limit,
        with its standard_error and the law's number, shape (K, M).
    verdicts: of the claims, shape (K, M, 2): collapse, then growth or limit. empty where the law
        gives no number.
    low, high: intervals, of r and of the ratio, shape (K, M, 2).
    networks: the worst verdict on each network, shape (K,). verdict: of all.
    failures: fits without an estimate. without: the clause left out of the law, if any.
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
        """Every claim as a cell."""
        found = []
        for k, code in enumerate(self.codes):
            name = self.survey.name(int(code))
            for i in range(self.survey.models):
                found.append(self._cell(name, k, i, 0))
                if self.verdicts[k, i, 1]:
                    found.append(self._cell(name, k, i, 1))
        return found

    def _cell(self, name: str, k: int, i: int, claim: int) -> Cell:
        collapses = bool(self.fates[k].collapses[i])
        if claim == 0:
            quantity, seen, error = "collapse", self.share[k, i], self.share_error[k, i]
            predicted, ratio = float(collapses), self.share[k, i]
        else:
            quantity = "growth" if collapses else "limit"
            seen, error = self.rate[k, i], self.standard_error[k, i]
            predicted = self.predicted[k, i]
            ratio = seen / predicted
        interval = float(self.low[k, i, claim]), float(self.high[k, i, claim])
        return Cell(
            condition=name,
            model=str(i),
            generation=self.survey.generations,
            quantity=quantity,
            law=LAW,
            empirical=float(seen),
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
    found: SurveyMoments,
    without: str | None = None,
) -> SurveyVerdict:
    """Compare the law's fates, by all its clauses but ``without``, with what the chains did."""
    collapses = np.array([fate.collapses for fate in fates])
    growth = np.array([fate.growth for fate in fates])
    limit = np.array([fate.limit for fate in fates])
    mean, chains = found.late.mean, found.late.chains
    with np.errstate(all="ignore"):
        covariance = found.late.square / (chains * (chains - 1.0))[..., None, None]
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
        own = np.where(collapses, covariance[..., 0, 0], covariance[..., 1, 1])
        standard_error = np.sqrt(own)
        predicted = np.where(collapses, growth, limit)
        ratio, ratio_error = rate / predicted, standard_error / predicted
    claims = np.isfinite(predicted)
    lower = np.where(collapses, BOUNDARY, -np.inf)
    upper = np.where(collapses, np.inf, BOUNDARY)
    verdicts = np.full((*share.shape, 2), "", dtype=object)
    low, high = np.full((2, *share.shape, 2), np.nan)
    count = share.size
    decided, ends, others = decide(
        np.concatenate([share.ravel(), ratio[claims]]),
        np.concatenate([share_error.ravel(), ratio_error[claims]]),
        np.concatenate([chains.ravel(), chains[claims]]),
        np.concatenate([lower.ravel(), np.full(claims.sum(), 1 - survey.tolerance)]),
        np.concatenate([upper.ravel(), np.full(claims.sum(), 1 + survey.tolerance)]),
        survey.confidence,
    )
    for table, values in ((verdicts, decided), (low, ends), (high, others)):
        table[..., 0] = values[:count].reshape(share.shape)
        table[..., 1][claims] = values[count:]
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
        failures=int(found.failures.sum()),
        without=without,
    )
