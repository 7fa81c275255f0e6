"""Labels keep their noise: draws become double precision where single would lose it."""

import numpy as np
import pytest

from mcjax import api
from mcjax.engine.compiled import compile_study
from mcjax.errors import InputError
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import bernoulli, categorical, poisson_mean
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.quantile import quantile
from mcjax.network.build import build_network
from mcjax.network.source import Source
from mcjax.study.study import Study, condition

NET = build_network("a", [("a", "a", 50), ("real", "a", 50)], 100)


def study(model, theta, **settings):
    settings = {"generations": 2, "chains": 64, "sampling": "rows"} | settings
    return Study((condition(NET, model, theta),), **settings)


def draws(model, theta, **settings):
    [shared] = compile_study(study(model, theta, **settings)).programs
    return shared.program.draw_dtype


def errors(model, theta, **settings):
    found = api.replay(study(model, theta, **settings), "", 3).theta
    return np.asarray(found) - np.asarray(theta)


@pytest.mark.statistical  # for its time
@pytest.mark.parametrize("path", ["auto", "reference"])
@pytest.mark.parametrize("model", [linear(), huber(), quantile(0.3)])
@pytest.mark.parametrize("size", [1e5, 1e7, 1e9])
def test_errors_do_not_depend_on_where_the_truth_is(size, model, path):
    """The same words make the same noise, so the errors of location models are the same."""
    if path == "reference" and size < 1e9:
        pytest.skip("one size suffices")
    near = errors(model, [0.5, -0.5], precision="float64", path=path)
    far = errors(model, [size, -size], path=path)
    np.testing.assert_allclose(far, near, rtol=0, atol=1e-16 * size * 1e3)


def test_single_precision_would_lose_them():
    """The test above can fail: labels of size 1e7 are whole numbers in single precision."""
    assert np.float32(1e7 + 0.4) == 1e7


NEAR = {
    "linear": (linear(), [0.5, -0.5]),
    "linear, far": (linear(), [1e3, -1e3]),
    "linear, one unit for all": (linear(sigma=1e6), [1e8, -1e8]),
    "poisson": (poisson(), [0.5, 0.5]),
    "logistic": (logistic(), [50.0, 50.0]),
    "poisson_mean": (poisson_mean(), [1e6]),
    "gaussian": (gaussian(), [100.0, 1.0]),
    "bernoulli": (bernoulli(), [1e-9]),
    "bernoulli, certain": (bernoulli(), [1.0]),
    "categorical": (categorical(), [0.999, 0.001]),
}
FAR = {
    "linear": (linear(), [1e5, -1e5]),
    "linear, small noise": (linear(sigma=1e-5), [1.0, -1.0]),
    "poisson": (poisson(), [2.5, 2.5]),
    "poisson_mean, large": (poisson_mean(), [1e12]),
    "poisson_mean, small": (poisson_mean(), [1e-5]),
    "gaussian": (gaussian(), [1e6, 1.0]),
    "bernoulli": (bernoulli(), [1 - 1e-6]),
    "categorical": (categorical(), [1 - 1e-5, 1e-5]),
}


@pytest.mark.parametrize("name", NEAR)
def test_draws_stay_single_where_nothing_is_lost(name):
    assert draws(*NEAR[name]) == draws(*NEAR[name], precision="float32") == "float32"


@pytest.mark.parametrize("name", FAR)
def test_draws_become_double_or_are_refused(name):
    assert draws(*FAR[name]) == "float64"
    with pytest.raises(InputError, match="lose their noise") as error:
        draws(*FAR[name], precision="float32")
    assert error.value.field == "run.precision"


def test_what_double_precision_loses_is_refused():
    with pytest.raises(InputError, match="lose their noise") as error:
        draws(linear(), [1e14, 0.0])
    assert error.value.field == "family.theta"


def test_a_source_far_away_counts():
    net = build_network(
        "a",
        [("a", "a", 50), ("up", "a", 50)],
        100,
        sources=[Source("up", samples=50, theta=(1e7, 0.0))],
    )
    one = Study((condition(net, linear(), [0.5, -0.5]),), generations=1, chains=64)
    assert compile_study(one).programs[0].program.draw_dtype == "float64"


def test_without_rows_draws_stay_single():
    assert draws(linear(), [1e7, 0.0], sampling="auto") == "float32"
