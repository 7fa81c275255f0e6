"""What takes the centres of estimates, or curvatures, away from those at one truth."""

from __future__ import annotations

from mcjax.study.study import Condition


def departure(condition: Condition) -> str:
    """Return why errors must be described around the population path, or an empty string.

    The answer is the beginning of a sentence.
    """
    offsets = condition.sources.offsets
    for s, source in enumerate(condition.network.sources, 1):
        if source.theta is not None and offsets[s].any():
            return (
                f"source {source.name!r} has a theta of its own, a distance that does not shrink as"
                " samples grow"
            )
    for feed in (*condition.network.first, *condition.network.later.feeds):
        if feed.keep is not None:
            return f"model {feed.reader!r} keeps a selection of what {feed.origin!r} generates"
    return ""
