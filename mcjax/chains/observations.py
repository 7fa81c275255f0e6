"""Observations drawn by position: rows 2q and 2q + 1 of each sample.

Arrays have rows last, and the even rows before the odd ones. For few parameters and many rows this
order is several times faster than any other, because the long axis is contiguous.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Complex, Float, Integer, Shaped, UInt32

from mcjax.draws.samplers import normal_pair
from mcjax.draws.streams import LABEL, SPARE, row_words
from mcjax.estimators.predictor import Params, Words
from mcjax.models.model import Model, Sample


def draw_normals(
    keys: Words, pairs: UInt32[Array, " H"], count: int, dtype: Any
) -> Complex[Array, "{count} H"]:
    """Draw standard normals for the covariates of H pairs of rows.

    Parameters
    ----------
    keys : tuple of Array
        Stream keys, two words of shape (H,).
    pairs : Array
        Number q of each pair in its sample, shape (H,).
    count : int
        Number of covariates.
    dtype : dtype
        Precision of the draws.

    Returns
    -------
    Array
        Complex, shape (count, H): the real part is for the even row, the imaginary part for the odd
        one. It is one array because XLA on a CPU would draw the words again for a second one.
    """
    number = jnp.dtype(dtype)

    def covariate(role: Array) -> Array:
        return lax.complex(*normal_pair(row_words(keys, pairs, role), number))

    return jax.vmap(covariate)(jnp.arange(count, dtype=jnp.uint32))


def label_words(
    keys: Words, pairs: UInt32[Array, " H"], roles: tuple[int, int] = (LABEL, LABEL + 1)
) -> Words:
    """Return two words for the label of each row, of shape (2H,), from the stream keys of pairs."""
    first, second = (row_words(keys, pairs, jnp.uint32(role)) for role in roles)
    return jnp.concatenate(first), jnp.concatenate(second)


def spare_words(keys: Words, pairs: UInt32[Array, " H"]) -> Words:
    """Return two further words for each row, of shape (2H,)."""
    return label_words(keys, pairs, SPARE)


def draw_labels(
    model: Model,
    theta: Float[Array, "p N"],
    x: Float[Array, "q N"],
    real: Bool[Array, " N"],
    words: Words,
    params: Params | None = None,
) -> Float[Array, "*label N"]:
    """Draw labels from the distribution of each row's parent.

    Parameters
    ----------
    model : Model
        The model that generates the labels.
    theta : Array
        Parameters of each row's parent, shape (p, N).
    x : Array
        Covariates, shape (q, N).
    real : Array
        Whether the parent is a real source, shape (N,).
    words : tuple of Array
        Two random words for each row, of shape (N,).
    params : dict, optional
        Numbers that differ from those of the model; its noise scale may have shape (N,).

    Returns
    -------
    Array
        Labels, shape (..., N).
    """
    params, axes = model.params if params is None else params, None
    if model.noise_scale is not None and jnp.ndim(params[model.noise_scale]):
        axes = jax.tree.map(lambda _: None, params) | {model.noise_scale: 0}

    def drawn(sample: Sample) -> Array:
        def one(params: Any, vector: Array, x: Array, words: Words) -> Array:
            return sample(params, model.parameters(vector), x, words)

        return jax.vmap(one, (axes, 1, 1, 0), -1)(params, theta, x, words)

    y = drawn(model.sample)
    if model.sample_real is None:
        return y
    return jnp.where(of_rows(real, y), drawn(model.sample_real), y)


def draw_single(
    model: Model,
    theta: Float[Array, "p N"],
    factor: Float[Array, "q q"],
    real: Bool[Array, " N"],
    keys: Words,
    designs: Words,
    row: Integer[Array, " N"],
    mean: Float[Array, " q"] | None = None,
) -> tuple[Float[Array, "q N"], Float[Array, "*label N"]]:
    """Draw single rows of any samples, as :func:`draw_normals` and :func:`draw_labels` draw them.

    Parameters
    ----------
    model : Model
        The model that generates the labels.
    theta : Array
        Parameters of each row's parent, shape (p, N).
    factor : Array
        A root of the covariance of the covariates, shape (q, q).
    real : Array
        Whether the parent is a real source, shape (N,).
    keys, designs : tuple of Array
        Stream keys of labels and of covariates, two words of shape (N,) each.
    row : Array
        Number of each row in its sample, shape (N,).
    mean : Array, optional
        Mean of the covariates, shape (q,); 0 by default.

    Returns
    -------
    x : Array
        Covariates, shape (q, N).
    y : Array
        Labels, shape (..., N).
    """
    pair, odd = (row // 2).astype(jnp.uint32), row % 2 == 1
    x = jnp.zeros((0, len(row)), theta.dtype)
    if model.covariates != 0:
        z = draw_normals(designs, pair, len(factor), theta.dtype)
        x = jnp.matmul(factor, jnp.where(odd, z.imag, z.real), precision="highest")
        x = x if mean is None else x + mean[:, None]
    words = [row_words(keys, pair, jnp.uint32(LABEL + k)) for k in range(2)]
    first, second = (jnp.where(odd, *word[::-1]) for word in words)
    return x, draw_labels(model, theta, x, real=real, words=(first, second))


def of_rows(mask: Bool[Array, " N"], values: Shaped[Array, "*label N"]) -> Bool[Array, "*#label N"]:
    """Return ``mask``, shape (N,), with leading axes to broadcast against ``values``, (..., N)."""
    return mask.reshape((1,) * (values.ndim - 1) + mask.shape)
