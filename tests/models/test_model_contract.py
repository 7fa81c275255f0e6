"""Every model of the registry keeps the contract: draws, loss and closed forms say the same.

A new regression needs nothing here. A model whose truth is not any vector of numbers needs one, and
the truths that it refuses.
"""

import inspect
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mcjax.errors import InputError
from mcjax.estimators.sufficient_statistics import Sums
from mcjax.models.model import Functional
from mcjax.models.registry import FAMILIES, make_model
from mcjax.network import topologies
from mcjax.study.study import condition

ROWS = 1 << 18
SIGMA = np.array([[1.0, 0.4], [0.4, 0.8]])
T9 = {"name": "student_t", "df": 9.0}
NOISES = [  # among them every distribution, some of them of models and some of real data
    {},
    {"noise": "contaminated_normal", "real_noise": T9},
    {"noise": T9, "real_noise": "laplace"},
]
ARGUMENTS = {
    "linear": {"sigma": 1.5},
    "huber": {"threshold": 0.9, "sigma": 0.7},
    "quantile": {"level": 0.3, "sigma": 1.5},
    "minimum_norm": {"sigma": 0.5},
    "negative_binomial": {"dispersion": 0.7, "real_dispersion": 1.5},
    "gaussian": {"unbiased": False},
    "bigram": {"length": 5},
    "gaussian_mixture": {"components": 2, "dimensions": 2},
}
TRUTHS = {
    "nb2": [0.6, -0.3, -0.4],
    "multinomial": [0.6, -0.3, 0.2, 0.8],
    "gaussian": [1.5, 0.4],
    "gaussian_mixture": [0.4, -1.5, 0.2, -1.0, 0.3, 0.5, 1.5, 0.1, 0.4, -0.2, -0.3],
    "categorical": [0.5, 0.3, 0.05, 0.15],
    "unigram": [0.5, 0.3, 0.05, 0.15],
    "bigram": [0.6, 0.4, 0.3, 0.7],
    "bernoulli": [0.3],
    "poisson_mean": [0.4],
}
REFUSED = {
    "nb2": [([0.5], "has 1 number"), ([0.5, 20.0], "ends with 20, the logarithm")],
    "multinomial": [([0.5, 0.1, 0.2], "give 2 for each covariate")],
    "gaussian": [([0.0, 0.0], "a mean and a positive variance"), ([1.0], "two numbers")],
    "gaussian_mixture": [([0.0, 1.0], "has 2 numbers; a mixture of 2 components .* has 11")],
    "categorical": [
        ([0.5, 0.6], "add up to 1"),
        ([1.2, -0.2], "add up to 1"),
        ([1.0], "two or more classes"),
    ],
    "unigram": [([0.5, 0.6], "add up to 1")],
    "bigram": [([0.5, 0.5], "must be K times K")],
    "bernoulli": [([1.5], "one probability"), ([0.5, 0.5], "one probability")],
    "poisson_mean": [([0.0], "one positive number"), ([1.0, 1.0], "one positive number")],
}


@dataclass(eq=False)
class Case:
    """A model of the registry with some arguments, its truth, and draws of it at the truth."""

    name: str
    arguments: dict[str, Any]

    @cached_property
    def model(self):
        return FAMILIES[self.name](**self.arguments)

    @cached_property
    def theta(self):
        return np.array(TRUTHS.get(self.name, [0.6, -0.3]))

    @property
    def covariance(self):
        return SIGMA if self.model.covariates is None else np.eye(len(self.theta))

    @cached_property
    def draws(self):
        """Covariates, words, and what a model and real data make of them."""
        rng = np.random.default_rng(0)
        q = self.model.covariates_for(len(self.theta))
        x = rng.standard_normal((ROWS, q))
        x = x @ np.linalg.cholesky(SIGMA).T if q else x
        words = rng.integers(0, 2**32, (2, ROWS), np.uint32)
        return x, words, drawn(self.model, self.theta, x, words)

    def scores(self, kind, at):
        x, _, labels = self.draws
        return np.asarray(_scores(self.model, jnp.asarray(at), x, labels[kind]))


@jax.jit
def drawn(model, theta, x, words):
    """Labels of a model and of real data, from the same words."""

    def labels(sample):
        return jax.vmap(sample, (None, None, 0, 0))(model.params, theta, x, (words[0], words[1]))

    model = jax.tree.map(lambda leaf: jnp.asarray(leaf, theta.dtype), model)
    real = model.sample if model.sample_real is None else model.sample_real
    return {"synthetic": labels(model.sample), "real": labels(real)}


@jax.jit
def _scores(model, theta, x, y):
    return jax.vmap(jax.grad(model.loss, 1), (None, None, 0, 0))(model.params, theta, x, y)


@jax.jit
def _hessians(model, theta, x, y):
    return jax.vmap(jax.hessian(model.loss, 1), (None, None, 0, 0))(model.params, theta, x, y)


BY_DEFAULT = ("linear", "logistic", "poisson", "gaussian", "categorical")
"""Families whose models keep the contract by default; the others do among the system tests."""


def cases():
    for name, family in FAMILIES.items():
        noisy = "noise" in inspect.signature(family).parameters
        for number, noise in enumerate(NOISES if noisy else [{}]):
            case = Case(name, ARGUMENTS.get(name, {}) | noise)
            marks = [] if name in BY_DEFAULT and not number else [pytest.mark.system]
            yield pytest.param(case, id=f"{name}-{number}" if noisy else name, marks=marks)


CASES = list(cases())
every = pytest.mark.parametrize("case", CASES)


def having(attribute, chosen=list):
    """The models that know more than loss and sampler, or those of them that are chosen."""
    own = [case for case in CASES if getattr(case.values[0].model, attribute)]
    return pytest.mark.parametrize("case", chosen(own))


kinds = pytest.mark.parametrize("kind", ["synthetic", "real"])


def standard_errors(values, truth):
    """How far means over rows are off, in standard errors; exact values count as such."""
    error = values.std(0) / np.sqrt(len(values))
    off = np.abs(values.mean(0) - truth)
    return off / np.where(error > 0, error, 1e-12 * (1 + np.abs(truth)))


@every
def test_a_study_file_makes_the_same_model(case):
    spec = {"name": case.name, **case.arguments}
    made = make_model(spec, Path())
    assert made.name == case.name
    assert jax.tree.structure(made) == jax.tree.structure(case.model)
    assert made.params == case.model.params
    for key in ("threshold", "level", "sigma", "unbiased"):
        assert made.params.get(key) == case.arguments.get(key, made.params.get(key))
    with pytest.raises(InputError, match=r"family\.colour: is not a parameter of"):
        make_model({**spec, "colour": 1}, Path())


def test_name_variant_and_numbers_tell_models_apart():
    models = [case.values[0].model for case in CASES]
    identities = {(m.name, m.variant, repr(m.params)) for m in models}
    assert len(identities) == len({jax.tree.structure(m) for m in models}) == len(models)


@every
def test_numbers_are_data_and_everything_else_is_compiled_for(case):
    traces = []

    @jax.jit
    def loss(model, theta, x, y):
        traces.append(model)
        return model.loss(model.params, theta, x, y)

    x, _, labels = case.draws
    row = jnp.asarray(case.theta), x[0], labels["real"][0]
    other = jax.tree.map(lambda leaf: 1.1 * leaf, case.model)
    again = FAMILIES[case.name](**case.arguments)
    values = [loss(model, *row) for model in (case.model, other, again)]
    assert len(traces) == 1
    assert values[0] == values[2]
    assert all(value.shape == () and np.isfinite(value) for value in values)


@every
def test_a_label_is_a_function_of_its_words(case):
    """Also in another place, beside other rows, and in single precision."""
    x, words, labels = case.draws
    place = np.random.default_rng(1).permutation(ROWS)
    same = drawn(case.model, case.theta, x[place], words[:, place])
    single = drawn(case.model, np.float32(case.theta), np.float32(x), words)
    for kind, y in labels.items():
        assert len(y) == ROWS
        assert y.dtype == np.float64
        assert len(np.unique(y)) > 1
        np.testing.assert_array_equal(same[kind], y[place])
        assert single[kind].dtype == np.float32
        # a discrete label may fall to the other side of its edge
        assert np.isclose(single[kind], y, rtol=1e-3, atol=1e-3).mean() > 0.99


@every
@kinds
def test_the_loss_is_smallest_at_the_truth_that_draws(case, kind, z_limit):
    assert standard_errors(case.scores(kind, case.theta), 0).max() < z_limit
    assert standard_errors(case.scores(kind, case.theta + 0.05), 0).max() > z_limit


@having("information")
@kinds
def test_information_is_the_curvature_and_the_spread_of_the_score(case, kind, z_limit):
    """A loss without curvature of its own has that of its mean: differences of mean scores."""
    model, theta = case.model, case.theta
    x, _, labels = case.draws
    exact = getattr(model.information(model.params, theta, case.covariance), kind)
    hessian = np.asarray(_hessians(model, theta, x, labels[kind]))
    if not hessian.any():
        step = 0.05 * np.eye(len(theta))
        ends = [[case.scores(kind, theta + sign * s) for s in step] for sign in (1, -1)]
        hessian = np.moveaxis(np.subtract(*ends), 0, -1) / 0.1
    score = case.scores(kind, theta)
    spread = score[:, :, None] * score[:, None, :]
    for values, truth in ((hessian, exact.hessian), (spread, exact.score_covariance)):
        assert truth.shape == (len(theta), len(theta))
        assert standard_errors(values, truth).max() < z_limit
        assert standard_errors(values, 1.1 * truth).max() > z_limit


@having("predictor")
def test_slopes_are_derivatives_of_the_loss_in_eta(case):
    predictor, params = case.model.predictor, case.model.params
    eta, y = (a.ravel() for a in np.meshgrid(np.linspace(-2, 2, 9), [0.0, 1.0, 3.0]))
    slope, curvature = predictor.derivatives(params, jnp.asarray(eta), jnp.asarray(y))

    def loss(eta, y):
        return predictor.loss(params, eta, y)

    first = jax.vmap(jax.grad(loss))(eta, y)
    second = np.asarray(jax.vmap(jax.grad(jax.grad(loss)))(eta, y))
    np.testing.assert_allclose(slope, first, rtol=1e-12, atol=1e-14)
    bent = second != 0
    np.testing.assert_allclose(curvature[bent], second[bent], rtol=1e-12)
    if bent.any():  # a Newton step needs a little curvature everywhere
        assert ((curvature[~bent] > 0) & (curvature[~bent] <= 0.02)).all()


@having("predictor")
def test_the_linear_predictor_is_the_model(case):
    predictor, params, theta = case.model.predictor, case.model.params, jnp.asarray(case.theta)
    x, words, labels = case.draws
    eta = jnp.asarray(x @ case.theta)
    for kind, y in labels.items():
        found = predictor.labels(params, eta, jnp.asarray(kind == "real"), tuple(words))
        np.testing.assert_allclose(found, y, rtol=1e-9)
        losses = jax.vmap(case.model.loss, (None, None, 0, 0))(params, theta, x, y)
        np.testing.assert_allclose(predictor.loss(params, eta, y), losses, rtol=1e-9, atol=1e-12)


@having("predictor")
def test_labels_on_their_own_side_lead_the_loss_to_its_infimum(case):
    predictor = case.model.predictor
    if predictor.separates is None:
        return  # labels of such a model cannot be separated
    eta, y = (jnp.asarray(a.ravel()) for a in np.meshgrid([-3.0, -0.1, 0.1, 3.0], [0.0, 1.0]))
    losses = [predictor.loss(case.model.params, far * eta, y) for far in (1, 10, 1000)]
    apart = np.asarray(predictor.separates(eta, y))
    assert ((losses[0] > losses[1]) & (losses[1] >= losses[2]) & (losses[2] < 1e-9))[apart].all()
    assert (losses[2] > losses[0])[~apart].all()
    assert apart.any()


@having("least_squares")
@kinds
def test_least_squares_states_the_variance_of_its_noise(case, kind, z_limit):
    squares = case.model.least_squares
    x, _, labels = case.draws
    noise = np.asarray(labels[kind]) - x @ case.theta
    variance = squares.variances(case.model.params)[kind == "real"]
    assert standard_errors(noise**2, variance) < z_limit
    assert standard_errors(noise**2, 1.1 * variance) > z_limit
    if squares.normal:
        assert standard_errors(noise**4, 3 * variance**2) < z_limit


@having("noise_scale")
def test_the_noise_scale_scales_noise_and_nothing_else(case):
    model, name = case.model, case.model.noise_scale
    x, words, labels = case.draws
    wider = replace(model, params={**model.params, name: 2 * model.params[name]})
    eta = x @ case.theta
    for kind, y in drawn(wider, case.theta, x, words).items():
        np.testing.assert_allclose(y - eta, 2 * (labels[kind] - eta), rtol=1e-9, atol=1e-9)
    row = jnp.asarray(case.theta), x[0], labels["real"][0]
    assert wider.loss(wider.params, *row) == model.loss(model.params, *row)


def estimates(case, pivot, rows=None, weight=None):
    """Estimates from the sums over many small data sets, and the data sets."""
    statistics, params = case.model.statistics, case.model.params
    size, sets = 8, 400
    x, _, labels = case.draws
    x, y = x[: size * sets].reshape(sets, size, -1), labels["real"][: size * sets]
    y = y.reshape(sets, size)
    weight = np.ones(size) if weight is None else weight

    def one(x, y):
        each = jax.vmap(statistics.summary, (None, None, 0, 0))(params, pivot, x, y)
        mass = weight.sum()
        squares = (weight**2).sum() if rows is None else mass**2 / rows
        return statistics.estimate(params, pivot, Sums(weight @ each, mass, squares))

    theta, determined = jax.jit(jax.vmap(one))(x, y)
    assert determined.all()
    return theta, x, y


def minimising(cases):
    """Those whose estimates minimise the loss."""
    models = [case.values[0].model for case in cases]
    kept = [model.estimator is None or model.estimator.minimises for model in models]
    return [case for case, keep in zip(cases, kept, strict=True) if keep]


@having("statistics", minimising)
def test_sums_give_the_estimate_that_minimises_the_loss(case):
    """About any pivot and with any weights, apart from a correction for few rows."""
    weight = np.linspace(0.5, 2, 8)
    pivot = jnp.asarray(case.theta)
    theta, x, y = estimates(case, pivot, 1e18, weight)
    other, *_ = estimates(case, pivot + 0.2, 1e18, weight)
    np.testing.assert_allclose(other, theta, rtol=1e-9, atol=1e-9)
    whole = (theta > 0.01).all(1) if case.model.covariates == 0 else np.ones(len(theta), bool)
    gradient = jax.vmap(jax.grad(case.model.loss, 1), (None, None, 0, 0))
    scores = jax.vmap(gradient, (None, 0, 0, 0))(case.model.params, theta, x, y)
    mean = np.einsum("i,lip->lp", weight, scores)[whole]
    assert len(mean) > 10
    np.testing.assert_allclose(mean, np.zeros_like(mean), atol=1e-8)


@having("functionals")
def test_functionals_keep_their_scale_and_span(case):
    functionals = case.model.functionals
    assert len({functional.name for functional in functionals}) == len(functionals)
    if case.draws[2]["real"].ndim > 1:  # rows of several numbers, of other statistics
        theta = case.theta + 0.1 * np.random.default_rng(0).standard_normal((400, len(case.theta)))
    else:
        theta = np.asarray(estimates(case, jnp.asarray(case.theta))[0])
    for functional in functionals:
        assert isinstance(functional, Functional)
        values = functional.value(theta.reshape(20, 20, -1), case.theta)
        assert values.shape == (20, 20)
        alone = [functional.value(one, case.theta) for one in theta]
        np.testing.assert_allclose(values.ravel(), alone, rtol=1e-12)
        values = np.asarray(values, float)
        assert len(np.unique(values)) > 1
        assert np.ptp(values[np.isfinite(values)]) <= functional.span(len(case.theta))
        if functional.scale == "chance":
            assert set(np.unique(values)) <= {0, 1}
        elif functional.scale == "ratio":
            assert (values >= 0).all()
            assert np.isfinite(values).all()
        else:
            assert functional.scale == "logarithm"
            assert not np.isnan(values).any()


LOOP = topologies.self_loop(samples=100, initial=100)


@every
def test_a_truth_is_checked_where_a_condition_is_built(case):
    assert (case.model.check is not None) == (case.name in REFUSED)
    condition(LOOP, case.model, case.theta)
    for theta, sentence in REFUSED.get(case.name, []):
        with pytest.raises(InputError, match=sentence) as caught:
            condition(LOOP, case.model, theta)
        assert caught.value.field == "family.theta"


@every
def test_fits_of_too_few_rows_are_refused(case):
    least = case.model.least_rows or len(case.theta) + 1
    condition(topologies.self_loop(samples=least, initial=least), case.model, case.theta)
    if least > 1:
        few = topologies.self_loop(samples=least - 1, initial=least)
        with pytest.raises(InputError, match=rf"more than {least - 1}"):
            condition(few, case.model, case.theta)
