"""The memory rules that a study file can name."""

from __future__ import annotations

from pkgutil import resolve_name

from mcjax.errors import InputError, did_you_mean
from mcjax.network.memory import Memory, MemoryName

PLACES = {
    "replace": "mcjax.network.memory:Replace",
    "accumulate": "mcjax.network.memory:Accumulate",
    "subsample": "mcjax.network.memory:Subsample",
}
"""Modules and classes of the built-in rules, by name."""

MEMORIES: dict[str, Memory] = {name: resolve_name(place)() for name, place in PLACES.items()}


def read_memory(rule: Memory | MemoryName) -> Memory:
    """Return a rule, given as such or by name.

    Raises
    ------
    InputError
        For an unknown name.
    """
    if isinstance(rule, Memory):
        return rule
    if not isinstance(rule, str) or rule not in MEMORIES:
        choices = tuple(MEMORIES)
        hint = did_you_mean(rule, choices)
        raise InputError("network.memory", f"is {rule!r}, not one of {choices}{hint}")
    return MEMORIES[rule]
