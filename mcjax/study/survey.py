"""Surveys: every network of a few models, or pairs of them, compared with the collapse law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcjax.arguments import checked_fields
from mcjax.calls import explained
from mcjax.draws.streams import condition_word, design_key, switching_numbers
from mcjax.errors import InputError, did_you_mean
from mcjax.network.enumeration import MOST_ENUMERATED, isomorphism_classes
from mcjax.network.network import Network
from mcjax.network.pairs import PAIRS, Alone, Switching
from mcjax.numbers import MOST, check_between, check_share

if TYPE_CHECKING:
    from jaxtyping import Int

MOST_LISTED = 1 << 20
"""Largest number of networks, or of pairs, of a survey."""
DRAWN = "which networks a survey has"
"""Names the random numbers by which a sample is drawn."""


@explained
@dataclass(frozen=True)
@checked_fields
class Survey:
    """All networks of M linear regressions with one parameter and noise of variance 1.

    With ``switching``, all pairs of networks.

    Attributes
    ----------
    models : int
        Number M of models.
    samples : int
        Samples of every feed, and of generation 0.
    labelled : bool
        Whether every labelled network runs, or one of each isomorphism class.
    generations, chains, seed, tolerance, confidence : int, int, int, float, float
        As in a study; the chains are those of each network.
    piece : int
        Number of networks that are simulated, and saved, together.
    switching : {"periodic", "random"}, optional
        Makes it a survey of pairs of networks, which take turns, or of which one is drawn for each
        generation of each chain; see :mod:`mcjax.network.pairs`.
    sample : int, optional
        So many networks, or pairs, drawn at random in place of all; which these are depends on
        ``seed``.

    Raises
    ------
    InputError
        If a setting is out of range.

    Examples
    --------
    >>> import mcjax
    >>> survey = mcjax.Survey(models=2)
    >>> codes, sizes = survey.codes()
    >>> len(codes)
    64
    """

    models: int
    samples: int = 1000
    labelled: bool = True
    generations: int = 64
    chains: int = 3072
    seed: int = 0
    tolerance: float = 0.4
    confidence: float = 0.99
    piece: int = 256
    switching: Switching | None = None
    sample: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.models <= MOST_ENUMERATED:
            raise InputError("survey.models", f"is {self.models}; give 1 to {MOST_ENUMERATED}")
        if self.samples < 100:
            raise InputError("survey.samples", "is below 100; give more, for a first-order law")
        if self.generations < 16:
            raise InputError(
                "run.generations", "is below 16; give more, to tell growth from a limit"
            )
        for field, low, high in (
            ("survey.samples", 1, MOST),
            ("run.generations", 0, 1_000_000),
            ("run.chains", 2, 2**32 - 1),
            ("run.seed", 0, 2**64 - 1),
            ("survey.piece", 1, MOST),
        ):
            check_between(field, getattr(self, field.partition(".")[2]), low, high)
        for name in ("tolerance", "confidence"):
            check_share(f"run.{name}", getattr(self, name))
        if self.switching is not None and self.switching not in PAIRS:
            hint = did_you_mean(self.switching, PAIRS)
            raise InputError(
                "survey.switching", f"is {self.switching!r}, not one of {tuple(PAIRS)}{hint}"
            )
        if not self.labelled and not (self.switching is None and self.sample is None):
            field = "sample" if self.switching is None else "switching"
            raise InputError("survey.labelled", f"is false, and {field} is given; leave one out")
        if self.sample is not None:
            check_between("survey.sample", self.sample, 1, min(self._possible, MOST_LISTED))
        elif self._possible > MOST_LISTED:
            problem = f"is missing, and there are {self._possible:,} pairs"
            raise InputError("survey.sample", f"{problem}; give at most {MOST_LISTED:,}")

    @property
    def kind(self) -> Alone:
        """Kind of object that has a code: a network, or a pair that switches."""
        return Alone() if self.switching is None else PAIRS[self.switching]

    @property
    def phases(self) -> int:
        """The phases in which each model has a verdict."""
        return self.kind.phases

    @property
    def noun(self) -> str:
        """Noun for the object that has a code."""
        return self.kind.noun

    @property
    def _possible(self) -> int:
        """The number of labelled networks, or of ordered pairs of them."""
        return self.kind.possible(self.models)

    def codes(self) -> tuple[Int[np.ndarray, " K"], Int[np.ndarray, " K"]]:
        """Return codes of the networks to run, and how many labelled networks each represents."""
        if not self.labelled:
            return isomorphism_classes(self.models)
        codes = np.arange(self._possible) if self.sample is None else self._drawn(self.sample)
        return self.kind.distinct(codes, self.models)

    def _drawn(self, count: int) -> Int[np.ndarray, " K"]:
        """Return different codes, all equally likely, in ascending order."""
        key, asked = design_key(self.seed, condition_word(DRAWN)), count
        while True:
            [numbers] = switching_numbers(key[None], asked)
            codes = (numbers * self._possible).astype(np.int64)
            found, first = np.unique(codes, return_index=True)
            if len(found) >= count:
                return np.sort(found[np.argsort(first)[:count]])
            asked *= 2

    def pieces(self) -> list[list[int]]:
        """Return the codes of the networks of each piece."""
        codes = self.codes()[0].tolist()
        return [codes[k : k + self.piece] for k in range(0, len(codes), self.piece)]

    def network(self, code: int) -> Network:
        """Return the network with this code."""
        return self.kind.network(code, self.models, self.samples)

    def name(self, code: int) -> str:
        """Return the short description of a network that tables show."""
        return self.kind.name(code, self.models)

    def vertices(self) -> list[str]:
        """Return the names of models; in phases, as in ``0@1``, if there are several."""
        names = [str(i) for i in range(self.models)]
        if self.phases == 1:
            return names
        return [f"{name}@{z}" for z in range(self.phases) for name in names]
