"""How many chains a study needs, from its laws alone.

If errors are normal with a law's covariance C_i, then ``||e||^2`` of model i has mean tr(C_i) and
variance 2 tr(C_i^2), so the ratio of the simulated MSE to a true law's has the standard error
``sd / sqrt(n)`` with ``sd = sqrt(2 tr(C_i^2)) / tr(C_i)`` for n chains. The interval at
level a lies inside 1 +- tolerance, and the cell is verified, with probability 1 - b if

    (z_(a/2) + z_b) sd / sqrt(n) <= tolerance,

z_q being the normal quantile exceeded with probability q. With K cells and one budget, a is
(1 - confidence) / K, the first step of Holm's procedure, and b is (1 - power) / K, so that all
cells are verified together with the power asked for (Bonferroni; more chains than needed where
cells go together). A true ratio r is refuted with that power, in a cell by itself, from

    r = (1 + tolerance + allowance) / (1 - (z_(a/2) + z_(1 - power)) sd / sqrt(n))

on. Other quantities, for whitened errors: an entry of the covariance has sd 2 at most (the extreme
directions, of which half the chains tell); T^2 without bias is chi-squared with p degrees of
freedom; the distribution function is off as Dvoretzky, Kiefer & Wolfowitz say; a slope is as if its
two ends were independent, which takes more chains than needed; so is a growth share, which has the
distance to its boundary for a margin. Errors with heavier tails than
normal ones, as at few rows a fit, take more. Of functionals, a chance c has the spread
``c (1 - c)``; the laws of others tell means alone, so that no number of chains is told for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.special import chdtri, ndtri

from mcjax.laws.prediction import Prediction, Predictions
from mcjax.study.study import Study
from mcjax.verdicts.collapse import BOUNDARY, ROOM, growth_share, sides_of
from mcjax.verdicts.functional import chance_chains, chance_reach
from mcjax.verdicts.homogenisation import chain_spreads
from mcjax.verdicts.ladder import FEWEST, QUANTITY
from mcjax.verdicts.power import (
    Chance,
    chances,
    likeliest,
    relative_spread,
    share_spread,
    singular,
    true_law,
)


@dataclass(frozen=True)
class Need:
    """What one quantity of one law takes.

    Attributes
    ----------
    cells: how many claims. chains: that verify all of them, if the law is true, with the power;
        None where the law's own error is too large for that.
    refuted: a departure (of a ratio from 1, or of what has no ratio, from the law) that the study's
        own number of chains refutes in any one cell with the power; infinite if none.
    chance: that the study's own number of chains refutes it, if the study's own laws are true; of
        the cell where that is likeliest. None if nothing says what is true.
    likeliest: that cell's number among the quantity's.
    refuting: chains that refute it so with the power; None where no number does.
    """

    law: str
    quantity: str
    cells: int
    chains: int | None
    refuted: float
    chance: float | None = None
    likeliest: int = 0
    refuting: int | None = None


@dataclass(frozen=True)
class Plan:
    """needs: by law and quantity. claims: that share the error budget. chains: that serve all of
    them, None if no number does. power: asked for. untold: law and quantity of claims for which
    nothing tells how many chains they take."""

    needs: tuple[Need, ...]
    claims: int
    chains: int | None
    power: float
    untold: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Cells:
    """Cells alike. spread: sd of a chain (K,). theirs: relative error of the prediction (K,).
    allowed: beyond the margin (K,)."""

    law: str
    quantity: str
    spread: np.ndarray
    theirs: np.ndarray
    allowed: np.ndarray
    p: int


def plan(
    study: Study,
    predictions: Sequence[Predictions],
    power: float,
    own: Sequence[Predictions] | None = None,
) -> Plan:
    """Chains for all of a study's cells.

    Parameters
    ----------
    power: probability that all laws are verified, if they are true.
    own: what the study's own laws say, if others are judged: how likely are those to be refuted?
    """
    groups: dict[tuple[str, str], list[_Cells]] = {}
    odds: dict[tuple[str, str], list[Callable[[float], list[Chance]]]] = {}
    scales: dict[str | None, list[float]] = {}
    for condition in study.conditions:
        scales.setdefault(condition.ladder, []).append(condition.scale)
    total = 0
    truths = [None] * len(predictions) if own is None else own
    for condition, found, truth in zip(study.conditions, predictions, truths, strict=True):
        rungs = scales[condition.ladder] if condition.ladder is not None else []
        for law in found.laws.values():
            for quantity in study.quantities:
                if quantity == "functional":
                    continue
                cells, limit = _cells(law, quantity, study.tolerance), None
                total += len(cells.spread)
                if quantity == "mse" and law.asymptotic and len(set(rungs)) >= FEWEST:
                    if condition.scale != max(rungs):
                        continue  # one for the whole ladder
                    limit = _amplification(rungs)
                    total += len(cells.spread)
                    cells = replace(
                        cells,
                        quantity=QUANTITY,
                        spread=cells.spread * limit,
                        allowed=0 * cells.allowed,
                    )
                if not len(cells.spread):
                    continue
                key = law.law, cells.quantity
                groups.setdefault(key, []).append(cells)
                true = None if truth is None else true_law(truth, limit is not None)
                if true is not None:
                    odds.setdefault(key, []).append(
                        partial(chances, quantity, law, true, study.tolerance, limit=limit)
                    )
    functionals = _functionals(study, predictions)
    total += sum(told.size for told in functionals.values())
    level = (1 - study.confidence) / max(total, 1)
    needs = []
    for key, group in groups.items():
        need = _need(group, study, level, power, total)
        found_odds = [chance for of in odds.get(key, []) for chance in of(level)]
        if found_odds:
            which, chance, refuting = likeliest(found_odds, study.chains, power)
            need = replace(need, chance=chance, likeliest=which, refuting=refuting)
        needs.append(need)
    untold = []
    for (of, name, scale), told in functionals.items():
        if scale != "chance":
            untold.append((of, name))
            continue
        chances_needed = chance_chains(told, study.tolerance, level, (1 - power) / total)
        reach = chance_reach(told, study.tolerance, level, 1 - power, study.chains)
        needs.append(Need(of, name, told.size, math.ceil(chances_needed), reach))
    every = [math.inf if need.chains is None else need.chains for need in needs]
    chains = max(every, default=math.inf)
    return Plan(
        tuple(needs), total, int(chains) if math.isfinite(chains) else None, power, tuple(untold)
    )


def _functionals(
    study: Study, predictions: Sequence[Predictions]
) -> dict[tuple[str, str, str], np.ndarray]:
    """What laws tell of functionals, (K,), by law, quantity and scale; none if none is judged."""
    found: dict[tuple[str, str, str], np.ndarray] = {}
    if "functional" not in study.quantities:
        return found
    for condition, laws in zip(study.conditions, predictions, strict=True):
        for law in laws.functionals.values():
            for functional in condition.model.functionals:
                if functional.name in law.values:
                    key = law.law, f"functional:{functional.name}", functional.scale
                    before = found.get(key, np.zeros(0))
                    found[key] = np.append(before, law.values[functional.name])
    return found


def _amplification(rungs: Sequence[float]) -> float:
    """Standard error of a ladder's limit over that of a rung, if those of all rungs are equal."""
    design = np.vander(1 / np.array(rungs), 3, increasing=True)
    return float(np.linalg.norm(np.linalg.pinv(design)[0]))


@np.errstate(all="ignore")  # what has no number of chains is infinite
def _cells(law: Prediction, quantity: str, tolerance: float) -> _Cells:
    times, models = law.mse.shape
    p = law.covariance.shape[1] // models
    spread = relative_spread(law)
    theirs = law.standard_error / law.mse
    allowed = np.broadcast_to(law.allowance, law.mse.shape)
    last, half = times - 1, (times - 1) // 2
    # what whitens by a singular covariance is not judged
    whole = np.where(singular(law), np.inf, 1.0)
    if quantity == "growth":
        slope = np.abs(law.mse[last] - law.mse[half])
        own = np.hypot(*(spread[[last, half]] * law.mse[[last, half]])) / slope
        error = np.hypot(*law.standard_error[[last, half]]) / slope
        judged = ~np.isnan(law.growth) & (last > half)
        return _Cells(law.law, quantity, own[judged], error[judged], allowed[last][judged], p)
    if quantity == "collapse":
        sides = sides_of(law)
        room = sides * (growth_share(law.mse) - BOUNDARY)
        # in units of the distance to the boundary; none is enough without room
        scale = np.where(room > ROOM, tolerance / np.maximum(room, ROOM), np.inf)
        told = sides != 0
        own = (share_spread(law) * scale)[told]
        return _Cells(law.law, quantity, own, np.zeros(len(own)), allowed[last][told], p)
    if quantity == "covariance":
        kinds = 1 if models == 1 else 2
        return _Cells(
            law.law,
            quantity,
            2 * np.tile(whole[last], kinds),
            np.tile(theirs[last], kinds),
            np.tile(allowed[last], kinds),
            p,
        )
    if quantity == "normality":
        count = models if law.asymptotic else 0
        none = np.zeros(count)
        return _Cells(
            law.law, quantity, whole[last][:count], none, np.sqrt(allowed[last][:count]), p
        )
    if quantity == "homogenisation":
        own = chain_spreads(law)
        each = len(own) // models
        error, most = (np.repeat(part[last], each) for part in (theirs, allowed))
        return _Cells(law.law, quantity, own, error, most, p)
    if quantity == "efficiency" and law.pooled is None:
        none = np.zeros(0)
        return _Cells(law.law, quantity, none, none, none, p)
    if quantity == "bias":
        none = np.zeros(times * models)
        return _Cells(law.law, quantity, whole.ravel(), none, np.sqrt(allowed.ravel()), p)
    return _Cells(law.law, quantity, spread.ravel(), theirs.ravel(), allowed.ravel(), p)


def _need(group: Sequence[_Cells], study: Study, level: float, power: float, total: int) -> Need:
    law, quantity, p = group[0].law, group[0].quantity, max(own.p for own in group)
    spread, theirs, allowed = (
        np.concatenate([getattr(own, name) for own in group])
        for name in ("spread", "theirs", "allowed")
    )
    z, each = -float(ndtri(level / 2)), (1 - power) / total
    if quantity == "bias":
        sure, alone = (z + math.sqrt(float(chdtri(p, q))) for q in (each, 1 - power))
    elif quantity == "normality":
        sure, alone = (
            math.sqrt(math.log(2 * p / level) / 2) + math.sqrt(math.log(2 * p / q) / 2)
            for q in (each, 1 - power)
        )
    else:
        entries = p * (p + 1) / 2 + 2 if quantity == "covariance" else 1
        sure, alone = z - float(ndtri(each / entries)), z - float(ndtri(1 - power))
    with np.errstate(divide="ignore", invalid="ignore"):
        room = (study.tolerance / sure) ** 2 - theirs**2
        needed = float(np.max(np.where(room > 0, spread**2 / room, np.inf)))
        reach = alone * np.hypot(spread / math.sqrt(study.chains), theirs)
        edge = study.tolerance + allowed
        if quantity in ("mse", "growth", "efficiency", QUANTITY):
            departures = np.where(reach < 1, (1 + edge) / (1 - reach) - 1, np.inf)
        else:
            departures = edge + reach
        if quantity == "collapse":
            departures = np.full(1, np.inf)  # a law of the other kind is refuted, no departure
    return Need(
        law,
        quantity,
        len(spread),
        math.ceil(needed) if math.isfinite(needed) else None,
        float(departures.max()),
    )
