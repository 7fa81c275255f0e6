"""Read the ``[design]`` table of a study file into arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.design.aims import Aim, Cost, Error, LargestError, MeanError, WeightedErrors
from mcjax.design.amounts import Amounts, AnyRows, FixedFeeds
from mcjax.design.offers import Offer
from mcjax.design.robust import ROBUST, Robustness
from mcjax.errors import InputError, did_you_mean
from mcjax.network.feed import REAL
from mcjax.network.network import Network
from mcjax.study.tables import CandidateTable, DesignTable

if TYPE_CHECKING:
    from jaxtyping import Float


MOST_BUDGET = 1e18
"""Largest budget, so that rows of cost 1 are counted in 64 bits."""
NOT_ROBUST = "none"
"""Name of no robustness, the default of a design."""


@dataclass(frozen=True)
class Demand:
    """A budget or targets, with costs and bounds of all models, and what may be added.

    Attributes
    ----------
    aim : Aim
        What is made small.
    amounts : Amounts
        How real rows are given out.
    budget : float
        Cost of real rows in a generation, at most; infinite with targets.
    costs : ndarray, shape (M,)
        Cost of a real row.
    at_least, at_most : ndarray, shape (M,)
        Bounds of the real rows.
    weights : bool
        Whether feeds get weights.
    offers : tuple of Offer
        The feeds that may be added; a real one to each model is among them.
    robust : Robustness or None
        After which changes nothing is to collapse.
    sealed : frozenset of int
        Positions of the frozen models that nobody can feed.
    """

    aim: Aim
    amounts: Amounts
    budget: float
    costs: Float[np.ndarray, " M"]
    at_least: Float[np.ndarray, " M"]
    at_most: Float[np.ndarray, " M"]
    weights: bool = False
    offers: tuple[Offer, ...] = ()
    robust: Robustness | None = None
    sealed: frozenset[int] = frozenset()


def read_demand(table: DesignTable, net: Network) -> Demand:
    """Return what a ``[design]`` table asks for.

    Raises
    ------
    InputError
        If it asks for nothing or for too much, or a value is out of range.
    """
    models, size = net.models, net.size
    costs = _by_model("costs", table.costs, models, 1.0)
    _check_positive("costs", costs, models)
    at_least = _by_model("at_least", table.at_least, models, 0.0)
    at_most = np.full(size, np.inf)
    if table.at_most is not None:
        at_most = _by_model("at_most", table.at_most, models, np.inf)
    for name, low, high in zip(models, at_least, at_most, strict=True):
        if low > high:
            problem = f"asks for {high:.0f} rows of {name!r}, and at_least for {low:.0f}"
            raise InputError("design.at_most", f"{problem}; raise one, or lower the other")
    _check_one(table)
    common: dict[str, Any] = {"costs": costs, "at_least": at_least, "at_most": at_most}
    common["weights"] = table.weights
    common["offers"] = _offers(table.candidates, net, costs)
    common |= {"robust": _robust(table.robust), "sealed": _sealed(table.sealed, net)}
    if table.targets is not None:
        if table.objective is not None:
            raise InputError("design.objective", "and targets exclude each other; keep one")
        targets = _by_model("targets", table.targets, models, np.inf)
        _check_positive("targets", np.where(targets == np.inf, 1, targets), models)
        if not np.isfinite(targets).any():
            raise InputError("design.targets", "is for no model; give at least one")
        weights = np.isfinite(targets).astype(float)
        cheapest = Cost(weights, targets)
        return Demand(cheapest, AnyRows(cheapest), math.inf, **common)
    aim = _objective(table.objective, models)
    if table.feeds is not None:
        assert table.size is not None, "both are given"
        total = float(at_least.sum()) + table.feeds * table.size
        return Demand(aim, FixedFeeds(aim, table.feeds, table.size), total, **common)
    assert table.budget is not None, "one of the three is given"
    if not 0 < table.budget <= MOST_BUDGET:
        problem = f"is {table.budget!r}; give a positive number up to {MOST_BUDGET:g}"
        raise InputError("design.budget", problem)
    return Demand(aim, AnyRows(aim), table.budget, **common)


def _check_one(table: DesignTable) -> None:
    """Raise InputError unless one of a budget, targets and a number of feeds is given."""
    given = [name for name in ("budget", "targets", "feeds") if getattr(table, name) is not None]
    if not given:
        raise InputError("design.budget", "is missing; give it, or targets, or feeds and size")
    if len(given) > 1:
        problem = f"and {' and '.join(given[1:])} exclude each other; keep one"
        raise InputError(f"design.{given[0]}", problem)
    if (table.feeds is None) != (table.size is None):
        missing, other = ("feeds", "size") if table.feeds is None else ("size", "feeds")
        raise InputError(f"design.{missing}", f"is missing, and {other} is given; give both")
    if table.feeds is not None and table.costs != 1.0:
        problem = "are given, and feeds of one size are as many as feeds says; leave one out"
        raise InputError("design.costs", problem)


def _objective(given: str | dict[str, float] | None, models: Sequence[str]) -> Error:
    """Return what is made small for a budget."""
    field, size = "objective", len(models)
    if isinstance(given, dict):
        weights = _by_model(field, given, models, 0.0)
        if (weights < 0).any() or not np.isfinite(weights).all() or not weights.any():
            problem = "has a weight that is no number from 0 on, or none above 0"
            raise InputError(f"design.{field}", f"{problem}; give positive weights")
        return WeightedErrors(weights)
    if given in (None, "mean"):
        return MeanError(np.full(size, 1 / size))
    if given == "max":
        return LargestError(np.ones(size))
    hint = did_you_mean(given, ("mean", "max"))
    problem = f"is {given!r}, not 'mean', 'max' or a table of weights{hint}"
    raise InputError(f"design.{field}", problem)


def _offers(
    given: Sequence[CandidateTable], net: Network, costs: Float[np.ndarray, " M"]
) -> tuple[Offer, ...]:
    """Return the feeds that may be added: one from ``real`` to each model, and candidates."""
    offers = {
        (REAL, name): Offer(REAL, name, float(cost))
        for name, cost in zip(net.models, costs, strict=True)
    }
    known = (*net.source_index, *net.models)
    for k, one in enumerate(given):
        field = f"design.candidates[{k}]"
        for key, name, names in (("from", one.origin, known), ("to", one.to, net.models)):
            if name not in names:
                problem = f"is {name!r}, which the network does not have"
                raise InputError(f"{field}.{key}", problem + did_you_mean(name, names))
        if not 0 <= one.cost < math.inf:
            raise InputError(f"{field}.cost", f"is {one.cost!r}; give a number from 0 on")
        offers[one.origin, one.to] = Offer(one.origin, one.to, one.cost, one.samples)
    return tuple(offers.values())


def _robust(given: str) -> Robustness | None:
    """Return after which changes nothing is to collapse; None if nothing is asked."""
    if given == NOT_ROBUST:
        return None
    if given not in ROBUST:
        names = (NOT_ROBUST, *ROBUST)
        problem = f"is {given!r}, not one of {', '.join(names)}{did_you_mean(given, names)}"
        raise InputError("design.robust", problem)
    return ROBUST[given]


def _sealed(given: Sequence[str], net: Network) -> frozenset[int]:
    """Return the positions of models that nobody can feed."""
    for name in given:
        if name not in net.index:
            hint = did_you_mean(name, net.models)
            raise InputError("design.sealed", f"has {name!r}, no model of the network{hint}")
        if not net.frozen[net.index[name]]:
            problem = f"has {name!r}, which is fed; leave it out, or drop its feeds"
            raise InputError("design.sealed", problem)
    return frozenset(net.index[name] for name in given)


def _by_model(
    field: str,
    given: float | dict[str, float] | dict[str, int],
    models: Sequence[str],
    other: float,
) -> Float[np.ndarray, " M"]:
    """Return the values of all models, of which those that a table leaves out have ``other``."""
    if not isinstance(given, dict):
        return np.full(len(models), float(given))
    known = set(models)
    for name in given:
        if name not in known:
            hint = did_you_mean(name, models)
            raise InputError(f"design.{field}.{name}", f"is no model of the network{hint}")
    return np.array([float(given.get(name, other)) for name in models])


def _check_positive(field: str, values: np.ndarray, models: Sequence[str]) -> None:
    if not ((values > 0) & np.isfinite(values)).all():
        raise InputError(f"design.{field}", "has a number that is not positive; give positive ones")
