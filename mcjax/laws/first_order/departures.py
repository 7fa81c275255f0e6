"""What takes the centres of estimates, or curvatures, away from those at one truth."""

from __future__ import annotations

from mcjax.study.study import Condition


def departure(condition: Condition) -> str:
    """Return why errors must be described around the population path, or an empty string.

    The answer is the beginning of a sentence.
    """
    if condition.model.penalty is not None:
        return "fits are penalised, which draws them away from the truth"
    offsets = condition.sources.offsets
    for s, source in enumerate(condition.network.sources, 1):
        if source.theta is not None and offsets[s].any():
            return (
                f"source {source.name!r} has a theta of its own, a distance that does not shrink as"
                " samples grow"
            )
    return ""
