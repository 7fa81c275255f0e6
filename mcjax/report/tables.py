"""Show verdicts as tables on a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from mcjax.engine.outcome import Outcome
from mcjax.engine.routes import route_of
from mcjax.laws.prediction import Prediction, Predictions
from mcjax.numbers import how_many
from mcjax.report.console import MARK, PLAIN, STYLE, counted, grouped, label, show_table
from mcjax.report.measured import show_measured
from mcjax.solvers.status import Status
from mcjax.study.study import Study
from mcjax.text import number, shown, with_error
from mcjax.verdicts.cells import Cell
from mcjax.verdicts.counts import NO_ESTIMATE
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.judge import Verification
from mcjax.verdicts.quantities.mse import QUANTITY as MSE
from mcjax.verdicts.quantities.registry import limits_of, units_of
from mcjax.verdicts.unjudged import Unjudged

MOST_NAMES = 3
"""Largest number of models, conditions or laws that a line names."""


def show_verification(
    console: Console,
    study: Study,
    predictions: Sequence[Predictions],
    verification: Verification,
    seconds: float,
) -> None:
    """Print every model at the last generation, the verdicts on all generations, and failures."""
    console.print(
        f"Mean squared error at generation {study.generations}; verdicts count all generations",
        style="bold",
    )
    mse = [cell for cell in verification.cells if cell.quantity == MSE.name]
    by_row = grouped(mse, lambda cell: (cell.condition, cell.model, cell.law))
    slopes = {(g.condition, g.model, g.law): g for g in verification.growth}
    widths = {
        "model": max(cell_len(shown(m)) for c in study.conditions for m in c.network.models),
        "law": max(
            (
                cell_len(_fated(law, i))
                for p in predictions
                for law in p.laws.values()
                for i in range(law.mse.shape[1])
            ),
            default=0,
        ),
    }
    for position, (condition, predicted) in enumerate(
        zip(study.conditions, predictions, strict=True)
    ):
        table = _verdict_table(position == 0, widths)
        for law in predicted.laws.values():
            for i, model in enumerate(condition.network.models):
                place = (condition.name, model, law.law)
                slope = slopes.get(place)
                growth = with_error(slope.empirical, slope.standard_error) if slope else ""
                if any(c.note.endswith(NO_ESTIMATE) for c in by_row.get(place, [])[-1:]):
                    growth = ""
                row = _row(by_row.get(place, []))
                table.add_row(label(model), Text(_fated(law, i)), growth, *row)
        if not predicted.laws and verification.outcomes:
            for i, model in enumerate(condition.network.models):
                simulated = _simulated(verification.outcomes[position], i)
                table.add_row(label(model), "none", "", simulated)
        if condition.name:
            console.print(label(condition.name), style="italic", soft_wrap=True)
        show_table(console, table)
    _show_quantities(console, study, verification)
    _show_ladders(console, study, verification)
    show_measured(console, verification.measured)
    _show_undecided(console, verification)
    for reason, count in verification.failures.items():
        advice = Status[reason.upper()].advice
        fits = how_many(count, "fit")
        console.print(f"{fits} ended as [bold]{reason}[/]: {advice}")
    _show_losses(console, verification)
    show_inapplicable(console, verification.inapplicable)
    show_unjudged(console, verification.unjudged)
    _show_reasons(console, verification.rules_of_thumb, "is allowed a rule of thumb", "in")
    paths = " and ".join(sorted({route_of(c, study).path for c in study.conditions}))
    console.print(
        f"[{STYLE[verification.verdict]}]{verification.verdict}[/]:"
        f" {how_many(len(verification.cells), 'cell')}"
        f" ({counted(cell.verdict for cell in verification.cells)}) at ±{study.tolerance:.0%} with"
        f" confidence {study.confidence:.0%} together;"
        f" {how_many(verification.chains, 'chain')} for each"
        f" condition; {seconds:.0f} s on the {paths} path",
        soft_wrap=True,
    )


def _show_losses(console: Console, verification: Verification) -> None:
    """Print which models lost chains, when and why, and the MSE of the remaining chains."""
    if not verification.losses:
        return
    headings = ("condition", "model", "from", "reason", "highest rate", "lost at the end")
    further = ("MSE halfway", "of complete chains")
    table = Table(*headings, *further, title="Chains lost", title_justify="left", **PLAIN)
    for loss in verification.losses:
        half = len(loss.lost) // 2
        for reason, rates in loss.rates.items():
            first = next(t for t, rate in enumerate(rates) if rate)
            peak = max(range(len(rates)), key=rates.__getitem__)
            table.add_row(
                label(loss.condition or "-"),
                label(loss.model),
                f"t = {first}",
                reason,
                f"{rates[peak]:.2%} at t = {peak}",
                f"{loss.lost[-1]:.1%}",
                number(loss.mse[half]),
                number(loss.mse_complete[half]),
            )
    show_table(console, table)


def show_inapplicable(console: Console, inapplicable: Mapping[str, Mapping[str, str]]) -> None:
    """Print which laws do not apply and why, each reason once."""
    _show_reasons(console, inapplicable, "does not apply", "to")


def _show_reasons(
    console: Console, by_law: Mapping[str, Mapping[str, str]], says: str, where: str
) -> None:
    """Print what is to be said of laws and in, or to, which conditions; each reason once."""
    reasons = [(name, *item) for name, laws in by_law.items() for item in laws.items()]
    for (law, reason), places in grouped(reasons, lambda place: place[1:]).items():
        conditions = [name for name, *_ in places]
        place = conditions[0] if len(conditions) == 1 else how_many(len(conditions), "condition")
        target = f" {where} {place}" if place else ""
        console.print(label(f"{law} {says}{target}: {reason}"), soft_wrap=True)


def show_unjudged(console: Console, unjudged: Sequence[Unjudged]) -> None:
    """Print which quantities laws leave unjudged and why, each reason once."""
    by_reason = grouped(unjudged, lambda one: (one.quantity, one.law, one.reason))
    for (quantity, law, reason), where in by_reason.items():
        by = f" by {law}" if law else ""
        place = _listed("condition", [one.condition for one in where if one.condition])
        subject = f"{quantity}{by}{f' in {place}' if place else ''}"
        console.print(label(f"Not judged: {subject}: {reason}"), soft_wrap=True)


def _subject(cells: Sequence[Cell]) -> str:
    """Return what cells are about: quantities, models, conditions and laws."""
    quantities = ", ".join(dict.fromkeys(cell.quantity for cell in cells))
    place = _listed("condition", [cell.condition for cell in cells if cell.condition])
    return (
        f"{quantities} of {_listed('model', [cell.model for cell in cells])}"
        f"{f' in {place}' if place else ''} by {_listed('law', [cell.law for cell in cells])}"
    )


def _listed(noun: str, names: Sequence[str]) -> str:
    """Return a few names, each once, or how many there are."""
    each = list(dict.fromkeys(names))
    return ", ".join(each) if len(each) <= MOST_NAMES else how_many(len(each), noun)


def _verdict_table(heading: bool, widths: Mapping[str, int]) -> Table:
    """Return an empty table of verdicts.

    Columns have the same width in every condition, so that the tables line up; ``widths`` holds
    those of the longest names.
    """
    names = (Column(k, width=max(least, widths[k])) for k, least in (("model", 12), ("law", 34)))
    values = {"sim. growth": 14, "simulated": 12, "predicted": 10, "ratio (interval)": 20}
    columns = (Column(k, width=width, justify="right") for k, width in values.items())
    return Table(*names, *columns, Column("verdict", width=18), show_header=heading, **PLAIN)


def _show_quantities(console: Console, study: Study, verification: Verification) -> None:
    """Print a line for each law and quantity other than the MSE: its intervals and verdict."""
    elsewhere, units = {MSE.name} | limits_of(study), units_of(study)
    others = [cell for cell in verification.cells if cell.quantity not in elsewhere]
    if not others:
        return
    table = Table("law", "quantity", "all intervals within", "verdict", **PLAIN)
    for (law, quantity), cells in grouped(others, lambda cell: (cell.law, cell.quantity)).items():
        low, high = min(c.interval[0] for c in cells), max(c.interval[1] for c in cells)
        reach = f"({number(low, 3)}, {number(high, 3)}) {units[quantity]}"
        table.add_row(label(law), quantity, reach, _counted(cells))
    show_table(console, table)


def _show_ladders(console: Console, study: Study, verification: Verification) -> None:
    """Print the limits of asymptotic laws on their ladders, at the last generation."""
    if not verification.ladders:
        return
    last = max(ladder.generation for ladder in verification.ladders)
    console.print(f"Ladder of sample sizes, generation {last}", style="bold")
    headings = ["ladder", "model", "law", "limit of the ratio", "cost at scale 1", "verdict"]
    known = any(math.isfinite(ladder.predicted_cost) for ladder in verification.ladders)
    if known:
        headings.insert(-1, "to second order")
    table = Table(*headings, **PLAIN)
    limits = limits_of(study)
    cells = grouped(
        [cell for cell in verification.cells if cell.quantity in limits],
        lambda cell: (cell.condition, cell.model, cell.law),
    )
    for ladder in verification.ladders:
        if ladder.generation == last:
            on_ladder = cells[ladder.condition, ladder.model, ladder.law]
            low, high = on_ladder[-1].interval
            entries: list[str | Text] = [
                label(ladder.condition or "-"),
                label(ladder.model),
                label(ladder.law),
                f"{number(ladder.intercept)} ({number(low, 3)}, {number(high, 3)})",
                with_error(ladder.cost, ladder.cost_error),
                _counted(on_ladder),
            ]
            if known:
                entries.insert(-1, number(ladder.predicted_cost))
            table.add_row(*entries)
    show_table(console, table)


def _show_undecided(console: Console, verification: Verification) -> None:
    for note in verification.notes:
        console.print(label(note), soft_wrap=True)
    needed = [c.chains_needed for c in verification.cells if c.chains_needed is not None]
    if needed:
        console.print(
            f"The undecided cells need up to {how_many(max(needed), 'chain')} to be decided."
        )
    lost = [cell for cell in verification.cells if cell.note.endswith(NO_ESTIMATE)]
    if lost:
        about = f"{how_many(len(lost), 'cell')} about {_subject(lost)}"
        console.print(
            label(f"Not judged: {about}, in which too many chains have {NO_ESTIMATE}"),
            soft_wrap=True,
        )
    noted = [c for c in verification.cells if c.note and not c.note.endswith(NO_ESTIMATE)]
    for note, cells in sorted(grouped(noted, lambda cell: cell.note).items()):
        about = f"{_subject(cells)}{_times(cells, verification.cells)}"
        console.print(label(f"Not judged: {about}: {note}"), soft_wrap=True)


def _times(noted: Sequence[Cell], cells: Sequence[Cell]) -> str:
    """Return at which generations cells are, unless they are all of their kind."""

    def kind(cell: Cell) -> tuple[str, ...]:
        return cell.condition, cell.model, cell.quantity, cell.law

    kinds = set(map(kind, noted))
    if len(noted) == sum(kind(cell) in kinds for cell in cells):
        return ""
    times = sorted({cell.generation for cell in noted})
    if len(times) > MOST_NAMES:
        return f" at {how_many(len(times), 'generation')} from {times[0]} to {times[-1]}"
    return f" at generation{'s' * (len(times) > 1)} {', '.join(map(str, times))}"


def _simulated(outcome: Outcome, model: int) -> str:
    """Return the mean squared error of a model at the last generation, if no chain is lost."""
    squared = outcome.moments.squared
    left = squared.chains[-1, model]
    if left < outcome.chains:  # a mean over the surviving chains would mislead
        return f"{left} left"
    return with_error(squared.mean[-1, model], squared.standard_error()[-1, model])


def _row(cells: Sequence[Cell]) -> list[str]:
    if not cells:
        return ["", "", "", ""]
    last = cells[-1]
    low, high = last.interval
    if last.note.endswith(NO_ESTIMATE):  # a mean over the surviving chains would mislead
        return [f"{last.chains} left", number(last.predicted), "", _counted(cells)]
    return [
        with_error(last.empirical, last.standard_error),
        number(last.predicted),
        f"{number(last.ratio)} ({number(low, 3)}, {number(high, 3)})",
        _counted(cells),
    ]


def _counted(cells: Sequence[Cell]) -> str:
    """Return the worst verdict, and how many of the cells have it."""
    counts: Counter[str] = Counter(cell.verdict for cell in cells)
    verdict = next(v for v in (REFUTED, INCONCLUSIVE, VERIFIED) if counts[v])
    return f"[{STYLE[verdict]}]{MARK[verdict]} {verdict} {counts[verdict]}/{len(cells)}[/]"


def _fated(law: Prediction, model: int) -> str:
    return f"{shown(law.law)}: {law.fate(model)}"
