"""Check by a few chains of a study that its fits have estimates."""

from __future__ import annotations

from dataclasses import replace

from mcjax.checks.case import Case
from mcjax.engine.compiled import compile_study
from mcjax.engine.simulation import simulate
from mcjax.errors import InputError
from mcjax.estimators.penalty import Firth
from mcjax.numbers import how_many
from mcjax.solvers.status import Status
from mcjax.verdicts.failures import count_failures

CHAINS, GENERATIONS = 64, 1
"""Chains that are run, and their last generation."""
APART = Status.NOT_FITTED, Status.PARENT_FAILED
"""How models end whose own fit is not to blame."""


def estimates(case: Case) -> str | None:
    """Check that fits have estimates, where labels may separate or a loss may fall for ever.

    They are fits of the first chains of the study itself, in generations 0 and 1.
    """
    model, study = case.model, case.study
    apart = model.predictor is not None and model.predictor.separates is not None
    if not (apart or model.predictors is not None) or not case.condition.minimises:
        return None
    few = replace(
        study,
        conditions=(case.condition,),
        chains=CHAINS,
        generations=min(GENERATIONS, study.generations),
    )
    [tally] = simulate(compile_study(few))
    fits = tally.outcome.fits
    total = int(fits.sum() - sum(fits[..., status].sum() for status in APART))
    lost = {
        reason: count
        for reason, count in count_failures([fits]).items()
        if reason != Status.PARENT_FAILED.reason
    }
    tried = f"{how_many(total, 'fit')} of {CHAINS} chains"
    if not lost:
        return f"exist for all {tried}"
    counted = ", ".join(f"{count} {reason}" for reason, count in lost.items())
    raise InputError(
        "family",
        f"has no estimate in {sum(lost.values())} of {tried} ({counted}), which averages would"
        f" leave out; {_remedy(case, Status.RANK_DEFICIENT.reason in lost)}",
    )


def _remedy(case: Case, singular: bool) -> str:
    """Return what gives every fit an estimate; ``singular`` says whether rows leave some open."""
    if case.model.shrinkage:
        return "give more samples"
    refused = singular or case.model.penalty or Firth().reason_against(case.model)
    firth = "" if refused else "penalty = 'firth' or "
    return f"set {firth}penalty = {{ ridge = 0.01 }} in [family], or give more samples"
