"""Say which verdicts rest on data of unknown origin, and on how little of them."""

from __future__ import annotations

import click

from mcjax.diagnosis import Diagnosis, ModelVerdict
from mcjax.diagnosis.verdict import Deciding
from mcjax.numbers import how_many
from mcjax.text import number, shown


def show_what_depends(diagnosis: Diagnosis) -> None:
    """Print of how many models the verdict rests on unknown data, and the smallest feed of these.

    Nothing is printed where all verdicts are certain. The feed is of the models that are shown.
    """
    if diagnosis.certain:
        return
    depends = (v for v in diagnosis.models.values() if not v.certain)
    counts = diagnosis.counts
    verb = "collapses" if counts.depends == 1 else "collapse"
    which = f"{counts.depends:,} of {how_many(counts.models, 'model')} {verb}"
    click.secho(f"Whether {which} depends on unknown data.", bold=True)
    deciding = [v.deciding for v in depends if v.deciding is not None]
    if deciding:
        least = min(deciding, key=lambda one: one.share)
        click.echo(f"As little as {_part(least)} is enough, if it is of a closed synthetic loop.")


def in_each_case(diagnosis: Diagnosis, name: str) -> list[str]:
    """Return what becomes of a model in the worst and the best case; nothing if that is certain."""
    verdict = diagnosis.models[name]
    if verdict.certain or diagnosis.worst_case is None or diagnosis.best_case is None:
        return []
    worst, best = (_fate(d.models[name]) for d in (diagnosis.worst_case, diagnosis.best_case))
    enough = [] if verdict.deciding is None else [f"{_part(verdict.deciding)} is enough"]
    return [f"at worst {worst}", f"at best {best}", *enough]


def _fate(verdict: ModelVerdict) -> str:
    return " ".join(word for word in verdict.fate if word)


def _part(deciding: Deciding) -> str:
    return f"{number(100 * deciding.share, 3)}% of the rows of {shown(deciding.reader)}"
