"""Some chains of one condition, which the engine runs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Integer, UInt32

from mcjax.chains.files import FileArrays
from mcjax.chains.program import ConditionArrays
from mcjax.draws.streams import switching_numbers
from mcjax.models.model import Functional
from mcjax.network.drawn import Drawn


class Task(NamedTuple):
    """Some chains of one condition."""

    arrays: ConditionArrays
    seed: int
    word: int  # hash of the condition's label, part of the chain keys
    chains: Integer[np.ndarray, " C"]  # chain numbers, ascending
    models: int  # number of models without padding
    drawn: Drawn | None = None  # from what each chain draws its networks
    files: FileArrays | None = None  # the same for all tasks of one call
    functionals: tuple[Functional, ...] = ()

    def orders(self, keys: UInt32[np.ndarray, "C 2"]) -> Integer[np.ndarray, "C T+1"]:
        """Return which of its tables of feeds each generation of some chains has."""
        order = np.broadcast_to(
            self.arrays.network.order, (len(keys), len(self.arrays.network.order))
        )
        if self.drawn is None:
            return order
        order = order.copy()
        order[:, 1:] = 1 + self.drawn.sequences(switching_numbers(keys, order.shape[1] - 1))
        return order
