"""Objects that a survey enumerates: networks of M models, or ordered pairs that switch.

Of K labelled networks (:mod:`mcjax.network.enumeration`) the pair of a and b has the code
``a K + b``. The two take turns, a in generation 1, or one of them is drawn for each generation,
either with probability 1/2. For the latter their order has no meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from mcjax.network.build import build_network
from mcjax.network.drawn import Drawn
from mcjax.network.enumeration import code_count, describe_code, network_of
from mcjax.network.generation import Generation
from mcjax.network.network import Network
from mcjax.network.schedule import ordered
from mcjax.network.timeline import Timeline, cycle

if TYPE_CHECKING:
    from jaxtyping import Int

Switching = Literal["periodic", "random"]
"""Order of the two networks of a pair: they take turns, or one is drawn for each generation."""


class Alone:
    """Networks that do not change.

    Attributes
    ----------
    noun : str
        What there is one of for each code.
    does : str
        What the networks of a pair do; empty if there are no pairs.
    phases : int
        In how many phases each model has a verdict.
    """

    noun = "network"
    does = ""
    phases = 1

    def possible(self, models: int) -> int:
        """Return the number of codes."""
        return code_count(models)

    def network(self, code: int, models: int, samples: int) -> Network:
        """Return the network with a code; every feed and generation 0 have ``samples`` samples."""
        return network_of(code, models, samples)

    def name(self, code: int, models: int) -> str:
        """Return the feeds on one line, such as ``0->1 real->1``."""
        return describe_code(code, models)

    def distinct(
        self, codes: Int[np.ndarray, " n"], models: int
    ) -> tuple[Int[np.ndarray, " K"], Int[np.ndarray, " K"]]:
        """Return one code of each that mean the same, and how many of the codes it stands for."""
        return codes, np.ones_like(codes)


class InTurn(Alone):
    """Pairs of networks that take turns."""

    noun = "pair"
    does = "take turns"
    phases = 2
    between = "then"

    def possible(self, models: int) -> int:
        """Return the number of codes."""
        return code_count(models) ** 2

    def network(self, code: int, models: int, samples: int) -> Network:
        """Return the network with a code; every feed and generation 0 have ``samples`` samples."""
        nets = [network_of(c, models, samples) for c in pair_of(code, models)]
        later = self.timeline(*ordered([net.feeds for net in nets]))
        return build_network(models, later, initial=samples)

    def timeline(self, first: Generation, second: Generation) -> Timeline:
        """Return how two generations follow on each other."""
        return cycle(first, second)

    def name(self, code: int, models: int) -> str:
        """Return the feeds of both networks on one line, such as ``0->1 then real->1``."""
        first, second = (describe_code(c, models) for c in pair_of(code, models))
        return f"{first} {self.between} {second}"


class AtRandom(InTurn):
    """Pairs of networks of which one is drawn for each generation."""

    does = "are drawn"
    phases = 1
    between = "or"

    def timeline(self, first: Generation, second: Generation) -> Timeline:
        """Return how two generations follow on each other."""
        return Drawn(first, second, probabilities=(0.5, 0.5))

    def distinct(
        self, codes: Int[np.ndarray, " n"], models: int
    ) -> tuple[Int[np.ndarray, " K"], Int[np.ndarray, " K"]]:
        """Return one code of each pair whatever its order, and how many codes it stands for."""
        first, second = np.divmod(codes, code_count(models))
        least, most = np.minimum(first, second), np.maximum(first, second)
        return np.unique(least * code_count(models) + most, return_counts=True)


PAIRS: dict[Switching, Alone] = {"periodic": InTurn(), "random": AtRandom()}
"""The kinds of pairs, by the name that a survey gives them."""


def pair_of(code: int, models: int) -> tuple[int, int]:
    """Return the codes of the two networks of a pair."""
    return divmod(code, code_count(models))
