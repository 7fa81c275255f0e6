"""Simulate networks of generators: block after block, in a way that can be continued."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from mcjax.engine.platforms import limits_on
from mcjax.errors import InputError
from mcjax.generators.chains import Block, readings, run_block, source_of
from mcjax.generators.shown import Shown
from mcjax.generators.study import GeneratorCondition, GeneratorStudy
from mcjax.generators.traced import (
    check_compare,
    check_expected,
    check_sample,
    check_source,
    outline_of,
)

COPIES = 4
"""Approximate number of copies of the rows and parameters of a fit in memory at once."""

Values = Float[np.ndarray, "C T+1 M K"]


class Running(NamedTuple):
    """Chains of one condition that have not come to the last generation.

    Attributes
    ----------
    condition : int
        Position of the condition.
    block : Block
        The chains that follow those that have ended.
    """

    condition: int
    block: Block


class Measured(NamedTuple):
    """The measures of all chains that have ended, and the chains that run.

    Attributes
    ----------
    values : tuple of ndarray
        Measures of each condition, shape (C, T + 1, M, K), C being the number of its chains so far.
    running : Running or None
        The chains that run.
    shown : tuple of ndarray or None
        What models of chain 0 of each condition generate; None where there is nothing to show.
    """

    values: tuple[Values, ...]
    running: Running | None = None
    shown: tuple[Shown | None, ...] = ()


Report = Callable[[int, Callable[[], Measured]], None]
"""Called with the number of generations of chains that were added, and a function that returns all
measures so far."""


def measures_of(study: GeneratorStudy) -> tuple[tuple[str, ...], ...]:
    """Return the names of the measures of each condition, after checks of all functions.

    Raises
    ------
    InputError
        If a function of a generator fails, or returns something else than it should.
    """
    return tuple((*own, *alike) for own, alike in _names(study))


def own_measures_of(study: GeneratorStudy) -> tuple[tuple[str, ...], ...]:
    """Return the names of the measures of single models, which come first."""
    return tuple(own for own, _ in _names(study))


def _names(study: GeneratorStudy) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [_checked(condition, study.generations) for condition in study.conditions]


def _checked(
    condition: GeneratorCondition, generations: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of measures of a model, and of those between models."""
    names: set[tuple[str, ...]] = set()
    reads = readings(condition.network, generations)
    fitted = [0] * condition.network.size
    for incoming in reads:
        for read in (read for model in incoming for read in model):
            if read.origin < len(fitted):
                check_sample(condition.generator, fitted[read.origin], read.rows)
            elif read.origin > len(fitted):
                source = source_of(condition.network, read)
                check_source(condition.generator, source, read.rows)
        rows = [sum(read.rows for read in model) for model in incoming]
        fitted = [new or old for new, old in zip(rows, fitted, strict=True)]
        for count in fitted:
            begun = not condition.forgets
            names.add(outline_of(condition.generator, count, begun).measures)
    if len(names) > 1:
        problem = "returns other measures for other numbers of rows; return the same"
        raise InputError("family.measure", problem)
    single = names.pop()
    last = next(count for count in fitted if count)
    if condition.generator.expected is not None:
        check_expected(condition.generator, last)
    alike = condition.network.size > 1 and condition.generator.compare is not None
    return single, check_compare(condition.generator, last) if alike else ()


def block_size(study: GeneratorStudy) -> int:
    """Return how many chains a block has, which the sizes of fits alone decide."""
    largest = max(
        outline_of(condition.generator, sum(read.rows for read in model), own=False).bytes
        for condition in study.conditions
        for incoming in readings(condition.network, study.generations)
        for model in incoming
        if model
    )
    limits = limits_on(jax.local_devices()[0].platform)
    size = limits.lanes
    while size > 1 and size * COPIES * largest > limits.bytes:
        size //= 2
    return size


def simulate(
    study: GeneratorStudy, known: Measured | None = None, report: Report | None = None
) -> Measured:
    """Run the chains of a study.

    Parameters
    ----------
    study : GeneratorStudy
        The study.
    known : Measured, optional
        What an earlier run of the same study left, to be continued.
    report : callable, optional
        Called after every generation of a block.
    """
    names, size = measures_of(study), block_size(study)
    if known is None:
        shapes = [(0, study.generations + 1, c.network.size) for c in study.conditions]
        empty = tuple(np.empty((*s, len(k))) for s, k in zip(shapes, names, strict=True))
        known = Measured(empty, shown=(None,) * len(empty))
    for i in range(len(study.conditions)):
        for measured, added in _condition(study, i, size, known):
            known = measured
            if report is not None:
                report(added, partial(_as_it_is, measured))
    return known


def _as_it_is(measured: Measured) -> Measured:
    return measured


def _condition(
    study: GeneratorStudy, position: int, size: int, known: Measured
) -> Iterator[tuple[Measured, int]]:
    """Run the missing chains of one condition; yield all measures after every generation."""
    while (done := len(known.values[position])) < study.chains:
        # a block is always full: chains beyond the last are dropped
        chains = np.arange(done, done + size, dtype=np.uint32)
        running = known.running
        begun = running.block if running and running.condition == position else None
        if begun is not None and len(begun.values) != size:  # of a machine with other blocks
            begun = None
        kept = min(size, study.chains - done)
        for block in run_block(study.conditions[position], study.generations, chains, begun):
            if block.generation < study.generations:
                known = known._replace(running=Running(position, block))
            else:
                ended = np.concatenate([known.values[position], block.values[:kept]])
                values = _put(known.values, position, ended)
                first = block.shown if done == 0 else known.shown[position]
                known = Measured(values, shown=_put(known.shown, position, first))
            yield known, kept


def _put(parts: tuple[Any, ...], position: int, part: Any) -> tuple[Any, ...]:
    return (*parts[:position], part, *parts[position + 1 :])


def replay(
    study: GeneratorStudy, position: int, chain: int
) -> tuple[Float[np.ndarray, "T+1 M K"], tuple[str, ...]]:
    """Return the measures of one chain of a condition, which need not have run, and their names.

    It runs in the programs that the study itself uses, in a block of copies.
    """
    if not 0 <= chain < 2**32:
        raise InputError("chain", f"is {chain}; give a whole number from 0 to 2**32 - 1")
    names = measures_of(study)[position]
    chains = np.full(block_size(study), chain, np.uint32)
    *_, block = run_block(study.conditions[position], study.generations, chains)
    return block.values[0], names


def fitted_of(condition: GeneratorCondition) -> Any:
    """Return the shapes of the parameters that fits of a condition leave at generation 0."""
    rows = sum(read.rows for read in readings(condition.network, 0)[0][0])
    return outline_of(condition.generator, rows, own=not condition.forgets).fitted
