"""Pools of rows: what is lost from them, and the programs that hold them."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from mcjax import api
from mcjax.chains.layout import Feeds, network_arrays, shape_of
from mcjax.chains.program import Path, Program
from mcjax.chains.step import shares_of
from mcjax.engine.compiled import compile_study
from mcjax.estimators.newton import Newton
from mcjax.estimators.sufficient_statistics import SufficientStatistics
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import build_network, topologies
from mcjax.network.memory import Accumulate
from mcjax.solvers.status import Status
from mcjax.study.study import Study, condition

NET = build_network(
    "abc",
    [("a", "a", 41, 2.0), ("b", "a", 20), ("a", "b", 33), ("real", "b", 17), ("c", "b", 8)],
    {"a": 60, "b": 51, "c": 40},
    memory="accumulate",
)
THETA = np.array([0.5, -0.4])


def study(net=NET, model=None, **options):
    one = condition(net, model or logistic(), THETA, [[1.0, 0.3], [0.3, 1.5]], seed=3)
    return Study((one,), **({"generations": 4, "chains": 64} | options))


@pytest.mark.system
def test_a_lost_parent_is_missing_from_the_pool():
    """A reader of a model without an estimate has none either, from then on."""
    net = build_network(
        "ab", [("a", "b", 60), ("b", "b", 60)], {"a": 4, "b": 60}, memory="accumulate"
    )
    one = study(net, chains=256)
    [tally] = api.simulate(one)
    fits = tally.outcome.fits
    lost = fits[0, 0, Status.SEPARATED]
    assert 0 < lost < 256
    assert fits[1, 1, Status.PARENT_FAILED] == lost
    assert fits[4, 1, Status.PARENT_FAILED] == lost


@pytest.mark.system
def test_bits_do_not_depend_on_company():
    """Alone, in a chunk, and among more chains."""
    one = study(replace(NET, memory="subsample"))
    alone = api.replay(one, "", 5)
    [tally] = api.simulate(replace(one, chains=8))
    sample = tally.outcome.sample[5]
    np.testing.assert_array_equal((alone.theta[-1] - THETA).astype(np.float32), sample)


def test_programs_hold_the_whole_pool():
    [shared] = compile_study(study()).programs
    assert shared.program == Program(
        4, Path.REFERENCE, Newton(), "float32", "float64", 30 + 4 * 31, memory=Accumulate()
    )
    assert isinstance(network_arrays(NET, shape_of([NET])).feeds, Feeds)


@pytest.mark.system
def test_networks_of_different_size_in_one_program():
    """Models of padding have no pool to draw from; the others' estimates stay as they are."""
    nets = [topologies.ring(size, samples=30, initial=30, memory="subsample") for size in (1, 3)]
    conditions = tuple(
        condition(net, linear(), THETA, label=str(net.size), estimator=SufficientStatistics())
        for net in nets
    )
    both = Study(conditions, generations=2, chains=4)
    assert len(compile_study(both).programs) == 1
    beside = api.replay(both, "1", 3)
    alone = api.replay(replace(both, conditions=conditions[:1]), "1", 3)
    np.testing.assert_allclose(beside.theta, alone.theta, rtol=1e-9)


def test_shares_add_up_however_small_the_weights():
    """In a pool weights are relative to the largest of all its generations, which may be absent."""
    _, share = shares_of(jnp.array([100, 20]), jnp.array([1e-3, 0.0]), axis=-1)
    np.testing.assert_allclose(share, [1.0, 0.0])
