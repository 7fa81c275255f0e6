"""Arrays of conditions, spread over the lanes of chunks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Integer

from mcjax.chains.program import ConditionArrays
from mcjax.engine.platforms import works_on_host


class Spread:
    """Gives every lane of a chunk the arrays of its task.

    On a CPU NumPy spreads them. On accelerators the arrays of the tasks are put on the devices
    once, and a program spreads them there. The result is kept for the next chunk, whose lanes often
    belong to the same tasks.

    Parameters
    ----------
    stacked : ConditionArrays
        Arrays of all tasks, with a leading axis.
    devices : tuple of Device
        Where chains run.
    """

    def __init__(self, stacked: ConditionArrays, devices: tuple[jax.Device, ...]):
        self._stacked, self._spread = stacked, _of_owners
        if not works_on_host(devices[0].platform):
            everywhere = NamedSharding(_mesh(devices), PartitionSpec())
            self._stacked, self._spread = jax.device_put(stacked, everywhere), _program(devices)
        self._last: tuple[np.ndarray, ConditionArrays] | None = None

    def over(self, owner: Integer[np.ndarray, "blocks lanes"]) -> ConditionArrays:
        """Return the arrays of the lanes that belong to these tasks."""
        if self._last is None or not np.array_equal(owner, self._last[0]):
            self._last = None  # first, as it may be large
            self._last = owner, self._spread(self._stacked, owner)
        return self._last[1]


def _of_owners(stacked: ConditionArrays, owner: Any) -> ConditionArrays:
    spread: ConditionArrays = jax.tree.map(lambda leaf: leaf[owner], stacked)
    return spread


def _mesh(devices: tuple[jax.Device, ...]) -> Mesh:
    return Mesh(np.array(devices), "blocks")


@cache
def _program(devices: tuple[jax.Device, ...]) -> Callable[..., ConditionArrays]:
    shares = NamedSharding(_mesh(devices), PartitionSpec("blocks"))
    return jax.jit(_of_owners, out_shardings=shares)
