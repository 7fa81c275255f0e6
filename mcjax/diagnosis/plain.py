"""Verdicts as plain data, in which a number that is not finite is None."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from mcjax.diagnosis.worth import Worth
from mcjax.laws.collapse.components import Member, Vertex

if TYPE_CHECKING:
    from mcjax.diagnosis.verdict import ModelVerdict


def worth_json(worth: Worth, models: Collection[str]) -> dict[str, Any]:
    """Return what one sample more is worth, to some models."""
    edge = worth.harmful and {"from": worth.harmful[0], "to": worth.harmful[1]}
    return {
        "real": {name: finite(value) for name, value in worth.real.items() if name in models},
        "harmful": edge and {**edge, "harm": worth.harm},
    }


def with_cases(
    name: str, verdict: ModelVerdict, cases: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return the verdict on a model, with that of each case where it depends on them."""
    found = verdict_json(verdict) | {"certain": verdict.certain}
    if verdict.deciding is not None:
        found["deciding"] = verdict.deciding._asdict()
    if verdict.certain:
        return found
    return found | {case: models[name] for case, models in cases.items()}


def verdict_json(verdict: ModelVerdict) -> dict[str, Any]:
    """Return the verdict on a model as plain data."""
    return {
        "collapses": verdict.collapses,
        "noise": verdict.noise,
        "forgets": verdict.forgets,
        "explodes": verdict.explodes,
        "radius": finite(verdict.radius),
        "growth": finite(verdict.growth),
        "limit": finite(verdict.limit),
        "sources": [members_json(members) for members in verdict.sources],
        "anchors": [anchor._asdict() for anchor in verdict.anchors],
        "explosions": [list(members) for members in verdict.explosions],
        "path": members_json(verdict.path),
        "frozen": verdict.frozen,
        "relative": dict(
            zip(("1", "5", "20", "limit"), map(finite, verdict.relative), strict=True)
        ),
        "doubles": verdict.doubles,
        "tenfold": verdict.tenfold,
        **_phases(verdict),
    }


def members_json(members: tuple[Member, ...]) -> list[Any]:
    """Return names as they are, and models in their phases as pairs."""
    return [[m.model, m.phase] if isinstance(m, Vertex) else m for m in members]


def _phases(verdict: ModelVerdict) -> dict[str, Any]:
    """Return the verdicts on the phases, if there are any."""
    rows = [
        {
            "phase": one.phase,
            "collapses": one.collapses,
            "growth": finite(one.growth),
            "limit": finite(one.limit),
        }
        for one in verdict.phases
    ]
    return {"phases": rows} if rows else {}


def finite(number: float | None) -> float | None:
    """Return a number, None in place of one that is not finite."""
    return number if number is not None and math.isfinite(number) else None
