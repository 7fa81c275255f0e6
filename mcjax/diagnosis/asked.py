"""Selection of the models of a diagnosis: those asked for, and those that fail worst."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.diagnosis.failure import Failures
from mcjax.diagnosis.ranking import order
from mcjax.diagnosis.verdict import Diagnosis, ModelVerdict
from mcjax.errors import InputError, did_you_mean
from mcjax.network.network import Network
from mcjax.numbers import check_between

if TYPE_CHECKING:
    from jaxtyping import Float, Int


MOST_COMPARED = 10_000
"""Largest number of names with which one that is none is compared."""


class Asked(NamedTuple):
    """Models that are asked for; all if both fields are None.

    Attributes
    ----------
    only : sequence of str or None
        Names of models.
    worst : int or None
        Number of models, those that fail worst.
    field : str
        What errors call ``only``.
    """

    only: Sequence[str] | None = None
    worst: int | None = None
    field: str = "only"

    @property
    def any(self) -> bool:
        """True if some models are asked for."""
        return self.only is not None or self.worst is not None

    def check(self, net: Network) -> None:
        """Raise InputError for a name of no model, or a number that is none."""
        for name in self.only or ():
            if name not in net.index:
                hint = did_you_mean(name, net.models[:MOST_COMPARED])
                problem = f"names the unknown model {name!r}{hint}"
                raise InputError(self.field, f"{problem}; name a model, or a group of models")
        if self.worst is not None:
            check_between("worst", self.worst, 1)

    def positions(self, net: Network, ranked: Int[np.ndarray, " M"]) -> Int[np.ndarray, " K"]:
        """Return the positions of the models that are asked for, given all from worst to best."""
        named = [net.index[name] for name in self.only or ()]
        worst = ranked[: self.worst].tolist() if self.worst is not None else []
        return np.array(list(dict.fromkeys((*named, *worst))), int)

    def of(self, diagnosis: Diagnosis) -> Diagnosis:
        """Return a diagnosis with the verdicts on the models that are asked for, worst first."""
        if not self.any:
            return diagnosis
        models = diagnosis.models
        named = dict.fromkeys(self.only or ())
        ranked = sorted(models, key=lambda name: _severity(models[name]))
        worst = ranked[: self.worst] if self.worst is not None else ()
        return replace(diagnosis, models={name: models[name] for name in (*named, *worst)})


ALL = Asked()


def rank(
    net: Network, failures: Failures, bounds: Float[np.ndarray, " M"]
) -> Int[np.ndarray, " M"]:
    """Return all models from worst to best, as far as bounds of slopes tell them apart."""
    rows = net.columns.rows(net.size)
    error = np.where(rows > 0, np.array(net.initial) / np.maximum(rows, 1), 1.0)
    return order(
        failures.explodes, failures.noise | failures.unknown, bounds, failures.forgets, error
    )


def _severity(verdict: ModelVerdict) -> tuple[float, ...]:
    """Return what grows from the worst verdict to the best."""
    late, last = verdict.relative[2:]
    size = late if verdict.collapses else last
    rate = verdict.growth or verdict.limit or 0.0
    return (
        -verdict.explodes,
        {True: 0, None: 1, False: 2}[verdict.collapses],
        math.inf if verdict.doubles is None else verdict.doubles,
        math.inf if math.isnan(size) else -size,
        math.inf if math.isnan(rate) else -rate,
        -verdict.forgets,
    )
