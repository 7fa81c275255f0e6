"""Claims that laws hold for workflows, settled under one error budget.

The claim on a set of workflows is that one L0 and one V fit all of them, each by its own law. The
claim on one workflow and a law leaves L0 and V free, so that it is about the form of the curve
alone. A claim is *verified* if the departure (:mod:`mcjax.logs.fit`) is certainly smaller than the
tolerance, as a share of the variation that the law explains, and *refuted* if it is certainly
larger. V is uncertain, so the share is taken of two standard errors less before a claim is
verified, and of two more before it is refuted. Holm's procedure bounds the probability that any
claim gets a wrong verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcjax.logs.fit import Fit
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED, Verdict, holm

SURE = 2.0
"""Standard errors of V by which what the law explains is decreased or increased."""
OWN = "own"
"""In place of a law: each workflow by its own."""


@dataclass(frozen=True)
class LossClaim:
    """The claim that a law, with one L0 and one V, holds for some workflows.

    Attributes
    ----------
    workflows : tuple of str
        The workflows.
    law : str
        Name of the law; "own" if each workflow is judged by its own.
    verdict : {"verified", "refuted", "inconclusive"}
        The verdict.
    fit : Fit or None
        The fit; None if the logs do not suffice for one.
    level : float
        Probability with which the true departure may lie outside of :attr:`interval`.
    note : str
        Why the claim is not judged; empty if it is.
    """

    workflows: tuple[str, ...]
    law: str
    fit: Fit | None
    verdict: Verdict = INCONCLUSIVE
    level: float = math.nan
    note: str = ""

    @property
    def departure(self) -> float:
        """The departure, as a share of the variation that the law explains."""
        return self._share(0.0)

    @property
    def interval(self) -> tuple[float, float]:
        """The ends between which the true departure lies, given V."""
        if self.fit is None:
            return math.nan, math.nan
        radius = self.fit.spread.radius(self.level)
        return self._share(-radius), self._share(radius)

    def _share(self, further: float) -> float:
        if self.fit is None:
            return math.nan
        length = max(self.fit.departure + further, 0.0)
        return length / self.fit.explained if self.fit.explained > 0 else math.inf


def margins(explained: float, tolerance: float) -> tuple[float, float]:
    """Return departures below which a claim may be verified, and above which refuted."""
    return tolerance * max(explained - SURE, 0.0), tolerance * max(explained + SURE, 0.0)


def settle(claims: Sequence[LossClaim], tolerance: float, alpha: float) -> list[LossClaim]:
    """Return claims with their verdicts, of which any is wrong with probability alpha at most.

    Parameters
    ----------
    claims : sequence of LossClaim
        The claims; those without a fit stay inconclusive.
    tolerance : float
        Largest departure of a law that holds.
    alpha : float
        The error budget.
    """
    fits = [(k, claim.fit) for k, claim in enumerate(claims) if claim.fit is not None]
    p_values = np.ones(len(fits))
    sides: list[Verdict] = [INCONCLUSIVE] * len(fits)
    for n, (_, fit) in enumerate(fits):
        # a V that is negative explains nothing, and by its error it may be positive
        low, high = margins(fit.noise.value / fit.noise.error, tolerance)
        if fit.departure < low:
            p_values[n], sides[n] = fit.spread.above((low - fit.departure) ** 2), VERIFIED
        elif fit.departure > high:
            p_values[n], sides[n] = fit.spread.above((fit.departure - high) ** 2), REFUTED
    levels, rejected = holm(p_values, alpha)
    settled = list(claims)
    for (k, _), level, decided, side in zip(fits, levels, rejected, sides, strict=True):
        verdict: Verdict = side if decided else INCONCLUSIVE
        settled[k] = replace(claims[k], verdict=verdict, level=float(level))
    return settled
