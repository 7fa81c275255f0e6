"""Chains of networks whose feeds change with time: the same on all paths, and as brute force."""

from dataclasses import replace

import numpy as np
import pytest

from mcjax import api
from mcjax.engine.compiled import compile_study
from mcjax.estimators.newton import Newton
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import REAL, Feed, Generation, Growing, Series, Source, build_network, cycle
from mcjax.solvers.status import Status
from mcjax.study.study import Study, condition

THETA = [0.5, -0.3]
DAY = Generation([Feed("a", "b", 61), Feed(REAL, "b", 20), Feed(REAL, "c", 50)])
NIGHT = Generation([Feed("b", "a", 83), Feed("c", "b", 45), Feed("a", "c", 83)])
TIMELINES = {
    "cycle": cycle(DAY, NIGHT),
    "uneven cycle": cycle(DAY, DAY, NIGHT),
    "series": Series(NIGHT, DAY),
    "a series, then turns": Series(NIGHT, DAY, DAY, NIGHT, DAY, turns=3),
    "growing": Growing(DAY, 0.5),
}


def network(timeline, **options):
    return build_network("abc", timeline, 70, **options)


def study_of(timelines, model, generations=5, chains=16, memory="replace", **options):
    conditions = [
        condition(network(timeline, memory=memory), model, THETA, label=name, seed=4)
        for name, timeline in timelines.items()
    ]
    return Study(tuple(conditions), generations=generations, chains=chains, **options)


def trajectories(study):
    """Estimates and statuses of all chains by condition, the paths and the number of programs."""
    compiled = compile_study(study)
    found = {}
    for shared in compiled.programs:
        for k, part in compiled.trajectories(shared, np.arange(study.chains)):
            found.setdefault(study.conditions[k].name, []).append(part)
    joined = {
        name: [np.concatenate(leaf) for leaf in zip(*parts, strict=True)][:2]
        for name, parts in found.items()
    }
    return joined, {shared.route.path for shared in compiled.programs}, len(compiled.programs)


@pytest.mark.system
def test_fast_path_and_reference_agree():
    """To the tolerance of the Newton step; and all timelines share one program."""
    study = study_of(TIMELINES, logistic(), sampling="rows", precision="float64")
    fast, paths, programs = trajectories(study)
    assert (paths, programs) == ({"fast"}, 1)
    reference, paths, programs = trajectories(replace(study, path="reference"))
    assert (paths, programs) == ({"reference"}, 1)
    for name in TIMELINES:
        np.testing.assert_array_equal(fast[name][1], reference[name][1])
        np.testing.assert_allclose(fast[name][0], reference[name][0], atol=1e-6)


@pytest.mark.system
def test_a_timeline_is_the_same_beside_others():
    """Lanes of one program have timelines of their own."""
    study = study_of(TIMELINES, linear())
    together, paths, programs = trajectories(study)
    assert (paths, programs) == ({"statistics"}, 1)
    for name, timeline in TIMELINES.items():
        alone, _, _ = trajectories(study_of({name: timeline}, linear()))
        np.testing.assert_allclose(alone[name][0], together[name][0], rtol=1e-12)


@pytest.mark.system
@pytest.mark.parametrize("path", ["auto", "reference"])
@pytest.mark.parametrize("name", TIMELINES)
def test_estimates_are_least_squares_of_the_rows_of_each_generation(name, path):
    """Rows are those of the feeds of that generation, labelled by the models before it."""
    study = study_of(TIMELINES, linear(sigma=1e-6), sampling="rows", path=path)
    net = network(TIMELINES[name])
    found = api.replay(study, name, 3)
    for t, fits in enumerate(api.replay_data(study, name, 3, found)):
        for i, fed in enumerate(fits):
            feeds = net.reads(t)[i]
            assert {o: len(d.y) for o, d in fed.items()} == {f.origin: f.samples for f in feeds}
            if not feeds:
                assert found.status[t, i] == Status.NOT_FITTED
                np.testing.assert_array_equal(found.theta[t, i], found.theta[t - 1, i])
                continue
            for origin, rows in fed.items():
                parent = THETA if origin == REAL else found.theta[t - 1, net.index[origin]]
                np.testing.assert_allclose(rows.y, rows.x.T @ parent, atol=1e-4)
            x = np.concatenate([rows.x.T for rows in fed.values()]).astype(float)
            y = np.concatenate([rows.y for rows in fed.values()]).astype(float)
            theta = np.linalg.lstsq(x, y, rcond=None)[0]
            np.testing.assert_allclose(found.theta[t, i], theta, atol=1e-9)


@pytest.mark.system
def test_a_pool_is_of_what_each_generation_fed():
    """The score over all rows so far is zero."""
    study = study_of({"cycle": TIMELINES["cycle"]}, logistic(), memory="accumulate")
    found = api.replay(study, "cycle", 1)
    pool = [[], [], []]
    net = study.conditions[0].network
    for t, fits in enumerate(api.replay_data(study, "cycle", 1, found)):
        for i, fed in enumerate(fits):
            if not net.reads(t)[i]:
                np.testing.assert_array_equal(found.theta[t, i], found.theta[t - 1, i])
                continue
            pool[i] += fed.values()
            x = np.concatenate([rows.x.T for rows in pool[i]]).astype(float)
            y = np.concatenate([rows.y for rows in pool[i]]).astype(float)
            score = x.T @ (y - 1 / (1 + np.exp(-x @ found.theta[t, i])))
            assert np.abs(score).max() < 1e-3


SOURCES = (
    Source("far", theta=(-1.0, 0.8), noise=1e-4),
    Source("flat", covariance=((1.0, 0.5), (0.5, 0.25)), public=True),
)


def sourced(timeline_of):
    """A network that accumulates what sources and models feed, some of it by weight and turn."""
    first = [Feed("far", "a", 30, 0.5), Feed(REAL, "a", 41), Feed("flat", "b", 25)]
    feeds = [Feed("far", "a", 33), Feed("flat", "a", 25), Feed("b", "a", 20, 3.0)]
    feeds += [Feed("flat", "b", 25), Feed("a", "b", 31), Feed("far", "b", 17)]
    later = timeline_of([feeds, [*feeds[:-1], Feed("far", "b", 17, 0.25), Feed(REAL, "a", 8)]])
    first.append(Feed(REAL, "b", 30))
    return build_network("abc", later, {"c": 50}, first=first, sources=SOURCES, memory="accumulate")


SOURCED = {
    "constant": sourced(lambda turns: Series(Generation(turns[0]))),
    "series": sourced(lambda turns: Series(*map(Generation, turns))),
    "cycle": sourced(lambda turns: cycle(*map(Generation, turns))),
}


@pytest.mark.system
@pytest.mark.parametrize("estimator", [None, Newton()], ids=["sums", "pools"])
@pytest.mark.parametrize("name", SOURCED)
def test_pools_of_several_sources(name, estimator):
    """Each row is of the source or the model that its feed names, and pools hold them all."""
    one = condition(SOURCED[name], linear(sigma=1e-6), THETA, label=name, estimator=estimator)
    study = Study((one,), generations=4, chains=4, precision="float64")
    found = api.replay(study, name, 3)
    truths = {REAL: THETA, "far": SOURCES[0].theta, "flat": THETA}
    pool, public = {"a": [], "b": [], "c": []}, {}
    for t, fits in enumerate(api.replay_data(study, name, 3, found)):
        for i, (model, fed) in enumerate(zip("abc", fits, strict=True)):
            for feed in one.network.reads(t)[i]:
                rows = fed[feed.origin]
                parent = truths.get(feed.origin)
                if parent is None:
                    parent = found.theta[t - 1, one.network.index[feed.origin]]
                noise = np.abs(rows.y - rows.x.T @ parent).max()
                assert (noise < 1e-5) == (feed.origin != "far")
                assert noise < 1e-3
                flat = np.abs(rows.x[1] - rows.x[0] / 2).max() < 1e-6
                assert flat == (feed.origin == "flat")
                if flat:  # one sample for both readers
                    np.testing.assert_array_equal(rows.x, public.setdefault(t, rows.x))
                pool[model].append((rows.x, rows.y, np.full(feed.samples, feed.weight)))
            if t and not fed:
                np.testing.assert_array_equal(found.theta[t, i], found.theta[0, i])
                continue
            x, y, w = (np.concatenate(part, -1) for part in zip(*pool[model], strict=True))
            expected = np.linalg.lstsq((x * np.sqrt(w)).T, y * np.sqrt(w), rcond=None)[0]
            np.testing.assert_allclose(found.theta[t, i], expected, rtol=1e-9)
    assert len({rows.tobytes() for rows in public.values()}) == 5  # new ones each time


@pytest.mark.by_default("auto")
@pytest.mark.parametrize("sampling", ["auto", "rows"])
def test_moments_are_those_of_the_exact_law(sampling, z_limit):
    """Sufficient statistics, which are other draws than rows, against the law; and rows too."""
    study = study_of({"cycle": TIMELINES["cycle"]}, linear(), chains=4096, sampling=sampling)
    [tally] = api.simulate(study)
    law = api.predict(study)[0].laws["finite_sample"]
    error, squared = tally.outcome.moments.error, tally.outcome.moments.squared
    assert (np.abs(error.mean) < z_limit * error.standard_error()).all()
    assert (np.abs(squared.mean - law.mse) < z_limit * squared.standard_error()).all()
    assert np.isnan(law.growth).all()
    assert np.isnan(law.limit).all()
