"""Chains of models that keep selections: paths, precisions, chunks, and rows drawn again."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from mcjax import api
from mcjax.engine.routes import route_of
from mcjax.estimators.sufficient_statistics import SufficientStatistics
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import Feed, Generation, Series, build_network
from mcjax.report.replay import replay_json
from mcjax.selections.checker import Checker
from mcjax.selections.flip import Flip
from mcjax.selections.temperature import Temperature
from mcjax.selections.verifier import Verifier
from mcjax.solvers.status import Status
from mcjax.study.study import Study, condition

pytestmark = pytest.mark.system

THETA, C = (0.6, -0.3), (0.2, 0.5)
KEEPS = {
    "verifier": (linear(), Verifier(C, 1.0)),
    "raw": (linear(), Verifier(C, 1.0, count="raw")),
    "checker": (logistic(), Checker(C)),
    "flip": (logistic(), Flip(0.2)),
    "temperature": (logistic(), Temperature(0.7)),
}
each = pytest.mark.parametrize("name", KEEPS)


def study(name, **options):
    """Two feeds of one edge, one of which is selected, and a reader of a shared sample."""
    model, keep = KEEPS[name]
    feeds = [Feed("0", "0", 61, keep=keep), Feed("0", "0", 40), Feed("real", "0", 41)]
    feeds += [Feed("0", "1", 61, 2.0, keep=keep), Feed("1", "1", 60)]
    net = build_network(2, feeds, 140, draws="shared")
    settings = {"generations": 3, "chains": 96} | options
    return Study((condition(net, model, THETA, seed=4),), **settings)


def fitted(model, rows):
    """The estimate from the rows of all feeds, by a general optimiser."""
    x, y, weight = (
        np.concatenate([np.asarray(data[k], float) for data in rows.values()], -1) for k in range(3)
    )

    def loss(theta):
        eta = theta @ x
        logistic = np.logaddexp(0, eta) - y * eta
        return weight @ (logistic if model.name == "logistic" else (y - eta) ** 2) / weight.sum()

    return minimize(loss, np.zeros(2), tol=1e-12).x


@each
def test_rows_drawn_again_give_the_estimates(name):
    own = study(name)
    found = api.replay(own, "", 11)
    for t, fits in enumerate(api.replay_data(own, "", 11, found)):
        for i, rows in enumerate(fits):
            theta = fitted(KEEPS[name][0], rows)
            np.testing.assert_allclose(found.theta[t, i], theta, atol=2e-6)


@each
def test_chunks_change_nothing_and_paths_and_precisions_little(name):
    """A row near the edge of what is accepted may be another in another precision."""
    first = api.simulate(study(name))[0].outcome
    chunked = api.simulate(study(name, chunk=32))[0].outcome
    np.testing.assert_array_equal(first.moments.product.mean, chunked.moments.product.mean)
    single = [api.replay(study(name, path=path), "", 3).theta for path in ("auto", "reference")]
    np.testing.assert_allclose(*single, atol=1e-6)
    for precision in ("float64", "float32"):
        other = api.simulate(study(name, precision=precision))[0].outcome
        found, expected = other.moments.squared.mean, first.moments.squared.mean
        error = first.moments.squared.standard_error()
        assert (np.abs(found - expected) < error).all()


@pytest.mark.parametrize("within", [1e30, 0.02])
def test_radii_of_any_size(within):
    """What accepts everything changes nothing; what accepts little takes its time."""
    model = linear()
    feeds = [Feed("0", "0", 20, keep=Verifier(C, within)), Feed("real", "0", 20)]
    own = Study((condition(build_network(1, feeds, 40), model, THETA),), generations=2, chains=4)
    found = api.replay(own, "", 0)
    assert (found.status == Status.CONVERGED).all()
    if within > 1:
        net = build_network(1, [("0", "0", 20), ("real", "0", 20)], 40)
        plain = replace(own, conditions=(condition(net, model, THETA),), sampling="rows")
        np.testing.assert_allclose(api.replay(plain, "", 0).theta, found.theta, atol=1e-6)
    else:
        [_, fits, _] = api.replay_data(own, "", 0, found)
        data = fits[0]["0"]
        assert (np.abs(data.y - data.x.T @ C) <= within * (1 + 1e-4)).all()


@pytest.mark.parametrize("memory", ["replace", "accumulate"])
def test_raw_rows_of_which_none_is_kept(memory):
    """The fit has failed, unless a pool still has rows; it is not left out."""
    none = Verifier(C, 1e-9, count="raw")
    first = [Feed("real", "0", 20, keep=none)]
    feeds = [Feed("0", "0", 20, keep=none)]
    later = build_network(1, feeds, 40, memory=memory)
    never = build_network(1, feeds, memory=memory, first=first)
    expected = {
        later: [Status.CONVERGED, *(2 * [Status.CONVERGED] if memory == "accumulate" else [])],
        never: [Status.NOTHING_KEPT, Status.PARENT_FAILED, Status.PARENT_FAILED],
    }
    if memory == "replace":
        expected[later] += [Status.NOTHING_KEPT, Status.PARENT_FAILED]
    for estimator in (None, SufficientStatistics()) if memory == "accumulate" else (None,):
        for net, statuses in expected.items():
            model = replace(linear(), estimator=estimator)
            own = Study((condition(net, model, THETA),), generations=2, chains=4)
            assert api.replay(own, "", 0).status[:, 0].tolist() == statuses


def test_a_replay_of_rows_of_which_none_is_kept():
    """A feed without rows has no mean, and no warning."""
    feeds = [Feed("0", "0", 20, keep=Verifier(C, 1e-9, count="raw")), Feed("real", "0", 20)]
    own = Study((condition(build_network(1, feeds, 40), linear(), THETA),), generations=1, chains=4)
    data = replay_json(own, "", 0)["generations"][1]["data"]
    assert data[0] == {"origin": "0", "rows": 0}
    assert data[1]["rows"] == 20


@pytest.mark.parametrize("varies", [True, False])
def test_rows_without_weight_are_not_waited_for(varies):
    """Whether chains run on the reference path, as with weights by generation, or not."""
    feeds = [Feed("0", "0", 20, 0.0, keep=Verifier(C, 1e-9)), Feed("real", "0", 20)]
    first, second = Generation(feeds), Generation([*feeds, Feed("real", "1", 9)])
    if varies:
        feeds[0] = replace(feeds[0], weight=1.0)
        second = Generation(feeds)
    net = build_network(2, Series(first, second), 40)
    own = Study((condition(net, linear(), THETA),), generations=1, chains=4)
    assert route_of(own.conditions[0], own).path == ("reference" if varies else "fast")
    found = api.replay(own, "", 0)
    assert found.status[1, 0] == Status.CONVERGED
    plain = replace(net, later=Series(Generation([Feed("real", "0", 20)])))
    other = replace(own, conditions=(condition(plain, linear(), THETA),), sampling="rows")
    np.testing.assert_allclose(api.replay(other, "", 0).theta[1, 0], found.theta[1, 0], atol=1e-6)
