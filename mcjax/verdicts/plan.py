"""How many chains a study needs, from its laws alone.

A claim about a mean over n chains, each with the standard deviation sd, is verified with the
probability 1 - b if

    (z_(a/2) + z_b) sd / sqrt(n) <= tolerance,

z_q being the normal quantile exceeded with probability q and a the claim's level. With K cells and
one budget, a is (1 - confidence) / K, the first step of Holm's procedure, and b is (1 - power) / K,
so that all cells are verified together with the power asked for (Bonferroni; more chains than
needed where cells go together). A true ratio r is refuted with that power, in a cell by itself,
from

    r = (1 + tolerance + allowance) / (1 - (z_(a/2) + z_(1 - power)) sd / sqrt(n))

on. What sd is, and what takes the place of z, each quantity says for itself (``planned``), taking
errors as normal; those with heavier tails, as at few rows a fit, take more chains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from mcjax.laws.prediction import Predictions
from mcjax.study.study import Study
from mcjax.verdicts.ladder import FEWEST_RUNGS, limit_of
from mcjax.verdicts.planning import PlannedCells, RatioCells, UnplannedCells, join
from mcjax.verdicts.power import Chance, likeliest, true_law
from mcjax.verdicts.quantities.registry import questions


@dataclass(frozen=True)
class Need:
    """What one quantity of one law takes.

    Attributes
    ----------
    law, quantity : str
        Of which law and which quantity.
    cells : int
        How many claims.
    chains : int or None
        Chains that verify all of them with the power, if the law is true; None where the law's own
        error is too large for that.
    refuted : float
        Departure (of a ratio from 1 or, of what has no ratio, from the law) that the study's own
        number of chains refutes in any one cell with the power; infinite if none.
    chance : float or None
        Chance that the study's own number of chains refutes it, if the study's own laws are true,
        in the cell where that is likeliest. None if nothing says what is true.
    likeliest : int
        That cell's number among the quantity's.
    refuting : int or None
        Chains that refute it so with the power; None where no number does.
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
    """What a study takes.

    Attributes
    ----------
    needs : tuple of Need
        By law and quantity.
    claims : int
        How many share the error budget.
    chains : int or None
        Chains that serve all needs; None if no number does.
    power : float
        As asked for.
    untold : tuple of (str, str)
        Law and quantity of claims for which nothing tells how many chains they take.
    """

    needs: tuple[Need, ...]
    claims: int
    chains: int | None
    power: float
    untold: tuple[tuple[str, str], ...] = ()


@dataclass
class _Group:
    """The cells of one quantity of one law in all conditions, and their chances by level."""

    cells: list[PlannedCells] = field(default_factory=list)
    chances: list[Callable[[float], list[Chance]]] = field(default_factory=list)


def plan(
    study: Study,
    predictions: Sequence[Predictions],
    power: float,
    own: Sequence[Predictions] | None = None,
) -> Plan:
    """Plan the chains for all of a study's cells.

    Parameters
    ----------
    study : Study
        What is judged, and with how many chains.
    predictions : sequence of Predictions
        What the laws say of each condition.
    power : float
        Probability that all laws are verified if they are true.
    own : sequence of Predictions, optional
        What the study's own laws say, if others are judged: how likely are those to be refuted?

    Returns
    -------
    Plan
    """
    groups: dict[tuple[str, str], _Group] = {}
    untold: dict[tuple[str, str], None] = {}
    scales: dict[str | None, list[float]] = {}
    for condition in study.conditions:
        scales.setdefault(condition.ladder, []).append(condition.scale)
    total = 0
    for position, condition, prediction, quantity in questions(study, predictions):
        rungs = scales[condition.ladder] if condition.ladder is not None else []
        climbs = quantity.has_ladder and len(set(rungs)) >= FEWEST_RUNGS and prediction.asymptotic
        for cells in quantity.planned(condition, prediction, study.tolerance):
            total += cells.count
            if isinstance(cells, UnplannedCells):
                untold[prediction.law, cells.quantity] = None
                continue
            limit = None
            if climbs:
                if condition.scale != max(rungs):
                    continue  # one for the whole ladder
                limit = _amplification(rungs)
                total += cells.count
                cells = _on_ladder(cells, limit)
            if not cells.count:
                continue
            group = groups.setdefault((prediction.law, cells.quantity), _Group())
            group.cells.append(cells)
            true = None if own is None else true_law(own[position], limit is not None)
            if true is not None:
                group.chances.append(
                    partial(quantity.chances, prediction, true, study.tolerance, ladder=limit)
                )
    level = (1 - study.confidence) / max(total, 1)
    needs = tuple(
        _need(law, quantity, group, study, level, power, total)
        for (law, quantity), group in groups.items()
    )
    chains = max((math.inf if n.chains is None else n.chains for n in needs), default=math.inf)
    return Plan(
        needs=needs,
        claims=total,
        chains=int(chains) if math.isfinite(chains) else None,
        power=power,
        untold=tuple(untold),
    )


def _need(
    law: str, quantity: str, group: _Group, study: Study, level: float, power: float, total: int
) -> Need:
    cells = join(group.cells)
    chains = cells.chains(study.tolerance, level, (1 - power) / total)
    need = Need(
        law=law,
        quantity=quantity,
        cells=cells.count,
        chains=math.ceil(chains) if math.isfinite(chains) else None,
        refuted=cells.refuted(study.tolerance, level, 1 - power, study.chains),
    )
    chances = [chance for at_level in group.chances for chance in at_level(level)]
    if not chances:
        return need
    position, chance, refuting = likeliest(chances, study.chains, power)
    return replace(need, chance=chance, likeliest=position, refuting=refuting)


def _on_ladder(cells: PlannedCells, amplification: float) -> RatioCells:
    """Return the cells about a ladder's limit, which are allowed nothing."""
    assert isinstance(cells, RatioCells), "what has a ladder is planned as ratios"
    return replace(
        cells,
        quantity=limit_of(cells.quantity),
        spread=cells.spread * amplification,
        allowance=0 * cells.allowance,
    )


def _amplification(rungs: Sequence[float]) -> float:
    """Return the standard error of a ladder's limit over that of its rungs, if theirs are equal."""
    design = np.vander(1 / np.array(rungs), 3, increasing=True)
    return float(np.linalg.norm(np.linalg.pinv(design)[0]))
