"""Networks that change at random: which of a few generations comes next is drawn.

A :class:`Drawn` timeline says which generations there are, and the law of their order. One sequence
that was drawn is a :class:`Followed` timeline: its generations are known, and nothing is known of
those after the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mcjax.arguments import checked
from mcjax.calls import explained
from mcjax.errors import InputError, did_you_mean
from mcjax.network.generation import Generation
from mcjax.network.markov import cyclic_classes, irreducible, stationary_distribution
from mcjax.network.timeline import Timeline, tables
from mcjax.numbers import how_many

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

Paths = Literal["own", "common"]
"""Sequences of generations: each chain draws its own, or all chains have one in common."""
MOST_DRAWN = 1024
"""Largest number of generations from which one is drawn."""
FIELD = "network.switching"
"""Field of a study file that says how generations are drawn."""
PATHS_ALONE = "is for feeds with a probability; give one, or leave it out"
"""Why ``paths`` says nothing without such feeds."""
ROUNDING = 1e-9
"""Largest distance of a sum of probabilities from 1."""
UNKNOWN = "is drawn at random, so no feeds are known; give a network whose feeds are"


@explained
@dataclass(frozen=True)
class Drawn(Timeline):
    """A few generations, of which one is drawn for each generation of a chain.

    Parameters
    ----------
    *generations : Generation
        The K generations that are possible.
    probabilities : sequence of float, optional
        The probability of each, if they are drawn independently.
    transition : sequence of sequence of float, optional
        The probabilities that each of them, a row, is followed by each, a column: they are a Markov
        chain, which is stationary.
    paths : {"own", "common"}, optional
        Whether every chain draws a sequence of its own, or all chains have one in common.
    first : int, optional
        The position of a generation. Generation 1 is then drawn from those alone that may come as
        many generations after it as it may itself: where a Markov chain takes turns with groups of
        generations, from its group. By default it is drawn from all.

    Attributes
    ----------
    generations : tuple of Generation
        Those that are possible.
    law : tuple of tuple of float
        The rows of the transition matrix; one row if generations are drawn independently.
    paths : {"own", "common"}
        As given.
    first : int or None
        As given.

    Raises
    ------
    InputError
        For numbers that are no probabilities, and for a Markov chain in which some generation does
        not follow from another in the end.

    Examples
    --------
    >>> import mcjax
    >>> day, night = mcjax.Generation([("a", "a", 100)]), mcjax.Generation([("real", "a", 100)])
    >>> timeline = mcjax.Drawn(day, night, transition=[[0.9, 0.1], [0.5, 0.5]])
    >>> timeline.stationary.round(4).tolist()
    [0.8333, 0.1667]
    """

    generations: tuple[Generation, ...]
    law: tuple[tuple[float, ...], ...]
    paths: Paths
    first: int | None

    @checked
    def __init__(
        self,
        *generations: Generation,
        probabilities: Sequence[float] | None = None,
        transition: Sequence[Sequence[float]] | None = None,
        paths: Paths = "own",
        first: int | None = None,
    ):
        count = len(generations)
        if not 1 <= count <= MOST_DRAWN:
            raise InputError(
                "network.later", f"has {count:,} generations to draw; give 1 to {MOST_DRAWN:,}"
            )
        if (probabilities is None) == (transition is None):
            raise InputError("network.later", "needs probabilities or a transition; give one")
        if transition is None:
            law: tuple[tuple[float, ...], ...] = (
                _distribution("probabilities", probabilities or (), count),
            )
            if min(law[0]) == 0:
                raise InputError(f"{FIELD}.probabilities", "has a 0; leave out what is never drawn")
        else:
            if len(transition) != count:
                raise InputError(
                    f"{FIELD}.transition", f"has {how_many(len(transition), 'row')}; give {count}"
                )
            law = tuple(_distribution("transition", row, count) for row in transition)
            if not irreducible(np.array(law)):
                raise InputError(
                    f"{FIELD}.transition",
                    "never leads from some state to another; leave out what is left",
                )
        if paths not in get_args(Paths):
            hint = did_you_mean(paths, get_args(Paths))
            raise InputError(f"{FIELD}.paths", f"is {paths!r}, not one of {get_args(Paths)}{hint}")
        if first is not None and not 0 <= first < count:
            raise InputError("network.later", f"begins with {first}; give 0 to {count - 1}")
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "generations", generations)
        object.__setattr__(self, "law", law)
        object.__setattr__(self, "paths", paths)

    @property
    def turns(self) -> int:  # type: ignore[override]  # a field of others
        """K: all of them come again and again."""
        return len(self.generations)

    @property
    def lasting(self) -> None:
        """None: no generation stays."""
        return None

    @property
    def constant(self) -> bool:
        """False: which generation comes is not known."""
        return False

    @property
    def random(self) -> bool:
        """True: chains draw their generations."""
        return True

    @property
    def independent(self) -> bool:
        """True if generations are drawn independently."""
        return len(self.law) == 1

    @property
    def change(self) -> str:
        """Description of the change of feeds, in a few words for a summary."""
        return f"feeds are drawn from {self.turns}, these are the first"

    @property
    def classes(self) -> int:
        """K; 1 where generations are drawn independently, so that none says what follows."""
        return 1 if self.independent else self.turns

    @property
    def leads(self) -> Bool[np.ndarray, "classes classes"]:
        """True where a class of generations, a row, may be followed by another, a column."""
        return np.asarray(self.transition[: self.classes, : self.classes] > 0)

    def resting(self, models: Sequence[str]) -> Bool[np.ndarray, "classes M"]:
        """Return which models read nothing in some generation of each class."""
        result = np.ones((self.turns, len(models)), bool)
        index = {name: i for i, name in enumerate(models)}
        for z, generation in enumerate(self.generations):
            result[z, [index[feed.reader] for feed in generation.feeds if feed.weight]] = False
        return np.any(result, axis=0)[None] if self.independent else result

    @cached_property
    def transition(self) -> Float[np.ndarray, "K K"]:
        """Q: the probability that each generation, a row, is followed by each, a column."""
        return np.broadcast_to(np.array(self.law), (self.turns, self.turns))

    @cached_property
    def stationary(self) -> Float[np.ndarray, " K"]:
        """The probability of each generation at any time."""
        return (
            np.array(self.law[0]) if self.independent else stationary_distribution(self.transition)
        )

    @cached_property
    def groups(self) -> Float[np.ndarray, "G K"]:
        """The probabilities of generations in each of the groups that take turns.

        Row t - 1 is of generation t, and rows take turns. There is one where generation 1 is drawn
        from all.
        """
        if self.first is None:
            return self.stationary[None]
        groups = cyclic_classes(self.transition, self.first)
        return np.asarray(groups * self.stationary / (groups @ self.stationary)[:, None])

    def occupancy(self, generations: int) -> Float[np.ndarray, "T+1 K"]:
        """Return the probabilities of each generation at times 1 to T, and at 0 those of any."""
        later = self.groups[np.arange(generations) % len(self.groups)]
        return np.concatenate([self.stationary[None], later])

    @property
    def reversed(self) -> Float[np.ndarray, "K K"]:
        """The probability that each generation, a row, follows on each, a column."""
        return np.asarray(self.transition.T * self.stationary / self.stationary[:, None])

    def sequences(self, uniform: Float[np.ndarray, "C T"]) -> Int[np.ndarray, "C T"]:
        """Return the positions of generations 1 to T of each chain, from numbers in [0, 1)."""
        follows, result = _upper(self.transition), np.empty(uniform.shape, int)
        ends = np.broadcast_to(_upper(self.groups[0]), (len(uniform), self.turns))
        for t, number in enumerate(uniform.T):
            result[:, t] = (number[:, None] >= ends).sum(1)
            ends = follows[result[:, t]]
        return result

    def at(self, generation: int) -> Generation:
        """Raise InputError: it is drawn."""
        raise InputError("network.later", UNKNOWN)

    def order(self, generations: int) -> tuple[tuple[Generation, ...], Int[np.ndarray, " T"]]:
        """Raise InputError: it is drawn."""
        raise InputError("network.later", UNKNOWN)

    def changed(self, change: Callable[[Generation], Generation]) -> Drawn:
        """Return the timeline with every generation changed in the same way."""
        return self._with(map(change, self.generations))

    def _with(self, generations: Any) -> Drawn:
        law: dict[str, Any] = {"transition": self.law}
        if self.independent:
            law = {"probabilities": self.law[0]}
        return Drawn(*generations, **law, paths=self.paths, first=self.first)

    def described(self) -> dict[str, Any]:
        """Return plain data."""
        begins = {} if self.first is None else {"begins": self.first}
        law = {"drawn": tables(self.generations), "law": self.law, "paths": self.paths}
        return law | begins


@dataclass(frozen=True)
class Followed(Timeline):
    """One sequence of generations that was drawn.

    Attributes
    ----------
    law : Drawn
        From what it was drawn.
    places : tuple of int
        Which of the generations of ``law`` are generations 1 to T.
    """

    law: Drawn
    places: tuple[int, ...]

    @property
    def generations(self) -> tuple[Generation, ...]:  # type: ignore[override]  # a field of others
        """The generations 1 to T; if T is 0, one that is possible."""
        return tuple(self.law.generations[z] for z in self.places or (0,))

    @property
    def turns(self) -> int:  # type: ignore[override]  # a field of others
        """All of them, since no generation stays."""
        return max(len(self.places), 1)

    @property
    def lasting(self) -> None:
        """None: what comes after generation T is drawn."""
        return None

    @property
    def constant(self) -> bool:
        """False: what comes after generation T is drawn."""
        return False

    @property
    def rows_vary(self) -> bool:
        """True if possible generations differ in more than the weights of their feeds."""
        return self.law.rows_vary

    def at(self, generation: int) -> Generation:
        """Return one generation, from 1 to T."""
        if generation > len(self.places):
            raise InputError("network.later", UNKNOWN)
        return self.law.generations[self.places[generation - 1]]

    def order(self, generations: int) -> tuple[tuple[Generation, ...], Int[np.ndarray, " T"]]:
        """Return the distinct generations from 1 to T, and which of them each one is."""
        if generations > self.turns:
            raise InputError("network.later", UNKNOWN)
        found = self.generations[:generations]
        distinct = tuple(dict.fromkeys(found))
        numbers = {generation: k for k, generation in enumerate(distinct)}
        return distinct, np.array([numbers[generation] for generation in found], int)

    def changed(self, change: Callable[[Generation], Generation]) -> Followed:
        """Return the timeline with every generation changed in the same way."""
        return Followed(self.law.changed(change), self.places)

    def described(self) -> dict[str, Any]:
        """Return plain data; seed and label say which sequence it is."""
        return self.law.described()


def _distribution(field: str, given: Sequence[float], count: int) -> tuple[float, ...]:
    """Return probabilities of ``count`` generations, which add up to 1."""
    if len(given) != count:
        rows = "" if field == "probabilities" else " in a row"
        raise InputError(
            f"{FIELD}.{field}", f"has {how_many(len(given), 'number')}{rows}; give {count}"
        )
    total = sum(given)
    if not (all(0 <= value <= 1 for value in given) and abs(total - 1) <= ROUNDING):
        raise InputError(
            f"{FIELD}.{field}", f"has {list(given)}; give numbers from 0 to 1 that add up to 1"
        )
    return tuple(value / total for value in given)


def _upper(chances: Float[np.ndarray, "*rows K"]) -> Float[np.ndarray, "*rows K"]:
    """Return where the intervals of [0, 1) end that have these lengths."""
    ends = np.cumsum(chances, axis=-1)
    left = np.cumsum(chances[..., ::-1], axis=-1)[..., ::-1]  # what is still to come
    last = np.concatenate([left[..., 1:], np.zeros_like(left[..., :1])], axis=-1) <= 0
    return np.where(last, 2.0, ends)  # sums may end below 1
