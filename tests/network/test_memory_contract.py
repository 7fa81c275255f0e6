"""Every memory rule keeps the contract: its pool, its flags, and fits of the rows in the pool."""

from dataclasses import replace
from functools import cache
from itertools import combinations

import jax.numpy as jnp
import numpy as np
import pytest

from mcjax import api
from mcjax.chains.fast import reason_against
from mcjax.engine.compiled import compile_study
from mcjax.errors import InputError
from mcjax.estimators.newton import Newton
from mcjax.estimators.sufficient_statistics import SufficientStatistics
from mcjax.models.location import linear
from mcjax.network import build_network
from mcjax.network.memory import Memory
from mcjax.network.registry import MEMORIES, read_memory
from mcjax.solvers.status import Status
from mcjax.study.networks import read_network
from mcjax.study.study import Study, condition

FEEDS = [("a", "a", 3, 2.0), ("real", "a", 2), ("a", "b", 2), ("c", "b", 2)]
INITIAL = {"a": 4, "b": 5, "c": 6}
GENERATIONS = 3
CHAIN = 5
WAYS = {  # the path, and what fits
    "rows": ("reference", Newton()),
    "sums": ("reference", SufficientStatistics()),
    "fast": ("auto", Newton()),
}
every = pytest.mark.parametrize("rule", MEMORIES.values(), ids=MEMORIES)


def pool(rule, now):
    """The generations in the pool, of those up to ``now``."""
    return set(np.flatnonzero(rule.keeps(np.arange(now + 1), now)))


def network(rule):
    return build_network("abc", FEEDS, INITIAL, memory=rule)


@every
def test_a_rule_is_found_by_its_name_and_is_a_value(rule):
    assert isinstance(rule, Memory)
    assert MEMORIES[rule.name] == read_memory(rule.name) == read_memory(rule) == type(rule)()
    assert len(set(MEMORIES.values())) == len(MEMORIES)


@every
def test_the_pool_holds_the_current_generation_and_none_to_come(rule):
    times = np.arange(12)
    for now in (0, 1, 7):
        kept = rule.keeps(times, now)
        assert kept.shape == times.shape
        assert kept.dtype == bool
        assert kept[now]
        assert not kept[now + 1 :].any()
        inside = rule.keeps(jnp.arange(12), jnp.int32(now).astype(int))
        assert isinstance(inside, jnp.ndarray)
        np.testing.assert_array_equal(inside, kept)


@every
def test_flags_say_what_is_in_the_pool(rule):
    pools = [pool(rule, now) for now in range(40)]
    assert rule.current_only == all(held == {now} for now, held in enumerate(pools))
    grows = all(pools[now] == pools[now - 1] | {now} for now in range(1, len(pools)))
    assert grows or not rule.adds_up
    assert not (rule.selects and (rule.adds_up or rule.current_only))
    assert rule.vanishing == (len(pools[39]) > len(pools[19]))


@every
@pytest.mark.parametrize("table", ["feeds", "topology"])
def test_a_study_file_names_it_and_results_on_disk_do(rule, table, tmp_path):
    net = {
        "feeds": f'{{models = ["a"], initial = 9, memory = "{rule.name}", '
        'feeds = [{from = "a", to = "a", samples = 9}]}',
        "topology": f'{{topology = "self_loop", samples = 9, initial = 9, memory = "{rule.name}"}}',
    }
    file = tmp_path / "study.toml"
    file.write_text(f"network = {net[table]}")
    found = read_network(file)
    assert found.memory == rule
    described = found.described()["memory"]  # a name, or with settings a table
    assert (described["name"] if isinstance(described, dict) else described) == rule.name
    others = [replace(found, memory=other) for other in MEMORIES.values() if other != rule]
    assert all(other.described() != found.described() for other in others)


@pytest.mark.parametrize("wrong", ["replaced", "", 3, None, Memory])
def test_what_is_no_rule_is_refused(wrong):
    with pytest.raises(InputError, match=r"network\.memory: is .*, not one of"):
        network(wrong)


@every
def test_real_data_are_reused_only_where_nothing_is_kept(rule):
    def reused():
        return build_network("a", [("real", "a", 9)], 9, memory=rule, real="reused")

    if rule.current_only:
        assert reused().reuses_real
    else:
        with pytest.raises(InputError, match=r"network\.real: is 'reused'"):
            reused()


BY_DEFAULT = {"replace-fast", "subsample-rows"}
ADMITTED = [
    pytest.param(rule, way, id=case, marks=() if case in BY_DEFAULT else pytest.mark.system)
    for rule in MEMORIES.values()
    for way in WAYS
    for case in [f"{rule.name}-{way}"]
    if way != "fast" or not reason_against(linear(), 1, Newton(), rule)
]
each_way = pytest.mark.parametrize(("rule", "way"), ADMITTED)


@cache
def replayed(rule, way):
    """A chain, and the rows that it was fed: generation by generation, model by model."""
    path, estimator = WAYS[way]
    one = condition(network(rule), linear(noise="laplace"), [0.7], estimator=estimator)
    study = Study((one,), generations=GENERATIONS, chains=64, precision="float64", path=path)
    assert compile_study(study).by_condition[0].route.path == ("fast" if way == "fast" else path)
    trajectory = api.replay(study, "", CHAIN)
    return trajectory, list(api.replay_data(study, "", CHAIN, trajectory))


def rows_in_pool(rule, fed, i, now):
    """Rows x, y and weights of the pool of one model."""
    weights = {(feed.origin, feed.reader): feed.weight for feed in network(rule).feeds}
    parts = [
        (data.x[0], data.y, np.full(len(data.y), weights[origin, "abc"[i]] if t else 1.0))
        for t in sorted(pool(rule, now))
        for origin, data in fed[t][i].items()
    ]
    return [np.concatenate(values).astype(float) for values in zip(*parts, strict=True)]


@each_way
def test_a_fit_is_of_the_rows_in_the_pool(rule, way):
    """By hand: the weighted mean of x y over that of x^2, of all rows or of some that are drawn."""
    trajectory, fed = replayed(rule, way)
    assert (trajectory.status[:, :2] == Status.CONVERGED).all()
    for i in range(2):
        for now in range(GENERATIONS + 1):
            x, y, w = rows_in_pool(rule, fed, i, now)
            chosen = np.arange(len(x))[None]
            if rule.selects and now:
                size = sum(len(data.y) for data in fed[now][i].values())
                chosen = np.array(list(combinations(range(len(x)), size)))
            estimates = (w * x * y)[chosen].sum(1) / (w * x * x)[chosen].sum(1)
            off = np.abs(estimates / trajectory.theta[now, i, 0] - 1)
            assert np.sum(off < 1e-8) == 1, (i, now)


@each_way
def test_a_model_without_feeds_keeps_its_estimate(rule, way):
    trajectory, _ = replayed(rule, way)
    assert (trajectory.status[1:, 2] == Status.NOT_FITTED).all()
    np.testing.assert_array_equal(trajectory.theta[:, 2], trajectory.theta[:1, 2].repeat(4, 0))


@each_way
def test_paths_fit_the_same_rows(rule, way):
    trajectory, fed = replayed(rule, way)
    other, others = replayed(rule, "rows")
    np.testing.assert_allclose(trajectory.theta, other.theta, rtol=1e-8)
    for here, there in zip(fed[0], others[0], strict=True):
        for origin, data in here.items():
            np.testing.assert_allclose(data.y, there[origin].y, rtol=1e-12)


def test_no_two_rules_are_alike():
    last = [replayed(rule, "rows")[0].theta[-1, 0] for rule in MEMORIES.values()]
    assert np.min(np.abs(np.diff(np.sort(np.ravel(last))))) > 1e-6
