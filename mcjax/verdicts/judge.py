"""Cells: every quantity of every condition, simulated against predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Predictions
from mcjax.solvers.status import FAILURES
from mcjax.study.study import Study
from mcjax.verdicts.bias import bias_claims
from mcjax.verdicts.claims import Cell, Claim, never_refuted, settle
from mcjax.verdicts.collapse import collapse_claims
from mcjax.verdicts.covariance import covariance_claims
from mcjax.verdicts.efficiency import efficiency_claims
from mcjax.verdicts.equivalence import INCONCLUSIVE, VERIFIED, worst
from mcjax.verdicts.failures import Loss, losses
from mcjax.verdicts.functional import functional_claims
from mcjax.verdicts.growth import Growth, growth_claims, growth_of
from mcjax.verdicts.homogenisation import homogenisation_claims
from mcjax.verdicts.ladder import QUANTITY, Ladder, Rung, climb
from mcjax.verdicts.mse import mse_claims
from mcjax.verdicts.normality import normality_claims

QUANTITIES = {  # of laws of errors; functionals have laws of their own
    "mse": mse_claims,
    "collapse": collapse_claims,
    "growth": growth_claims,
    "bias": bias_claims,
    "covariance": covariance_claims,
    "normality": normality_claims,
    "efficiency": efficiency_claims,
    "homogenisation": homogenisation_claims,
}


@dataclass(frozen=True)
class Verification:
    """The judged study.

    Attributes
    ----------
    cells: every comparison. verdict: of all of them together.
    ladders: fits of asymptotic laws to several sample sizes.
    growth: slopes of the MSE beside those the laws predict, of models that settle too.
    failures: reason -> number of fits. losses: models that lost chains, by generation.
    chains: for each condition.
    inapplicable: condition -> law -> why it was not judged.
    waiting: conditions of which more chains could decide something.
    outcomes: what the chains of each condition did, moments included.
    """

    cells: tuple[Cell, ...]
    verdict: str
    growth: tuple[Growth, ...]
    ladders: tuple[Ladder, ...]
    failures: dict[str, int]
    losses: tuple[Loss, ...]
    chains: int
    inapplicable: dict[str, dict[str, str]]
    waiting: tuple[str, ...]
    outcomes: tuple[Outcome, ...] = ()


def judge(
    study: Study,
    predictions: Sequence[Predictions],
    outcomes: Sequence[Outcome],
    decided: Sequence[Cell] = (),
) -> Verification:
    """Compare simulation and laws, one prediction and one outcome for each condition.

    Cells: the study's quantities, for every model and every law that applies. They share one error
    budget. Where an asymptotic law has a ladder of sample sizes, that decides, not its rungs.

    Parameters
    ----------
    decided: cells that an earlier look has decided, and that stay as they are.
    """
    claims, ladders, settled = claims_of(study, predictions, outcomes)
    kept = {_place(cell): cell for cell in decided}
    found = settle(claims, study.confidence)
    cells = tuple(kept.get(_place(cell), cell) for cell in found)
    decisive = [cell for cell in cells if _place(cell) not in settled]
    failures = {
        status.reason: count
        for status in FAILURES
        if (count := sum(int(o.fits[..., status].sum()) for o in outcomes))
    }
    return Verification(
        cells=cells,
        verdict=_overall(decisive, predictions),
        ladders=ladders,
        growth=tuple(
            growth
            for condition, laws, outcome in zip(
                study.conditions, predictions, outcomes, strict=True
            )
            for law in laws.laws.values()
            for growth in growth_of(condition.name, condition.network.models, law, outcome)
        ),
        failures=failures,
        losses=losses(study.conditions, outcomes),
        chains=min(outcome.chains for outcome in outcomes),
        inapplicable={
            c.name: p.inapplicable
            for c, p in zip(study.conditions, predictions, strict=True)
            if p.inapplicable
        },
        waiting=_waiting(study, decisive),
        outcomes=tuple(outcomes),
    )


def claims_of(
    study: Study, predictions: Sequence[Predictions], outcomes: Sequence[Outcome]
) -> tuple[list[Claim], tuple[Ladder, ...], set[tuple[str, str, int, str, str]]]:
    """All claims; fits of asymptotic laws to ladders of sizes, and places that these settle."""
    claims = [
        claim
        for condition, laws, outcome in zip(study.conditions, predictions, outcomes, strict=True)
        for law in laws.laws.values()
        for quantity in study.quantities
        if quantity in QUANTITIES
        for claim in QUANTITIES[quantity](
            condition.name, condition.network.models, law, outcome, study.tolerance
        )
    ]
    if "functional" in study.quantities:
        claims += [
            claim
            for condition, laws, outcome in zip(
                study.conditions, predictions, outcomes, strict=True
            )
            for law in laws.functionals.values()
            for claim in functional_claims(condition, law, outcome, study.tolerance)
        ]
    rungs = _rungs(study, predictions, claims)
    steps, ladders = climb(rungs, study.tolerance)
    climbed = {(ladder.condition, ladder.law) for ladder in ladders}
    settled = {r.claim.place for r in rungs if (r.ladder, r.claim.place[4]) in climbed}
    claims = [never_refuted(c) if c.place in settled else c for c in claims]
    return [*claims, *steps], tuple(ladders), settled


def _rungs(study: Study, predictions: Sequence[Predictions], claims: Sequence[Claim]) -> list[Rung]:
    """The claims about MSEs by asymptotic laws in conditions that are on a ladder."""
    where = {
        (condition.name, law.law): condition
        for condition, laws in zip(study.conditions, predictions, strict=True)
        for law in laws.laws.values()
        if law.asymptotic and condition.ladder is not None
    }
    return [
        Rung(str(condition.ladder), condition.scale, claim)
        for claim in claims
        if claim.place[3] == "mse"
        and (condition := where.get((claim.place[0], claim.place[4]))) is not None
    ]


def _overall(cells: Sequence[Cell], predictions: Sequence[Predictions]) -> str:
    """The worst cell; but a study is not verified while no law speaks of one of its conditions."""
    verdict = worst(np.array([cell.verdict for cell in cells]))
    silent = any(not found.laws for found in predictions)
    return INCONCLUSIVE if silent and verdict == VERIFIED else verdict


def _waiting(study: Study, cells: Sequence[Cell]) -> tuple[str, ...]:
    """Conditions with an undecided cell that chains can decide; of a ladder, all its rungs."""
    open_cells = {(c.condition, c.quantity == QUANTITY) for c in cells if c.chains_needed}
    return tuple(
        c.name for c in study.conditions if {(c.name, False), (c.ladder, True)} & open_cells
    )


def _place(cell: Cell) -> tuple[str, str, int, str, str]:
    return cell.condition, cell.model, cell.generation, cell.quantity, cell.law
