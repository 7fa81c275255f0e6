"""Fits of sums over rows are fits of the rows, whether of one generation or of all so far."""

import numpy as np
import pytest

from mcjax import api
from mcjax.engine.routes import estimator_of
from mcjax.estimators.newton import Newton
from mcjax.estimators.sufficient_statistics import SufficientStatistics
from mcjax.models.gaussian import gaussian
from mcjax.models.location import linear
from mcjax.network import build_network, topologies
from mcjax.solvers.status import Status
from mcjax.study.study import Study, condition

FEEDS = [("a", "a", 9, 2.0), ("real", "a", 4), ("a", "b", 7), ("c", "b", 12, 0.5)]
INITIAL = {"a": 11, "b": 8, "c": 6}
FAMILIES = {
    "gaussian": (gaussian(), [3.0, 2.0], {}),
    "linear, fixed designs": (linear(), [1.0, -1.0], {"design": "fixed"}),
}


def direct(name, x, y, w):
    """The estimate from rows."""
    if name == "gaussian":
        mean, rows = (w * y).sum() / w.sum(), w.sum() ** 2 / (w**2).sum()
        return [mean, (w * (y - mean) ** 2).sum() / w.sum() * rows / (rows - 1)]
    root = np.sqrt(w)
    return np.linalg.lstsq((x * root).T, y * root, rcond=None)[0]


CASES = [
    ("gaussian", "replace"),
    ("gaussian", "accumulate"),
    ("linear, fixed designs", "accumulate"),
]


@pytest.mark.system
@pytest.mark.parametrize(("name", "memory"), CASES)
def test_a_fit_is_that_of_its_rows(name, memory):
    model, theta, options = FAMILIES[name]
    net = build_network("abc", FEEDS, INITIAL, memory=memory)
    own = condition(net, model, theta, **options)
    study = Study((own,), generations=3, chains=64, precision="float64")
    found = api.replay(study, "", 5)
    pools = [[] for _ in net.models]
    for t, fits in enumerate(api.replay_data(study, "", 5, found)):
        for i, by_origin in enumerate(fits):
            weight = {(f.origin, f.reader): f.weight for f in net.feeds}
            new = [
                (data.x, data.y, np.full(len(data.y), weight[origin, net.models[i]] if t else 1.0))
                for origin, data in by_origin.items()
            ]
            if not new:  # frozen
                np.testing.assert_array_equal(found.theta[t, i], found.theta[0, i])
                continue
            pools[i] = new if memory == "replace" else pools[i] + new
            x, y, w = (
                np.concatenate(part, axis=-1, dtype=float) for part in zip(*pools[i], strict=True)
            )
            expected = direct(name, x, y, w)
            np.testing.assert_allclose(found.theta[t, i], expected, rtol=1e-9, atol=1e-9)
            assert found.status[t, i] == Status.CONVERGED


@pytest.mark.system
def test_sums_lose_no_digits_far_from_zero():
    """A mean of 1e8 standard deviations, whose squares a double could not tell apart."""
    net = topologies.self_loop(samples=20, initial=20)
    own = condition(net, gaussian(), [1e8, 1.0])
    study = Study((own,), generations=10, chains=64, precision="float64")
    near = Study(
        (condition(net, gaussian(), [0.0, 1.0]),), generations=10, chains=64, precision="float64"
    )
    far, close = (api.replay(s, "", 1).theta[:, 0] for s in (study, near))
    np.testing.assert_allclose(far[:, 1], close[:, 1], rtol=1e-5)


def test_linear_regression_fits_sums_only_where_they_accumulate():
    def chosen(model, theta, memory):
        net = topologies.self_loop(samples=9, initial=9, memory=memory)
        return estimator_of(condition(net, model, theta))

    assert chosen(linear(), [1.0], "accumulate") == SufficientStatistics()
    assert chosen(linear(), [1.0], "replace") == Newton()
    assert chosen(gaussian(), [0.0, 1.0], "replace") == SufficientStatistics()


@pytest.mark.system
def test_what_loses_a_generation_is_lost():
    net = build_network("abc", [("a", "b", 5), ("b", "c", 5)], 5, memory="accumulate")
    singular = condition(net, linear(), [1.0, 1.0], covariance=[[1.0, 1.0], [1.0, 1.0]])
    found = api.replay(Study((singular,), generations=2, chains=64), "", 0)
    assert (found.status[0] == Status.RANK_DEFICIENT).all()
    assert found.status[1:, 0].tolist() == [Status.NOT_FITTED] * 2  # frozen, without an estimate
    assert (found.status[1:, 1:] == Status.PARENT_FAILED).all()
    assert np.isnan(found.theta).all()


@pytest.mark.statistical
def test_rows_and_statistics_accumulate_to_one_law(z_limit):
    net = topologies.self_loop(samples=12, initial=12, memory="accumulate")
    one = condition(net, linear(), [1.0, 1.0])
    moments = [
        api.simulate(Study((one,), generations=3, chains=2048, sampling=sampling))[0].outcome
        for sampling in ("auto", "rows")
    ]
    ways = [outcome.moments.squared for outcome in moments]
    error = np.hypot(*(way.standard_error() for way in ways))
    assert (np.abs(ways[0].mean - ways[1].mean) < z_limit * error).all()
    assert not (np.abs(ways[0].mean - 1.2 * ways[1].mean) < z_limit * error).all()
