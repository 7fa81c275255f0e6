"""Which models of which networks have the very same numbers, because all their draws are common.

A fit depends on its place, on where it begins and on its rows, and rows on the fit of their origin.
So models that agree in all of these, back to generation 0, agree to the last bit.
"""

from __future__ import annotations

import hashlib

from mcjax.generators.chains import Read, readings, source_of
from mcjax.generators.study import GeneratorCondition

History = str
"""A digest of all that the numbers of a model depend on in one generation."""


def histories(condition: GeneratorCondition, generations: int) -> list[list[History]]:
    """Return the history of each model by generation; equal ones have equal numbers."""
    generator = condition.generator
    draws = condition.label, condition.seed, condition.start, generator.name, generator.digest
    found: list[list[History]] = []
    for t, reads in enumerate(readings(condition.network, generations)):
        before = found[-1] if found else []
        begins = condition.begins_at(t)
        own = []
        for i, incoming in enumerate(reads):
            if not incoming:  # it stays as it is
                own.append(before[i])
                continue
            begun = None if begins is None else found[begins][i]
            rows = [_rows(condition, read, before, t) for read in incoming]
            own.append(_digest(draws, t, i, begun, rows))
        found.append(own)
    return found


def _rows(
    condition: GeneratorCondition, read: Read, before: list[History], t: int
) -> tuple[object, ...]:
    """Return what rows depend on: where they are from, the draws, their number and weight."""
    size = condition.network.size
    origin = before[read.origin] if read.origin < size else source_of(condition.network, read)
    return origin, t if read.renewed else 0, read.stream, read.rows, read.weight


def _digest(*parts: object) -> History:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
