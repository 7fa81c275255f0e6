"""The built-in laws, and where they apply, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from mcjax.laws.predict import Applicability
from mcjax.report.console import grouped

ANSWERS = {True: "yes", False: "-"}


def laws_json(names: Sequence[str], laws: Sequence[Applicability]) -> dict[str, Any]:
    """Return the laws as plain data; ``names`` are those of the conditions."""
    return {
        "laws": [
            {
                "name": law.name,
                "exact": law.exact,
                "source": law.reference,
                "conditions": [
                    {
                        "condition": name,
                        "applies": reason is None,
                        "reason": None if reason is None else reason.sentence,
                    }
                    for name, reason in zip(names, reasons, strict=True)
                ],
            }
            for law, reasons in laws
        ]
    }


def show_laws(console: Console, names: Sequence[str], laws: Sequence[Applicability]) -> None:
    """Print a table of laws against conditions, and why laws do not apply."""
    headings = ("law", "holds", *(names or ("reference",)))
    table = Table(*(Column(name or "applies", overflow="fold") for name in headings), box=None)
    for law, reasons in laws:
        marks = [ANSWERS[reason is None] for reason in reasons]
        holds = "exactly" if law.exact else "approximately"
        table.add_row(law.name, holds, *(marks if names else (law.reference,)))
    console.print(table)
    for law, reasons in laws:
        refusals = [(n, r.sentence) for n, r in zip(names, reasons, strict=True) if r is not None]
        for sentence, where in grouped(refusals, lambda refusal: refusal[1]).items():
            conditions = ", ".join(name for name, _ in where)
            place = "" if len(where) == len(names) else f" to {conditions}"
            console.print(f"{law.name} does not apply{place}: {sentence}", markup=False)
