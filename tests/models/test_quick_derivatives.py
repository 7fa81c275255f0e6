"""Losses with logarithms of sums of exponentials: the same numbers, in fewer operations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import mcjax
from mcjax.bench.operations import count_operations
from mcjax.models.quick_derivatives import quickly_differentiated

AT = (-800.0, -3.0, 0.0, 0.3, 50.0, 900.0)


def derivatives(function, order):
    for _ in range(order):
        function = jax.grad(function)
    return function


def operations(function):
    return count_operations(jax.make_jaxpr(derivatives(function, 2))(jnp.float32(1)).jaxpr).fixed


@pytest.mark.parametrize(
    "loss",
    [
        jax.nn.softplus,
        lambda eta: -jax.nn.log_sigmoid(eta) + eta**2,
        lambda eta: jnp.logaddexp(eta, -eta) / 2,
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_derivatives_are_those_of_the_loss(loss, dtype):
    quick, at = quickly_differentiated(loss), jnp.asarray(AT, dtype)
    for order in range(4):
        found, want = (jax.vmap(derivatives(f, order))(at) for f in (quick, loss))
        assert found.dtype == at.dtype
        scale = jnp.finfo(dtype).eps * 64
        np.testing.assert_allclose(found, want, rtol=scale, atol=scale)
    assert operations(quick).sum() < 0.7 * operations(loss).sum()


@jax.custom_jvp
def own_rule(a, b):
    return jnp.maximum(a, b)


own_rule.defjvp(lambda primals, tangents: (own_rule(*primals), 2 * tangents[0]))


@jax.custom_jvp
def same_values(a, b):
    """What JAX computes for ``jnp.logaddexp``, to the letter."""
    most, off = lax.max(a, b), lax.sub(a, b)
    unknown, total = lax.ne(off, off), lax.add(a, b)
    return lax.select(unknown, total, most + lax.log1p(lax.exp(lax.neg(lax.abs(off)))))


same_values.defjvp(lambda primals, tangents: (same_values(*primals), 2 * tangents[0]))


@pytest.mark.parametrize(
    "loss",
    [lambda eta: own_rule(eta, 0 * eta), lambda eta: same_values(eta, 0 * eta), jnp.abs],
)
def test_other_rules_are_left_alone(loss):
    assert derivatives(quickly_differentiated(loss), 1)(3.0) == derivatives(loss, 1)(3.0)


def test_users_losses_are_differentiated_so():
    scalar = mcjax.user_model(
        lambda eta, y: jax.nn.softplus(eta) - y * eta,
        lambda key, eta: jax.random.bernoulli(key, jax.nn.sigmoid(eta)),
        predictor="linear",
    )
    whole = mcjax.user_model(
        lambda theta, x, y: jax.nn.softplus(x @ theta) - y * (x @ theta),
        lambda key, theta, x: jax.random.bernoulli(key, jax.nn.sigmoid(x @ theta)),
    )
    eta = jnp.ones(3)
    programs = [
        jax.make_jaxpr(lambda e: scalar.predictor.derivatives({}, e, eta))(eta),
        jax.make_jaxpr(jax.hessian(lambda t: whole.loss({}, t, eta, eta[0])))(eta),
    ]
    assert all("logistic" in names(program.jaxpr) for program in programs)


def names(jaxpr):
    """Names of all operations."""
    parts = [value for equation in jaxpr.eqns for value in equation.params.values()]
    inner = [names(part.jaxpr) for part in parts if hasattr(part, "jaxpr")]
    return {equation.primitive.name for equation in jaxpr.eqns}.union(*inner)
