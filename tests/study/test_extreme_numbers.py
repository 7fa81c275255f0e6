"""Units that are far apart, numbers near the end of what is possible, and counts of 63 bits."""

import jax
import numpy as np
import pytest

from mcjax import api
from mcjax.engine import simulation
from mcjax.engine.compiled import compile_study
from mcjax.errors import InputError
from mcjax.models.glm import logistic
from mcjax.models.location import huber, linear
from mcjax.network.build import build_network
from mcjax.network.source import Source
from mcjax.solvers.conditioning import condition_number
from mcjax.study.roots import covariance_root, whitener
from mcjax.study.study import Study, condition

UNITS = np.array([1e6, 1e-6])
CORRELATED = np.array([[1.0, 0.3], [0.3, 1.0]])
FAR = UNITS[:, None] * CORRELATED * UNITS


def loop(count=100):
    return build_network("a", [("a", "a", count), ("real", "a", count)], count)


def laws(model, theta, covariance, generations=3):
    study = Study((condition(loop(), model, theta, covariance),), generations=generations)
    return api.predict(study)[0].laws


@pytest.mark.parametrize("model", [linear(), huber(), logistic()])
def test_units_of_covariates_change_the_unit_of_estimates_and_nothing_else(model):
    theta = np.array([0.5, -0.5])
    usual = laws(model, theta, CORRELATED)
    far = laws(model, theta / UNITS, FAR)
    assert usual.keys() == far.keys() >= {"first_order"}
    for name, law in usual.items():
        there = far[name].own_covariances * UNITS[:, None] * UNITS
        np.testing.assert_allclose(there, law.own_covariances, rtol=1e-6)


def test_roots_of_covariances_in_units_far_apart():
    root = covariance_root(FAR)
    np.testing.assert_allclose(root @ root.T / UNITS[:, None] / UNITS, CORRELATED, rtol=1e-9)
    np.testing.assert_allclose(whitener(FAR).T @ root, np.eye(2), atol=1e-9)


def test_covariates_that_are_copies_of_each_other_are_still_refused():
    same = UNITS[:, None] * np.ones((2, 2)) * UNITS
    assert not condition_number(same) < 1e12
    assert condition_number(np.diag(UNITS**2)) == pytest.approx(1)
    assert not whitener(same).any()
    study = Study((condition(loop(), huber(), [0.5, 0.5], same),), generations=1)
    assert "singular" in api.predict(study)[0].inapplicable["first_order"]


@pytest.mark.parametrize(
    ("numbers", "field"),
    [
        ({"covariance": np.diag([1e300, 1.0])}, "covariates.covariance"),
        ({"covariance": np.diag([1.0, 1e-300])}, "covariates.covariance"),
        ({"theta": [1e300, 0.0]}, "family.theta"),
    ],
)
def test_numbers_whose_squares_would_be_lost_are_refused(numbers, field):
    given = {"theta": [0.5, 0.5], "covariance": None} | numbers
    with pytest.raises(InputError) as error:
        condition(loop(), linear(), **given)
    assert error.value.field == field


@pytest.mark.parametrize(
    ("numbers", "field"),
    [
        ({"noise": 1e300}, "noise"),
        ({"noise": 1e-300}, "noise"),
        ({"theta": (1e300, 0.0)}, "theta"),
        ({"shift": (0.0, -1e300)}, "shift"),
    ],
)
def test_such_numbers_of_a_source_are_refused(numbers, field):
    up = Source("up", samples=50, **numbers)
    net = build_network("a", [("a", "a", 50), ("up", "a", 50)], 100, sources=[up])
    with pytest.raises(InputError) as error:
        condition(net, linear(), [0.5, 0.5])
    assert error.value.field == f"network.sources (up).{field}"


def test_samples_of_trillions_need_no_rows_and_keep_their_law():
    rows = 15 * 10**12
    net = build_network("a", [("a", "a", rows), ("real", "a", rows)], rows)
    study = Study((condition(net, linear(), [0.5, -0.5]),), generations=2, chains=2048)
    [tally] = api.simulate(study)
    squared = tally.outcome.moments.squared
    exact = laws(linear(), [0.5, -0.5], None, generations=2)["first_order"].mse * 100 / rows
    assert (np.abs(squared.mean - exact) < 5 * squared.standard_error()).all()
    with pytest.raises(InputError, match="drawn one by one"):
        compile_study(Study((condition(net, logistic(), [0.5, -0.5]),), chains=64))


@pytest.mark.system
def test_chains_are_listed_a_part_at_a_time(monkeypatch):
    """Four billion chain numbers would take 16 GB; parts end where tiles do."""
    two = tuple(condition(loop(), linear(), [0.5, -0.5], label=name) for name in "ab")
    study = Study(two, generations=1, chains=1000)
    whole = api.simulate(study)
    monkeypatch.setattr(simulation, "LISTED", 256)
    monkeypatch.setattr(simulation, "AT_LEAST", 64)
    for one, other in zip(whole, api.simulate(study), strict=True):
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            np.testing.assert_array_equal(a, b)
