"""Print an allocation of real rows for a person to read."""

from __future__ import annotations

import math

import click
import numpy as np

from mcjax.design.allocation import Allocation, Objective, Share
from mcjax.design.exact import ExactErrors
from mcjax.design.offers import Offer
from mcjax.design.weighting import Weighted
from mcjax.diagnosis.cures import Edge
from mcjax.numbers import how_many
from mcjax.text import number, shown

MOST_LISTED = 12
"""Largest number of feeds that are listed."""
MOST_MODELS = 100
"""Largest number of models that are listed."""
HEADINGS = ("model", "now", "best", "whole", "error now", "best", "whole", "value")
UNITS = (
    "  (error: variance in the long run, in units of the inverse information of one sample)\n"
    "  (value: what a unit of cost more, spent here, takes off {what})"
)


def show_allocation(allocation: Allocation) -> None:
    """Print the best real rows, what they bring, how sure that is, and what stays at risk."""
    objective = allocation.objective
    aim = objective.aim
    now = aim.now(_value(objective.before))
    title = f"Smallest {aim.what} {allocation.given}: {_value(objective.after)}"
    click.secho(f"{title}; {now}.", bold=True)
    click.echo(f"{_certificate(allocation, objective)}.")
    if allocation.share:
        least = f"at least {allocation.share:.0%} of what the best could"
        click.echo(f"Beyond a smallest cure, the feeds take off {least}.")
    click.echo()
    rows: list[tuple[str, ...]] = [HEADINGS]
    for name, share in _listed(allocation.shares):
        real = (f"{share.before:,}", f"{share.after:,.3f}", f"{share.rows:,}")
        rows.append((shown(name), *real, *map(_error, share.errors), number(share.value)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        cells = (text.rjust(width) for text, width in zip(numbers, widths[1:], strict=True))
        click.echo("  ".join(("", name.ljust(widths[0]), *cells)))
    if len(allocation.shares) > MOST_MODELS:
        more = len(allocation.shares) - MOST_MODELS
        click.echo(f"  ... and {more:,} more, of fewer rows (--json lists them all)")
    click.echo(UNITS.format(what=aim.elsewhere))
    click.echo()
    click.echo(f"In whole rows: {aim.what} {_value(objective.rows)}.")
    if allocation.exact is not None:
        _show_exact(allocation.exact)
    if allocation.weighted is not None:
        _show_weights(aim.what, allocation.weighted)
    _show_risk(allocation)


def _show_exact(exact: ExactErrors) -> None:
    """Print the errors of linear regressions by the exact law."""
    means = (_value(float(np.mean(errors))) for errors in (exact.rows, exact.before))
    rows, before = means
    click.echo(
        f"By the exact law for {how_many(exact.parameters, 'parameter')}: mean error {rows};"
        f" now {before}."
    )


def _listed(shares: dict[str, Share]) -> list[tuple[str, Share]]:
    """Return the rows of the table; of very many, those with most real rows."""
    if len(shares) <= MOST_MODELS:
        return list(shares.items())
    return sorted(shares.items(), key=lambda item: -item[1].after)[:MOST_MODELS]


def _show_weights(what: str, weighted: Weighted) -> None:
    """Print the best weights, with what they bring and how sure that is."""
    gain = 1 - weighted.after / weighted.pooled
    click.echo()
    click.echo(f"With the best weights of rows: {what} {_value(weighted.after)}, {gain:.1%} less.")
    click.echo(f"No weights do better than {_value(weighted.bound)}.")
    rows = [("from", "to", "weight", "share")]
    for feed in weighted.feeds[:MOST_LISTED]:
        weight = "cut" if feed.weight == 0 else number(feed.weight)
        rows.append((shown(feed.origin), shown(feed.reader), weight, f"{feed.share:.1%}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for origin, reader, weight, share in rows:
        names = f"  {origin:{widths[0]}}  {reader:{widths[1]}}"
        click.echo(f"{names}  {weight:>{widths[2]}}  {share:>{widths[3]}}")
    if len(weighted.feeds) > MOST_LISTED:
        click.echo(f"  ... and {len(weighted.feeds) - MOST_LISTED} more (--json lists them all)")
    click.echo("  (weight: of a row, 1 for real ones; share: of what the model learns)")
    click.echo()


def _certificate(allocation: Allocation, objective: Objective) -> str:
    """Return how far from the optimum the allocation may be."""
    gap = allocation.gap
    if allocation.doubt and objective.bound is not None:
        bound = f"No allocation does better than about {_value(objective.bound)}"
        return f"{bound}: {allocation.doubt}"
    if allocation.doubt:
        return f"This is a local optimum, and nothing is known of others: {allocation.doubt}"
    if gap is not None and gap < 5e-7:
        return "No allocation does better, to six digits"
    assert objective.bound is not None, "there is no doubt"
    share = "" if gap is None or math.isinf(gap) else f", {gap:.2g} of it less"
    return f"No allocation does better than {_value(objective.bound)}{share}"


def _show_risk(allocation: Allocation) -> None:
    """Print what would make a model collapse after all."""
    if allocation.cures:
        click.echo(f"Cheapest cure of the network as it is: {_offers(allocation.cures)}.")
    if allocation.robust is not None:
        holds = f"Nothing collapses {allocation.robust.told}"
        by = f", by these feeds: {_offers(allocation.bought)}" if allocation.bought else ""
        click.echo(f"{holds}{by}.")
    lost, added, explodes, _ = allocation.risk
    if lost is None:
        click.echo("Whether the loss of a feed would matter is not asked where there are so many.")
    elif lost:
        click.echo(f"Collapse follows if {_any_one(lost)} is lost:")
        _list(lost)
    else:
        click.echo("No loss of a single feed brings collapse.")
    if added is None:
        click.echo("Whether a new feed would matter is not asked where there are so many models.")
    elif added:
        click.echo(f"Collapse follows if {_any_one(added)} is added:")
        _list(added)
    else:
        click.echo("No single new feed between models brings collapse.")
    if explodes:
        names = ", ".join(map(shown, explodes))
        click.echo(f"Fits have so few rows that errors explode by the exact law: {names}.")


def _offers(offers: tuple[Offer, ...]) -> str:
    listed = (f"{_edge(one.edge)} (cost {number(one.price)})" for one in offers[:MOST_LISTED])
    more = len(offers) - MOST_LISTED
    return ", ".join(listed) + (f" and {more} more" if more > 0 else "")


def _any_one(edges: tuple[Edge, ...]) -> str:
    return "this feed" if len(edges) == 1 else f"any one of these {len(edges):,} feeds"


def _list(edges: tuple[Edge, ...]) -> None:
    for edge in edges[:MOST_LISTED]:
        click.echo(f"  {_edge(edge)}")
    if len(edges) > MOST_LISTED:
        click.echo(f"  ... and {len(edges) - MOST_LISTED} more (--json lists them all)")


def _edge(edge: Edge) -> str:
    return f"{shown(edge[0])} -> {shown(str(edge[1]))}"


def _error(value: float) -> str:
    return "grows" if math.isinf(value) else number(value, 5)


def _value(value: float) -> str:
    if math.isnan(value):
        return "not known"
    return "without bound" if math.isinf(value) else number(value, 6)
