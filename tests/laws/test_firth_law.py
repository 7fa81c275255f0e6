"""The second-order law of fits with Firth's penalty."""

from dataclasses import replace

import numpy as np
import pytest
from second_order_cases import case, firth, loop, moments, traces
from test_second_order_parts import Whole, line

from mcjax import api
from mcjax.diagnosis.long_run import facts_of
from mcjax.laws.registry import built_in
from mcjax.laws.second_order.moments import (
    axis_of,
    components_of,
    expansions,
    generations_of,
    tensors_of,
)
from mcjax.laws.second_order.row_tensors import grid_for, noise_axes
from mcjax.laws.second_order.step import Layout, step_of
from mcjax.models.glm import logistic, poisson
from mcjax.models.penalised import penalised
from mcjax.network import build_network
from mcjax.study.study import Study, condition

N = 100
Z = np.linspace(-14, 14, 2801)
WEIGHT = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()


def derivatives(name, gamma):
    """Return mu', mu'' and mu''' at the nodes."""
    if name == "poisson":
        return [np.exp(gamma * Z)] * 3
    s = 1 / (1 + np.exp(-gamma * Z))
    first = s * (1 - s)
    return [first, first * (1 - 2 * s), first * (1 - 6 * first)]


@pytest.mark.parametrize(("make", "gamma"), [(logistic, 1.0), (logistic, 1.7), (poisson, 0.6)])
def test_one_parameter_in_closed_form(make, gamma):
    """In a loop the bias goes, and with it its covariance with the parent's error."""
    one = firth(condition(build_network("a", loop(N), N), make(), [gamma]))
    first, second, third = derivatives(one.model.name, gamma)
    j, k, fourth = (WEIGHT @ (Z**power * d) for power, d in ((2, first), (3, second), (4, third)))
    squares = WEIGHT @ (Z**4 * first**2)
    noise = (squares - j**2) / j**3 + k**2 / (2 * j**4)
    change = k**2 / j**4 - fourth / (2 * j**3)
    found = moments(one, 6)
    np.testing.assert_allclose(found.mean, 0, atol=1e-15)
    t = np.arange(7)
    expected = (t + 1) * noise + t * (t + 1) / 2 * change
    np.testing.assert_allclose(N**2 * traces(found, 1)[1][:, 0], expected, rtol=1e-9)


def test_a_recorded_value():
    law = built_in("second_order").predict(firth(case("log1", N)), 1)
    assert law.mse[0, 0] / law.leading.mse[0, 0] == pytest.approx(1.03383, abs=1e-5)


@pytest.mark.parametrize("make", [logistic, poisson])
def test_data_of_the_truth_leave_no_bias_whatever_the_weights(make):
    """Rows of weights 1 and 3 count as (sum of weights)^2 / (sum of their squares)."""
    feeds = [("real", "a", 30), ("b", "a", 20, 3.0)]  # b stays near the truth
    one = condition(build_network("ab", feeds, {"a": 50, "b": 10**12}), make(), [0.5, 0.25])
    assert np.abs(moments(one, 3).mean).max() > 1e-3
    np.testing.assert_allclose(moments(firth(one), 3).mean, 0, atol=1e-10)


@pytest.mark.parametrize("name", ["log2r", "poi1r"])
def test_a_kept_sample_is_a_sample(name):
    kept = firth(case(name, N))
    fresh = condition(build_network("a", loop(N), N), kept.model, kept.theta)
    assert generations_of(kept, 0).kept
    for part in ("mean", "leading", "following"):
        ours, theirs = (getattr(moments(one, 0), part) for one in (kept, fresh))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["log2w", "ring2s", "log2r"])
def test_moments_are_affine_in_the_number_of_parameters(name):
    one = case(name, N)
    axis, read = axis_of(one), generations_of(one, 4)
    grid = grid_for(axis.gamma)
    rows = expansions(one, grid, axis.gamma)
    two, three, four = (
        components_of(
            read,
            rows,
            grid,
            Layout(one.network.size, p, noise_axes(p), len(read.kept)),
            stable=None,
            firth=True,
        )
        for p in (2, 3, 4)
    )
    for a, b, c in zip(two, three, four, strict=True):
        np.testing.assert_allclose(2 * b - a, c, rtol=0, atol=1e-13 * np.abs(c).max())


@pytest.mark.parametrize("name", ["ring2s", "poi2a"])
def test_the_correction_at_a_mixture_by_brute_force(name):
    """It is half the inverse information times the slope of its log det, at the target."""
    one = case(name, N)
    size, p = one.network.size, len(one.theta)
    axis = axis_of(one)
    grid = grid_for(axis.gamma)
    tensors = tensors_of(expansions(one, grid, axis.gamma), grid, p)
    layout = Layout(size, p, noise_axes(p), 0)
    samples = generations_of(one, 1).samples[1]
    plain, corrected = (step_of(samples, tensors, layout, firth=on) for on in (False, True))
    turn = np.array([one.theta, [-one.theta[1], one.theta[0]]]).T / axis.gamma  # to u and across
    direction = np.random.default_rng(2).standard_normal((size, p))
    small = np.kron(np.eye(size), turn.T) @ direction.ravel()
    change = (corrected.bias_slope - plain.bias_slope) @ small
    whole = Whole(one)

    def information(theta):
        return one.model.information(one.model.params, theta, one.covariance).real.hessian

    def moved(theta, h=1e-5):
        ends = [[information(theta + sign * h * e) for sign in (1, -1)] for e in np.eye(p)]
        slope = np.subtract(*np.linalg.slogdet(ends)[1].T) / (2 * h)
        return np.linalg.solve(information(theta), slope) / 2

    for i in range(size):
        rows = 1 / sum(s.shares[i] ** 2 / s.rows for s in samples if i in s.shares)
        ours = turn @ change[i * p : (i + 1) * p]
        theirs = line(lambda h, i=i: moved(whole.target(i, h * direction)[0]), 1)[1] / rows
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-3 * np.abs(theirs).max())


def test_first_order_laws_are_those_without():
    one = case("ring2s", N)
    study = Study((one, replace(firth(one), label="firth", name="firth")), generations=4)
    laws = ["first_order", "second_order"]
    plain, corrected = (found.laws for found in api.predict(study, laws))
    for part in ("covariance", "limit"):
        ours, theirs = (getattr(laws["first_order"], part) for laws in (plain, corrected))
        np.testing.assert_array_equal(ours, theirs)
    # but finite samples explain less of a departure from them
    law, other = (laws["second_order"].validity.indicator for laws in (plain, corrected))
    assert (other < 0.65 * law).all()


def test_a_ridge_is_refused():
    one = case("log2a", N)
    ridged = condition(one.network, penalised(logistic(), ridge=0.1), one.theta)
    assert "draws them away" in built_in("second_order").applies(ridged).sentence
    assert built_in("second_order").applies(firth(one)) is None


def test_it_is_no_false_anchor():
    """A model with real data does not forget the truth, as it would with a ridge."""
    one = case("log2a", N)
    ridged = condition(one.network, penalised(logistic(), ridge=0.1), one.theta)
    assert [facts_of(made).penalised for made in (one, firth(one), ridged)] == [False, False, True]
