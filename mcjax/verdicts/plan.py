"""Plan how many chains a study needs, from its laws alone.

A claim about a mean over n chains, each with standard deviation sd, is verified with probability
1 - b if

    (z_(a/2) + z_b) sd / sqrt(n) <= tolerance,

where z_q is the normal quantile that is exceeded with probability q, and a is the level of the
claim. With N cells under one budget, a is (1 - confidence) / N, the first step of Holm's procedure,
and b is (1 - power) / N, so that all cells together are verified with the requested power (by
Bonferroni's inequality; fewer chains suffice if cells are positively correlated). In a single cell,
a true ratio r is refuted with that power if it is at least

    r = (1 + tolerance + allowance) / (1 - (z_(a/2) + z_(1 - power)) sd / sqrt(n)).

Each quantity defines its own sd, and what takes the place of z (``planned``). Errors are taken to
be normal; errors with heavier tails, as with few rows per fit, need more chains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np

from mcjax.laws.first_order.departures import power_of_departures
from mcjax.laws.prediction import Predictions
from mcjax.models.allowance import UNMEASURED
from mcjax.study.study import Study
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.ladder import FEWEST_RUNGS
from mcjax.verdicts.ladder_costs import cost_of
from mcjax.verdicts.planned_limits import LimitCells, on_ladder
from mcjax.verdicts.planning import NormalCells, PlannedCells, RatioCells, UnplannedCells, join
from mcjax.verdicts.power import FEWEST_CHAINS, Chance, likeliest, true_law
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.quantities.registry import questions, units_of

RULE_OF_THUMB = 0.5
"""Share of an allowance by a rule of thumb that is taken for the departure itself."""


@dataclass(frozen=True)
class Need:
    """Number of chains that one quantity needs under one law.

    Attributes
    ----------
    law, quantity : str
        Names of the law and of the quantity.
    cells : int
        Number of claims.
    chains : int or None
        Chains with which all claims are verified with the requested power if the law is true; None
        if the standard error of the law itself is too large for that.
    refuted : float
        Departure (of a ratio from 1, or of a quantity without a ratio from the law) that the
        study's number of chains refutes in any one cell with the requested power; infinite if
        there is none.
    unit : str
        Unit of that departure.
    fewest : int
        Chains below which no claim is made.
    chance : float or None
        Probability that the study's number of chains refutes the law if the study's own laws are
        true, in the cell where it is largest; None if no law stands for the truth.
    likeliest : int
        Position of that cell among the cells of the quantity.
    refuting : int or None
        Chains with which that probability reaches the requested power; None if no number does.
    """

    law: str
    quantity: str
    cells: int
    chains: int | None
    refuted: float
    unit: str = ""
    fewest: int = 0
    chance: float | None = None
    likeliest: int = 0
    refuting: int | None = None


@dataclass(frozen=True)
class Plan:
    """Number of chains that a study needs.

    Attributes
    ----------
    needs : tuple of Need
        One for each law and quantity.
    claims : int
        Number of claims that share the error budget.
    chains : int or None
        Chains that suffice for all needs; None if no number does.
    power : float
        The requested power.
    unplanned : tuple of (str, str)
        Law and quantity of the claims for which no number of chains can be planned.
    """

    needs: tuple[Need, ...]
    claims: int
    chains: int | None
    power: float
    unplanned: tuple[tuple[str, str], ...] = ()


@dataclass
class _Group:
    """The cells of one quantity under one law in all conditions, and their chances by level."""

    cells: list[PlannedCells] = field(default_factory=list)
    chances: list[Callable[[float], list[Chance]]] = field(default_factory=list)


@np.errstate(all="ignore")  # a number of chains that does not exist becomes infinite
def plan(
    study: Study,
    predictions: Sequence[Predictions],
    power: float,
    truth: Sequence[Predictions] | None = None,
) -> Plan:
    """Plan how many chains all cells of a study need.

    Parameters
    ----------
    study : Study
        The study, with its number of chains.
    predictions : sequence of Predictions
        Predictions of the judged laws for each condition.
    power : float
        Probability that all laws are verified if they are true.
    truth : sequence of Predictions, optional
        Predictions of the study's own laws, if others are judged. They stand for the truth: the
        plan then says how likely the judged laws are to be refuted.
    """
    groups: dict[tuple[str, str], _Group] = {}
    unplanned: dict[tuple[str, str], None] = {}
    scales: dict[str | None, list[float]] = {}
    for condition in study.conditions:
        scales.setdefault(condition.ladder, []).append(condition.scale)
    total = 0
    for position, comparison, quantity in questions(study, predictions):
        condition, prediction = comparison.condition, comparison.prediction
        rungs = scales[condition.ladder] if condition.ladder is not None else []
        climbs = quantity.has_ladder and len(set(rungs)) >= FEWEST_RUNGS and prediction.asymptotic
        first = 0
        for cells in quantity.planned(comparison):
            total += cells.count
            if isinstance(cells, UnplannedCells):
                unplanned[prediction.law, cells.quantity] = None
                continue
            among = slice(first, first + cells.count)  # of the chances of all planned cells
            first = among.stop
            if climbs:
                if condition.scale != max(rungs):
                    continue  # the whole ladder makes one claim
                total += cells.count
                if comparison.finer is not None and comparison.finer.law:  # it predicts the costs
                    total += cells.count
                    unplanned[comparison.finer.law, cost_of(cells.quantity)] = None
                assert isinstance(cells, RatioCells), "quantities with a ladder plan ratios"
                stated = condition.model.allowance or UNMEASURED
                cells = on_ladder(
                    cells,
                    rungs,
                    power_of_departures(condition),
                    share=RULE_OF_THUMB if comparison.finer is None else 1.0,
                    slower=stated.per_row >= UNMEASURED.per_row,
                )
            elif quantity.outside(comparison).any() and isinstance(cells, NormalCells):
                # no number of chains decides all of them
                cells = replace(cells, spread=np.full(cells.count, np.inf))
            if not cells.count:
                continue
            group = groups.setdefault((prediction.law, cells.quantity), _Group())
            group.cells.append(cells)
            true: Any = None
            if truth is not None and quantity.subject == "functionals":
                true = truth[position].functionals.get(prediction.law)
            elif truth is not None:
                true = true_law(truth[position], climbs)
            if true is not None:
                group.chances.append(partial(_chances, quantity, comparison, true, cells, among))
    level = (1 - study.confidence) / max(total, 1)
    units = units_of(study)
    # the rungs of a ladder share the budget, but need not be verified
    wanted = sum(cells.count for group in groups.values() for cells in group.cells)
    miss = (1 - power) / max(wanted, 1)
    needs = tuple(
        replace(
            _need(law, quantity, group, study=study, level=level, power=power, miss=miss),
            unit=units.get(quantity, ""),
        )
        for (law, quantity), group in groups.items()
    )
    chains = max((math.inf if n.chains is None else n.chains for n in needs), default=math.inf)
    return Plan(
        needs=needs,
        claims=total,
        chains=int(chains) if math.isfinite(chains) else None,
        power=power,
        unplanned=tuple(unplanned),
    )


def _chances(
    quantity: Quantity,
    comparison: Comparison,
    truth: Any,
    cells: PlannedCells,
    among: slice,
    level: float,
) -> list[Chance]:
    """Return the chances of some of a quantity's planned cells."""
    if not isinstance(cells, LimitCells):
        return quantity.chances(comparison, truth, level)[among]

    @cache
    def at(chains: float) -> list[float]:
        """Return the chances about limits, whose amplification depends on the chains."""
        ladder = cells.amplification(chains)
        found = quantity.chances(comparison, truth, level, ladder=ladder)[among]
        return [chance(chains) for chance in found]

    count = len(at(float(FEWEST_CHAINS)))
    return [lambda chains, k=k: at(chains)[k] for k in range(count)]  # type: ignore[misc]


def _need(
    law: str, quantity: str, group: _Group, study: Study, level: float, power: float, miss: float
) -> Need:
    cells = join(group.cells)
    fewest = math.ceil(cells.fewest_chains(level))
    chains = max(cells.chains(study.tolerance, level, miss), fewest)
    refuted = math.inf
    if study.chains >= fewest:
        refuted = cells.refuted(study.tolerance, level, 1 - power, study.chains)
    need = Need(
        law=law,
        quantity=quantity,
        cells=cells.count,
        chains=math.ceil(chains) if math.isfinite(chains) else None,
        refuted=refuted,
        fewest=fewest,
    )
    chances = [chance for at_level in group.chances for chance in at_level(level)]
    if not chances:
        return need
    position, chance, refuting = likeliest(chances, study.chains, power)
    return replace(need, chance=chance, likeliest=position, refuting=refuting)
