"""Checks of a user's model at draws; these compile, most of them for seconds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from users_models import LOOP, THETA, failed, normal, squared, study_of

import mcjax
from mcjax.errors import InputError

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
            lambda t, x, y: squared(t, x, y),
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
