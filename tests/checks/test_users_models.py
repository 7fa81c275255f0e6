"""Checks of a user's model find what they are for in what JAX traces; nothing is compiled."""

import random
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from users_models import LOOP, THETA, failed, normal, squared, study_of

import mcjax
from mcjax.checks.case import Case
from mcjax.checks.registry import CHECKS, results_of
from mcjax.errors import InputError

STATE = np.random.default_rng(0)
CALLS = []


def numpy_noise(key, theta, x):
    return x @ theta + np.random.normal()  # noqa: NPY002


def seeded_noise(key, theta, x):
    np.random.seed(0)  # noqa: NPY002
    return x @ theta + np.random.normal()  # noqa: NPY002


def generator_noise(key, theta, x):
    return x @ theta + STATE.normal(size=2)[0]


def own_key(key, theta, x):
    return x @ theta + jax.random.normal(jax.random.key(0))


@jax.jit
def jitted_noise(key, theta, x):
    return x @ theta + np.random.normal()  # noqa: NPY002


def no_noise(key, theta, x):
    return x @ theta


@pytest.mark.parametrize(
    "sample", [numpy_noise, seeded_noise, generator_noise, own_key, jitted_noise, no_noise]
)
def test_labels_that_do_not_depend_on_the_key(sample):
    found = failed(study_of(sample=sample))
    assert list(found) == ["randomness"]
    line = sample.__wrapped__.__code__ if hasattr(sample, "__wrapped__") else sample.__code__
    assert f"({__file__}:{line.co_firstlineno})" in found["randomness"]
    assert "jax.random.normal(key)" in found["randomness"]


def test_real_labels_are_checked_as_well():
    found = failed(study_of(sample_real=numpy_noise))
    assert found["randomness"].startswith("family.sample_real: gives one label for all keys")


def ignoring(key, theta, x):
    return x @ jnp.asarray(THETA) + jax.random.normal(key, dtype=x.dtype)


def test_labels_that_do_not_depend_on_theta():
    found = failed(study_of(sample=ignoring))
    assert list(found) == ["theta"]
    assert "family.sample: does not depend on theta" in found["theta"]
    assert not failed_early(study_of(sample_real=ignoring))


def both(key, theta, x):
    return normal(key, theta, x) + np.random.normal()  # noqa: NPY002


def python_noise(key, theta, x):
    return normal(key, theta, x) + random.random()


def clock(key, theta, x):
    return normal(key, theta, x) + time.time() % 1


def array_noise(key, theta, x):
    return normal(key, theta, x) + (np.random.normal(size=2) @ x)  # noqa: NPY002


def counted(key, theta, x):
    CALLS.append(1)
    return normal(key, theta, x) + len(CALLS)


def changing(key, theta, x):
    CALLS.append(1)
    label = normal(key, theta, x)
    return jnp.exp(label) if len(CALLS) % 2 else jnp.sin(label)


@pytest.mark.parametrize("sample", [both, python_noise, clock, array_noise, counted, changing])
def test_labels_that_differ_from_call_to_call(sample):
    found = failed(study_of(sample=sample))
    assert list(found) == ["purity"]
    first = sample.__code__.co_firstlineno
    assert any(f"({__file__}:{line})" in found["purity"] for line in range(first, first + 4))


def test_a_loss_that_differs_from_call_to_call():
    found = failed(study_of(lambda theta, x, y: squared(theta, x, y) * random.random()))
    assert "family.loss: uses a number that is not the same at every call" in found["purity"]


def loop(theta, x, y):
    r = y - x @ theta

    def body(state):
        return state[0] + 1, state[1] * r

    return jax.lax.while_loop(lambda state: state[0] < 3, body, (0, r))[1]


def called_back(theta, x, y):
    r = y - x @ theta
    return jax.pure_callback(lambda r: r**2, jax.ShapeDtypeStruct((), r.dtype), r)


@jax.custom_vjp
def half_square(r):
    return r**2 / 2


half_square.defvjp(lambda r: (half_square(r), r), lambda r, g: (g * r,))


def once(theta, x, y):
    return half_square(y - x @ theta)


def constant(theta, x, y):
    return y**2 + 0.0


def measured_elsewhere(theta, x, y):
    return (y - x @ jnp.asarray(THETA)) ** 2


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (loop, "has a loop whose number of steps depends on values"),
        (called_back, "failed with ValueError: Pure callbacks do not support JVP"),
        (once, "failed with TypeError"),
        (constant, "does not depend on theta"),
        (measured_elsewhere, "does not depend on theta"),
    ],
)
def test_losses_without_derivatives(loss, words):
    found = failed(study_of(loss))
    assert list(found) == ["derivatives"]
    assert f"family.loss: {words}" in found["derivatives"]
    assert __file__ in found["derivatives"]


def test_steps_of_an_estimator_need_one_derivative_only():
    optimiser = mcjax.Optax(__import__("optax").sgd(0.1), steps=3)
    assert not failed(study_of(once, estimator=optimiser))
    assert "derivatives" in failed(study_of(loop, estimator=optimiser))


def test_init_is_arranged_as_theta():
    study = study_of(init=lambda key: {"a": jnp.zeros(2)})
    assert "family.init: returned {'a': (2,)}" in failed(study)["init"]
    assert not failed_early(study_of(init=lambda key: jax.random.normal(key, (2,))))
    assert "sample_real" in failed(study_of(sample_real=lambda k, t, x: x))["sample"]


def failed_early(study):
    """Run the checks that compile nothing, and return what fails."""
    case = Case(study.conditions[0], study)
    wrong = {}
    for name, check in CHECKS.items():
        if check.stops == "always":
            try:
                check.run(case)
            except InputError as error:
                wrong[name] = str(error)
    return wrong


def printing(key, theta, x):
    print("drawn")
    return normal(key, theta, x)


def switched(key, theta, x):
    return jax.lax.cond(x[0] > 0, lambda: normal(key, theta, x), lambda: x @ theta)


def counts(key, theta, x):
    return jax.random.bernoulli(key, jax.nn.sigmoid(x @ theta))


def scanned(key, theta, x):
    def step(total, k):
        return total + jax.random.normal(k), None

    return x @ theta + jax.lax.scan(step, 0.0, jax.random.split(key, 3))[0]


def looped(theta, x, y):
    return jax.lax.fori_loop(0, 2, lambda _, r: r * (y - x @ theta), 0.5)


@pytest.mark.parametrize("sample", [printing, switched, counts, scanned, jax.jit(normal)])
def test_samplers_that_are_right(sample):
    assert not failed_early(study_of(sample=sample))


@pytest.mark.parametrize("loss", [looped, jax.jit(squared), jax.checkpoint(squared)])
def test_losses_that_are_right(loss):
    assert not failed_early(study_of(loss))


def test_models_of_other_forms_that_are_right():
    scalar = mcjax.user_model(
        lambda eta, y: (y - eta) ** 2,
        lambda key, eta: eta + jax.random.normal(key),
        predictor="linear",
    )
    blocks = mcjax.user_model(
        lambda theta, x, y, s: s * (y - x @ theta["a"]) ** 2 + theta["b"] ** 2,
        lambda key, theta, x, s: x @ theta["a"] + jax.random.normal(key),
        s=2.0,
    )
    for model, theta in ((scalar, THETA), (blocks, {"a": np.ones(2), "b": 0.0})):
        one = mcjax.condition(LOOP, model, theta, np.eye(2))
        assert not failed_early(mcjax.Study((one,)))


def test_built_in_models_have_nothing_to_check():
    for make in (mcjax.linear, mcjax.huber):
        one = mcjax.condition(LOOP, make(), THETA)
        assert results_of(Case(one, mcjax.Study((one,)))) == []
