"""Losses of random operations: what is found in them has their derivatives, at every theta."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from predictor_derivatives import derivatives

from mcjax.estimators.linear_forms import find_predictors

P = 6
LINEAR = (
    lambda a, b, k: a[k[0] % len(a)][None],
    lambda a, b, k: a + b[:1],
    lambda a, b, k: a - b[-1:],
    lambda a, b, k: b[:1] - a / 3,
    lambda a, b, k: 2 * a + 1,
    lambda a, b, k: a[k % len(a)],
    lambda a, b, k: a[jnp.array(k % len(a))],
    lambda a, b, k: jnp.take(a, k % (len(a) + 1)),
    lambda a, b, k: jnp.concatenate([a, b])[: P + 2],
    lambda a, b, k: jnp.stack([a[0], b[0], a[-1]]),
    lambda a, b, k: a.sum()[None],
    lambda a, b, k: jnp.cumsum(a),
    lambda a, b, k: -a[::-1],
    lambda a, b, k: jnp.roll(a, k[0]),
    lambda a, b, k: jnp.pad(a[1:], (1, 0), constant_values=0.5),
    lambda a, b, k: a.at[k[0] % len(a)].set(b[0]),
    lambda a, b, k: a.at[jnp.array(k[:2] % len(a))].set(jnp.stack([b[0], b[-1]])),
    lambda a, b, k: lax.dynamic_slice(a, (k[0] % len(a),), (1,)),
    lambda a, b, k: lax.dynamic_update_slice(a, b[:1], (k[0],)),
    lambda a, b, k: jnp.where(np.arange(len(a)) % 2 == 0, a, b[0]),
    lambda a, b, k: jnp.tile(a[:1], (2, 3)) @ jnp.array([1.0, 2.0, 3.0]),
    lambda a, b, k: jax.jit(lambda c: c * 3 - 1)(a),
)
"""Linear in a and b; ``k`` are whole numbers."""
OTHER = (
    lambda a, b, k: a * b[0],
    lambda a, b, k: jnp.dot(a[: len(b)], b[: len(a)])[None],
    lambda a, b, k: a / (2 + b[0] ** 2),
    lambda a, b, k: jnp.where(a > 0, a, 0.0),
    lambda a, b, k: jnp.tanh(a),
    lambda a, b, k: a[jnp.argmax(b) % len(a)][None],
    lambda a, b, k: a.at[k % len(a)].add(b[0]),
)
"""Products, linear if one of a and b is without theta, and what is never linear."""
ENDS = (
    lambda eta, y: jax.nn.softplus(eta) - y * eta,
    lambda eta, y: (y - eta) ** 2,
    lambda eta, y: jnp.exp(eta / 4),
    lambda eta, y: jnp.logaddexp(y - eta, eta - y),
)


def random_loss(rng):
    """Return a loss of up to eight operations on theta, x and each other."""
    chosen = (*LINEAR, *OTHER)
    steps = [
        (rng.integers(len(chosen)), rng.integers(99, size=5)) for _ in range(rng.integers(2, 9))
    ]
    ends = rng.integers(99, size=(2, 2))

    def loss(theta, x, y):
        made = [x, theta, theta[:3], (x @ theta)[None]]
        for which, (i, j, *k) in steps:
            made.append(chosen[which](made[i % len(made)], made[j % len(made)], np.array(k)))
        return sum(ENDS[i % 4](made[-1 - j % 3].sum(), y) for i, j in ends)

    return loss


def numbers(rng):
    return *(jnp.asarray(rng.normal(size=P)) for _ in range(2)), jnp.asarray(1.0)


@pytest.mark.statistical
def test_what_is_found_in_random_losses_has_their_derivatives():
    found = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        loss, at = random_loss(rng), numbers(rng)
        predictors = find_predictors(loss, *at)
        if predictors is None:
            continue
        compare = jax.jit(lambda *at, f=loss, p=predictors: derivatives(f, p, *at))
        ours, direct = compare(*numbers(rng))
        if np.isnan(direct[0]):  # x was taken outside
            continue
        found += 1
        for one, other in zip(ours, direct, strict=True):
            size = np.abs(other).max()
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9 * size, err_msg=f"{seed}")
    assert 20 < found < 55
