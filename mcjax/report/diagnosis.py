"""A diagnosis for a person."""

from __future__ import annotations

import math

import click

from mcjax.diagnosis import Diagnosis
from mcjax.diagnosis.explosion import Explosive, FiniteSample
from mcjax.laws.least_squares.explosion import ROUNDING
from mcjax.report.text import number, shown

SHOWN = 12


def show_diagnosis(diagnosis: Diagnosis) -> None:
    """Verdict, sources, every model's fate, cures and dangers, on standard output."""
    doomed = [name for name, verdict in diagnosis.models.items() if verdict.collapses]
    total = len(diagnosis.models)
    if not doomed:
        click.secho(f"No model of {total} collapses.", bold=True)
    else:
        click.secho(f"{len(doomed)} of {total} models collapse.", bold=True)
    for source in diagnosis.unstable_sources:
        period = f", period {source.period}" if source.period > 1 else ""
        click.echo(f"Unstable source: {_some(source.members)}{period} (no real data reach it)")
    click.echo()
    width = max(len(shown(name)) for name in diagnosis.models)
    for name, verdict in diagnosis.models.items():
        if verdict.collapses:
            path = " -> ".join(map(shown, verdict.path))
            reason = "in an unstable source" if len(verdict.path) == 1 else f"by {path}"
            speed = f"{number(verdict.growth, 5):>11} a generation"
            if verdict.growth == 0:  # sample counts grow, but not fast enough
                speed = f"{'ever slower':>24}"
            text = f"collapses  {speed}  {reason}"
        else:
            frozen = "  frozen" if verdict.frozen else ""
            text = f"stable     {number(verdict.limit, 5):>11} in the limit{frozen}"
        click.echo(f"  {shown(name):{width}}  {text}")
    click.echo("  (variance of an estimate, in units of the inverse information of one sample)")
    click.echo()
    if diagnosis.repairs:
        click.echo(f"Smallest cure, {_count(diagnosis.repairs, 'new feed')}:")
        _edges(diagnosis.repairs)
    if diagnosis.flips:
        click.echo(
            f"Any one of {_count(diagnosis.flips, 'new feed')} would make a stable model collapse:"
        )
        _edges(diagnosis.flips)
    elif len(doomed) < total:
        click.echo("No single new feed would make a stable model collapse.")
    if diagnosis.finite_sample is not None:
        click.echo()
        _show_finite_sample(diagnosis.finite_sample)


def _show_finite_sample(found: FiniteSample | str) -> None:
    if isinstance(found, str):
        click.echo(f"The exact law at these sample counts does not apply: {shown(found)}.")
        return
    doomed = [name for name, explodes in found.explodes.items() if explodes]
    what = f"as linear regressions with {found.parameters} parameters, at these sample counts"
    if doomed:
        verb = "explodes" if len(doomed) == 1 else "explode"
        click.secho(f"Exactly, {what}: {_some(tuple(doomed))} {verb}.", bold=True)
    else:
        highest = max(found.radius.values())
        click.echo(f"Exactly, {what}: nothing explodes (largest radius {number(highest, 5)}).")
    for cure in found.cures:
        click.echo(f"  {_some(cure.members)}: {_factor(cure)} a generation")
        if cure.real:
            samples = "real sample" if cure.real[1] == 1 else "real samples"
            click.echo(
                f"    settles with {cure.real[1]} {samples} a generation to {shown(cure.real[0])}"
            )
        else:
            click.echo("    no single real feed is enough")
        if cure.factor is not None:
            click.echo(f"    settles with {cure.factor:g} times as many samples everywhere")


def _factor(cure: Explosive) -> str:
    if not math.isfinite(cure.radius):
        return "so few rows in a fit that its mean squared error is infinite from the first"
    if cure.radius > 1 + ROUNDING:
        return f"mean squared error times {number(cure.radius, 5)}"
    return "mean squared error up by a constant"


def _edges(edges: tuple[tuple[str, str], ...]) -> None:
    for origin, reader in edges[:SHOWN]:
        click.echo(f"  {shown(origin)} -> {shown(reader)}")
    if len(edges) > SHOWN:
        click.echo(f"  ... and {len(edges) - SHOWN} more (--json lists them all)")


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(shown, names[:SHOWN])) + more


def _count(edges: tuple[tuple[str, str], ...], noun: str) -> str:
    return f"{len(edges)} {noun}{'' if len(edges) == 1 else 's'}"
