"""Observations drawn by position: rows 2q and 2q + 1 of each sample.

Arrays here have rows last, and the even rows before the odd ones: for a few parameters and many
rows, that order is several times faster than any other, because the long axis is contiguous.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from mcjax.draws.samplers import normal_pair
from mcjax.draws.streams import LABEL, row_words
from mcjax.models.model import Model, Words


def draw_normals(keys: Words, pairs: Array, p: int, dtype: Any) -> Array:
    """Standard normals for p covariates of H pairs of rows.

    Parameters
    ----------
    keys: stream keys, two words of shape (H,). pairs: q, shape (H,).

    Returns
    -------
    Complex, shape (p, H): the real part is for the even row, the imaginary part for the odd one.
    (One array, because XLA on a CPU would draw the words again for a second one.)
    """
    number = jnp.dtype(dtype)

    def covariate(role: Array) -> Array:
        return lax.complex(*normal_pair(row_words(keys, pairs, role), number))

    return jax.vmap(covariate)(jnp.arange(p, dtype=jnp.uint32))


def draw_labels(
    model: Model,
    theta: Array,
    x: Array,
    real: Array,
    keys: Words,
    pairs: Array,
    sigma: Array | None = None,
) -> Array:
    """Labels from the law of each row's parent.

    Parameters
    ----------
    theta: parameters of each row's parent, shape (p, 2H). x: covariates, shape (p, 2H).
    real: whether the parent is a real source, shape (2H,). keys, pairs: as for the covariates.
    sigma: noise scale of each row in place of the family's, shape (2H,), or None.

    Returns
    -------
    y: shape (2H,).
    """
    words = [row_words(keys, pairs, jnp.uint32(LABEL + k)) for k in range(2)]
    return _labels(model, theta, x, real, [jnp.concatenate(word) for word in words], sigma)


def draw_single(
    model: Model,
    theta: Array,
    factor: Array,
    real: Array,
    keys: Words,
    designs: Words,
    row: Array,
) -> tuple[Array, Array]:
    """Single rows of any samples, the same as in :func:`draw_normals` and :func:`draw_labels`.

    Parameters
    ----------
    theta: parameters of each row's parent, shape (p, n). factor: a root of the covariance, (p, p).
    real: shape (n,). keys: stream keys, two words of shape (n,); designs: those of covariates.
    row: place in its sample, shape (n,).

    Returns
    -------
    x, shape (p, n), and y, shape (n,).
    """
    pair, odd = (row // 2).astype(jnp.uint32), row % 2 == 1
    x = jnp.zeros((0, len(row)), theta.dtype)
    if model.covariates:
        z = draw_normals(designs, pair, len(theta), theta.dtype)
        x = jnp.matmul(factor, jnp.where(odd, z.imag, z.real), precision="highest")
    words = [row_words(keys, pair, jnp.uint32(LABEL + k)) for k in range(2)]
    return x, _labels(model, theta, x, real, [jnp.where(odd, *word[::-1]) for word in words])


def _labels(
    model: Model,
    theta: Array,
    x: Array,
    real: Array,
    pair: list[Array],
    sigma: Array | None = None,
) -> Array:
    words = (pair[0], pair[1])
    params, axes = model.params, None
    if sigma is not None:
        params = params | {"sigma": sigma}
        axes = jax.tree.map(lambda _: None, model.params) | {"sigma": 0}
    y = jax.vmap(model.sample, (axes, 1, 1, 0))(params, theta, x, words)
    if model.sample_real is model.sample:
        return y
    y_real = jax.vmap(model.sample_real, (axes, 1, 1, 0))(params, theta, x, words)
    return jnp.where(real, y_real, y)
