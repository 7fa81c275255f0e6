"""Print a diagnosis for a person to read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import click

from mcjax.diagnosis import Anchor, Diagnosis, ModelVerdict
from mcjax.diagnosis.cures import Edge
from mcjax.diagnosis.explosion import FiniteSample
from mcjax.diagnosis.rates import MOST_MODELS
from mcjax.laws.collapse.components import Member
from mcjax.laws.least_squares.explosion import ROUNDING
from mcjax.numbers import how_many
from mcjax.report.unknown import in_each_case, show_what_depends
from mcjax.summaries import few
from mcjax.text import number, shown

MOST_LISTED = 12
"""Largest number of names, or of feeds, that are listed."""


class Told(NamedTuple):
    """Description of a model's fate, in words.

    Attributes
    ----------
    name, fate : str
        Its name, and whether it collapses.
    rate, unit : str
        How fast, or where it settles.
    size : str
        When the error doubles, or how many times the first one it is in the limit.
    reasons : str
        In which ways the model fails.
    """

    name: str
    fate: str
    rate: str
    unit: str
    size: str
    reasons: str


def told_of_models(diagnosis: Diagnosis) -> Iterator[Told]:
    """Yield what is told of each model of a diagnosis."""
    drifting = {explosion.members for explosion in diagnosis.explosions if explosion.drifts}
    for name, verdict in diagnosis.models.items():
        drifts = drifting.issuperset(verdict.explosions)
        reasons = "; ".join((*_failures(verdict, drifts), *in_each_case(diagnosis, name)))
        yield Told(shown(name), *_fate(verdict, drifts), _size(verdict), reasons)


def show_diagnosis(diagnosis: Diagnosis) -> None:
    """Print verdict, where failures begin, every model's fate, cures and dangers."""
    total, doomed, unknown, lost, _ = diagnosis.counts
    exact = diagnosis.finite_sample
    exploding = isinstance(exact, FiniteSample) and any(exact.explodes.values())
    first_order = " to first order" if exploding else ""  # the exact law says otherwise
    if doomed:
        verb = "collapses" if doomed == 1 else "collapse"
        click.secho(f"{doomed:,} of {how_many(total, 'model')} {verb}.", bold=True)
    elif diagnosis.collapses is False:
        click.secho(f"No model of {total:,} collapses{first_order}.", bold=True)
    show_what_depends(diagnosis)
    if unknown:
        verb = "collapses" if unknown == 1 else "collapse"
        which = f"{unknown:,} of {how_many(total, 'model')} {verb}"
        click.secho(f"Whether {which} is not known: {shown(diagnosis.inapplicable)}.", bold=True)
    if lost:
        verb = "forgets" if lost == 1 else "forget"
        click.secho(f"{lost:,} of {how_many(total, 'model')} {verb} the truth.", bold=True)
    _show_beginnings(diagnosis)
    click.echo()
    if len(diagnosis.models) < total:
        click.echo(f"Shown are {len(diagnosis.models):,} of {how_many(total, 'model')}:")
    width = max(len(shown(name)) for name in diagnosis.models)
    lines = list(told_of_models(diagnosis))
    column = max(len(line.size) for line in lines)
    for line, verdict in zip(lines, diagnosis.models.values(), strict=True):
        size = f"  {line.size:{column}}" if column else ""
        click.echo(f"  {line.name:{width}}  {_padded(line)}{size}  {line.reasons}".rstrip())
        if len({phase.collapses for phase in verdict.phases}) > 1:
            _show_phases(verdict, width, "network" if diagnosis.drawn else "phase")
    if diagnosis.groups:
        sizes = (f"{shown(name)} of {len(group):,}" for name, group in diagnosis.groups.items())
        click.echo(f"  (groups of models: {few(sizes, len(diagnosis.groups))})")
    click.echo("  (variance of an estimate, in units of the inverse information of one sample)")
    static = diagnosis.models.values() if not _changes(diagnosis) else ()
    if any(math.isnan(verdict.growth or verdict.limit or 0.0) for verdict in static):
        reason = "`mcjax predict` computes it for a study"
        if total > MOST_MODELS:
            reason = f"more than {MOST_MODELS:,} models feed such a model, too slowly to tell"
        click.echo(f"  (- is not known here; {reason})")
    if not diagnosis.rates:
        click.echo("  (rates are computed for the models that --only and --worst ask for)")
    if diagnosis.drawn:
        click.echo("  (means over sequences of networks)")
    if diagnosis.in_any_order:
        click.echo(f"  (nothing collapses{first_order} in whatever order these networks come)")
    if diagnosis.note:
        click.echo(f"  ({shown(diagnosis.note)})")
    if diagnosis.inapplicable:
        why = ", for the same reason" if unknown else f": {shown(diagnosis.inapplicable)}"
        click.echo(f"  (whether errors explode is not known{why})")
    _show_worth(diagnosis)
    stable = total > sum((doomed, unknown, diagnosis.counts.depends))
    no_flips = diagnosis.flips_sought and stable and not diagnosis.flips
    if diagnosis.repairs or diagnosis.flips or diagnosis.dangers or no_flips:
        click.echo()
    if diagnosis.repairs:
        others = diagnosis.explosions or unknown
        title = "Smallest cure of accumulating noise" if others else "Smallest cure"
        click.echo(f"{title}, {how_many(len(diagnosis.repairs), 'new feed')}:")
        _edges(diagnosis.repairs)
    if diagnosis.flips or diagnosis.dangers:
        _show_flips(diagnosis)
    elif no_flips:
        click.echo("No single new feed would make a stable model collapse.")
    if exact is not None:
        click.echo()
        if not diagnosis.certain:
            click.echo("If unknown data are real:")
        _show_finite_sample(exact)


def _show_phases(verdict: ModelVerdict, width: int, name: str) -> None:
    """Print the phases, so named, of a model that collapses in some of them only."""
    for phase in verdict.phases[:MOST_LISTED]:
        fate = "not known"
        if phase.collapses is not None:
            rate, unit = (
                (phase.growth, "per generation")
                if phase.collapses
                else (phase.limit, "in the limit")
            )
            word = "collapses" if phase.collapses else "stable"
            fate = f"{word:9}  {number(rate, 5):>11} {unit}"
        click.echo(f"  {'':{width}}    in {name} {phase.phase}: {fate}")
    if len(verdict.phases) > MOST_LISTED:
        click.echo(f"  {'':{width}}    ... (--json lists all {len(verdict.phases)} {name}s)")


def _show_worth(diagnosis: Diagnosis) -> None:
    """Print where one sample more is worth most, and where it does most harm."""
    worth = diagnosis.worth
    if worth is None or not all(map(math.isfinite, worth.real.values())):
        return
    most = max(worth.real, key=lambda name: worth.real[name])
    click.echo()
    click.echo(
        "One real row more a generation lowers the mean error of stable models most at"
        f" {shown(most)}, by {number(100 * worth.real[most], 3)}%."
    )
    if worth.harmful is not None:
        origin, reader = map(_name, worth.harmful)
        share = number(100 * worth.harm, 3)
        click.echo(f"One row more of {origin} -> {reader} raises it most, by {share}%.")


def _show_beginnings(diagnosis: Diagnosis) -> None:
    """Print the components where noise accumulates, and those that explode."""
    origins = list(enumerate(diagnosis.unstable_sources))
    if diagnosis.nearest:
        origins.sort(key=lambda pair: -diagnosis.nearest[pair[0]])
    for k, origin in origins[:MOST_LISTED]:
        period = f", period {origin.period}" if origin.period > 1 else ""
        reason = "no real data reach it"
        if origin.blind:
            sources = _some(origin.blind)
            reason = f"its real data, from {sources}, leave a direction of the parameters unseen"
        if diagnosis.nearest:
            reason += f"; the nearest to {how_many(diagnosis.nearest[k], 'model')}"
        click.echo(f"Collapse origin: {_some(origin.members)}{period} ({reason})")
    if len(origins) > MOST_LISTED:
        click.echo(f"... and {how_many(len(origins) - MOST_LISTED, 'more collapse origin')}")
    for explosion in diagnosis.explosions:
        reason = "its centre runs away"
        if not explosion.drifts:
            times = number(explosion.radius, 6)
            reason = f"errors are multiplied by {times} per generation, the spectral radius"
        click.echo(f"Explosion: {_some(explosion.members)} ({reason})")


def _fate(verdict: ModelVerdict, drifts: bool) -> tuple[str, str, str]:
    """Return whether a model collapses, and how fast or where it settles, with the unit."""
    if verdict.explodes:
        rate = ("", "ever farther away") if drifts else ("by a factor", "per generation")
        return "collapses", *rate
    if verdict.noise is None:
        return "not known" if verdict.certain else "depends on unknown data", "", ""
    if not verdict.noise:
        return "stable", number(verdict.limit, 5), "in the limit"
    if verdict.growth == 0:  # sample counts grow, but not fast enough
        return "collapses", "", "ever more slowly"
    return "collapses", number(verdict.growth, 5), "per generation"


def _padded(told: Told) -> str:
    """Return the fate of a model in columns."""
    if not told.unit:
        return f"{told.fate:35}"
    rate = f"{told.rate:>11} {told.unit}" if told.rate else f"{told.unit:>26}"
    return f"{told.fate:9}  {rate}"


def _size(verdict: ModelVerdict) -> str:
    """Return when the error doubles, or how many times the first one it is in the limit.

    Nothing is said of an error that is never larger than the first one, or not known.
    """
    if verdict.doubles is not None and verdict.collapses:
        return f"doubles after {verdict.doubles:,}"
    last = verdict.relative[-1]
    return f"{number(last, 3)} times the first" if 1 < last < math.inf else ""


def _failures(verdict: ModelVerdict, drifts: bool) -> list[str]:
    """Return in which ways a model fails, each with its witness."""
    reasons = ["frozen"] if verdict.frozen else []
    via = f"via {_path(verdict.path)}"
    alone = len(verdict.path) == 1
    if verdict.noise:
        where = "in a collapse origin" if alone and not verdict.explodes else via
        if verdict.explodes:
            where = f"from {_components(verdict.sources)}"
        reasons.append(f"noise accumulates {where}")
    if verdict.explodes:
        begins = _components(verdict.explosions)
        inside = any(verdict.path[-1] in members for members in verdict.explosions)
        follows = "" if inside else f" after that of {begins}"
        reasons.append(
            f"the centre runs away{follows}" if drifts else f"errors explode from {begins}"
        )
    if verdict.forgets:
        anchors = ", ".join(map(_anchor, verdict.anchors))
        reasons.append(f"truth forgotten, held by {anchors}")
    return reasons


def _path(path: tuple[Member, ...]) -> str:
    """Return a path, without the middle of a long one."""
    names = list(map(_name, path))
    if len(names) > MOST_LISTED:
        names[3:-3] = [f"({len(names) - 6:,} more)"]
    return " -> ".join(names)


def _changes(diagnosis: Diagnosis) -> bool:
    """Return whether feeds come and go for ever."""
    return diagnosis.drawn or any(verdict.phases for verdict in diagnosis.models.values())


def _components(components: tuple[tuple[Member, ...], ...]) -> str:
    return "; ".join(map(_some, components))


def _anchor(anchor: Anchor) -> str:
    if anchor.kind == "penalty":
        return "the penalty"
    if anchor.kind in ("base", "decay"):
        return {"base": "the base", "decay": "weight decay"}[anchor.kind]
    if anchor.kind != "source":
        return f"the {anchor.kind} on {shown(anchor.name)}"
    weight = "" if anchor.weight is None else f" (weight {number(anchor.weight, 3)})"
    return f"{shown(anchor.name)}{weight}"


def _show_finite_sample(exact: FiniteSample | str) -> None:
    if isinstance(exact, str):
        click.echo(f"The exact law at these sample counts does not apply: {shown(exact)}.")
        return
    doomed = [name for name, explodes in exact.explodes.items() if explodes]
    subject = f"Exact law for linear regressions with {how_many(exact.parameters, 'parameter')}"
    if doomed:
        verb = "explodes" if len(doomed) == 1 else "explode"
        click.secho(f"{subject}, at these sample counts: {_some(tuple(doomed))} {verb}.", bold=True)
    else:
        highest = number(max(exact.radius.values()), 5)
        click.echo(
            f"{subject}, at these sample counts: nothing explodes (largest radius {highest})."
        )
    _show_exponents(exact)
    if not exact.cures:  # which tell the factors
        _show_factors(exact)
    for cure in exact.cures:
        click.echo(f"  {_some(cure.members)}: {_growth(cure.radius)}")
        if cure.real:
            to, count = cure.real
            samples = how_many(count, "real sample")
            click.echo(f"    settles with {samples} per generation to {shown(to)}")
        else:
            click.echo("    no single real feed suffices")
        if cure.factor is not None:
            click.echo(f"    settles with {cure.factor:g} times as many samples everywhere")


def _show_exponents(exact: FiniteSample) -> None:
    """Print, where networks are drawn, which models explode in the mean over chains alone."""
    shrinks = _shrinking(exact)
    if shrinks:
        highest = max(exact.radius[name] for name in shrinks)
        click.echo(
            f"  {_some(shrinks)}: the mean over chains is multiplied by"
            f" {number(highest, 5)} per generation, and yet errors of nearly all chains shrink;"
            " a mean of simulated chains says nothing here"
        )


def _shrinking(exact: FiniteSample) -> tuple[str, ...]:
    """Return the models of which errors shrink on nearly all sequences of networks."""
    return tuple(n for n, (rate, error) in exact.exponents.items() if rate + 3 * error < 0)


def _show_factors(exact: FiniteSample) -> None:
    """Print the factors of models that explode in themselves, where no cures are looked for."""
    factors: dict[float, list[str]] = {}
    shrinks = _shrinking(exact)
    for name, radius in exact.radius.items():
        if exact.explodes[name] and radius > 1 + ROUNDING and name not in shrinks:
            factors.setdefault(radius, []).append(name)
    for radius, names in factors.items():
        click.echo(f"  {_some(tuple(names))}: {_growth(radius)}")


def _show_flips(diagnosis: Diagnosis) -> None:
    """Print the new feeds that make stable models collapse, the most harmful first."""
    flips, told = diagnosis.flips, diagnosis.dangers
    title = "New feeds that would make stable models collapse, the most harmful of them:"
    if flips:
        title = f"Any one of {how_many(len(flips), 'new feed')} would make a stable model collapse:"
    click.echo(title)
    feeds = [f"{shown(d.origin)} -> {shown(d.reader)}" for d in told]
    width = max(map(len, feeds), default=0)
    for feed, danger in zip(feeds, told, strict=True):
        harm = f"{how_many(danger.harmed, 'model')} would collapse"
        if danger.doubles is not None:
            harm += f"; its error doubles after {danger.doubles:,}"
        click.echo(f"  {feed:{width}}  {harm}")
    if len(flips) > len(told):
        click.echo(f"  ... and {len(flips) - len(told):,} more (--json lists them all)")
    click.echo("  (a new feed of as many rows as its reader reads; the most harmful first)")


def _growth(radius: float) -> str:
    if not math.isfinite(radius):
        return "a fit has so few rows that its mean squared error is infinite"
    if radius > 1 + ROUNDING:
        return f"the mean squared error is multiplied by {number(radius, 5)} per generation"
    return "the mean squared error grows by a constant per generation"


def _edges(edges: tuple[Edge, ...]) -> None:
    for origin, reader in edges[:MOST_LISTED]:
        click.echo(f"  {shown(origin)} -> {_name(reader)}")
    if len(edges) > MOST_LISTED:
        click.echo(f"  ... and {len(edges) - MOST_LISTED:,} more (--json lists them all)")


def _some(names: tuple[Member, ...]) -> str:
    more = f" and {len(names) - MOST_LISTED:,} more" if len(names) > MOST_LISTED else ""
    return ", ".join(map(_name, names[:MOST_LISTED])) + more


def _name(member: Member) -> str:
    return shown(str(member))
