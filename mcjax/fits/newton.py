"""Damped Newton steps as optax transformations.

``damped_newton`` is ``optax.chain`` of two parts: the first turns a gradient into a Newton
direction, the second takes it whole or, when the last step overshot, goes back half of it. Each
call looks at one gradient and one Hessian, and there is no inner line search: in a batch, an inner
loop would make every lane wait for the slowest at every step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jax import Array

from mcjax.solvers.cholesky import solve_positive

OVERSHOT = 0.9
"""A step overshot if the slope along it has grown to this share of its size, sign reversed."""


class NewtonState(NamedTuple):
    """unexplained: of the last Hessian, see :func:`solve_positive`; of a singular one, rounding."""

    unexplained: Array


class RetreatState(NamedTuple):
    """step: the step being tried, shape (p,); fraction: how much of it is taken; slope: along it
    where it began (negative)."""

    step: Array
    fraction: Array
    slope: Array


def scale_by_newton() -> optax.GradientTransformationExtraArgs:
    """Replace a gradient g by ``-H^{-1} g``; ``update`` takes ``hessian=`` (positive definite)."""

    def init(params: Array) -> NewtonState:
        return NewtonState(jnp.ones((), params.dtype))

    def update(
        updates: Array, state: NewtonState, params: Any = None, *, hessian: Array, **extra: Any
    ) -> tuple[Array, NewtonState]:
        solution, unexplained = solve_positive(hessian, updates)
        return -solution, NewtonState(unexplained)

    return optax.GradientTransformationExtraArgs(init, update)


def retreat_if_overshot() -> optax.GradientTransformationExtraArgs:
    """Take the proposed step, or, when the last one overshot, go back half of what was taken of it.

    For a convex loss the slope along the last step, ``g'step``, says where the minimum on that
    line is: above ``0.9 |slope at its start|`` the step passed it by too far (undamped Newton can
    cycle there). A gradient that is not finite counts as overshot. No loss is evaluated.
    """

    def init(params: Array) -> RetreatState:
        return RetreatState(
            jnp.zeros_like(params), jnp.ones((), params.dtype), jnp.zeros((), params.dtype)
        )

    def update(
        updates: Array, state: RetreatState, params: Any = None, *, gradient: Array, **extra: Any
    ) -> tuple[Array, RetreatState]:
        slope = gradient @ state.step
        overshot = ~(slope <= OVERSHOT * jnp.abs(state.slope))  # not-a-number overshoots
        half = state.fraction / 2
        retreat = RetreatState(state.step, half, state.slope)
        advance = RetreatState(updates, jnp.ones_like(half), gradient @ updates)
        chosen = RetreatState(
            *(jnp.where(overshot, a, b) for a, b in zip(retreat, advance, strict=True))
        )
        return jnp.where(overshot, -half * state.step, updates), chosen

    return optax.GradientTransformationExtraArgs(init, update)


def damped_newton() -> optax.GradientTransformationExtraArgs:
    """Newton's method for convex losses; ``update`` takes ``gradient=`` and ``hessian=``."""
    return optax.chain(scale_by_newton(), retreat_if_overshot())
