"""Stages of many loops, and loops of many arrays, beside the plain computation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mcjax.solvers.once import (
    AT_A_TIME,
    barrier,
    conditional,
    fused,
    in_turn,
    stages,
    sum_together,
    together,
)

X = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2, 40)))
BOUNDARIES = [fused, barrier, conditional]


def compiled(function, boundary):
    options = {"xla_disable_hlo_passes": "cse_barrier_expander"} if boundary is barrier else None
    with stages(boundary):
        return jax.jit(function, compiler_options=options).lower(jnp.int32(1), X).compile()


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_loops_in_turn_are_those_at_once(boundary):
    """More loops than stages of stages hold, each of two arrays."""
    number = AT_A_TIME**2 + 3

    def many(count, x):
        return in_turn(count, [lambda k=k: [k * x[0], x[1] - k] for k in range(number)])

    found = compiled(many, boundary)(jnp.int32(1), X)
    expected = [a for k in range(number) for a in (k * X[0], X[1] - k)]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_arrays_together_are_those_alone(boundary):
    def several(count, x):
        return together([x[0] * x[1], x[0] + x[2], x[1]]) + sum_together([x, 2 * x], 1)

    found = compiled(several, boundary)(jnp.int32(1), X)
    expected = [X[0] * X[1], X[0] + X[2], X[1], X.sum(1), 2 * X.sum(1)]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-15)


def test_arrays_together_are_one_loop():
    """Five arrays alone are five loops."""

    def loops(function):
        return compiled(function, conditional).as_text().count(" fusion(")

    def arrays(x):
        return [x[0] * x[1] + k * x[2] for k in range(5)]

    assert loops(lambda count, x: together(arrays(x))) == 1
    assert loops(lambda count, x: arrays(x)) == 5


def test_no_stage_has_many_parts():
    parts, most = [0], []

    def counted(count, compute):
        parts[-1] += 1
        parts.append(0)
        found = compute()
        most.append(parts.pop())
        return found

    def loop():
        parts[-1] += 1
        return [X[0]]

    with stages(counted):
        in_turn(jnp.int32(0), [loop] * (AT_A_TIME**2 + 3))
    assert 1 < max(most) <= AT_A_TIME
