"""Tell why the centres of estimates, or curvatures, differ from those at one truth."""

from __future__ import annotations

from typing import NamedTuple

from mcjax.study.study import Condition


class Departure(NamedTuple):
    """Why errors must be described around the population path.

    Attributes
    ----------
    problem : str
        The beginning of a sentence.
    remedy : str
        What would keep them at the truth, or an empty string.
    """

    problem: str
    remedy: str = ""


def departure(condition: Condition) -> Departure | None:
    """Return why errors must be described around the population path, or None."""
    if condition.model.penalty is not None:
        return Departure("fits are penalised, which draws them away from the truth")
    offsets = condition.sources.offsets
    for s, source in enumerate(condition.network.sources, 1):
        if source.theta is not None and offsets[s].any():
            return Departure(
                f"source {source.name!r} has a theta of its own, a distance that does not shrink as"
                " samples grow",
                "; give a shift instead",
            )
    for feed in (*condition.network.first, *condition.network.later.feeds):
        if feed.keep is not None:
            return Departure(
                f"model {feed.reader!r} keeps a selection of what {feed.origin!r} generates"
            )
    if condition.own_covariances is not None:
        return Departure("models generate rows with covariates of their own")
    return None
