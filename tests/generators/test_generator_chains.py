"""Chains of generators: who reads what, where fits begin, and which draws belong to which chain."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generators_of_tests import GAUSSIAN, KDE, N, network, study

import mcjax
from mcjax.generators.chains import run_block
from mcjax.generators.keys import FIT, INIT, fit_keys, sample_keys
from mcjax.generators.simulate import replay, simulate

FITS, MEAN = range(2)
LOOP = mcjax.topologies.self_loop(samples=30, initial=30)


TRACER = mcjax.Generator(
    init=lambda key: jnp.zeros(2),
    fit=lambda key, params, rows: jnp.stack([rows.mean(), params[1] + 1]),
    sample=lambda key, params, n: params[0] + 1 + 1e-6 * jax.random.normal(key, (n,)),
    measure=lambda key, params, rows: {"mean": rows.mean(), "fits": params[1]},
    real=lambda key, n: 1e-6 * jax.random.normal(key, (n,)),
)
"""Rows count the models that they went through, and parameters the fits."""


def traced_rows(net, generations=2, **options):
    """Return the measures of one chain of the tracer."""
    condition = mcjax.GeneratorCondition(net, TRACER, **options)
    *_, block = run_block(condition, generations, np.arange(2, dtype=np.uint32))
    return block.values[0]


def test_models_read_what_the_network_says():
    """Means follow the shares."""
    values = traced_rows(network("zoo"), 3)[..., MEAN]
    depth = np.zeros(4)
    w = np.array([[1, 0, 0, 0], [0.5, 0, 0, 0], [0, 0, 0.5, 0], [0, 0, 1, 0]])
    for t in range(4):
        np.testing.assert_allclose(values[t], depth, atol=1e-5)
        depth = w @ (depth + 1)


def test_feeds_may_change_with_time():
    turns = mcjax.Feed("real", "1", N, every=2), mcjax.Feed("0", "1", N, every=2, first=2)
    values = traced_rows(mcjax.build_network(2, turns, initial=N), 4)
    np.testing.assert_allclose(values[:, 1, MEAN], [0, 0, 1, 0, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("start", "fits"), [("scratch", [1, 1, 1]), ("base", [1, 2, 2]), ("own", [1, 2, 3])]
)
def test_where_fits_begin(start, fits):
    assert traced_rows(network("zoo"), start=start)[:, 1, FITS].tolist() == fits


@pytest.mark.system
def test_a_model_without_feeds_stays_as_it_is():
    values = simulate(study("stable", generations=3)).values[0]
    assert (values[:, 1:, 0] == values[:, :1, 0]).all()


def test_reused_real_rows_are_those_of_generation_0():
    feeds = [mcjax.Feed("real", "0", 30)]
    values = {}
    for real in ("fresh", "reused"):
        net = mcjax.build_network(1, feeds, initial=30, real=real)
        condition = mcjax.GeneratorCondition(net, KDE)
        values[real] = simulate(mcjax.GeneratorStudy((condition,), 2, 4)).values[0]
    assert (values["reused"][:, 1:] == values["reused"][:, :1]).all()
    assert (values["fresh"][:, 1] != values["fresh"][:, 0]).all()


def test_readers_of_a_published_sample_get_the_same():
    feeds = [mcjax.Feed("0", "0", 30), mcjax.Feed("0", "1", 30)]
    for draws, same in (("private", False), ("shared", True)):
        net = mcjax.build_network(2, feeds, initial=30, draws=draws)
        condition = mcjax.GeneratorCondition(net, KDE)
        values = simulate(mcjax.GeneratorStudy((condition,), 1, 4)).values[0]
        assert ((values[:, 1, 0] == values[:, 1, 1]).all()) == same


def test_a_population_is_drawn_with_replacement():
    rows = np.arange(5.0)
    generator = mcjax.Generator(
        init=lambda key: (),
        fit=lambda key, params, rows: rows,
        sample=lambda key, params, n: jax.random.choice(key, params, (n,)),
        measure=lambda key, params, rows: {
            "counts": jnp.stack([(rows == k).sum() for k in range(5)])
        },
        real=rows,
    )
    condition = mcjax.GeneratorCondition(LOOP, generator)
    values = simulate(mcjax.GeneratorStudy((condition,), 0, 64)).values[0]
    counts = values[:, 0, 0]
    assert (counts.sum(1) == 30).all()
    assert np.abs(counts.mean(0) - 6).max() < 4.892 * np.sqrt(30 * 0.16 / 64)
    assert len(np.unique(counts, axis=0)) > 32


def test_keys_are_told_apart_by_everything_that_they_are_for():
    chains = np.array([[1, 2], [3, 4]], np.uint32)
    keys = [sample_keys(chains, t, stream) for t in (0, 1) for stream in (0, 1)]
    keys += [fit_keys(chains, t, i, role) for t in (0, 1) for i in (0, 1) for role in (INIT, FIT)]
    assert len(np.unique(np.concatenate(keys), axis=0)) == 2 * len(keys)


def test_other_feeds_leave_draws_unchanged():
    """A further feed to one model changes no other model before it reads of it."""
    values = simulate(study("stable", "flip", generations=3)).values
    same = (values[0] == values[1]).all((0, 3))
    assert same.tolist() == [
        [True, True, True, True],
        [False, True, True, True],
        [False, False, True, True],
        [False, False, False, True],
    ]


def test_more_chains_continue_fewer():
    """Whatever the number of chains, and wherever a run was stopped: the same numbers."""
    whole = simulate(study("zoo", "stable", generations=2, chains=100))
    few = simulate(study("zoo", "stable", generations=2, chains=70))
    assert all((a[:70] == b).all() for a, b in zip(whole.values, few.values, strict=True))
    stops = []
    made = study("zoo", "stable", generations=2, chains=100)
    simulate(made, report=lambda added, measured: stops.append(measured()))
    assert len(stops) == 2 * 2 * 3
    for stop in (few, stops[1], stops[4], stops[6]):
        again = simulate(made, stop)
        assert all((a == b).all() for a, b in zip(whole.values, again.values, strict=True))


def test_a_chain_is_replayed():
    made = study("zoo", "flip", generator=GAUSSIAN, generations=2, chains=70)
    values, names = replay(made, 1, 66)
    assert names == ("mean", "square")
    assert (values == simulate(made).values[1][66]).all()
    assert N == 100


def test_every_fit_is_measured_with_a_key_of_its_own():
    generator = dataclasses.replace(
        GAUSSIAN, measure=lambda key, params, rows: {"drawn": jax.random.uniform(key)}
    )
    values = simulate(study("zoo", generator=generator, generations=2, chains=8)).values[0]
    assert len(np.unique(values)) == values.size


def test_populations_of_other_shapes_or_names_are_other_generators():
    """Kept results are told apart by the digest; the bytes of these rows are all the same."""
    whole = np.arange(6.0)
    rows = (whole.reshape(2, 3), whole.reshape(3, 2), {"a": whole}, {"b": whole}, {"b": whole})
    digests = [dataclasses.replace(KDE, real=real, digest="").digest for real in rows]
    assert len(set(digests)) == 4
    assert digests[3] == digests[4]
