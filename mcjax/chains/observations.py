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
from mcjax.draws.streams import LABEL, row_words
from mcjax.estimators.predictor import Words
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


def draw_labels(
    model: Model,
    theta: Float[Array, "p 2*H"],
    x: Float[Array, "q 2*H"],
    real: Bool[Array, " 2*H"],
    keys: Words,
    pairs: UInt32[Array, " H"],
    sigma: Float[Array, " 2*H"] | None = None,
) -> Float[Array, "*label 2*H"]:
    """Draw labels from the distribution of each row's parent.

    Parameters
    ----------
    model : Model
        The model that generates the labels.
    theta : Array
        Parameters of each row's parent, shape (p, 2H).
    x : Array
        Covariates, shape (q, 2H).
    real : Array
        Whether the parent is a real source, shape (2H,).
    keys, pairs : Array
        As in :func:`draw_normals`.
    sigma : Array, optional
        Noise scale of each row, shape (2H,); defaults to the model's.

    Returns
    -------
    Array
        Labels, shape (..., 2H).
    """
    words = [row_words(keys, pairs, jnp.uint32(LABEL + k)) for k in range(2)]
    even_then_odd = [jnp.concatenate(word) for word in words]
    return _labels(
        model, theta, x, real=real, words=(even_then_odd[0], even_then_odd[1]), sigma=sigma
    )


def draw_single(
    model: Model,
    theta: Float[Array, "p N"],
    factor: Float[Array, "q q"],
    real: Bool[Array, " N"],
    keys: Words,
    designs: Words,
    row: Integer[Array, " N"],
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
    words = [row_words(keys, pair, jnp.uint32(LABEL + k)) for k in range(2)]
    first, second = (jnp.where(odd, *word[::-1]) for word in words)
    return x, _labels(model, theta, x, real=real, words=(first, second))


def of_rows(mask: Bool[Array, " N"], values: Shaped[Array, "*label N"]) -> Bool[Array, "*#label N"]:
    """Return ``mask``, shape (N,), with leading axes to broadcast against ``values``, (..., N)."""
    return mask.reshape((1,) * (values.ndim - 1) + mask.shape)


def _labels(
    model: Model,
    theta: Array,
    x: Array,
    real: Array,
    words: Words,
    sigma: Array | None = None,
) -> Array:
    params, axes = model.params, None
    if sigma is not None and model.noise_scale is not None:
        params = params | {model.noise_scale: sigma}
        axes = jax.tree.map(lambda _: None, model.params) | {model.noise_scale: 0}

    def drawn(sample: Sample) -> Array:
        def one(params: Any, vector: Array, x: Array, words: Words) -> Array:
            return sample(params, model.parameters(vector), x, words)

        return jax.vmap(one, (axes, 1, 1, 0), -1)(params, theta, x, words)

    y = drawn(model.sample)
    if model.sample_real is None:
        return y
    return jnp.where(of_rows(real, y), drawn(model.sample_real), y)
