"""Ordered pairs of networks of M models that switch, by number.

Of K labelled networks (:mod:`mcjax.network.enumeration`) the pair of a and b has the code
``a K + b``. The two take turns, a in generation 1, or one of them is drawn for each generation,
either with probability 1/2. For the latter their order has no meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from mcjax.network.build import build_network
from mcjax.network.drawn import Drawn
from mcjax.network.enumeration import code_count, describe_code, network_of
from mcjax.network.network import Network
from mcjax.network.schedule import ordered
from mcjax.network.timeline import Timeline, cycle

if TYPE_CHECKING:
    from jaxtyping import Int

Switching = Literal["periodic", "random"]
"""Whether the networks of a pair take turns, or one is drawn for each generation."""
SWITCHING: tuple[Switching, ...] = get_args(Switching)
BETWEEN = {"periodic": "then", "random": "or"}


def pair_of(code: int, models: int) -> tuple[int, int]:
    """Return the codes of the two networks of a pair."""
    return divmod(code, code_count(models))


def pair_network(code: int, models: int, samples: int, switching: Switching) -> Network:
    """Return the network of a pair; every feed and generation 0 have ``samples`` samples."""
    first, second = (network_of(c, models, samples) for c in pair_of(code, models))
    generations = ordered([g.feeds for g in (*first.later.generations, *second.later.generations)])
    later: Timeline = cycle(*generations)
    if switching == "random":
        later = Drawn(*generations, probabilities=(0.5, 0.5))
    return build_network(models, later, initial=samples)


def describe_pair(code: int, models: int, switching: Switching) -> str:
    """Return the feeds of both networks on one line, such as ``0->1 then real->1``."""
    first, second = (describe_code(c, models) for c in pair_of(code, models))
    return f"{first} {BETWEEN[switching]} {second}"


def without_order(
    codes: Int[np.ndarray, " n"], models: int
) -> tuple[Int[np.ndarray, " K"], Int[np.ndarray, " K"]]:
    """Return one code of each pair whatever its order, and how many of the codes it stands for."""
    first, second = np.divmod(codes, code_count(models))
    least, most = np.minimum(first, second), np.maximum(first, second)
    return np.unique(least * code_count(models) + most, return_counts=True)
