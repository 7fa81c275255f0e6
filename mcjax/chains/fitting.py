"""The fits of one chain: by whom each model is fitted, and what optimisers carry over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Float

from mcjax.chains.program import Fitting, Program
from mcjax.draws.streams import fitting_stream
from mcjax.draws.threefry import threefry
from mcjax.estimators.estimator import Dataset, Fit
from mcjax.faults import users_code
from mcjax.models.model import Model


def places(program: Program, models: int) -> list[Any]:
    """Return the numbers of the models that are fitted in each way; a slice if it is all."""
    if not program.others:
        return [slice(None)]
    named = [np.array(way.models) for way in program.others]
    return [np.setdiff1d(np.arange(models), np.concatenate(named)), *named]


def joined(fits: Sequence[Fit], program: Program, models: int) -> Fit:
    """Return the fits of all models in order, from those of each way of fitting."""
    if len(fits) == 1:
        return fits[0]
    order = np.argsort(np.concatenate(places(program, models)))
    joined: Fit = jax.tree.map(lambda *parts: jnp.concatenate(parts)[order], *fits)
    return joined


def fresh_state(way: Fitting, model: Model, theta: Float[Array, "*M p"]) -> Any:
    """Return the state of an optimiser that has made no step, for vectors of parameters."""
    one: Any = way.later

    def fresh(vector: Array) -> Any:
        return one.initial(model.parameters(vector))

    return fresh(theta) if theta.ndim == 1 else jax.vmap(fresh)(theta)


def fitted(
    model: Model, data: Dataset, start: Array, key: Array, way: Fitting, state: Any, first: Array
) -> tuple[Fit, Any]:
    """Fit one data set; return the estimate as a vector, whatever the structure of the model.

    Also return the state of the optimiser, if that is carried.
    """

    def by(estimator: Any, state: Any = None) -> tuple[Fit, Any]:
        begin = model.parameters(start)
        with users_code("estimator", estimator):
            if state is None:
                result = estimator.fit(model, data, begin, key)
            else:
                result, state = estimator.resume(model, data, begin, key=key, state=state)
        theta = result.theta if model.structure is None else ravel_pytree(result.theta)[0]
        return result._replace(theta=theta), state

    def by_first() -> tuple[Fit, Any]:
        if getattr(way.first, "carries", False):
            return by(way.first, state)
        result, _ = by(way.first)
        return result, None if state is None else fresh_state(way, model, result.theta)

    if way.first == way.later:
        return by(way.later, state)
    ended: tuple[Fit, Any] = lax.cond(first, by_first, lambda: by(way.later, state))
    return ended


def fitting_key(key: Array, t: Array, reader: Array) -> Array:
    """Return the JAX key for the random numbers of an estimator."""
    stream = fitting_stream(reader.astype(jnp.uint32))
    words = threefry((key[0], key[1]), (t.astype(jnp.uint32), stream))
    return jax.random.wrap_key_data(jnp.stack(words), impl="threefry2x32")
