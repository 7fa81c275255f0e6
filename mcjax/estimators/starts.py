"""Starting points of fits: a model's own last parameters, a base, or another model.

Estimators that do not go all the way to the minimum remember where they began. One with a ``start``
other than ``PARENTS`` fine-tunes. Unless it has ``first_steps``, every model is fitted to the
minimum in generation 0, by the estimator that it would have otherwise, and later fits begin where
the start says. Does not import JAX, so that laws can ask as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mcjax.errors import InputError, did_you_mean
from mcjax.network.network import Network
from mcjax.numbers import how_many

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int32

    from mcjax.estimators.estimator import Estimator

PARENTS, OWN, BASE, SCRATCH, REFIT = "parents", "own", "base", "scratch", "refit"
"""The weighted mean of the parameters behind the data; a model's own last parameters; a base; zero
in all parameters; and nowhere, for a fit that goes to the minimum."""
CHOICES = (PARENTS, OWN, BASE, SCRATCH, REFIT)
FIRST, GIVEN, MINIMUM, BEHIND = -1, -2, -3, -4
"""In place of a model in :attr:`Starts.model`: its own parameters of generation 0, parameters that
are given, a fit to the minimum, and the weighted mean of the parameters behind the data."""


class Starts(NamedTuple):
    """Starting points of the fits of M models.

    Attributes
    ----------
    model : ndarray, shape (M,)
        The model whose last parameters they are, or ``FIRST``, ``GIVEN``, ``MINIMUM`` or
        ``BEHIND``.
    base : ndarray, shape (M, p), or None
        The parameters that are given, zero for others; None if none are.
    """

    model: Int32[np.ndarray, " M"]
    base: Float[np.ndarray, "M p"] | None

    @property
    def edges(self) -> dict[int, int]:
        """The model at whose last parameters each model begins, by position, if it is one's."""
        return {i: int(j) for i, j in enumerate(self.model) if j >= 0}

    @property
    def behind(self) -> Bool[np.ndarray, " M"]:
        """Mask of models whose fits always begin at the parameters behind their data."""
        return np.asarray(self.model == BEHIND)


def read_start(start: Any) -> Any:
    """Return a start as text or, if models differ in it, as sorted pairs of model and start.

    Raises
    ------
    InputError
        If it is neither, or unknown.
    """
    if isinstance(start, str):
        if start not in CHOICES:
            raise InputError("start", f"is {start!r}; {_remedy(start)}")
        return start
    pairs = start.items() if isinstance(start, Mapping) else start
    try:
        table = {model: place for model, place in pairs}
    except (TypeError, ValueError):
        table = {}
    if not table or not all(isinstance(text, str) for pair in table.items() for text in pair):
        raise InputError("start", f"is {start!r}; {_remedy('')}")
    return tuple(sorted(table.items()))


def read_base(base: Any) -> tuple[float, ...] | None:
    """Return the parameters of a base as numbers.

    Raises
    ------
    InputError
        If they are no finite numbers.
    """
    if base is None:
        return None
    try:
        numbers = tuple(float(value) for value in base)
    except (TypeError, ValueError):
        numbers = ()
    if not numbers or isinstance(base, str) or not all(map(math.isfinite, numbers)):
        raise InputError("base", f"is {base!r}; give a list of finite numbers, one per parameter")
    return numbers


def starts_of(
    estimators: Sequence[Estimator | None], tables: Sequence[str], net: Network, p: int
) -> Starts | None:
    """Return where fits of the models of a network begin; None if all at the mean of their parents.

    Parameters
    ----------
    estimators : sequence of Estimator or None
        The estimator of each model; what matters is its ``start`` and its ``base``, if it has them.
    tables : sequence of str
        The table of a study file that gives the estimator of each model; errors name it.
    net : Network
        The network.
    p : int
        Number of parameters.

    Raises
    ------
    InputError
        If a start does not suit the network, or a base the parameters.
    """
    model, points = np.zeros(net.size, np.int32), np.zeros((net.size, p))
    several = len(set(map(id, estimators))) > 1
    for estimator in {id(each): each for each in estimators}.values():
        members = [i for i, each in enumerate(estimators) if each is estimator]
        if several and (estimator is None or estimator.minimises):
            model[members] = MINIMUM
            continue
        table = tables[members[0]]
        model[members] = _places(estimator, table, net)[members]
        base = getattr(estimator, "base", None)
        if base is None:
            continue
        at_base = [i for i in members if model[i] == FIRST]
        if not at_base:
            raise InputError(f"{table}.base", "is of fits that start there; add start = 'base'")
        if len(base) != p:
            problem = f"has {how_many(len(base), 'number')}, and the model"
            raise InputError(
                f"{table}.base", f"{problem} {how_many(p, 'parameter')}; give one for each"
            )
        points[at_base] = base
        model[at_base] = GIVEN
    if (model == BEHIND).all():
        return None
    return Starts(model, points if (model == GIVEN).any() else None)


def _places(estimator: Estimator | None, table: str, net: Network) -> Int32[np.ndarray, " M"]:
    """Return where fits of each model would begin by one estimator; a base is taken to be FIRST."""
    start = getattr(estimator, "start", PARENTS)
    places = {name: start for name in net.models} if isinstance(start, str) else dict(start)
    taken = [] if isinstance(start, str) else net.index.keys() & CHOICES
    for name in taken:
        raise InputError(
            f"{table}.start", f"has {name!r}, which is a model as well; rename the model"
        )
    for name in places:
        if name not in net.index:
            hint = did_you_mean(name, net.models)
            raise InputError(f"{table}.start", f"names {name!r}, which is no model{hint}")
    whole = isinstance(start, str)
    found = []
    for name in net.models:
        place = _place(net, name, places.get(name, OWN), whole)
        if place is None:
            given = places[name]
            known = (OWN, BASE, SCRATCH, REFIT)
            hint = did_you_mean(given, (*known, *net.models))
            choices = ", ".join(map(repr, known))
            raise InputError(
                f"{table}.start",
                f"of model {name!r} is {given!r}; give {choices} or the name of a model{hint}",
            )
        found.append(place)
    return np.array(found, np.int32)


def _place(net: Network, name: str, start: str, whole: bool) -> int | None:
    """Return where the fits of a model begin, or None if that is unknown.

    A table, which is not ``whole``, may name other models.
    """
    if start == OWN or (start == name and not whole):
        return net.index[name]
    kept = {BASE: FIRST, SCRATCH: GIVEN, REFIT: MINIMUM} | ({PARENTS: BEHIND} if whole else {})
    if start in kept:
        return kept[start]
    return net.index.get(start)


def _remedy(start: str) -> str:
    hint = did_you_mean(start, CHOICES)
    choices = ", ".join(map(repr, CHOICES))
    return f"give one of {choices}, or a table by model{hint}"
