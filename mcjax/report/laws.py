"""The built-in laws, and where they apply, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from mcjax.laws.law import Law
from mcjax.laws.predict import Applicability

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
    table = Table(box=None, padding=(0, 1))
    headings = ("law", "holds", *(names or ("reference",)))
    for heading in headings:
        table.add_column(heading or "applies", overflow="fold")
    for law, reasons in laws:
        marks = [ANSWERS[reason is None] for reason in reasons]
        table.add_row(law.name, _holds(law), *(marks if names else (law.reference,)))
    console.print(table)
    for law, reasons in laws:
        where: dict[str, list[str]] = {}
        for name, reason in zip(names, reasons, strict=True):
            if reason is not None:
                where.setdefault(reason.sentence, []).append(name)
        for sentence, conditions in where.items():
            place = "" if len(conditions) == len(names) else f" to {', '.join(conditions)}"
            console.print(f"{law.name} does not apply{place}: {sentence}", markup=False)


def _holds(law: Law) -> str:
    return "exactly" if law.exact else "approximately"
