"""Every estimator keeps the contract on the problems it serves.

Each pair of an estimator and a problem is one program, which fits ordinary data sets beside spoilt
ones. A new estimator needs its problems in ``SERVES``.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from other_solvers import solutions
from problems import AT, LANES, PAIRS, PLAIN, PROBLEMS, P, data_sets, lane, objective, start_of

import mcjax.estimators
from mcjax.errors import InputError
from mcjax.estimators import newton_rows, quantile_rows
from mcjax.estimators.chord import Chord
from mcjax.estimators.em import EM
from mcjax.estimators.found_predictors import FoundNewton
from mcjax.estimators.gradient_steps import Optax
from mcjax.estimators.lbfgs import LBFGS
from mcjax.estimators.minimum_norm import MinimumNorm
from mcjax.estimators.newton import Newton
from mcjax.estimators.quantile_lp import QuantileLP
from mcjax.estimators.rows import Rows
from mcjax.estimators.sufficient_statistics import SufficientStatistics
from mcjax.solvers.status import Status


@dataclass(frozen=True)
class ByRows:
    """A kernel of the fast path, which fits many data sets at once."""

    kernel: Callable
    minimises = True

    def fit_many(self, model, data, start):
        """Fit data sets with a leading axis of lanes, whose pairs of rows have one weight."""
        used = data.weight > 0
        halves = (len(used), -1, 2, PAIRS)
        x = jnp.where(used[:, None], data.x, 0).reshape(halves).transpose(2, 1, 0, 3)
        y = jnp.where(used, data.y, 0).reshape(len(used), 2, PAIRS).transpose(1, 0, 2)
        weight = data.weight[:, :PAIRS]
        total = jnp.maximum(data.weight.sum(1, keepdims=True), 1e-30)
        rows = Rows((x,), y, lambda: weight / total, used.sum(1).astype(x.dtype))
        status = jnp.where(used.any(1), jnp.int32(Status.RUNNING), jnp.int32(Status.NOT_FITTED))
        found = self.kernel(model, rows, start.T, status)
        return found._replace(theta=found.theta.T)


ESTIMATORS = {
    "Newton": Newton(),
    "NewtonByRows": ByRows(newton_rows.fit_rows),
    "Chord": Chord(),
    "FoundNewton": FoundNewton(),
    "LBFGS": LBFGS(),
    "SufficientStatistics": SufficientStatistics(),
    "QuantileLP": QuantileLP(),
    "QuantileByRows": ByRows(quantile_rows.fit_rows),
    "MinimumNorm": MinimumNorm(),
    "Optax": Optax(optax.sgd(0.5), steps=400),
}
SERVES = {
    "Newton": (
        *("linear", "logistic", "poisson", "huber", "two blocks", "ridge", "ridge two blocks"),
        *("firth", "dispersed"),
    ),
    "NewtonByRows": ("linear", "logistic", "poisson", "huber", "ridge", "ridge logistic"),
    "Chord": ("logistic", "poisson", "huber", "ridge logistic"),
    "FoundNewton": ("two blocks", "ridge two blocks"),
    "LBFGS": ("logistic", "two blocks", "ridge", "ridge two blocks"),
    "SufficientStatistics": ("linear", "gaussian", "categorical", "bernoulli", "poisson_mean"),
    "QuantileLP": ("quantile", "ridge quantile"),
    "QuantileByRows": ("quantile",),
    "MinimumNorm": ("tall", "wide"),
    "Optax": ("linear", "ridge"),
}
FITS = [(name, problem) for name, problems in SERVES.items() for problem in problems]
BY_DEFAULT = {
    *(("Newton", "logistic"), ("Newton", "ridge"), ("NewtonByRows", "linear")),
    *(("NewtonByRows", "ridge logistic"), ("LBFGS", "logistic"), ("QuantileLP", "quantile")),
    *(("SufficientStatistics", "linear"), ("MinimumNorm", "tall"), ("Optax", "linear")),
    *(("QuantileByRows", "quantile"), ("Chord", "logistic")),
    ("FoundNewton", "two blocks"),
}
every = pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param(*fit, id="-".join(fit), marks=() if fit in BY_DEFAULT else pytest.mark.system)
        for fit in FITS
    ],
)


@cache
def program(name):
    """Fit data sets with a leading axis of lanes."""
    estimator = ESTIMATORS[name]

    @jax.jit
    def fit(model, data, start, key):
        if isinstance(estimator, ByRows):
            numbers = jax.tree.map(lambda leaf: jnp.full((1, 1), leaf, data.x.dtype), model)
            many = jnp.broadcast_to(start, (len(data.y), len(start)))
            return estimator.fit_many(numbers, data, many)
        numbers = jax.tree.map(lambda leaf: jnp.asarray(leaf, data.x.dtype), model)
        return jax.vmap(estimator.fit, (None, 0, None, None))(numbers, data, start, key)

    return fit


def fits(name, problem, data=None, start=None, key=0):
    """Estimates as arrays (lanes, p), statuses and steps."""
    data = data_sets(problem) if data is None else data
    start = start_of(problem) if start is None else start
    found = program(name)(PROBLEMS[problem].model, data, start, jax.random.key(key))
    theta = jax.vmap(lambda tree: ravel_pytree(tree)[0])(found.theta)
    return np.asarray(theta), np.asarray(found.status), np.asarray(found.steps)


@cache
def found_by(name, problem):
    return fits(name, problem)


def test_every_estimator_serves_some_problem():
    modules = pkgutil.iter_modules(mcjax.estimators.__path__, "mcjax.estimators.")
    classes = {
        thing
        for module in modules
        for thing in vars(importlib.import_module(module.name)).values()
        if isinstance(thing, type) and hasattr(thing, "fit") and hasattr(thing, "minimises")
    }
    # rows of mixtures are vectors, which the data sets here have not: EM has tests of its own
    assert classes - {EM} == {type(e) for e in ESTIMATORS.values()} - {ByRows}
    assert set(SERVES) == set(ESTIMATORS)
    assert {problem for _, problem in FITS} == set(PROBLEMS)
    assert {name for name, _ in BY_DEFAULT} == set(ESTIMATORS)
    assert set(FITS) >= BY_DEFAULT


@every
def test_the_estimate_is_that_of_an_independent_solver(name, problem):
    theta, status, _ = found_by(name, problem)
    assert (status[:PLAIN] == Status.CONVERGED).all()
    np.testing.assert_allclose(theta[:PLAIN], solutions(problem), atol=5e-6)
    assert np.abs(theta[0] - theta[1]).max() > 1e-3


@pytest.mark.by_default("float64")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_quantiles_of_labels_on_a_plane(dtype):
    """All residuals are 0 but for rounding, so that every vertex ties with all others."""
    data = jax.tree.map(lambda leaf: leaf.astype(dtype), data_sets("quantile"))
    flat = data._replace(y=data.x.sum(1))
    theta, status, _ = fits("QuantileByRows", "quantile", flat, jnp.zeros(P, dtype))
    assert (status[:PLAIN] == Status.CONVERGED).all()
    np.testing.assert_allclose(theta[:PLAIN], 1, atol=1e3 * np.finfo(dtype).eps)


@every
def test_the_gradient_of_the_loss_vanishes_at_the_estimate(name, problem):
    if "quantile" in problem:
        return  # the loss has a kink at the estimate
    _, unravel = ravel_pytree(start_of(problem))
    theta, *_ = found_by(name, problem)
    for i in range(PLAIN):
        at = unravel(jnp.asarray(theta[i]))
        _, slope = objective(PROBLEMS[problem].model, lane(problem, i), at)
        # the curvature of Newton steps is not quite that of Huber's loss
        limit = 1e-7 if problem == "huber" else 1e-10
        assert np.abs(ravel_pytree(slope)[0]).max() < limit


@every
def test_weights_count_relative_to_each_other_and_padding_does_not(name, problem):
    theta, status, _ = found_by(name, problem)
    for copy in ("scaled", "padded"):
        assert status[AT[copy]] == Status.CONVERGED
        np.testing.assert_allclose(theta[AT[copy]], theta[0], rtol=1e-7, atol=1e-9)


@every
def test_a_fit_that_fails_says_why(name, problem):
    theta, status, steps = found_by(name, problem)
    expected = {"empty": Status.NOT_FITTED}
    named = {"nonfinite": Status.OVERFLOW, "deficient": Status.RANK_DEFICIENT}
    named["separated"] = Status.SEPARATED
    for spoilt in PROBLEMS[problem].spoilt:
        expected[spoilt] = named[spoilt]
    if not ESTIMATORS[name].minimises:  # it takes its steps and judges nothing
        expected["deficient"] = Status.CONVERGED
    for i, found in enumerate(status):
        where = LANES[i - PLAIN] if i >= PLAIN else "plain"
        assert found == expected.get(where, Status.CONVERGED), where
        assert np.isfinite(theta[i]).all() == (found == Status.CONVERGED), where
        assert np.isnan(theta[i]).all() == (found != Status.CONVERGED), where
    if hasattr(ESTIMATORS[name], "limit"):
        assert (steps < 50).all()  # none stalled
        assert steps[AT["empty"]] == 0


@every
def test_a_fit_depends_on_its_own_data_alone(name, problem):
    """Bit for bit, whatever is fitted beside it, and whenever."""
    data = data_sets(problem)
    spoilt = slice(AT["empty"], None)
    other = jax.tree.map(lambda leaf: leaf.at[spoilt].set(leaf[:1]), data)
    again, beside = fits(name, problem), fits(name, problem, other)
    for before, after, changed in zip(found_by(name, problem), again, beside, strict=True):
        np.testing.assert_array_equal(before, after)
        np.testing.assert_array_equal(before[: AT["empty"]], changed[: AT["empty"]])
        np.testing.assert_array_equal(changed[spoilt], changed[:1].repeat(4, 0))


@every
def test_the_estimate_does_not_depend_on_the_start(name, problem):
    start = jax.tree.map(lambda leaf: leaf + 0.1, start_of(problem))
    theta, status, _ = fits(name, problem, start=start)
    np.testing.assert_array_equal(status, found_by(name, problem)[1])
    np.testing.assert_allclose(theta[:PLAIN], found_by(name, problem)[0][:PLAIN], atol=5e-6)


@pytest.mark.by_default("Newton", "SufficientStatistics")
@pytest.mark.parametrize("name", [n for n, e in ESTIMATORS.items() if not isinstance(e, ByRows)])
def test_fits_at_once_are_fits_one_by_one(name):
    problem = SERVES[name][0]
    estimator, model = ESTIMATORS[name], PROBLEMS[problem].model
    fit = jax.jit(lambda data: estimator.fit(model, data, start_of(problem), jax.random.key(0)))
    theta, status, steps = found_by(name, problem)
    for i in range(len(status)):
        alone = fit(lane(problem, i))
        assert (alone.status, alone.steps) == (status[i], steps[i])
        np.testing.assert_allclose(ravel_pytree(alone.theta)[0], theta[i], rtol=1e-7, atol=1e-9)


@pytest.mark.system
@pytest.mark.parametrize(("name", "problem"), [(n, problems[0]) for n, problems in SERVES.items()])
def test_single_precision_is_a_small_part_of_a_standard_error_off(name, problem):
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), data_sets(problem))
    start = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), start_of(problem))
    theta, status, _ = fits(name, problem, single, start)
    assert theta.dtype == np.float32
    np.testing.assert_array_equal(status, found_by(name, problem)[1])
    np.testing.assert_allclose(theta[:PLAIN], found_by(name, problem)[0][:PLAIN], atol=1e-3)


def test_an_optimiser_draws_its_batches_from_the_key():
    estimator = Optax(optax.sgd(0.1), steps=7, batch_size=8)
    data, model = lane("linear", 0), PROBLEMS["linear"].model
    fit = jax.jit(lambda key: estimator.fit(model, data, jnp.zeros(P), key).theta)
    one, again, other = (np.asarray(fit(jax.random.key(seed))) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("MinimumNorm", "is for least squares"),
        ("QuantileLP", "is for quantile regression"),
        ("SufficientStatistics", "is for other models"),
    ],
)
def test_an_estimator_of_one_model_refuses_others(name, words):
    with pytest.raises(InputError, match=words):
        fits(name, "logistic")
