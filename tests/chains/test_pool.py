"""Fits of all data so far, and of a subsample of them: the rows that each fit has."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mcjax import api
from mcjax.chains.layout import Feeds, network_arrays, shape_of
from mcjax.chains.pool import draw_subsample, pooled
from mcjax.chains.program import Program
from mcjax.chains.step import shares_of
from mcjax.draws.streams import chain_keys
from mcjax.engine.compiled import compile_study
from mcjax.estimators.estimator import Dataset
from mcjax.estimators.newton import Newton
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import linear
from mcjax.network import build_network, topologies
from mcjax.network.memory import Accumulate, Subsample
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


@jax.jit
def refit(model, data):
    return Newton().fit(model, data, jnp.asarray(THETA), jax.random.key(0)).theta


def rows_fed(one, found):
    """All rows that each model was fed, generation by generation, from the replayed chain."""
    return list(api.replay_data(one, "", 5, found))


@pytest.mark.parametrize("model", [logistic(), poisson(), linear(2.0, "laplace")])
def test_accumulated_fits_are_fits_of_all_rows_so_far(model):
    one = study(model=model)
    found = api.replay(one, "", 5)
    fed = rows_fed(one, found)
    for i in range(2):  # c is frozen
        parts = []
        for t in range(5):
            for origin, data in fed[t][i].items():
                own = {f.origin: f.weight for f in NET.feeds_by_reader[i]}
                weight = own[origin] if t else 1.0
                parts.append((data.x, data.y, np.full(len(data.y), weight)))
            leaves = (np.concatenate(leaf, axis=-1) for leaf in zip(*parts, strict=True))
            whole = [np.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, 400 - a.shape[-1])]) for a in leaves]
            expected = refit(model, Dataset(*(jnp.asarray(leaf, float) for leaf in whole)))
            np.testing.assert_allclose(found.theta[t, i], expected, rtol=1e-7)
    assert (found.status[1:, 2] == Status.NOT_FITTED).all()
    np.testing.assert_array_equal(found.theta[:, 2], found.theta[:1, 2].repeat(5, 0))


def test_a_subsample_is_of_the_rows_of_the_pool():
    """Each chosen row is one that was fed, once; and all are where as many are taken."""
    net = replace(NET, memory="subsample")
    one = condition(net, linear(), THETA, seed=3)
    shape = shape_of([net], 3)
    arrays = network_arrays(net, shape)
    rng = np.random.default_rng(0)
    past = rng.standard_normal((4 * 3, 2))
    parents = jnp.asarray(np.concatenate([past, THETA[None]]))
    key = chain_keys(3, 0, np.array([7]))[0]
    table, when = pooled(arrays, jnp.int32(2), Subsample())
    own = jax.tree.map(lambda leaf: leaf[1], table)
    total = 51 + 2 * (33 + 17 + 8)
    assert int(own.samples.sum()) == total

    def take(count):
        args = (linear(), jnp.eye(2), parents, own, key, when, jnp.int32(2), jnp.int32(1))
        drawn = draw_subsample(*args, jnp.int32(count), 12, 2 * 120)
        kept = np.asarray(drawn.weight) > 0
        return np.concatenate([np.asarray(drawn.x)[:, kept], np.asarray(drawn.y)[None, kept]]).T

    everything, some = take(total), take(58)
    assert len(everything) == total
    assert len(some) == 58
    assert len(np.unique(some, axis=0)) == 58
    whole = {tuple(row) for row in everything}
    assert len(whole) == total
    assert {tuple(row) for row in some} <= whole

    from mcjax.chains.dataset import draw_dataset

    ordered = draw_dataset(linear(), jnp.eye(2), parents, own, key, when, 12, 120)
    kept = np.asarray(ordered.weight) > 0
    rows = np.concatenate([np.asarray(ordered.x)[:, kept], np.asarray(ordered.y)[None, kept]]).T
    assert {tuple(row) for row in rows} == whole
    assert one.network.memory == Subsample()


def test_a_first_sample_is_fitted_whole():
    net = topologies.self_loop(samples=30, initial=80)
    forgetful = api.replay(study(net), "", 5)
    some = api.replay(study(replace(net, memory="subsample")), "", 5)
    np.testing.assert_allclose(some.theta[0], forgetful.theta[0], rtol=1e-9)
    assert (some.status == Status.CONVERGED).all()


def test_a_lost_parent_is_missing_from_the_pool():
    """What reads a model without an estimate has none either, from then on."""
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
        4, "reference", Newton(), "float32", "float64", 30 + 4 * 31, memory=Accumulate()
    )
    assert isinstance(network_arrays(NET, shape_of([NET])).feeds, Feeds)


def test_networks_of_different_size_in_one_program():
    """Models of padding have no pool to draw from; the others' estimates stay as they are."""
    nets = [topologies.ring(size, samples=30, initial=30, memory="subsample") for size in (1, 3)]
    conditions = tuple(condition(net, linear(), THETA, label=str(net.size)) for net in nets)
    both = Study(conditions, generations=2, chains=4)
    assert len(compile_study(both).programs) == 1
    beside = api.replay(both, "1", 3)
    alone = api.replay(replace(both, conditions=conditions[:1]), "1", 3)
    np.testing.assert_allclose(beside.theta, alone.theta, rtol=1e-9)


def test_shares_add_up_however_small_the_weights():
    """In a pool weights are relative to the largest of all its generations, which may be absent."""
    _, share = shares_of(jnp.array([100, 20]), jnp.array([1e-3, 0.0]), axis=-1)
    np.testing.assert_allclose(share, [1.0, 0.0])
