"""The result of judging logged losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.calls import explained
from mcjax.logs.claims import LossClaim
from mcjax.logs.further import Further, further_rows
from mcjax.logs.subjects import Subject
from mcjax.logs.table import Losses
from mcjax.numbers import how_many
from mcjax.summaries import Summarised, Summary
from mcjax.text import with_error
from mcjax.verdicts.equivalence import INCONCLUSIVE, Verdict

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class WorkflowVerdict:
    """The verdict on one workflow.

    Attributes
    ----------
    law : str
        Name of its law.
    verdict : {"verified", "refuted", "inconclusive"}
        The verdict.
    claim : LossClaim
        The claim that the verdict rests on.
    pair : LossClaim
        The claim whose L0 and V are those of the workflow. It differs from ``claim`` if the
        workflow does not share that L0 and V.
    deviation : float
        Standard deviation of one loss.
    freedom : int
        Degrees of freedom of ``deviation``.
    repeated : bool
        Whether repetitions alone tell ``deviation``; otherwise it is that around a smooth curve.
    equal : bool
        Whether repetitions are equal to the last digit, or nearly so. Each generation then counts
        as one row.
    alike : float
        Probability that seeds of independent losses differ as much as those of the workflow; 1 if
        seeds do not recur.
    note : str
        Why there is no other verdict; may be empty.
    """

    law: str
    verdict: Verdict
    claim: LossClaim
    pair: LossClaim
    deviation: float
    freedom: int
    repeated: bool
    equal: bool
    alike: float
    note: str


@explained
@dataclass(frozen=True, repr=False)
class LossJudgement(Summarised):
    """Logged losses, judged by the laws of how errors add up.

    Attributes
    ----------
    losses : Losses
        What was judged.
    workflows : dict of str to WorkflowVerdict
        The verdict on each workflow by its own law.
    together : tuple of LossClaim
        The claims that sets of workflows share one L0 and V; none if each has a pair of its own.
    laws : tuple of LossClaim
        The claims of every law about every workflow, each with an L0 and a V of its own.
    verdict : {"verified", "refuted", "inconclusive"}
        "refuted" if a workflow is refuted, or all of them together are; "verified" if all are
        verified.
    tolerance, confidence : float
        Largest departure of a law that holds, and probability that no claim has a wrong verdict.
    first : int
        The generation of the first fit.
    subjects : dict of str to Subject
        The workflows, with the growth of their laws.

    Examples
    --------
    >>> import mcjax
    >>> from mcjax.logs.table import BUILTIN
    >>> judgement = mcjax.judge_losses(mcjax.read_losses(BUILTIN))
    >>> judgement.workflows["replace"].verdict
    'refuted'
    """

    losses: Losses
    workflows: dict[str, WorkflowVerdict]
    together: tuple[LossClaim, ...]
    laws: tuple[LossClaim, ...]
    verdict: Verdict
    tolerance: float
    confidence: float
    first: int
    subjects: dict[str, Subject] = field(repr=False)

    def curve(self, workflow: str, generations: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the fitted law of a workflow at some generations; nan where it is not known."""
        fits = np.asarray(generations) - self.first + 1
        pair = self.workflows[workflow].pair
        growth = self.subjects[workflow].growth(int(fits.max()))
        if pair.fit is None or growth is None:
            return np.full(len(fits), math.nan)
        return np.asarray(pair.fit.start.value + pair.fit.noise.value * growth[fits - 1])

    def further(self, workflow: str) -> Further:
        """Return how many further seeds, or generations, would decide an inconclusive verdict."""
        claim = self.workflows[workflow].claim
        if not self.workflows[workflow].verdict == claim.verdict == INCONCLUSIVE:
            return Further(None, None)
        members = [self.subjects[name] for name in claim.workflows]
        scatters, laws = [one.scatter for one in members], [one.growth for one in members]
        return further_rows(claim, scatters, laws, self.tolerance)

    def to_dataframe(self) -> pandas.DataFrame:
        """Return all claims as a pandas DataFrame, one row a claim."""
        import pandas  # heavy, and for tables alone

        claims = (*self.together, *self.laws)
        return pandas.DataFrame([claim_row(claim, self.confidence) for claim in claims])

    def _summary(self) -> Summary:
        rows = [
            (name, f"by {judged.law}", judged.verdict, *pair_texts(judged.pair))
            for name, judged in self.workflows.items()
        ]
        title = (
            f"LossJudgement: {self.verdict}, {how_many(len(rows), 'workflow')} at"
            f" ±{self.tolerance:.0%} with confidence {self.confidence:.0%}"
        )
        return Summary(title, rows, len(rows), "workflow")


def pair_texts(claim: LossClaim) -> tuple[str, str]:
    """Return L0 and V with their standard errors; empty without a fit."""
    if claim.fit is None:
        return "", ""
    start, noise = claim.fit.start, claim.fit.noise
    return f"L0 {with_error(start.value, start.error)}", f"V {with_error(noise.value, noise.error)}"


def claim_row(claim: LossClaim, confidence: float) -> dict[str, Any]:
    """Return a claim as plain data, in which numbers that are not known are nan."""
    row: dict[str, Any] = {
        "workflows": ", ".join(claim.workflows),
        "law": claim.law,
        "verdict": claim.verdict,
    }
    for name, place in (("L0", "start"), ("V", "noise")):
        fitted = None if claim.fit is None else getattr(claim.fit, place)
        low, high = (math.nan, math.nan) if fitted is None else fitted.interval(confidence)
        row |= {
            name: math.nan if fitted is None else fitted.value,
            f"{name}_standard_error": math.nan if fitted is None else fitted.error,
            f"{name}_low": low,
            f"{name}_high": high,
        }
    low, high = claim.interval
    return row | {"departure": claim.departure, "low": low, "high": high, "note": claim.note}
