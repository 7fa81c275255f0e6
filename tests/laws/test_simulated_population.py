"""Simulated populations of users' models of theta as a whole, against closed forms and chains."""

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax
from mcjax import api
from mcjax.laws.first_order.m_estimators import FirstOrder
from mcjax.laws.first_order.population import Origin
from mcjax.laws.first_order.populations import population_of
from mcjax.laws.first_order.simulated_population import (
    BATCHES,
    MOST_SIMULATED,
    SimulatedPopulation,
    simulated,
)
from mcjax.laws.law import Inapplicable
from mcjax.models.gaussian import gaussian
from mcjax.models.glm import logistic
from mcjax.models.location import huber
from mcjax.models.user import model_from_file, user_model
from mcjax.verdicts.judge import judge

EXTENDING = Path(__file__).parents[1] / "extending"
ROOT = np.linalg.cholesky([[1.2, 0.3], [0.3, 0.9]])
READER, OTHER, PARENT = (np.array(v) for v in ([0.5, 0.3], [0.1, 0.4], [-0.3, 0.6]))
FAR = 6.0
"""Student's quantile for a probability of 1e-5 and 15 degrees of freedom."""


@cache  # one model, so that tests share its programs
def own_logistic():
    def loss(theta, x, y):
        return jnp.logaddexp(0, x @ theta) - y * (x @ theta)

    def sample(key, theta, x):
        u = jax.random.uniform(key, dtype="float32").astype(x.dtype)
        return (u < jax.nn.sigmoid(x @ theta)).astype(x.dtype)

    return user_model(loss, sample, name="own")


def own_huber():
    def loss(theta, x, y):
        e = jnp.abs(y - x @ theta)
        return jnp.where(e < 1.5, e**2 / 2, 1.5 * e - 1.5**2 / 2)

    def sample(key, theta, x):
        return x @ theta + jax.random.normal(key, dtype=x.dtype)

    return user_model(loss, sample, name="own")


def own_normal():
    """Mean and variance of a normal number, by maximum likelihood."""

    def loss(theta, x, y):
        return ((y - theta[0]) ** 2 / theta[1] + jnp.log(theta[1])) / 2

    def sample(key, theta, x):
        return theta[0] + jnp.sqrt(theta[1]) * jax.random.normal(key, dtype=theta.dtype)

    return user_model(loss, sample, name="own", covariates=0)


@cache
def heteroskedastic():
    return model_from_file(EXTENDING / "heteroskedastic.py", covariates=2)


def moments(rows, reader=READER, other=OTHER):
    """Everything that laws ask of the rows of a parent."""
    mean, slope = rows.score(reader)
    return {
        "mean": mean,
        "by_reader": slope,
        "by_parent": rows.by_parent(reader),
        "covariance": rows.covariance(reader, other),
    }


def assert_near(found, parts, expected):
    """Compare what all batches say with the truth, by the spread of batches."""
    for name, value in expected.items():
        error = np.std([part[name] for part in parts], axis=0, ddof=1) / np.sqrt(len(parts))
        assert (np.abs(found[name] - value) <= FAR * error + 1e-3 * np.abs(value).max()).all(), name


def of_own(model, origin, **readers):
    """Return moments by all batches, and by each."""
    whole, parts = simulated(model)
    return [moments(population_of(origin, one), **readers) for one in (whole, *parts)]


@pytest.mark.system
@pytest.mark.parametrize(
    ("own", "built_in"),
    [
        (own_logistic(), logistic()),
        pytest.param(own_huber(), huber(1.5, sigma=1.0), marks=pytest.mark.statistical, id="huber"),
    ],
)
def test_moments_are_those_in_closed_form(own, built_in):
    """Discrete labels, and a loss with kinks in its slope, without a word about them."""
    expected = moments(population_of(Origin(PARENT, ROOT, built_in.params, real=False), built_in))
    found, *parts = of_own(own, Origin(PARENT, ROOT, {}, real=False))
    assert len(parts) == BATCHES
    assert_near(found, parts, expected)


@pytest.mark.statistical  # compilation of a model of four parameters
def test_moments_of_a_model_of_two_blocks():
    """The mean score has a closed form, as covariates are normal; its derivatives are exact."""
    reader, parent = np.array([0.1, -0.2, 0.8, 0.3]), np.array([0.2, -0.1, 1.0, 0.5])

    def score(m, v):
        s, t, d = m[:2], v[:2], m[2:] - v[2:]  # log scales first

        def weighted(c):  # E[e^{c'x}], and times x, and times x x'
            size = jnp.exp(c @ c / 2)
            return size * c, size * (jnp.eye(2) + jnp.outer(c, c))

        _, away = weighted(-2 * s)
        spread = weighted(2 * (t - s))[0]

        def squares(c):  # E[e^{c'x} (d'x)^2]
            return jnp.exp(c @ c / 2) * (d @ d + (c @ d) ** 2)

        return jnp.concatenate([-spread - jax.grad(squares)(-2 * s), away @ d])

    expected = {
        "mean": score(reader, parent),
        "by_reader": jax.jacfwd(score)(reader, parent),
        "by_parent": jax.jacfwd(score, 1)(reader, parent),
    }
    truth = {"log_scale": [0.2, -0.1], "mean": [1.0, 0.5]}
    net = mcjax.topologies.self_loop(samples=100, initial=100)
    model = mcjax.condition(net, heteroskedastic(), truth).model
    origin = Origin(parent, np.eye(2), {}, real=False)
    found, *parts = of_own(model, origin, reader=reader, other=reader)
    assert_near(found, parts, expected)


@pytest.mark.system
def test_a_reader_at_its_parent_inherits_all_of_it():
    """Otherwise a model that lives on its own output would settle, or explode, by simulation."""
    model, _ = simulated(own_logistic())
    rows = population_of(Origin(PARENT, ROOT, {}, real=False), model)
    mean, slope = rows.score(PARENT)
    np.testing.assert_allclose(mean, 0, atol=1e-15)
    np.testing.assert_allclose(rows.by_parent(PARENT), -slope, rtol=1e-12)


# ------------------------------------------------------------------------- the law around the path


def far(model, rows=400, shift=(1.0, 0.0)):
    """A closed loop that a source with another truth feeds too, and a model fed by it."""
    feeds = [("a", "a"), ("far", "a"), ("a", "b"), ("real", "b")]
    net = mcjax.build_network(
        ["a", "b"],
        [(*feed, rows) for feed in feeds],
        2 * rows,
        sources=[mcjax.Source("far", rows, theta=shift)],
    )
    return mcjax.condition(net, model, [0.5, -0.5])


def best(model, rows=400):
    """The better of two numbers, beside real ones."""
    feeds = [mcjax.Feed("a", "a", rows, keep=mcjax.BestOf(2)), mcjax.Feed("real", "a", rows)]
    return mcjax.condition(mcjax.build_network(["a"], feeds, 2 * rows), model, [1.0, 2.0])


CASES = {
    "source": (far, own_logistic, logistic),
    "ridge": (
        far,
        lambda: mcjax.penalised(own_logistic(), ridge=0.05),
        lambda: mcjax.penalised(logistic(), ridge=0.05),
    ),
    "best": (best, own_normal, gaussian),
}


MANY = 40_000
"""Rows at which the bias of small samples does not count. It is known of built-in models alone."""


@cache
def predicted(case, number):
    build, *models = CASES[case]
    found = api.predict(mcjax.Study((build(models[number](), MANY),), generations=3))[0]
    return found.laws["first_order"]


@pytest.mark.statistical  # a path for every batch
@pytest.mark.parametrize("case", CASES)
def test_the_law_is_that_of_the_same_model_built_in(case):
    found, expected = predicted(case, 0), predicted(case, 1)
    for number in (
        lambda law: law.covariance,
        lambda law: law.bias,
        lambda law: law.limit,
        lambda law: np.zeros(1) if law.pooled is None else law.pooled,
    ):
        error = found.error_of(number)
        apart = np.abs(number(found) - number(expected))
        assert (apart <= FAR * error + 1e-3 * np.abs(number(expected)).max()).all()
    told = found.standard_error / found.mse
    assert (told > 0).all()
    assert (told < 0.02).all()


@pytest.mark.statistical
def test_a_closed_loop_grows_for_ever_wherever_it_is(heard):
    """Its centre stays away from the truth, and its eigenvalue is 1 whatever the draws."""
    net = mcjax.build_network(
        ["a"],
        [("a", "a", 400)],
        sources=[mcjax.Source("far", 400, theta=(1.0, 0.0))],
        first=[mcjax.Feed("far", "a", 400)],
    )
    study = mcjax.Study((mcjax.condition(net, own_logistic(), [0.5, -0.5]),), generations=2)
    law = api.predict(study)[0].laws["first_order"]
    np.testing.assert_allclose(law.bias, np.broadcast_to([0.5, 0.5], (3, 1, 2)), atol=1e-8)
    steps = np.diff(law.mse[:, 0] - 0.5)
    np.testing.assert_allclose(law.growth[0], steps, rtol=1e-6)
    assert heard == [(2 * BATCHES, "batches of simulated scores"), BATCHES, *[1] * BATCHES]


@pytest.mark.statistical
def test_diagnoses_follow_the_path_too():
    models = mcjax.penalised(own_logistic(), ridge=0.05), mcjax.penalised(logistic(), ridge=0.05)
    own, built_in = (mcjax.diagnose(far(model)) for model in models)
    assert own.collapses == built_in.collapses
    assert own.inapplicable == built_in.inapplicable == ""


# ---------------------------------------------------------------- what the law does not describe


def test_too_many_parameters_are_refused():
    p = MOST_SIMULATED + 1
    net = mcjax.topologies.self_loop(samples=500, real=500, initial=500)
    model = mcjax.penalised(own_logistic(), ridge=0.1)
    told = FirstOrder().applies(mcjax.condition(net, model, np.full(p, 0.1)))
    assert f"up to {MOST_SIMULATED} parameters, but own has {p}" in told.sentence


def test_a_loss_that_aims_at_one_truth_alone_is_refused():
    """At 1 its slope in theta is right; at other parameters it is not."""

    def loss(theta, x, y):
        return (y - x @ theta) ** 2 / 2 + ((theta[0] ** 2 - 1) ** 2) / 8

    def sample(key, theta, x):
        return x @ theta + jax.random.normal(key, dtype=x.dtype)

    model, _ = simulated(user_model(loss, sample))
    rows = population_of(Origin(np.array([1.5]), np.eye(1), {}, real=False), model)
    with pytest.raises(Inapplicable, match=r"generated at \(1.5\), the loss is not minimised"):
        rows.score(np.array([1.2]))


def test_a_variance_that_a_few_rows_have_is_refused():
    """The mean score is finite at a reader this far off, its variance is not known."""
    net = mcjax.topologies.self_loop(samples=100, initial=100)
    truth = {"log_scale": [0.0, 0.0], "mean": [1.0, 0.5]}
    model, _ = simulated(mcjax.condition(net, heteroskedastic(), truth).model)
    rows = population_of(Origin(np.array([1.0, 1.0, 1.0, 0.5]), np.eye(2), {}, real=False), model)
    reader = np.array([-1.0, -1.0, 1.0, 0.5])
    with pytest.raises(Inapplicable, match="few of the rows"):
        rows.covariance(reader, reader)


def test_numbers_of_64_bits_are_asked_for(monkeypatch):
    monkeypatch.setattr(jax.config, "read", lambda name: False)
    with pytest.raises(Inapplicable, match="jax_enable_x64"):
        simulated(own_logistic())


# ------------------------------------------------------------------------------------ simulation

THETA = {"mean": [1.0, 0.5], "log_scale": [0.2, -0.1]}


def away(kind, rows, strength=1.0):
    """The model of two blocks, drawn away from its truth in one of three ways."""
    model, sources, keep = heteroskedastic(), (), None
    if kind == "source":
        truth = np.array([0.2, -0.1, 1.0, 0.5]) + strength * np.array([-0.2, 0.1, 1.0, 0.0])
        sources = [mcjax.Source("other", rows, theta=tuple(truth))]
    elif kind == "ridge":
        model = mcjax.penalised(model, ridge=0.1 * strength)
    else:
        keep = mcjax.BestOf(1 + int(strength))
    second = "other" if kind == "source" else "real"
    feeds = [mcjax.Feed("a", "a", rows, keep=keep), mcjax.Feed(second, "a", rows)]
    return mcjax.condition(
        mcjax.build_network(["a"], feeds, 2 * rows, sources=sources), model, THETA
    )


def study(kind, strength=1.0):
    return mcjax.Study(
        (away(kind, 1000, strength),), 1, 4096, quantities=("bias", "covariance"), tolerance=0.3
    )


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("kind", "wrong"),
    [("source", 0.5), pytest.param("ridge", 0.5, marks=pytest.mark.slow), ("best", 3.0)],
)
def test_chains_verify_the_law_and_refute_another(kind, wrong, monkeypatch):
    right = study(kind)
    outcomes = [tally.outcome for tally in api.simulate(right)]
    assert judge(right, api.predict(right), outcomes).verdict == "verified"
    assert judge(right, api.predict(study(kind, wrong)), outcomes).verdict == "refuted"
    if kind != "source":
        return
    true = SimulatedPopulation.covariance  # of readers that do not fit what they read

    def at_the_parent(self, first, second):
        return true(self, self.origin.theta, self.origin.theta)

    monkeypatch.setattr(SimulatedPopulation, "covariance", at_the_parent)
    assert judge(right, api.predict(right), outcomes).verdict == "refuted"
