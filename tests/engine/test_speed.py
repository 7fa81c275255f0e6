"""A coarse ratio, so that a compiler that loses the vector loops is found out. Benchmarks are in
``benchmarks/speed.py``."""

import importlib.util
import statistics
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from mcjax.chains import program as chains
from mcjax.engine import engine
from mcjax.engine.compiled import compile_study
from mcjax.models.glm import logistic
from mcjax.network import topologies
from mcjax.study.study import Study, condition

pytestmark = pytest.mark.system

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers.py"
GENERATIONS = 6


def test_no_loop_is_split_over_cores():
    """On two cores a loop in halves takes longer than whole; a compiler that calls the pass by
    another name splits again, silently."""
    own = condition(topologies.ring(4, samples=100, initial=200), logistic(), [0.5, 0.5])
    study = Study((own,), generations=3, chains=256, precision="float32")
    compiled, blocks = compile_study(study), (4, 64)
    task, program = compiled.task(0, np.arange(256)), compiled.programs[0].program
    conditions = jax.tree.map(lambda leaf: np.stack([np.stack([leaf] * 64)] * 4), task.arrays)
    lowered = engine._compiled(chains.Path.FAST, "cpu").lower(
        conditions, np.zeros((*blocks, 2), np.uint32), program, tuple(jax.devices()[:1])
    )
    assert "outer_dimension_partitions" not in lowered.compile().as_text()


def test_at_least_twice_as_fast_as_numpy():
    """Processor time a fit, in alternation, so that what else runs here disturbs little."""
    spec = importlib.util.spec_from_file_location("peers", PEERS)
    peers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peers)
    net = topologies.ring(4, samples=100, real=100, initial=200)
    own = condition(net, logistic(), peers.truth(5))
    study = Study((own,), generations=GENERATIONS - 1, chains=256, precision="float32")
    compiled = compile_study(study)
    task, program = compiled.task(0, np.arange(256)), compiled.programs[0].program
    assert program.path == "fast"

    def ours():
        return list(engine.trajectories([task], program, 256))

    def theirs():
        given = (200, 5, GENERATIONS, np.float32, 64, 64, True)
        return peers.numpy_chains("logistic", *given)

    ours()
    ratios = []
    for _ in range(5):
        begin = time.process_time()
        ours()
        middle = time.process_time()
        theirs()
        ratios.append(4 * (time.process_time() - middle) / (middle - begin))
    assert statistics.median(ratios) > 2
