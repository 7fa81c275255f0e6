"""Estimators that differ from model to model of one network. Does not import JAX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcjax.arguments import checked_fields
from mcjax.calls import explained
from mcjax.errors import InputError, did_you_mean
from mcjax.network.network import Network

if TYPE_CHECKING:
    from mcjax.estimators.estimator import Estimator


@explained
@dataclass(frozen=True)
@checked_fields
class ByModel:
    """Estimators that differ from model to model.

    Attributes
    ----------
    estimator : Estimator or None
        Fits the models that are not named; None for the choice that they would have otherwise.
    models : mapping of str to Estimator or None
        Fits each of these models; kept as sorted pairs.

    Examples
    --------
    >>> import mcjax
    >>> import optax
    >>> network = mcjax.build_network(["a", "b"], [("a", "b", 50), ("real", "a", 50)], initial=50)
    >>> tuned = mcjax.Optax(optax.sgd(0.5), steps=4, start="own", name="sgd(0.5)")
    >>> estimator = mcjax.ByModel(None, {"b": tuned})
    >>> condition = mcjax.condition(network, mcjax.linear(), [1.0], estimator=estimator)
    >>> condition.minimises
    False
    """

    estimator: Any
    models: Any

    def __post_init__(self) -> None:
        pairs = self.models.items() if isinstance(self.models, Mapping) else self.models
        try:
            table = dict(pairs)
        except (TypeError, ValueError):
            table = {}
        if not table or not all(isinstance(name, str) for name in table):
            raise InputError(
                "models", f"is {self.models!r}; give a table of estimators by model name"
            )
        for given in (self.estimator, *table.values()):
            if isinstance(given, ByModel) or not (given is None or hasattr(given, "fit")):
                raise InputError(
                    "models", f"has {given!r}, which is no estimator; give one, or None"
                )
        object.__setattr__(self, "models", tuple(sorted(table.items())))

    @property
    def every(self) -> tuple[Estimator | None, ...]:
        """All estimators."""
        return (self.estimator, *dict(self.models).values())


def estimators_of(
    estimator: Estimator | ByModel | None, own: Estimator | None, net: Network
) -> tuple[Estimator | None, ...]:
    """Return the estimator of each model of a network; None for the choice of a study.

    Parameters
    ----------
    estimator : Estimator, ByModel or None
        The estimator of the condition, if it has one.
    own : Estimator or None
        The choice of the statistical model.
    net : Network
        The network.

    Raises
    ------
    InputError
        If one is of a model that the network does not have.
    """
    rest = estimator.estimator if isinstance(estimator, ByModel) else estimator
    table = dict(estimator.models) if isinstance(estimator, ByModel) else {}
    for name in table:
        if name not in net.index:
            hint = did_you_mean(name, net.models)
            raise InputError("estimator.models", f"names {name!r}, which is no model{hint}")
    chosen = (table.get(name, rest) for name in net.models)
    return tuple(own if each is None else each for each in chosen)


def tables_of(estimator: Estimator | ByModel | None, net: Network) -> tuple[str, ...]:
    """Return the table of a study file that says how each model is fitted, as errors name it."""
    named = dict(estimator.models) if isinstance(estimator, ByModel) else {}
    return tuple(
        f"estimator.models.{name}" if name in named else "estimator" for name in net.models
    )
