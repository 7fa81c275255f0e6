"""Simulate labels along the truth, and the derivatives of the loss there.

A label is generated at every eta at which the loss is differentiated. The predictors
``eta = s z`` are evenly spaced, one label at each, and functions of eta are projected on Hermite
polynomials: ``E[f(s z) He_m(z)]`` for a standard normal z. What does not vary at one eta is
integrated to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from mcjax.chains.observations import label_words
from mcjax.draws.settings import own_settings
from mcjax.draws.streams import chain_keys
from mcjax.estimators.predictor import LinearPredictor, Params

BATCHES, CHUNKS, LABELS = 16, 32, 1 << 12
"""Batches of labels, chunks of each batch, and labels in a chunk."""
SEED = 0x2E2
"""The draws belong to the law and not to the simulation, so they never change."""
FARTHEST = 8.0
"""Largest z."""
HIGHEST = 10
"""Largest degree of the polynomials."""
STEP = 0.1
"""Step of differences, as a share of the standard deviation of what one label tells of eta."""
PRODUCTS = ((1,), (2,), (3,), (4,), (1, 1), (1, 2), (1, 3), (2, 2), (1, 1, 1), (1, 1, 2), (2, 2, 2))
"""Products of derivatives of the loss whose means are found; (1, 2) is the first by the second."""


class LabelMeans(NamedTuple):
    """Projections of means over labels, one for each of K batches.

    Attributes
    ----------
    products : ndarray, shape (K, 11, 11)
        Means of ``PRODUCTS``, by degree of the polynomial.
    missed : ndarray, shape (K, 2, 4, 3)
        Differences of lower derivatives of the loss, less its derivatives; with one step and with
        half of it; the four are for ``r2``, ``r3``, ``r4`` and ``r1 r3``, by degree.
    squares, largest : ndarray, shape (K, 11)
        Sum of the squared contributions of labels to the mean of a product, and the largest.
    step : float
        The longer step.
    """

    products: Any
    missed: Any
    squares: Any
    largest: Any
    step: Any


def draw_means(predictor: LinearPredictor, params: Params, scale: float, real: bool) -> LabelMeans:
    """Return means over labels that models generate, or of real data.

    Parameters
    ----------
    predictor : LinearPredictor
        Loss and samplers.
    params : dict
        Numbers that are passed to them.
    scale : float
        s, the standard deviation of the predictors.
    real : bool
        Whether labels are those of real data.
    """
    keys = jnp.asarray(chain_keys(SEED, int(real), np.arange(BATCHES)))
    with own_settings():
        at = jnp.asarray(scale, jnp.zeros(()).dtype)
        run = partial(_batch, predictor, params, scale=at, real=real)
        pilot = run(keys[0], step=at)
        spread, curvature = (float(pilot.products[PRODUCTS.index(k), 0]) for k in ((1, 1), (2,)))
        told = math.sqrt(spread) / curvature if spread > 0 and curvature > 0 else scale
        batches = [run(key, step=jnp.asarray(STEP * told, at.dtype)) for key in keys]
    parts = zip(*batches, strict=True)
    means = LabelMeans(*(np.array(part, float) for part in parts))
    return means._replace(step=means.step[0])


@partial(jax.jit, static_argnames=("predictor", "real"))
def _batch(
    predictor: LinearPredictor, params: Any, key: Array, *, scale: Array, step: Array, real: bool
) -> LabelMeans:
    """Return the means over one batch, without the first axis."""
    dtype = scale.dtype
    numbers = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), params)
    density = 2 * FARTHEST / (CHUNKS * LABELS) / math.sqrt(2 * math.pi)

    def chunk(number: Array) -> tuple[Array, ...]:
        pairs = number * (LABELS // 2) + jnp.arange(LABELS // 2, dtype=jnp.uint32)
        place = jnp.arange(LABELS, dtype=jnp.uint32) * CHUNKS + number  # each chunk spans the range
        z = FARTHEST * (2 * (place.astype(dtype) + 0.5) / (CHUNKS * LABELS) - 1)
        weight = jnp.exp(-0.5 * z**2) * density
        words = label_words((key[0], key[1]), pairs)
        y = predictor.labels(numbers, scale * z, jnp.full(LABELS, real), words)
        products, missed = _products(partial(predictor.loss, numbers), scale * z, y, step)
        weights = _polynomials(z) * weight[None]
        squares = (products * weight[None]) ** 2
        return (
            jnp.matmul(products, weights.T, precision="highest"),
            jnp.matmul(missed, weights[:3].T, precision="highest"),
            squares.sum(1),
            squares.max(1),
        )

    products, missed, squares, largest = lax.map(chunk, jnp.arange(CHUNKS, dtype=jnp.uint32))
    return LabelMeans(
        products=products.sum(0),
        missed=missed.sum(0),
        squares=squares.sum(0),
        largest=largest.max(0),
        step=step,
    )


def _products(
    loss: Callable[[Array, Array], Array], eta: Array, y: Array, step: Array
) -> tuple[Float[Array, "11 N"], Float[Array, "2 4 N"]]:
    """Return ``PRODUCTS`` for each label, and what differences of the loss miss or add."""

    def derivative(order: int, at: Array, y: Array) -> Array:
        # the derivative of a sum is elementwise, because each loss depends on its own eta
        function: Callable[[Array], Array] = jax.grad(lambda e: jnp.sum(loss(e, y)))
        for _ in range(order - 1):
            function = _along(function)
        return function(at)

    shifts = (0.0, step, -step, step / 2, -step / 2)
    around = jnp.concatenate([eta + shift for shift in shifts])  # one program for all
    first, second = (
        derivative(order, around, jnp.tile(y, len(shifts))).reshape(len(shifts), -1)
        for order in (1, 2)
    )
    r1, r2, r3, r4 = first[0], second[0], derivative(3, eta, y), derivative(4, eta, y)
    factors = dict(enumerate((r1, r2, r3, r4), 1))
    products = [math.prod(factors[k] for k in orders) for orders in PRODUCTS]
    missed = []
    for h, up, down in ((step, 1, 2), (step / 2, 3, 4)):
        bent = (second[up] - second[down]) / (2 * h) - r3
        curved = (second[up] - 2 * r2 + second[down]) / h**2 - r4
        sloped = (first[up] - first[down]) / (2 * h) - r2
        missed.append(jnp.stack([sloped, bent, curved, r1 * bent]))
    return jnp.stack(products), jnp.stack(missed)


def _along(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return the derivative of an elementwise function."""
    return lambda at: jax.jvp(function, (at,), (jnp.ones_like(at),))[1]


def _polynomials(z: Float[Array, " N"]) -> Float[Array, "11 N"]:
    """Return the Hermite polynomials of degree 0 to ``HIGHEST``."""
    found = [jnp.ones_like(z), z]
    for m in range(1, HIGHEST):
        found.append(z * found[m] - m * found[m - 1])
    return jnp.stack(found)
