"""Chunks within a cap, and devices that run out of memory."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from mcjax import api
from mcjax.engine import engine
from mcjax.engine.blocks import block_size, chunk_within
from mcjax.engine.compiled import compile_study
from mcjax.engine.moments import TILE
from mcjax.engine.outcome import ErrorTotals
from mcjax.engine.tile_program import Shape, layout
from mcjax.errors import InputError
from mcjax.models.location import linear
from mcjax.network import topologies
from mcjax.study.study import Study, condition


@pytest.fixture
def study():
    net = topologies.ring(2, samples=20, real=20, initial=40)
    one, other = (condition(net, linear(), [0.5, -0.5], label=name) for name in "ab")
    return Study((one, other), generations=2, chains=300, chunk=512)


def exhausted(monkeypatch, most, word="RESOURCE_EXHAUSTED: no memory for 1 byte"):
    """A device that has room for so many chains at a time; returns what it was asked for."""
    real, asked = engine.run_blocks, []

    def run(conditions, keys, *others, **options):
        lanes = keys.shape[0] * keys.shape[1]
        asked.append(lanes)
        if lanes > most:
            raise jax.errors.JaxRuntimeError(word)
        return real(conditions, keys, *others, **options)

    monkeypatch.setattr(engine, "run_blocks", run)
    return asked


@pytest.mark.system
def test_half_the_chunk_and_the_same_numbers(study, monkeypatch):
    expected = api.simulate(study)
    asked = exhausted(monkeypatch, 128)
    with pytest.warns(RuntimeWarning, match="ran out of memory") as said:
        found = api.simulate(study)
    assert [str(w.message).split("with ")[1] for w in said] == [
        "256 chains at a time instead of 512",
        "128 chains at a time instead of 256",
    ]
    assert list(dict.fromkeys(asked)) == [512, 256, 128]
    assert asked.count(128) == 5  # 600 chains, none left out, none twice
    for one, other in zip(found, expected, strict=True):
        jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.system
def test_memory_that_runs_out_later(study, monkeypatch):
    """The chunk before is kept, and what the one after it asked for is run again with it."""
    expected = api.simulate(replace(study, chunk=256))
    real, asked = engine.run_blocks, []

    def run(*arguments, **options):
        asked.append(1)
        if len(asked) == 2:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: taken by another")
        return real(*arguments, **options)

    monkeypatch.setattr(engine, "run_blocks", run)
    with pytest.warns(RuntimeWarning, match="continuing with 128 chains at a time instead of 256"):
        found = api.simulate(replace(study, chunk=256))
    assert len(asked) in (2 + 3, 3 + 3)  # the third may have been started
    for one, other in zip(found, expected, strict=True):
        jax.tree.map(np.testing.assert_array_equal, one, other)


def test_no_room_for_a_single_block(study, monkeypatch):
    exhausted(monkeypatch, 10)
    with (
        pytest.warns(RuntimeWarning, match="ran out of memory"),
        pytest.raises(InputError, match=r"run\.chunk: exceeds the memory of a device even at 128"),
    ):
        api.simulate(study)


def test_other_faults_are_no_lack_of_memory(study, monkeypatch):
    exhausted(monkeypatch, 10, "INTERNAL: something else")
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        api.simulate(study)


@pytest.mark.system
def test_a_cap_makes_chunks_smaller_and_changes_no_number(study, monkeypatch):
    expected = api.simulate(study)
    capped = replace(study, memory=2e-4)
    [shared] = compile_study(capped).programs
    chunk = shared.chunk
    assert 64 < chunk < 512
    asked = exhausted(monkeypatch, 512)
    for one, other in zip(api.simulate(capped), expected, strict=True):
        jax.tree.map(np.testing.assert_array_equal, one, other)
    assert max(asked) <= chunk
    # what a chunk holds is what was counted: two chunks of results, inputs and rows of summaries
    compiled = compile_study(replace(study, conditions=study.conditions[:1]))
    task, program = compiled.task(0, [0]), compiled.programs[0].program
    [[(_, trajectory)]] = engine.trajectories([task], program)
    results = sum(leaf.nbytes for leaf in trajectory)
    inputs = sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(task.arrays))
    shape = Shape(study.generations + 1, 2, 2, 0)
    row = sum(leaf.size for leaf in jax.tree.leaves(layout(ErrorTotals(), shape)))
    most, least = (1e6 / 2 / (results + inputs + f * 8 * row / TILE) for f in (0.6, 1.2))
    assert least < chunk_within(1e6, task, program) < most
    with pytest.raises(InputError, match=r"run\.memory: is 0; give a positive number of GiB"):
        replace(study, memory=0)


def test_blocks_of_many_models_hold_not_much_more_than_those_of_few():
    """Of linear chains with many parameters, whose sums need the cache for one model at a time."""
    lanes = []
    for models in (64, 640):
        net = topologies.ring(models, samples=80, real=80, initial=160)
        compiled = compile_study(Study((condition(net, linear(), [0.1] * 40),)))
        task = compiled.task(0, [0])
        lanes.append(models * block_size(task, compiled.programs[0].program, 1))
    assert lanes[1] <= 4 * lanes[0]
