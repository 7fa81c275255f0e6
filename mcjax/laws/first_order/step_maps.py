"""Compute the linear map of k steps of an optimiser on a quadratic loss.

The optimiser takes its steps on ``(theta - theta*)' H (theta - theta*) / 2 - g'theta`` from
``theta* + s``. Where its steps are linear, as those of gradient descent, momentum and weight decay
are under any schedule of learning rates, the error after them is ``A s + B g + c``. The matrices
are derivatives of the end: nothing is inverted, so H may be singular. Steps such as those of Adam
or Lion depend on the size or the sign of gradients in other ways, and probes tell.

A state of q numbers that goes from one fit to the next, such as a momentum, is part of the error:
it follows the p parameters in s and in what the steps lead to.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax
from jax.flatten_util import ravel_pytree

from mcjax.draws.settings import double_precision, own_settings
from mcjax.estimators.gradient_steps import Optax
from mcjax.laws.law import Inapplicable
from mcjax.models.structure import Structure

if TYPE_CHECKING:
    from jaxtyping import Float

PROBES = (1e-3, 1.0)
"""Sizes of the starts, and of gradients relative to H, at which steps are compared with a line."""
STRAIGHT = 1e-7
"""Relative departure from a line that is rounding."""
MOST_STEPS, MOST_NUMBERS = 10**7, 2**27
"""Most steps that are followed, and numbers in the derivatives by the gradients of each."""


class NotLinear(Inapplicable):
    """Raised where steps are not linear in the gradients."""


class StepMap(NamedTuple):
    """The error after k steps, ``A s + B g + c``, of p parameters and q numbers of a state.

    Attributes
    ----------
    kept : ndarray, shape (p + q, p + q)
        A.
    gain : ndarray, shape (p + q, p)
        B.
    drift : ndarray, shape (p + q,)
        c.
    gains : ndarray, shape (k, p + q, p)
        What a gradient adds if it is that of a single step; B is their sum. No entries unless they
        are asked for.
    """

    kept: Float[np.ndarray, "p+q p+q"]
    gain: Float[np.ndarray, "p+q p"]
    drift: Float[np.ndarray, " p+q"]
    gains: Float[np.ndarray, "k p+q p"]


def step_map(
    estimator: Optax,
    hessian: Float[np.ndarray, "p p"],
    theta: Float[np.ndarray, " p"],
    *,
    structure: Structure | None = None,
    each: bool,
) -> StepMap:
    """Return what the steps of an optimiser make of a quadratic loss.

    Parameters
    ----------
    estimator : Optax
        The optimiser and its number of steps.
    hessian : ndarray, shape (p, p)
        H.
    theta : ndarray, shape (p,)
        theta*.
    structure : Structure, optional
        That of theta as the optimiser takes it; defaults to a vector.
    each : bool
        Whether to return what the gradient of each single step adds.

    Raises
    ------
    NotLinear
        If the steps are not linear.
    Inapplicable
        If they diverge, or there are too many of them.
    """
    p = len(theta)
    if estimator.steps > MOST_STEPS:
        raise Inapplicable(f"{estimator.steps:,} steps are too many to follow")
    if each and estimator.steps * p * p > MOST_NUMBERS:
        raise Inapplicable(f"{estimator.steps:,} steps are too many for the noise of their batches")
    with own_settings(), double_precision(), jax.numpy_dtype_promotion("standard"):
        run = _runner(estimator.transformation, estimator.steps, structure)
        numbers = jnp.asarray(hessian, float), jnp.asarray(theta, float)
        zero = jnp.zeros(p)
        size = p + (state_size(estimator, theta, structure) if estimator.carries else 0)
        still = jnp.zeros(size)
        found = (np.asarray(part) for part in run.derivatives(*numbers, still, zero))
        drift, kept, gain = found
        if np.abs(run.end(numbers[0], zero, still, zero)).max() > 0:
            raise Inapplicable(
                f"the steps of {estimator.name or 'the optimiser'} do not rest where the gradient"
                " vanishes at 0, as if they had a pull or noise of their own"
            )
        for number, far in enumerate(PROBES):
            rng = np.random.default_rng(number)
            draws = far * rng.normal(size=p + size)
            start, pull = draws[:size], hessian @ draws[size:]
            end = np.asarray(run.end(*numbers, jnp.asarray(start), jnp.asarray(pull)))
            line = kept @ start + gain @ pull + drift
            scale = np.abs(kept) @ np.abs(start) + np.abs(gain) @ np.abs(pull) + np.abs(drift)
            if not np.isfinite(end).all():
                raise Inapplicable("the steps of the optimiser diverge; give a lower learning_rate")
            if not np.abs(end - line).max() <= STRAIGHT * (scale.max() + far):
                raise NotLinear(
                    f"the steps of {estimator.name or 'the optimiser'} are not linear in the"
                    " gradients, and the law is for steps such as those of 'sgd'"
                )
        gains = np.asarray(run.gains(*numbers, still)) if each else np.zeros((0, size, p))
    return StepMap(kept, gain, drift, gains)


def state_size(
    estimator: Optax, theta: Float[np.ndarray, " p"], structure: Structure | None = None
) -> int:
    """Return how many numbers the state of an optimiser has.

    Raises
    ------
    Inapplicable
        If they are not zero before the first step, or count steps.
    """
    with own_settings(), double_precision(), jax.numpy_dtype_promotion("standard"):
        begin: Any = jnp.asarray(theta, float) + 1
        begin = begin if structure is None else structure.parameters(begin)
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(estimator.initial(begin))]
    if any(leaf.any() or leaf.dtype.kind != "f" for leaf in leaves):
        raise Inapplicable(
            f"the state of {estimator.name or 'the optimiser'} that goes from one generation to the"
            " next is more than a sum of gradients, and the law is for states such as momentum"
        )
    return sum(leaf.size for leaf in leaves)


class _Runner(NamedTuple):
    """Compiled functions of H, theta*, and what else they need."""

    end: Callable[..., Array]
    derivatives: Callable[..., tuple[Array, Array, Array]]
    gains: Callable[..., Array]


@lru_cache(maxsize=64)
def _runner(
    transformation: optax.GradientTransformation, steps: int, structure: Structure | None
) -> _Runner:
    optimiser = optax.with_extra_args_support(transformation)

    def after(hessian: Array, theta: Array, start: Array, pull: Array, single: Array) -> Array:
        """Return the error after the steps; ``single`` adds to the gradients of each, (k, p)."""

        def step(carry: tuple[Any, Any], added: Array) -> tuple[tuple[Any, Any], None]:
            at, state = carry

            def objective(tree: Any) -> Array:
                error = ravel_pytree(tree)[0] - theta
                value: Array = error @ hessian @ error / 2 - (pull + added) @ error
                return value

            value, gradient = jax.value_and_grad(objective)(at)
            updates, state = optimiser.update(
                gradient, state, at, value=value, grad=gradient, value_fn=objective
            )
            return (optax.apply_updates(at, updates), state), None

        count = len(theta)
        begin: Any = theta + start[:count]
        begin = begin if structure is None else structure.parameters(begin)
        state = optimiser.init(begin)
        if len(start) > count:  # a state that is zero before the first step
            state = ravel_pytree(state)[1](start[count:])
        (end, state), _ = lax.scan(step, (begin, state), single)
        error: Array = ravel_pytree(end)[0] - theta
        left = ravel_pytree(state)[0] if len(start) > count else start[count:]
        return jnp.concatenate([error, left])

    def end(hessian: Array, theta: Array, start: Array, pull: Array) -> Array:
        return after(hessian, theta, start, pull, single=jnp.zeros((steps, len(theta))))

    def derivatives(
        hessian: Array, theta: Array, still: Array, zero: Array
    ) -> tuple[Array, Array, Array]:
        at = end(hessian, theta, still, zero)
        kept, gain = jax.jacfwd(end, (2, 3))(hessian, theta, still, zero)
        return at, kept, gain

    def gains(hessian: Array, theta: Array, still: Array) -> Array:
        single = jnp.zeros((steps, len(theta)))
        zero = jnp.zeros(len(theta))
        return jnp.moveaxis(jax.jacrev(after, 4)(hessian, theta, still, zero, single), 0, 1)

    return _Runner(jax.jit(end), jax.jit(derivatives), jax.jit(gains))
