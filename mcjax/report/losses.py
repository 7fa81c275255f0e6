"""Judged logs of losses, as tables and as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mcjax.logs.claims import LossClaim
from mcjax.logs.further import Further
from mcjax.logs.judgement import LossJudgement, WorkflowVerdict, claim_row
from mcjax.numbers import how_many
from mcjax.report.console import MARK, PLAIN, STYLE, counted, label, numbers, show_table
from mcjax.text import number, shown, with_error
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED

ALIKE = 0.001
"""P-value below which losses of one seed are said to go together."""


def judgement_json(judgement: LossJudgement) -> dict[str, Any]:
    """Return a judgement as plain data."""
    confidence = judgement.confidence
    return {
        "verdict": judgement.verdict,
        "workflows": {
            name: _workflow_json(judged, judgement.further(name), confidence)
            for name, judged in judgement.workflows.items()
        },
        "together": [_claim_json(claim, confidence) for claim in judgement.together],
        "laws": [_claim_json(claim, confidence) for claim in judgement.laws],
        "tolerance": judgement.tolerance,
        "confidence": confidence,
        "first": judgement.first,
    }


def _workflow_json(judged: WorkflowVerdict, further: Further, confidence: float) -> dict[str, Any]:
    claim, pair = (_claim_json(one, confidence) for one in (judged.claim, judged.pair))
    fitted = ("L0", "V", "L0_standard_error", "V_standard_error", "L0_interval", "V_interval")
    return {
        "verdict": judged.verdict,
        "law": judged.law,
        **{key: pair[key] for key in fitted},
        "shares": list(judged.pair.workflows),
        "departure": claim["departure"],
        "interval": claim["interval"],
        "noise": judged.deviation if judged.freedom else None,
        "noise_freedom": judged.freedom,
        "noise_from": "seeds" if judged.repeated else "curve",
        "seeds_equal": judged.equal,
        "seeds_alike": judged.alike,
        "seeds_needed": further.seeds,
        "generations_needed": further.generations,
        "note": judged.note,
    }


def _claim_json(claim: LossClaim, confidence: float) -> dict[str, Any]:
    row = claim_row(claim, confidence)
    return {
        "workflows": list(claim.workflows),
        "law": claim.law,
        "verdict": claim.verdict,
        **{key: row[key] for key in ("L0", "V", "L0_standard_error", "V_standard_error")},
        **{f"{key}_interval": [row[f"{key}_low"], row[f"{key}_high"]] for key in ("L0", "V")},
        "departure": row["departure"],
        "interval": [row["low"], row["high"]],
        "note": row["note"],
    }


def show_judgement(console: Console, judgement: LossJudgement) -> None:
    """Print the verdict on every workflow, the laws that its losses follow, and what is missing."""
    table = Table("workflow", "law", *map(numbers, ("rows", "noise", "L0", "V")), **PLAIN)
    for heading in ("departure", "interval", "verdict"):
        table.add_column(heading, justify="left" if heading == "verdict" else "right")
    for name, judged in judgement.workflows.items():
        table.add_row(*_row(name, judged, len(judgement.losses.rows[name][0])))
    console.print(
        "Losses by L0 + V M_t; departures as a share of the variation that the law explains",
        style="bold",
    )
    show_table(console, table)
    shared = {judged.pair.workflows for judged in judgement.workflows.values()}
    for names in sorted(names for names in shared if len(names) > 1):
        console.print(f"One L0 and V for {_listed(names)}.", soft_wrap=True, markup=False)
    _show_laws(console, judgement)
    _show_refuted(console, judgement)
    _show_undecided(console, judgement)
    equal = [name for name, judged in judgement.workflows.items() if judged.equal]
    if equal:
        console.print(
            f"Repetitions of {_listed(equal)} are equal to the last digit, or nearly so. They tell"
            " no noise, and count as one row.",
            soft_wrap=True,
            markup=False,
        )
    curves = [name for name, judged in judgement.workflows.items() if not judged.repeated]
    if curves:
        console.print(
            f"Of {_listed(curves)} too few generations are repeated, so noise is what departs from"
            " a smooth curve, and losses of successive generations are taken to be independent.",
            soft_wrap=True,
            markup=False,
        )
    alike = [name for name, judged in judgement.workflows.items() if judged.alike < ALIKE]
    if alike:
        console.print(
            f"Of {_listed(alike)} losses of one seed go together, and are taken to be independent:"
            " the errors of L0 and V are too small, and a verdict on a shared pair may be wrong.",
            soft_wrap=True,
            markup=False,
        )
    console.print(
        f"[{STYLE[judgement.verdict]}]{judgement.verdict}[/]:"
        f" {how_many(len(judgement.workflows), 'workflow')}"
        f" ({counted(judged.verdict for judged in judgement.workflows.values())}) at"
        f" ±{judgement.tolerance:.0%} with confidence {judgement.confidence:.0%} together",
        soft_wrap=True,
    )


def _row(name: str, judged: WorkflowVerdict, rows: int) -> list[Any]:
    fit, (low, high) = judged.pair.fit, judged.claim.interval
    pair = ["-", "-"]
    if fit is not None:
        pair = [with_error(one.value, one.error) for one in (fit.start, fit.noise)]
    verdict = f"[{STYLE[judged.verdict]}]{MARK[judged.verdict]} {judged.verdict}[/]"
    return [
        label(name),
        judged.law,
        f"{rows:,}",
        number(judged.deviation, 2) if judged.freedom else "-",
        *pair,
        number(judged.claim.departure, 2),
        f"{number(low, 2)} to {number(high, 2)}",
        verdict,
    ]


def _show_laws(console: Console, judgement: LossJudgement) -> None:
    """Print which laws the losses of each workflow follow, with an L0 and a V of their own."""
    laws = list(dict.fromkeys(claim.law for claim in judgement.laws))
    marks = {(claim.workflows[0], claim.law): MARK[claim.verdict] for claim in judgement.laws}
    table = Table("workflow", *laws, **PLAIN)
    for name in judgement.workflows:
        table.add_row(label(name), *(marks.get((name, law), "") for law in laws))
    console.print(
        "Laws with an L0 and a V of their own: + verified, x refuted, ? inconclusive", style="bold"
    )
    show_table(console, table)


def _show_refuted(console: Console, judgement: LossJudgement) -> None:
    """Print where the losses of each refuted workflow are farthest from its law."""
    for name, judged in judgement.workflows.items():
        if judged.verdict != REFUTED or judged.pair.fit is None:
            continue
        generations, losses = judgement.losses.rows[name]
        off = losses - judgement.curve(name, generations)
        worst = int(np.argmax(np.abs(off)))
        law, logged = number(losses[worst] - off[worst]), number(losses[worst])
        at = f"at generation {generations[worst]} the law says {law}, and {logged} was logged"
        console.print(f"{shown(name)}: {at}.", soft_wrap=True, markup=False)


def _show_undecided(console: Console, judgement: LossJudgement) -> None:
    """Print what would decide each claim that is inconclusive, and why others are."""
    told: dict[str, list[str]] = {}
    for name, judged in judgement.workflows.items():
        if judged.verdict == INCONCLUSIVE:
            told.setdefault(_remedy(judged, judgement.further(name)), []).append(name)
    for sentence, names in told.items():
        console.print(f"{_listed(names)}: {sentence}.", soft_wrap=True, markup=False)


def _remedy(judged: WorkflowVerdict, further: Further) -> str:
    if judged.note:
        return judged.note
    ways = []
    if further.seeds is not None:
        ways.append(f"{how_many(further.seeds, 'more seed')} at every logged generation")
    if further.generations is not None:
        ways.append(how_many(further.generations, "more generation"))
    if not ways:
        return "no number of seeds or generations is known that would decide"
    return f"{' or '.join(ways)} would decide"


def _listed(names: Any) -> str:
    *others, last = map(shown, names)
    return f"{', '.join(others)} and {last}" if others else last
