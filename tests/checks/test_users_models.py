"""Every check of a user's model finds what it is for, and passes models that are right."""

import random
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax
from mcjax.checks.case import Case
from mcjax.checks.registry import CHECKS, results_of
from mcjax.errors import InputError

LOOP = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
THETA = [1.0, -1.0]
STATE = np.random.default_rng(0)
CALLS = []


def squared(theta, x, y):
    return 0.5 * (y - x @ theta) ** 2


def normal(key, theta, x):
    return x @ theta + jax.random.normal(key, dtype=x.dtype)


def study_of(loss=squared, sample=normal, theta=THETA, covariance=None, estimator=None, **options):
    model = mcjax.user_model(loss, sample, **options)
    one = mcjax.condition(LOOP, model, theta, covariance, estimator=estimator)
    return mcjax.Study((one,), generations=1, chains=64)


def failed(study):
    results = results_of(Case(study.conditions[0], study))
    return {result.name: result.message for result in results if not result.passed}


# --- what JAX traces; nothing is compiled ---


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
    """What fails of the checks that compile nothing."""
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


# --- draws at theta; these compile, most of them for seconds ---

statistical = pytest.mark.statistical


def case(*values, seldom=True):
    return pytest.param(*values, marks=[statistical] if seldom else [])


@pytest.mark.parametrize(
    ("loss", "options", "check", "words"),
    [
        case(
            lambda t, x, y: -squared(t, x, y),
            {},
            "curvature",
            "theta is a maximum of the loss",
            seldom=False,
        ),
        case(
            lambda t, x, y: squared(t, x, y) - 2 * (x[0] * (t[0] - THETA[0])) ** 2,
            {},
            "curvature",
            "theta is a saddle point",
        ),
        case(lambda t, x, y: jnp.round(squared(t, x, y)), {}, "slope", "zero at every draw"),
        case(
            lambda t, x, y: squared(jax.lax.stop_gradient(t), x, y),
            {},
            "slope",
            "zero at every draw",
        ),
        case(
            lambda t, x, y: jnp.argmin(jnp.stack([squared(t, x, y), y])).astype(y.dtype),
            {},
            "slope",
            "zero at every draw",
        ),
        case(lambda t, x, y: jnp.abs(y - x @ t), {}, "curvature", "it has kinks"),
        case(
            lambda t, x, y: jnp.maximum(y - x @ t, 0) + jnp.maximum(x @ t - y, 0),
            {},
            "curvature",
            "use the family `quantile`",
        ),
        case(
            lambda t, x, y: squared(t, x, y) + 0.2 * jnp.abs(y - x @ t),
            {},
            "curvature",
            "second derivatives say",
        ),
        case(
            lambda t, x, y: (
                jnp.abs(y - x @ t) + 0.01 * (t - jnp.array(THETA)) @ (t - jnp.array(THETA))
            ),
            {},
            "curvature",
            "it has kinks",
        ),
        case(
            lambda t, x, y: jnp.maximum(jnp.abs(y - x @ t) - 0.5, 0),
            {},
            "curvature",
            "it has kinks",
        ),
        case(
            lambda t, x, y: (y - x @ jnp.array(THETA)) * (x @ t),
            {},
            "curvature",
            "the second derivative of the loss in theta is zero",
        ),
        case(
            squared,
            {"covariance": [[1.0, 1.0], [1.0, 1.0]]},
            "curvature",
            "the loss does not determine theta: it is flat along (",
        ),
        case(
            lambda t, x, y: squared(t, x, y) + 0.1 * t[1],
            {},
            "gradient",
            "slope in parameter 1",
            seldom=False,
        ),
        case(lambda t, x, y: 0.0 * y + t[0] + t[1], {}, "gradient", "slope in parameter 0"),
        case(
            lambda t, x, y: squared(t, x, y) + jnp.sqrt(jnp.abs(t[0] - THETA[0])),
            {},
            "finite",
            "not finite at 1 of the draws",
        ),
        case(lambda t, x, y: jnp.log(y - x @ t), {}, "finite", "not finite at 0.5 of the draws"),
    ],
)
def test_losses_without_a_minimum_at_theta(loss, options, check, words):
    study = study_of(loss, **options)
    found = failed(study)
    assert check in found
    assert words in found[check]
    assert f"{__file__}:" in found[check]
    with pytest.raises(InputError):
        mcjax.predict(study)


def cauchy(key, theta, x):
    return x @ theta + jax.random.cauchy(key, dtype=x.dtype)


@pytest.mark.parametrize(
    ("loss", "sample"),
    [
        case(squared, cauchy),
        case(squared, lambda key, t, x: x @ t + jax.random.t(key, 1.9, dtype=x.dtype)),
        case(lambda t, x, y: jnp.exp((y - x @ t) ** 2), normal, seldom=False),
    ],
)
def test_a_score_without_a_variance_is_judged_by_no_law(loss, sample):
    study = study_of(loss, sample)
    assert list(failed(study)) == ["information"]
    [predictions] = mcjax.predict(study)
    assert not predictions.laws
    assert "no finite variance" in predictions.inapplicable["first_order"]


@pytest.mark.system
def test_a_law_of_ones_own_may_speak_of_a_loss_that_aims_elsewhere():
    study = study_of(lambda t, x, y: squared(t, x, y) + 0.1 * t[1])

    def law(condition, generations):
        return None, np.tile(np.eye(2), (generations + 1, 1, 1))

    with pytest.raises(InputError, match="not minimised at theta"):
        mcjax.predict(study)
    with pytest.raises(InputError, match="not minimised at theta"):
        mcjax.predict(study, ["second_order"])  # a built-in law
    own = mcjax.user_law(law, "own")
    for laws in ([own], iter([own]), {"own": own}, [own, "second_order"]):
        [predictions] = mcjax.predict(study, laws)
        assert list(predictions.laws) == ["own"]


@statistical
def test_models_that_are_right_pass_all():
    t5 = study_of(sample=lambda key, t, x: x @ t + jax.random.t(key, 5.0, dtype=x.dtype))
    rare = study_of(
        lambda eta, y: jax.nn.softplus(eta) - y * eta,
        lambda key, eta: jax.random.bernoulli(key, jax.nn.sigmoid(eta)),
        predictor="linear",
        theta=[3.0, 0.0],
    )
    ridge = mcjax.penalised(mcjax.user_model(squared, normal), ridge=0.1)
    flat = mcjax.condition(LOOP, ridge, THETA, [[1.0, 1.0], [1.0, 1.0]])
    for study in (study_of(), t5, rare, mcjax.Study((flat,))):
        assert not failed(study)
