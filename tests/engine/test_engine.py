"""What a chain draws and finds depends on its own coordinates, and on nothing else."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from mcjax import api
from mcjax.engine.compiled import compile_study
from mcjax.errors import InputError
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.penalised import penalised
from mcjax.network import build_network, topologies
from mcjax.solvers.status import Status
from mcjax.study.study import Study, condition

FAMILIES = {"linear": linear(), "poisson": poisson()}
THETA = (0.5, -0.5)
COUNTS = {"samples": 30, "initial": 60, "real": 30}


def networks():
    return {
        "self_loop": topologies.self_loop(**COUNTS),
        "ring": topologies.ring(4, **COUNTS),
        "star": topologies.star(3, **COUNTS, draws="shared"),
        "complete": topologies.complete(3, **COUNTS),
    }


def grid(model, scales=(1, 2, 3, 4), seed=0, chains=64, nets=None, **options):
    conditions = [
        condition(net.scaled(scale), model, THETA, label=f"{name}, {scale}", seed=seed)
        for name, net in (nets or networks()).items()
        for scale in scales
    ]
    return Study(tuple(conditions), generations=3, chains=chains, **options)


def estimates(study):
    """All chains of all conditions, straight from the engine."""
    compiled = compile_study(study)
    [shared] = compiled.programs
    found = [[] for _ in study.conditions]
    for i, trajectory in compiled.trajectories(shared, np.arange(study.chains)):
        found[i].append(trajectory.theta)
    return [np.concatenate(parts) for parts in found]


@pytest.fixture
def compilations():
    """Counts every program of chains that XLA compiles."""
    names = []

    def listen(name, duration, **about):
        if "backend_compile" in name and "_run_blocks" in str(about):
            names.append(name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.system
def test_one_program_serves_all(compilations):
    """4 topologies x 4 sample sizes x 128 seeds; then other seeds, thresholds, weights and
    networks of the same size."""
    study = grid(huber(), scales=(0.5, 1, 1.5, 2), chains=128)
    jax.clear_caches()
    compilations.clear()
    tallies = api.simulate(study)
    assert len(compilations) == 1
    assert all(
        t.outcome.fits.sum() == 128 * 4 * c.network.size
        for t, c in zip(tallies, study.conditions, strict=True)
    )

    other = networks() | {"star": topologies.chain(4, **COUNTS)}
    other["ring"] = other["ring"].with_feeds(replace(f, weight=0.3) for f in other["ring"].feeds)
    model = huber(threshold=0.9, sigma=2.0)
    changed = grid(model, scales=(0.5, 1, 1.5, 2), seed=5, chains=128, nets=other)
    api.simulate(changed)
    assert len(compilations) == 1
    api.simulate(replace(changed, generations=4))  # the companion: a new shape does compile
    assert len(compilations) == 2


@pytest.mark.system
def test_penalties_share_a_program(compilations):
    conditions = [
        condition(networks()["ring"], penalised(logistic(), ridge=ridge), THETA, label=f"{ridge}")
        for ridge in (0.01, 0.1, 1.0)
    ]
    study = Study(tuple(conditions), generations=2, chains=64)
    jax.clear_caches()
    compilations.clear()
    tallies = api.simulate(study)
    assert len(compilations) == 1
    means = [tally.outcome.moments.error.mean[-1] for tally in tallies]
    assert np.abs(means[0]).max() < np.abs(means[2]).min()  # the penalties are not one


@pytest.mark.by_default("linear")
@pytest.mark.parametrize("name", FAMILIES)
def test_chunks_and_replay_are_bit_equal(name):
    study = grid(FAMILIES[name], scales=(1,), chains=100)
    small, large = (estimates(replace(study, chunk=chunk)) for chunk in (64, 1024))
    for a, b in zip(small, large, strict=True):
        np.testing.assert_array_equal(a, b)
    for k, chain in ((0, 0), (2, 41), (3, 99)):
        alone = api.replay(study, study.conditions[k].name, chain)
        np.testing.assert_array_equal(alone.theta, small[k][chain])


@pytest.mark.system
def test_no_bit_depends_on_the_place_in_a_block():
    """Rows that fill no whole vectors: the last of a block run one by one, those of a chain by
    itself do not."""
    net = topologies.ring(3, samples=801, real=801, initial=1602)
    own = condition(net, logistic(), THETA)
    study = Study((own,), generations=1, chains=8, precision="float64")
    found = estimates(study)[0]
    for chain in (1, 3, 7):
        np.testing.assert_array_equal(api.replay(study, own.name, chain).theta, found[chain])


def test_moments_do_not_depend_on_chunks():
    study = grid(linear(), scales=(1,), chains=300)
    first, second = (api.simulate(replace(study, chunk=chunk)) for chunk in (64, 1024))
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_array_equal(a, b)


def test_topping_up_equals_one_run():
    study = grid(linear(), scales=(1,), chains=400)
    short = api.simulate(replace(study, chains=200))
    topped = api.simulate(study, known=short)
    for a, b in zip(jax.tree.leaves(api.simulate(study)), jax.tree.leaves(topped), strict=True):
        np.testing.assert_array_equal(a, b)


def test_more_chains_than_asked_for_are_kept():
    study = grid(linear(), scales=(1,), chains=150)
    known = api.simulate(study)
    fewer = api.simulate(replace(study, chains=70), known=known)
    for a, b in zip(jax.tree.leaves(known), jax.tree.leaves(fewer), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.by_default("linear")
@pytest.mark.parametrize("name", FAMILIES)
def test_padding_changes_rounding_at_most(name):
    """A condition alone, and beside larger ones: the same draws, estimates to the tolerance of a
    fit, which is 1e-5 standard errors."""
    alone = estimates(grid(FAMILIES[name], scales=(1,), chunk=64))
    beside = estimates(grid(FAMILIES[name], scales=(1, 4), chunk=64))[::2]
    for a, b in zip(alone, beside, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


def test_a_feed_dropped_leaves_the_others_data():
    """Models that do not hear of the change are the same chain."""
    net = topologies.chain(3, **COUNTS)
    more = net.with_feed("2", "2", 30)
    before, after = (
        estimates(Study((condition(n, linear(), THETA),), generations=3, chains=64))[0]
        for n in (net, more)
    )
    np.testing.assert_allclose(before[:, :, :2], after[:, :, :2], atol=1e-12)
    assert (np.abs(before[:, 1:, 2] - after[:, 1:, 2]) > 1e-6).all()


def test_seed_label_and_chain_all_matter():
    net = networks()["self_loop"]
    variants = [
        condition(net, linear(), THETA),
        condition(net, linear(), THETA, label="b"),
        condition(net, linear(), THETA, seed=1, name="c"),
    ]
    study = Study(tuple(variants), generations=1, chains=64)
    found = np.concatenate(estimates(study))[:, 1, 0, 0]
    assert len(np.unique(found)) == 3 * 64


def test_shared_draws_are_shared_and_reused_data_reused():
    """Two models that read the same published sample, and nothing else, are the same model; a
    model that reads only its reused real sample never moves."""
    feeds = [("0", "0", 30), ("0", "1", 30), ("0", "2", 30), ("real", "3", 60)]
    net = build_network(4, feeds, 60, draws="shared", real="reused")
    found = estimates(Study((condition(net, linear(), THETA),), generations=3, chains=64))[0]
    np.testing.assert_array_equal(found[:, 1:, 1], found[:, 1:, 2])
    np.testing.assert_allclose(found[:, 1:, 3], found[:, :1, 3].repeat(3, 1), atol=1e-12)
    private = replace(net, draws="private", real="fresh")
    found = estimates(Study((condition(private, linear(), THETA),), generations=3, chains=64))[0]
    assert (found[:, 1:, 1] != found[:, 1:, 2]).all()
    assert (found[:, 1:, 3] != found[:, :1, 3]).all()


def failing(name):
    """Studies in which some fits must fail, and some must not."""
    if name == "separated":
        net = topologies.self_loop(samples=8, initial=8)
        return condition(net, logistic(), (1.0, 1.0))
    if name == "overflow":
        net = topologies.self_loop(samples=6, initial=6)
        return condition(net, poisson(), (2.0, 2.0))
    net = networks()["ring"]
    return condition(net, linear(), THETA, covariance=[[1.0, 1.0], [1.0, 1.0]])


@pytest.mark.by_default("separated")
@pytest.mark.parametrize("name", ["separated", "overflow", "rank_deficient"])
def test_failures_are_counted_and_harm_no_other_chain(name):
    study = Study((failing(name),), generations=6, chains=64)
    outcome = api.simulate(study)[0].outcome
    counts = {s.reason: int(outcome.fits[..., s].sum()) for s in Status}
    assert counts[name] > 0
    valid = outcome.moments.squared.chains
    assert np.isfinite(outcome.moments.squared.mean[valid > 0]).all()
    assert (valid <= 64).all()
    found = estimates(study)[0]
    np.testing.assert_array_equal(np.isfinite(found).all(-1).sum(0), valid)
    if name == "rank_deficient":
        assert (valid == 0).all()
        return
    lost = np.flatnonzero(np.isnan(found).any((1, 2, 3)))
    kept = np.flatnonzero(np.isfinite(found).all((1, 2, 3)))
    assert 0 < len(lost) < 64
    for chain in kept[:5]:  # by itself: in a block of 64 copies, no failure beside it
        alone = api.replay(study, study.conditions[0].name, int(chain))
        np.testing.assert_array_equal(alone.theta, found[chain])


def test_float64_needs_the_switch():
    study = grid(linear(), scales=(1,), precision="float64")
    with jax.enable_x64(False), pytest.raises(InputError, match="jax_enable_x64"):
        api.simulate(study)


@pytest.mark.system
@pytest.mark.parametrize("name", FAMILIES)
def test_float32_leg(name):
    """All in single precision: the same chains to a fraction of their spread."""
    model = FAMILIES[name]
    single = estimates(grid(model, scales=(1,), chunk=64, precision="float32"))
    mixed = estimates(grid(model, scales=(1,), chunk=64))
    for a, b in zip(single, mixed, strict=True):
        assert a.dtype == np.float32
        spread = b.std(0).min()
        close = np.abs(a - b) < 0.02 * spread
        assert close.mean() > 0.99  # a label on the edge of its uniform may fall the other way
