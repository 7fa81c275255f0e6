"""Define the aims of designs: a small sum of errors, a small largest error, or a small cost."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mcjax.design.limited import cheapest, smallest_maximum
from mcjax.design.response import Response, State
from mcjax.design.room import Room
from mcjax.design.sampled import SampledResponse
from mcjax.design.weighted import Found, smallest_sum
from mcjax.design.weighting import Weighted, weighted
from mcjax.design.whole_rows import keeping_to_targets, within_budget
from mcjax.errors import InputError
from mcjax.network.network import Network
from mcjax.text import number

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


MOST_RESOLVED = 1_000
"""Number of models up to which errors are computed one by one."""


@dataclass(frozen=True)
class Aim(ABC):
    """A quantity to minimise.

    Attributes
    ----------
    name : str
        Its name in JSON.
    what : str
        Its name in a sentence.
    elsewhere : str
        From what the value of real rows is taken off, in a sentence.
    most : int
        Largest number of models for which it is minimised.
    remedy : str
        What to ask for where there are more.
    weights : ndarray, shape (M,)
        Weights of the errors; where they are not summed, 1 for each model that counts.
    """

    name: ClassVar[str]
    what: ClassVar[str]
    elsewhere: ClassVar[str]
    most: ClassVar[int] = 100
    remedy: ClassVar[str] = "a budget for their mean"

    weights: Float[np.ndarray, " M"]

    def given(self, budget: float) -> str:
        """Return what is given, in a sentence."""
        return f"for a budget of {number(budget, 6)}"

    def now(self, value: str) -> str:
        """Return a clause with the value in the file."""
        return f"now {value}"

    def counts(self, response: Response) -> Bool[np.ndarray, " M"]:
        """Return whose errors count."""
        return self.weights > 0

    def weighted(self, net: Network) -> Weighted:
        """Return the best weights of the feeds of a network.

        Raises
        ------
        InputError
            If there are none for this aim, or such a network.
        """
        problem = f"finds weights for a mean or a sum of errors, and this is the {self.what}"
        raise InputError("design.weights", f"{problem}; leave it out, or give another objective")

    def response(
        self, net: Network, matters: Bool[np.ndarray, " M"], opened: Bool[np.ndarray, " M"]
    ) -> Response:
        """Return the errors as functions of real rows, see :class:`Response`."""
        return Response(net, matters, opened)

    @abstractmethod
    def smallest(self, response: Response, room: Room) -> Found:
        """Return the best allocation.

        Raises
        ------
        InputError
            If there is none.
        """

    @abstractmethod
    def whole(self, response: Response, room: Room, rows: Float[np.ndarray, " M"]) -> State:
        """Return a good allocation of whole rows, near to some rows."""

    @abstractmethod
    def value(self, response: Response, errors: Float[np.ndarray, " M"], cost: float) -> float:
        """Return its value at an allocation with these errors, of that cost."""


class Error(Aim):
    """An error, or several together, that real rows for a budget make small.

    Attributes
    ----------
    share : float
        Of what the best feeds of one size take off, the share that greedy ones take off at least.
    """

    share: ClassVar[float] = 0.0

    @abstractmethod
    def worth(self, response: Response, state: State) -> Float[np.ndarray, " M"]:
        """Return by how much another real row of each model would lower it."""

    def whole(self, response: Response, room: Room, rows: Float[np.ndarray, " M"]) -> State:
        """Return whole rows within the budget, and an error near to the smallest."""
        return within_budget(response, room, rows, partial(self.worth, response))


class WeightedErrors(Error):
    """The sum of errors with weights that are given."""

    share = 1 - math.exp(-1)

    name = "weights"
    what = "weighted sum of errors"
    elsewhere = f"the {what}"
    most = 100_000
    remedy = "a part of the network"

    def response(
        self, net: Network, matters: Bool[np.ndarray, " M"], opened: Bool[np.ndarray, " M"]
    ) -> Response:
        """Return the errors as functions of real rows; of many models, estimated by random signs.

        Raises
        ------
        InputError
            If there are many, and draws are shared.
        """
        if net.size <= MOST_RESOLVED:
            return Response(net, matters, opened)
        if net.shares_draws:
            problem = (
                f"are shared, and a design of more than {MOST_RESOLVED:,} models is for others"
            )
            raise InputError("network.draws", f"{problem}; give private ones, or fewer models")
        return SampledResponse(net, matters, opened, self.weights)

    def weighted(self, net: Network) -> Weighted:
        """Return the weights of the feeds with the smallest sum of errors."""
        return weighted(net, self.weights)

    def smallest(self, response: Response, room: Room) -> Found:
        """Return the allocation with the smallest sum of errors."""
        return smallest_sum(response, room, self.weights)

    def worth(self, response: Response, state: State) -> Float[np.ndarray, " M"]:
        """Return by how much another real row of each model would lower the sum."""
        return -response.gradient(state, self.weights)

    def value(self, response: Response, errors: Float[np.ndarray, " M"], cost: float) -> float:
        """Return the sum of the errors with the weights."""
        counts = self.counts(response)
        return float(self.weights[counts] @ errors[counts])


class MeanError(WeightedErrors):
    """The mean error of all models."""

    name = "mean"
    what = "mean error"
    elsewhere = f"the {what}"


class LargestError(Error):
    """The largest error of the models that are fitted."""

    name = "max"
    what = "largest error"
    elsewhere = f"the {what}"

    def counts(self, response: Response) -> Bool[np.ndarray, " M"]:
        """Return which models are fitted."""
        return response.fits

    def smallest(self, response: Response, room: Room) -> Found:
        """Return the allocation with the smallest largest error."""
        if not response.fits.any():
            problem = "has no feeds, so that nothing is fitted and no error changes"
            raise InputError("network", f"{problem}; give it feeds")
        return smallest_maximum(response, room, response.fits)

    def worth(self, response: Response, state: State) -> Float[np.ndarray, " M"]:
        """Return by how much another real row of each model would lower the largest error."""
        worst = np.argmax(np.where(response.fits, state.errors, -np.inf))
        return -response.gradient(state, np.eye(len(state.rows))[worst])

    def value(self, response: Response, errors: Float[np.ndarray, " M"], cost: float) -> float:
        """Return the largest error."""
        return float(errors[response.fits].max())


@dataclass(frozen=True)
class Cost(Aim):
    """The cost of real rows that keep errors to targets.

    Attributes
    ----------
    targets : ndarray, shape (M,)
        Largest errors, infinite for models without a target.
    """

    name = "cost"
    what = "cost"
    elsewhere = "the cost elsewhere"

    targets: Float[np.ndarray, " M"]

    def given(self, budget: float) -> str:
        """Return that there are targets."""
        return "for the targets"

    def now(self, value: str) -> str:
        """Return a clause with the cost in the file."""
        return f"the real rows of the file cost {value}"

    def smallest(self, response: Response, room: Room) -> Found:
        """Return the cheapest allocation that keeps to the targets."""
        found = cheapest(response, room, self.targets)
        if isinstance(found, Found):
            return found
        i = np.flatnonzero(self.counts(response) & ~(found.errors <= self.targets))[0]
        why = "is frozen" if not response.fits[i] else "has this error with all rows of at_most"
        problem = f"is {self.targets[i]:g}, and the model {why}, {found.errors[i]:g}"
        name = response.models[i]
        raise InputError(f"design.targets.{name}", f"{problem}; give at least that")

    def whole(self, response: Response, room: Room, rows: Float[np.ndarray, " M"]) -> State:
        """Return whole rows that keep to the targets."""
        return keeping_to_targets(response, room, rows, self.targets)

    def value(self, response: Response, errors: Float[np.ndarray, " M"], cost: float) -> float:
        """Return the cost."""
        return cost
