"""The exact law of least squares: its numbers, and where it holds."""

import numpy as np
import pytest
from finite_sample_cases import random_covariance, unusual

from mcjax import api
from mcjax.laws.least_squares.conditions import REUSED, SHARED, WEIGHTED
from mcjax.laws.least_squares.explosion import spectral_radius
from mcjax.laws.least_squares.second_moments import second_moment_map
from mcjax.models.glm import logistic
from mcjax.models.location import huber, linear
from mcjax.network import REAL, build_network
from mcjax.network.topologies import complete, ring, self_loop
from mcjax.study.study import Study, condition

pytestmark = pytest.mark.statistical


def law(net, p, generations=0, model=None, covariance=None):
    """What the exact law says, None where it does not apply; and why not."""
    one = condition(net, model or linear(), np.ones(p), covariance)
    found = api.predict(Study((one,), generations=generations))[0]
    return found.laws.get("finite_sample"), found.inapplicable.get("finite_sample")


# ------------------------------------------------------------------------------------ known numbers


def test_two_models_that_read_each_other_collapse_faster_than_averaged_shares_say():
    found, _ = law(complete(2, samples=20, initial=40), 10, 400)
    averaged = 10 / (40 - 10 - 1) / 2
    assert averaged == pytest.approx(0.172414, abs=5e-7)
    np.testing.assert_allclose(found.mse[-1] - found.mse[-2], 0.210048, atol=5e-7, rtol=0)
    np.testing.assert_allclose(found.growth, 0.210048, atol=5e-7, rtol=0)


@pytest.mark.parametrize(
    ("real", "radius"), [(1, 1.5476), (2, 1.3256), (3, 1.1484), (4, 1.00448), (5, 0.88611)]
)
def test_radius_of_one_model_with_few_real_rows(real, radius):
    net = self_loop(samples=11, initial=20, real=real)
    found = spectral_radius(second_moment_map(net, 10, 1.0, 1.0))
    digits = len(str(radius).split(".")[1])
    assert found == pytest.approx(radius, abs=0.5001 * 10**-digits)


@pytest.mark.parametrize(("p", "n", "initial", "sigma"), [(1, 4, 9, 1.0), (10, 14, 25, 1.7)])
def test_one_model_on_its_own_output_walks_at_the_variance_of_one_fit(p, n, initial, sigma):
    found, _ = law(self_loop(samples=n, initial=initial), p, 50, linear(sigma=sigma))
    start, step = (sigma**2 * p / (rows - p - 1) for rows in (initial, n))
    np.testing.assert_allclose(found.mse[:, 0], start + step * np.arange(51), rtol=1e-12)
    assert found.growth[0] == pytest.approx(step, rel=1e-9)


def test_at_many_rows_it_is_the_first_order_law():
    feeds = [("0", "0", 10**6), ("1", "0", 3 * 10**6), (REAL, "1", 10**6), ("0", "1", 10**6)]
    one = condition(build_network(2, feeds, 10**6), linear(), np.ones(3))
    laws = api.predict(Study((one,), generations=20))[0].laws
    exact, first = laws["finite_sample"].covariance, laws["first_order"].covariance
    np.testing.assert_allclose(exact, first, rtol=1e-4, atol=1e-12)


def test_an_explosion_out_of_range_is_infinite():
    """A radius of 14.6: 300 generations are too many for floating point."""
    found, _ = law(complete(2, samples=16, initial=60), 30, 300)
    assert np.isposinf(found.mse[-1]).all()
    assert not np.isnan(found.covariance).any()


def test_growth_and_limit_are_where_the_mse_goes():
    """With covariates of a general covariance, and real noise that models do not imitate."""
    feeds = [("0", "0", 30), ("0", "1", 20), (REAL, "1", 10), (REAL, "2", 25), ("2", "2", 15)]
    covariance = random_covariance(np.random.default_rng(3), 4)
    model = linear(sigma=1.3, real_noise={"name": "laplace"})
    found, _ = law(build_network(3, feeds, 20), 4, 400, model, covariance)
    np.testing.assert_allclose((found.mse[-1] - found.mse[-2])[:2], found.growth[:2], rtol=1e-9)
    assert found.mse[-1, 2] == pytest.approx(found.limit[2], rel=1e-9)
    np.testing.assert_array_equal(np.isnan(found.growth), [False, False, True])
    np.testing.assert_array_equal(np.isnan(found.limit), [True, True, False])


# ----------------------------------------------------------------------------------- where it holds


@pytest.mark.parametrize("name", unusual())
def test_applies_where_options_do_not_matter(name):
    found, why = law(unusual()[name], 3)
    assert found is not None, why


def test_applies_from_two_rows_more_than_parameters_on():
    found, _ = law(self_loop(samples=6, initial=6), 4, 3)
    np.testing.assert_allclose(found.mse[:, 0], 4.0 * np.arange(1, 5), rtol=1e-12)


TWO = complete(2, samples=20, initial=40)
INAPPLICABLE = {
    "logistic": (TWO, {"model": logistic()}, "logistic is not"),
    "huber": (TWO, {"model": huber()}, "huber is not"),
    "unequal weights": (TWO.without_feed("0", "0").with_feed("0", "0", 20, 2.0), {}, WEIGHTED),
    "two readers": (complete(2, samples=20, initial=40, draws="shared"), {}, SHARED),
    "reused": (ring(2, samples=20, initial=9, real=9, real_data="reused"), {}, REUSED),
    "few rows": (self_loop(samples=3, real=1, initial=9), {}, "model '0' fits 4 rows"),
    "few initial rows": (self_loop(samples=9, initial=4), {}, "more than p + 1 = 4"),
    "frozen, few rows": (build_network(2, [("0", "0", 9)], {"0": 9, "1": 4}), {}, "model '1'"),
    "no variance": (
        TWO,
        {"model": linear(noise={"name": "student_t", "df": 2})},
        "no finite variance",
    ),
    "no variance in real labels": (
        TWO,
        {"model": linear(real_noise={"name": "student_t", "df": 1.5})},
        "no finite variance",
    ),
    "singular": (TWO, {"covariance": np.diag([1.0, 1.0, 0.0])}, "low rank"),
}


@pytest.mark.parametrize("case", INAPPLICABLE)
def test_says_why_it_does_not_apply(case):
    net, options, reason = INAPPLICABLE[case]
    found, why = law(net, 3, **options)
    assert found is None
    assert reason in why
