"""Where the steps of a fit begin: at a model's own last parameters, at a base, or at another model.

Estimators that do not go all the way to the minimum remember where they began. One with a ``start``
other than ``PARENTS`` fine-tunes. Every model is fitted to the minimum in generation 0, by the
estimator that it would have otherwise, and later fits begin where the start says. Does not import
JAX, so that laws can ask as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mcjax.errors import InputError, did_you_mean
from mcjax.network.network import Network
from mcjax.numbers import how_many

if TYPE_CHECKING:
    from jaxtyping import Float, Int32

PARENTS, OWN, BASE, REFIT = "parents", "own", "base", "refit"
"""The weighted mean of the parameters behind the data; a model's own last parameters; a base; and
nowhere, for a fit that goes to the minimum."""
CHOICES = (PARENTS, OWN, BASE, REFIT)
FIRST, GIVEN, MINIMUM, BEHIND = -1, -2, -3, -4
"""In place of a model in :attr:`Starts.model`: its own parameters of generation 0, the base that is
given, a fit to the minimum, and the weighted mean of the parameters behind the data."""


class Starts(NamedTuple):
    """Where the fits of M models begin.

    Attributes
    ----------
    model : ndarray, shape (M,)
        The model whose last parameters they are, or ``FIRST``, ``GIVEN``, ``MINIMUM`` or
        ``BEHIND``, which is that of all models or none.
    base : ndarray, shape (p,), or None
        The parameters of the base, if they are given.
    """

    model: Int32[np.ndarray, " M"]
    base: Float[np.ndarray, " p"] | None

    @property
    def edges(self) -> dict[int, int]:
        """The model at whose last parameters each model begins, by position, if it is one's."""
        return {i: int(j) for i, j in enumerate(self.model) if j >= 0}

    @property
    def behind(self) -> bool:
        """Whether all fits begin at the parameters behind their data, also in generation 0."""
        return bool((self.model == BEHIND).all())


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


def starts_of(estimator: Any, net: Network, p: int) -> Starts | None:
    """Return where fits of the models of a network begin; None if at the mean of their parents.

    Parameters
    ----------
    estimator : Estimator or None
        The estimator; what matters is its ``start`` and its ``base``, if it has them.
    net : Network
        The network.
    p : int
        Number of parameters.

    Raises
    ------
    InputError
        If the start does not suit the network, or the base the parameters.
    """
    start, base = getattr(estimator, "start", PARENTS), getattr(estimator, "base", None)
    if start == PARENTS:
        if base is not None:
            raise InputError("estimator.base", "is of fits that start there; add start = 'base'")
        return None
    places = {name: start for name in net.models} if isinstance(start, str) else dict(start)
    taken = [] if isinstance(start, str) else net.index.keys() & CHOICES
    for name in taken:
        raise InputError(
            "estimator.start", f"has {name!r}, which is a model as well; rename the model"
        )
    for name in places:
        if name not in net.index:
            hint = did_you_mean(name, net.models)
            raise InputError("estimator.start", f"names {name!r}, which is no model{hint}")
    model = np.array([_place(net, name, places.get(name, OWN)) for name in net.models], np.int32)
    if base is None:
        return Starts(model, None)
    if BASE not in places.values():
        raise InputError("estimator.base", "is of fits that start there; add start = 'base'")
    if len(base) != p:
        problem = f"has {how_many(len(base), 'number')}, and the model {how_many(p, 'parameter')}"
        raise InputError("estimator.base", f"{problem}; give one for each")
    return Starts(np.where(model == FIRST, np.int32(GIVEN), model), np.array(base, float))


def _place(net: Network, name: str, start: str) -> int:
    if start in (OWN, name):
        return net.index[name]
    if start == BASE:
        return FIRST
    if start == REFIT:
        return MINIMUM
    if start in net.index:
        return net.index[start]
    hint = did_you_mean(start, (OWN, BASE, REFIT, *net.models))
    raise InputError(
        "estimator.start",
        f"of model {name!r} is {start!r}; give 'own', 'base', 'refit' or the name of a model{hint}",
    )


def _remedy(start: str) -> str:
    hint = did_you_mean(start, CHOICES)
    choices = ", ".join(map(repr, CHOICES))
    return f"give one of {choices}, or a table by model{hint}"
