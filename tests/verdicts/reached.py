"""How often a planted error is refuted with the chains for which a plan announces a power."""

import math
from dataclasses import replace
from typing import Any, NamedTuple

from plants import Plant
from scipy.special import ndtri
from specimens import MANY, SPECIMENS

from mcjax.laws.prediction import Predictions
from mcjax.verdicts.cells import settle
from mcjax.verdicts.judge import claims_of
from mcjax.verdicts.plan import Need, plan
from mcjax.verdicts.quantities.registry import QUANTITIES


class Refutations(NamedTuple):
    """What was announced for the likeliest claim, and the share of runs in which it is refuted.

    ``announced`` is None if nothing is; ``by_any`` is the share in which any claim is refuted.
    """

    quantity: str
    chains: int
    announced: float | None
    rate: float
    by_any: float


def refutations(plant: Plant, power: float, runs: int) -> Refutations:
    """Judge runs of true chains by a wrong law, as many as the plan asks for to refute it."""
    specimen = SPECIMENS[plant.specimen]
    study = replace(specimen.study(plant.quantity), tolerance=plant.margin, confidence=0.95)
    true, wrong = (
        told(plant, law) for law in (specimen.true, plant.wrong(specimen.true, plant.size))
    )

    def planned(chains: int) -> tuple[Need | None, int]:
        found = plan(replace(study, chains=chains), wrong, power, true)
        able = [need for need in found.needs if need.refuting is not None]
        return min(able, key=lambda need: need.refuting or 0, default=None), found.claims

    need, claims = planned(MANY)
    level = (1 - study.confidence) / claims
    if need is None:
        chains = unannounced(study, wrong, specimen, power, level)
    else:
        assert need.refuting is not None
        chains = need.refuting
        need, _ = planned(chains)
    refuted = by_any = 0
    for run in range(1, runs + 1):
        made, _, _ = claims_of(replace(study, chains=chains), wrong, [specimen.chains(chains, run)])
        by_any += any(cell.verdict == "refuted" for cell in settle(made, study.confidence))
        claim = made[0] if need is None else _listed(need, made)[need.likeliest]
        refuted += claim.beyond < level
    return Refutations(
        claim.place.quantity,
        chains,
        None if need is None else need.chance,
        refuted / runs,
        by_any / runs,
    )


def told(plant: Plant, law: Any) -> list[Predictions]:
    """Return the predictions for a specimen of which one law says everything."""
    if QUANTITIES[plant.quantity].subject == "functionals":
        return [Predictions({}, {}, {"law": law})]
    return [Predictions({"law": law}, {})]


def _listed(need: Need, claims: list[Any]) -> list[Any]:
    """Return the claims that a plan lists as one, in its order."""
    named = [claim for claim in claims if claim.place.quantity == need.quantity]
    return named if len(named) == need.cells else claims


def unannounced(
    study: Any, wrong: list[Predictions], specimen: Any, power: float, level: float
) -> int:
    """Chains for the power where laws do not say how much chains vary: by the spread of a pilot."""
    claims, _, _ = claims_of(study, wrong, [specimen.chains(MANY)])
    claim = claims[0]
    away = abs(claim.observed.value / claim.predicted - 1) - study.tolerance
    spread = claim.observed.error / claim.predicted * math.sqrt(MANY)
    return math.ceil(((-ndtri(level / 2) + ndtri(power)) * spread / away) ** 2)
