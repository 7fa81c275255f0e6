"""Surveys: every network of a few models, compared with the collapse law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcjax.arguments import checked_fields
from mcjax.calls import explained
from mcjax.errors import InputError
from mcjax.network.enumeration import (
    MOST_ENUMERATED,
    code_count,
    describe_code,
    isomorphism_classes,
    network_of,
)
from mcjax.network.network import Network
from mcjax.numbers import MOST, check_between, check_share

if TYPE_CHECKING:
    from jaxtyping import Int


@explained
@dataclass(frozen=True)
@checked_fields
class Survey:
    """All networks of M linear regressions with one parameter and noise of variance 1.

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

    def __post_init__(self) -> None:
        if not 1 <= self.models <= MOST_ENUMERATED:
            raise InputError("survey.models", f"is {self.models}; give 1 to {MOST_ENUMERATED}")
        if self.samples < 100:
            raise InputError("survey.samples", "is below 100, too few for a first-order law")
        if self.generations < 16:
            raise InputError("run.generations", "is below 16, too few to tell growth from a limit")
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

    def codes(self) -> tuple[Int[np.ndarray, " K"], Int[np.ndarray, " K"]]:
        """Return codes of the networks to run, and how many labelled networks each represents."""
        if self.labelled:
            codes = np.arange(code_count(self.models), dtype=np.int64)
            return codes, np.ones_like(codes)
        return isomorphism_classes(self.models)

    def pieces(self) -> list[list[int]]:
        """Return the codes of the networks of each piece."""
        codes = self.codes()[0].tolist()
        return [codes[k : k + self.piece] for k in range(0, len(codes), self.piece)]

    def network(self, code: int) -> Network:
        """Return the network with this code."""
        return network_of(code, self.models, self.samples)

    def name(self, code: int) -> str:
        """Return the short description of a network that tables show."""
        return describe_code(code, self.models)
