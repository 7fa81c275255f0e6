"""All claims about networks of generators, as tables: one for each kind, and the error budget."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from mcjax.generators.equality import EQUAL
from mcjax.generators.flip import ARRIVAL, FLIP
from mcjax.generators.growth import DRIFT, GROWTH
from mcjax.generators.judge import GeneratorVerification
from mcjax.report.console import MARK, PLAIN, STYLE, grouped, label, numbers, show_table
from mcjax.text import number, with_error
from mcjax.verdicts.cells import Cell
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED

NOT_JUDGED = "not judged"
TITLES = {
    GROWTH: ("Growth: slopes of models that collapse, which must not be 0", "slope"),
    DRIFT: ("Drift: slopes of other models, which must be small beside the whole change", "slope"),
    FLIP: ("Flip: paired differences at the end, which must not be 0", "difference"),
    EQUAL: ("Equality in law: gaps to generations of a model that reads itself alone", "gap"),
}
"""Title of the table of each kind of claim, and name of its numbers."""


def kind_of(cell: Cell) -> str:
    """Return the kind of a claim, the part of its quantity before the measure."""
    return cell.quantity.partition("(")[0]


def measure_of(cell: Cell) -> str:
    """Return the measure that a claim is about; empty if it is about none."""
    return cell.quantity.partition("(")[2].removesuffix(")")


def show_budget(console: Console, verification: GeneratorVerification) -> None:
    """Print how many claims of each kind share the error budget, and what became of them."""
    study = verification.study
    title = f"Claims of one error budget, at {study.confidence:.0%} confidence together"
    headings = map(numbers, ("cells", VERIFIED, REFUTED, INCONCLUSIVE, NOT_JUDGED))
    table = Table("claim", "law", *headings, title=title, title_justify="left", **PLAIN)
    claims = grouped(verification.cells, lambda cell: (kind_of(cell), cell.law))
    for (kind, law), cells in claims.items():
        counts = Counter(NOT_JUDGED if cell.note else cell.verdict for cell in cells)
        kinds = (VERIFIED, REFUTED, INCONCLUSIVE, NOT_JUDGED)
        table.add_row(kind, law, f"{len(cells):,}", *(f"{counts[k]:,}" for k in kinds))
    show_table(console, table)


def show_claims(console: Console, verification: GeneratorVerification) -> None:
    """Print a table for each kind of claim about measures, with intervals."""
    controls = {one.condition: one.control for one in verification.differences}
    for kind, cells in grouped(verification.cells, kind_of).items():
        if kind != ARRIVAL:
            show_table(console, _claims(kind, cells, controls))


def _claims(kind: str, cells: Sequence[Cell], controls: dict[str, str]) -> Table:
    title, what = TITLES[kind]
    names = ["condition", *(["control"] if kind == FLIP else []), "model", "measure"]
    share = ["of the loop's change"] if kind == EQUAL else []
    headings = map(numbers, (what, *share, "low", "high"))
    table = Table(*names, *headings, "verdict", title=title, title_justify="left", **PLAIN)
    for cell in cells:
        places = [cell.condition or "-", cell.model, measure_of(cell)]
        if kind == FLIP:
            places.insert(1, controls[cell.condition])
        shares = [f"{cell.ratio:.0%}" if math.isfinite(cell.ratio) else "-"] if share else []
        found = with_error(cell.empirical, cell.standard_error)
        table.add_row(
            *map(label, places), found, *shares, *map(number, cell.interval), verdict_of(cell)
        )
    return table


def verdict_of(cell: Cell) -> str:
    """Return a verdict, with its mark, as markup."""
    if cell.note:
        return NOT_JUDGED
    return f"[{STYLE[cell.verdict]}]{MARK[cell.verdict]} {cell.verdict}[/]"
