"""Chains of sufficient statistics have the law of chains of rows."""

import numpy as np
import pytest
from batteries import rejected
from scipy import stats

from mcjax import api
from mcjax.chains.program import Trajectory
from mcjax.engine.compiled import compile_study
from mcjax.engine.tiles import summarise
from mcjax.models.location import linear
from mcjax.network import build_network
from mcjax.solvers.status import Status
from mcjax.study.study import Study, condition

pytestmark = pytest.mark.statistical


def trajectories(*conditions, **options):
    """Every condition's chains, run in one program."""
    study = Study(conditions, **options)
    compiled = compile_study(study)
    [shared] = compiled.programs
    parts = [[] for _ in conditions]
    for i, trajectory in compiled.trajectories(shared, np.arange(study.chains)):
        parts[i].append(trajectory)
    return [Trajectory(*map(np.concatenate, zip(*found, strict=True))) for found in parts]


def two_parameters():
    few = [("0", "0", 1), ("1", "0", 1), ("2", "0", 3), ("real", "0", 12)]
    few += [("0", "1", 1), ("2", "1", 20, 0.3), ("1", "2", 1), ("real", "2", 15, 2.5)]
    pair = [("0", "0", 20), ("0", "1", 20), ("1", "2", 14), ("1", "0", 14), ("real", "2", 9)]
    anchor = [("0", "0", 20), ("real", "0", 18), ("0", "1", 11, 2.0), ("real", "1", 18, 0.5)]
    mixed = [("0", "1", 16), ("0", "2", 16), ("1", "2", 9), ("2", "0", 24), ("real", "2", 22)]
    return {
        "self loop": build_network(1, [("0", "0", 20)], 24),
        "three rows fewer": build_network(1, [("0", "0", 17)], 24),
        "few rows": build_network(3, few, 18),
        "shared": build_network(3, pair, 20, draws="shared"),
        "private": build_network(3, pair, 20),
        "reused": build_network(2, anchor, 18, real="reused"),
        "fresh": build_network(2, anchor, 18),
        "shared, reused": build_network(3, mixed, 22, draws="shared", real="reused"),
    }


def few_rows(p):
    """Shared and reused samples with fewer rows than parameters, which together determine all."""
    few, many, own = p // 2, p + 10, p // 2 + 15
    feeds = [("0", "0", few), ("1", "0", many), ("real", "0", own, 0.5)]
    feeds += [("0", "1", few), ("1", "1", many), ("0", "2", few, 3.0), ("1", "2", many)]
    return build_network(3, feeds, own, draws="shared", real="reused")


def ten_models():
    feeds = [(str(i), str((3 * i + 1) % 10), 14) for i in range(10)]
    feeds += [("2", str(i), 14) for i in (0, 3, 5)] + [("real", "4", 8), ("real", "9", 20, 0.5)]
    return build_network(10, feeds, 16, draws="shared")


def covariance_of(p):
    root = np.random.default_rng(p).normal(size=(p, p + 2))
    return root @ root.T / p


GRIDS = {
    "p = 1": [
        condition(build_network(2, [*ring, ("real", "0", 12)], 15), linear(2.0), (2.0,), [[3.0]])
        for ring in [[("0", "1", 15), ("1", "0", 3)]]
    ],
    "p = 2": [
        condition(net, linear(0.8), (0.7, -1.3), label=name)
        for name, net in two_parameters().items()
    ],
    "p = 2, correlated": [
        condition(ten_models(), linear(), (0.7, -1.3), [[2.0, 0.9], [0.9, 1.0]], label="ten")
    ],
    "p = 5": [condition(few_rows(5), linear(), np.arange(5.0), covariance_of(5))],
    "p = 10": [condition(few_rows(10), linear(), np.arange(10.0))],
}
GENERATIONS, CHAINS = 3, 4096


@pytest.fixture(scope="module")
def runs():
    """(grid, condition) -> setting -> all its chains."""
    found = {}
    for name, conditions in GRIDS.items():
        for setting in ("auto", "rows"):
            parts = trajectories(
                *conditions, generations=GENERATIONS, chains=CHAINS, sampling=setting
            )
            for each, part in zip(conditions, parts, strict=True):
                found.setdefault((name, each.label), {})[setting] = part, each.theta
    return found


def differences(first, second):
    """z of two means with their standard errors, one for each entry."""
    error = np.hypot(first.standard_error(), second.standard_error())
    return (first.mean - second.mean) / error


def two_sample(first, second):
    """p-values for two sets of chains to have one law."""
    (one, truth), (two, _) = first, second
    outcomes = []
    for part in (one, two):
        [outcome] = summarise(Trajectory(*(leaf[None] for leaf in part)), truth)
        outcomes.append(outcome.moments)
    z = {}
    for t in (0, 1, GENERATIONS):
        means = differences(*(moments.error for moments in outcomes))[t]
        z |= {("mean", t, *place): value for place, value in np.ndenumerate(means)}
        products = differences(*(moments.product for moments in outcomes))[t]
        i, j = np.tril_indices(len(products))
        z |= {("product", t, a, b): products[a, b] for a, b in zip(i, j, strict=True)}
    errors = [part.theta - truth for part in (one, two)]
    across = [np.einsum("cmi,cmi->cm", e[:, -1], e[:, 0]) for e in errors]
    spread = np.sqrt(sum(a.var(0) / len(a) for a in across))
    values = (across[0].mean(0) - across[1].mean(0)) / spread
    z |= {("across generations", *place): value for place, value in np.ndenumerate(values)}
    cells = {name: 2 * stats.norm.sf(abs(value)) for name, value in z.items()}
    last = [np.concatenate([e[:, -1], (e[:, -1] ** 2).sum(-1, keepdims=True)], -1) for e in errors]
    for m, k in np.ndindex(last[0].shape[1:]):
        pair = [e[:, m, k] for e in last]
        cells["law", m, k] = stats.ks_2samp(*pair, method="asymp").pvalue
    return cells


def test_chains_of_statistics_have_the_law_of_chains_of_rows(runs):
    """Means, full covariances, covariances with generation 0 and laws of single coordinates."""
    cells = {
        (*name, *cell): p
        for name, run in runs.items()
        for cell, p in two_sample(run["auto"], run["rows"]).items()
    }
    assert all(np.isfinite(run[0].theta).all() for pair in runs.values() for run in pair.values())
    assert rejected(cells) == []


@pytest.mark.parametrize(
    ("name", "other"),
    [("self loop", "three rows fewer"), ("shared", "private"), ("reused", "fresh")],
)
def test_another_network_is_noticed(runs, name, other):
    """The companion: rows, sharing and reuse all show in the law of a chain."""
    cells = two_sample(runs["p = 2", name]["auto"], runs["p = 2", other]["rows"])
    assert rejected(cells)


def test_readers_of_one_shared_sample_are_the_same_model():
    """A model that reads only its reused real sample never moves."""
    feeds = [("0", "0", 30), ("0", "1", 30), ("0", "2", 30), ("real", "3", 30)]
    for options, equal in (({"draws": "shared", "real": "reused"}, True), ({}, False)):
        net = build_network(4, feeds, 30, **options)
        [found] = trajectories(condition(net, linear(), (0.5, -0.5)), generations=3, chains=64)
        theta = found.theta
        assert np.array_equal(theta[:, 1:, 0], theta[:, 1:, 1]) == equal
        assert np.array_equal(theta[:, 1:, 1], theta[:, 1:, 2]) == equal
        assert np.array_equal(theta[:, 1:, 3], theta[:, :-1, 3]) == equal


@pytest.mark.parametrize("grid", ["p = 2", "p = 2, correlated", "p = 10"])
def test_chunks_and_replay_are_bit_equal(grid):
    options = {"generations": 2, "chains": 600}
    conditions = GRIDS[grid][-2:]
    small, large = (trajectories(*conditions, chunk=chunk, **options) for chunk in (256, 1024))
    study = Study(tuple(conditions), **options)
    for each, one, two in zip(conditions, small, large, strict=True):
        assert all(map(np.array_equal, one, two))
        for chain in (0, 255, 256, 599):
            alone = api.replay(study, each.name, chain)
            assert all(np.array_equal(a, b[chain]) for a, b in zip(alone, one, strict=True))


@pytest.mark.parametrize("name", ["few rows", "shared, reused"])
def test_a_condition_beside_others_keeps_its_chains(name):
    """To the rounding of sums over more slots."""
    options = {"generations": 3, "chains": 100}
    [chosen] = [c for c in GRIDS["p = 2"] if c.label == name]
    large = condition(ten_models(), linear(), (0.0, 0.0), label="large")
    [alone] = trajectories(chosen, **options)
    _, beside = trajectories(large, chosen, **options)
    np.testing.assert_array_equal(alone.status, beside.status)
    np.testing.assert_allclose(alone.theta, beside.theta, rtol=0, atol=1e-12)


# -- how fits end


def consistent(run):
    """A model has an estimate where its fit converged, or where it keeps one; nowhere else."""
    known = np.ones(run.status.shape[::2], bool)
    for t in range(run.status.shape[1]):
        now = run.status[:, t]
        known = np.where(now == Status.NOT_FITTED, known, now == Status.CONVERGED)
        assert (np.isfinite(run.theta[:, t]).all(-1) == known).all()
        assert (np.isnan(run.theta[:, t]).all(-1) == ~known).all()


@pytest.mark.parametrize("sampling", ["auto", "rows"])
@pytest.mark.parametrize("p", [2, 7, 9])
def test_a_lost_model_takes_its_readers_along(p, sampling):
    """Weights leave model a with as good as p - 1 rows; b reads a, c reads b, and d, e do not."""
    feeds = [("d", "a", p - 1), ("real", "a", 30, 1e-20), ("a", "b", 30), ("b", "c", 30)]
    feeds += [("d", "d", 30), ("real", "d", 40), ("e", "d", 1)]
    net = build_network("abcde", feeds, 30)
    [run] = trajectories(
        condition(net, linear(), np.ones(p)), generations=3, chains=64, sampling=sampling
    )
    fitted, kept, alone = Status.CONVERGED, Status.NOT_FITTED, Status.RANK_DEFICIENT
    lost = Status.PARENT_FAILED
    expected = [
        [fitted, fitted, fitted, fitted, fitted],
        [alone, fitted, fitted, fitted, kept],
        [alone, lost, fitted, fitted, kept],
        [alone, lost, lost, fitted, kept],
    ]
    steps = run.status == Status.STEP_LIMIT  # how Newton's steps on rows may end there, too
    assert not steps[:, :, 1:].any()
    assert (np.where(steps, alone, run.status) == np.asarray(expected)).all()
    consistent(run)
    assert (run.theta[:, 1:, 4] == run.theta[:, :1, 4]).all()
