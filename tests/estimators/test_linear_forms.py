"""Linear predictors of losses, however these are written, held to automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from predictor_derivatives import derivatives

from mcjax.estimators.linear_forms import find_predictors

P = 5
KEY = jax.random.key(0)
MASK = np.array([True, False, True, True, False])


def loop(t, x):
    total = 0.0
    for k in range(P):
        total = total + x[k] * t[k]
    return total


def unpacked(t, x):
    a, b, c, d, e = t
    return a + b * x[1] - c * x[2] + d * x[3] ** 2 + e / x[4]


WAYS = {
    "indices": lambda t, x: x[0] * t[0] + x[1] * t[1] + x[2] * t[2] + x[3] * t[3] + t[4] * x[4],
    "loop": loop,
    "sum of a generator": lambda t, x: sum(a * b for a, b in zip(x, t, strict=True)),
    "unpacked": unpacked,
    "sums of slices": lambda t, x: (x[:3] * t[:3]).sum() + jnp.mean(x[3:] * t[3:]),
    "dot of slices": lambda t, x: jnp.dot(x[1:], t[:-1]) + t[-1],
    "vdot": lambda t, x: jnp.vdot(x, t),
    "inner, tensordot": lambda t, x: jnp.inner(x, t) + jnp.tensordot(x[1:], t[1:], 1),
    "einsum": lambda t, x: jnp.einsum("i,i->", x, t),
    "einsum, batched": lambda t, x: (
        jnp.einsum("bi,bi->b", x[:4].reshape(2, 2), t[:4].reshape(2, 2)).sum() + t[4]
    ),
    "NumPy's indices": lambda t, x: x @ t[np.array([4, 3, 2, 1, 0])],
    "indices twice": lambda t, x: x @ t[jnp.array([0, 0, -1, 2, 3])] + t[1],
    "take": lambda t, x: x @ jnp.take(t, jnp.arange(P)),
    "slice at a place": lambda t, x: x[:3] @ lax.dynamic_slice(t, (1,), (3,)) + t[0] - t[4],
    "concatenate": lambda t, x: x @ jnp.concatenate([t[3:], jnp.ones(1), t[:2]]) + t[2],
    "stack": lambda t, x: x[:3] @ jnp.stack([t[0], -t[1], t[2] / 2]) + t[3] + t[4],
    "array": lambda t, x: x @ jnp.array([t[4], 0.5, t[2], t[1], t[0]]) + x[3] * t[3],
    "set": lambda t, x: x @ t.at[0].set(1.0) + t[0],
    "set at places": lambda t, x: x @ jnp.zeros(P).at[jnp.array([3, 1])].set(t[:2]) - t[2:].sum(),
    "mask": lambda t, x: x @ jnp.where(MASK, t, 0.0) + x @ jnp.where(MASK, 0.0, t),
    "pad, roll": lambda t, x: x @ jnp.roll(jnp.pad(t[1:], (1, 0)), 2) + t[0],
    "cumsum": lambda t, x: x @ jnp.cumsum(t) - x[1:] @ lax.cumsum(t[1:], reverse=True),
    "trace": lambda t, x: jnp.trace(jnp.outer(x, t)),
    "vmap": lambda t, x: jax.vmap(lambda a, b: a * b)(x, t).sum(),
    "differences": lambda t, x: (x - 0.5) @ (t / 2) - (3 - t[0] - x[1:] @ t[1:]),
    "keys": lambda t, x: (
        x @ (t + jax.random.normal(KEY, (P,)) * jax.random.uniform(jax.random.key(1)))
    ),
    "offsets": lambda t, x: t[0] * x[0] + x[1] + t[1] * x[2] + x[3:] @ t[3:] - (x[0] - t[2]),
    "the same parameter": lambda t, x: t[0] + x[1] * t[0] - (x @ t + t[0]) * x[2],
}


def of_two(t, x, y):
    """Six forms that follow from two."""
    return sum(jnp.exp(x[1:] @ t[1:] / 4 - k * x[0] * t[0] / 2) for k in range(6))


def softmax(t, x, y):
    """The form of the label follows from those of the classes."""
    eta = x @ t.reshape(P, 2)
    return jax.nn.logsumexp(eta) - jnp.array([y, 1 - y]) @ eta


def written_twice(t, x, y):
    return (y - loop(t, x)) ** 2 + jnp.cosh(y - loop(t, x) / 2) + jnp.exp(jnp.tanh(y - x @ t))


SEVERAL = {of_two: (P, 2), softmax: (2 * P, 2), written_twice: (P, 2)}


def straight(value):
    """Return what is given, with a derivative that is another."""

    @jax.custom_jvp
    def same(v):
        return v

    same.defjvp(lambda given, along: (given[0], 2 * along[0]))
    return same(value)


NOT_LINEAR = {
    "products": lambda t, x: x @ (t * t),
    "products of entries": lambda t, x: x[0] * t[0] * t[1] + x @ t.at[2].set(t[3] * t[4]),
    "quotients": lambda t, x: (x / t).sum() + x @ (t / t.sum()),
    "powers": lambda t, x: x @ t**2,
    "signs": lambda t, x: x @ jnp.abs(t),
    "choice by theta": lambda t, x: x @ jnp.where(t > 0, t, 2 * t),
    "choice by one parameter": lambda t, x: jnp.where(t[0] > 0, x, -x) @ t,
    "index of theta": lambda t, x: x @ t * t[jnp.argmax(t)],
    "index of x by theta": lambda t, x: x[jnp.argmax(t)] * t[0] + x[1:] @ jnp.sinh(t[1:]),
    "order": lambda t, x: x @ jnp.sort(t),
    "largest": lambda t, x: x.sum() * jnp.max(t) + jnp.cumprod(t) @ x,
    "by rows": lambda t, x: t[(x[0] > 0).astype(int)] + t @ x**2,
    "outside": lambda t, x: x @ jnp.take(t, jnp.array([0, 1, 2, 3, 7])),
    "outside, filled": lambda t, x: (
        x @ t.at[jnp.array([1, 2, 3, 4, 7])].get(mode="fill", fill_value=0.0)
    ),
    "written twice": lambda t, x: x @ t.at[jnp.array([1, 1])].set(t[:2]),
    "added at places": lambda t, x: x @ t.at[jnp.array([1, 1])].add(t[:2]),
    "whole numbers": lambda t, x: x @ t.astype(int).astype(x.dtype),
    "other slopes": lambda t, x: x @ straight(t),
    "stopped": lambda t, x: x @ lax.stop_gradient(t) + x[0] * t[0],
    "other precision": lambda t, x: (x.astype("float32") @ t.astype("float32")).astype(x.dtype),
}


def scalar(way):
    """Return a loss that depends on theta through one function of theta and x."""
    return lambda t, x, y: jax.nn.softplus(way(t, x)) - y * way(t, x)


def numbers(p, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return (*(jnp.asarray(rng.normal(size=n), dtype) for n in (p, P)), jnp.asarray(1, dtype))


def agree(losses, dtype="float64", rtol=1e-10):
    """Compare losses with (p, number of predictors), in one program."""
    given = {loss: numbers(p, dtype) for loss, (p, _) in losses.items()}
    found = {loss: find_predictors(loss, *given[loss]) for loss in losses}
    assert [len(one.parameters) for one in found.values()] == [k for _, k in losses.values()]
    others = [numbers(p, dtype, seed=1) for p, _ in losses.values()]
    compare = jax.jit(
        lambda others: [
            derivatives(loss, found[loss], *one) for loss, one in zip(losses, others, strict=True)
        ]
    )
    for ours, direct in compare(others):
        for one, other in zip(ours, direct, strict=True):
            size = max(float(jnp.abs(other).max()), 1.0)
            np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol * size)


def test_one_predictor_is_found_however_it_is_written():
    agree({scalar(way): (P, 1) for way in WAYS.values()})


def test_predictors_in_single_precision():
    """Where numbers are of the type of the positions by which entries are told apart."""
    names = ("array", "set", "pad, roll", "mask", "offsets")
    agree({scalar(WAYS[name]): (P, 1) for name in names}, "float32", 1e-5)


def test_few_predictors_from_which_others_follow():
    agree(SEVERAL)


@pytest.mark.parametrize("name", NOT_LINEAR)
def test_what_is_not_linear_is_not_found(name):
    assert find_predictors(scalar(NOT_LINEAR[name]), *numbers(P, "float64")) is None
