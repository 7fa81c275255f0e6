"""A survey: every network of a few models, against the collapse law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcjax.errors import InputError
from mcjax.network.enumeration import (
    MOST_ENUMERATED,
    code_count,
    describe_code,
    isomorphism_classes,
    network_of,
)
from mcjax.network.network import Network

TILE = 256
"""Chains come in tiles of this many."""


@dataclass(frozen=True)
class Survey:
    """All networks of M models, of linear regressions with one parameter and noise of variance 1.

    Attributes
    ----------
    models: M. samples: of every feed, and of generation 0.
    labelled: every labelled network; otherwise one of each isomorphism class, which stands for all.
    generations, chains (of each network), seed, tolerance, confidence: as in a study.
    piece: networks that run, and are saved, together.

    Raises
    ------
    InputError: for settings out of range.
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
        if self.chains % TILE or self.chains < TILE:
            raise InputError("run.chains", f"is {self.chains}; give a multiple of {TILE}")
        if self.piece < 1:
            raise InputError("survey.piece", "must be at least 1")

    def codes(self) -> tuple[np.ndarray, np.ndarray]:
        """Codes of the networks to run, and how many labelled networks each stands for."""
        if self.labelled:
            codes = np.arange(code_count(self.models), dtype=np.int64)
            return codes, np.ones_like(codes)
        return isomorphism_classes(self.models)

    def network(self, code: int) -> Network:
        """The network with this code."""
        return network_of(code, self.models, self.samples)

    def name(self, code: int) -> str:
        """What stands for the network in tables."""
        return describe_code(code, self.models)
