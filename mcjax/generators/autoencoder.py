"""Variational autoencoders of images in black and white, as an example of a learned generator.

Pixels are drawn black or white with their grey values as probabilities, in real and in generated
data. Encoder and decoder have one hidden layer, and there are 8 latent variables (Kingma & Welling,
ICLR 2014). Fits are a fixed number of steps of Adam with a rate that decays.

Measures, all in single precision:

``elbo``
    The negative evidence lower bound of held-out images, in nats.
``frechet``
    Frechet distance between normal laws of generated and of real images, in the first 16 principal
    components of the population (after Heusel et al., NeurIPS 2017).
``spread``
    Variance of generated images in these components, as a share of that of real ones.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Float32

from mcjax.generators.generator import Generator
from mcjax.generators.images import Images
from mcjax.numbers import check_between

LATENT, MEASURED = 8, 1000
"""Latent variables, and images that are generated for a measure."""
LEAST_RATE = 0.05
"""The last learning rate, as a share of the first."""

Layer = dict[str, Array]
Params = dict[str, Layer]


def check_training(*, steps: int, batch: int, rate: float) -> None:
    """Check the settings of fits, which are those of :func:`autoencoder`.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    check_between("family.steps", steps, 1, 2**31 - 1)
    check_between("family.batch", batch, 1, 2**31 - 1)
    check_between("family.rate", rate, 1e-12, 1e3)


def autoencoder(
    name: str, images: Images, *, hidden: int, steps: int, batch: int, rate: float
) -> Generator:
    """Return the generator.

    Parameters
    ----------
    name : str
        Name in tables.
    images : Images
        Real data.
    hidden : int
        Units of a hidden layer.
    steps : int
        Steps of every fit.
    batch : int
        Rows of a step, drawn with replacement.
    rate : float
        The first learning rate.
    """
    schedule = optax.cosine_decay_schedule(rate, steps, alpha=LEAST_RATE)
    optimiser = optax.adam(schedule)
    shares, mean, spread = map(jnp.asarray, (images.population, images.mean, images.covariance))

    def fit(key: Array, params: Params, rows: Array) -> Params:
        def step(state: Any, key: Array) -> tuple[Any, None]:
            params, memory = state
            chosen, noise = jax.random.split(key)
            some = rows[jax.random.randint(chosen, (batch,), 0, len(rows))]
            slope = jax.grad(negative_elbo)(params, some, noise)
            with jax.numpy_dtype_promotion("standard"):  # which optax needs
                change, memory = optimiser.update(slope, memory)
            return (optax.apply_updates(params, change), memory), None

        begin = params, optimiser.init(params)
        (params, _), _ = jax.lax.scan(step, begin, jax.random.split(key, steps))
        return params

    def measure(key: Array, params: Params, rows: Array) -> dict[str, Array]:
        binary, noise, drawn = jax.random.split(key, 3)
        held_out = _black(binary, jnp.asarray(images.held_out))
        seen = sample(drawn, params, MEASURED) @ images.axes
        covariance = jnp.cov(seen.T)
        return {
            "elbo": negative_elbo(params, held_out, noise),
            "frechet": frechet(seen.mean(0), covariance, mean, spread),
            "spread": jnp.trace(covariance) / jnp.trace(spread),
        }

    def real(key: Array, n: int) -> Array:
        chosen, binary = jax.random.split(key)
        return _black(binary, shares[jax.random.randint(chosen, (n,), 0, len(shares))])

    def begin(key: Array) -> Params:
        return init(key, images.population.shape[1], hidden)

    def pictures(rows: Float32[np.ndarray, "n P"]) -> Float32[np.ndarray, "n h w"]:
        return rows.reshape(len(rows), *images.shape)

    settings = f"{name}: {steps} steps, {batch} rows, rate {rate!r}{images.digest}"
    return Generator(
        begin,
        fit,
        sample,
        measure,
        real=real,
        name=name,
        digest=settings,
        show=pictures,
        expected=expected,
        about=images.about,
    )


def init(key: Array, pixels: int, hidden: int) -> Params:
    """Return random weights and zero biases."""
    sizes = {
        "encoder": (pixels, hidden),
        "moments": (hidden, 2 * LATENT),
        "decoder": (LATENT, hidden),
        "pixels": (hidden, pixels),
    }
    keys = jax.random.split(key, len(sizes))
    return {
        name: {
            "weights": jax.random.normal(own, size, "float32") * np.float32(size[0] ** -0.5),
            "bias": jnp.zeros(size[1], "float32"),
        }
        for own, (name, size) in zip(keys, sizes.items(), strict=True)
    }


def sample(key: Array, params: Params, n: int) -> Array:
    """Return binary images."""
    latent, binary = jax.random.split(key)
    return _black(binary, expected(latent, params, n))


def expected(key: Array, params: Params, n: int) -> Array:
    """Return the probabilities of black pixels of images, given their latent variables."""
    z = jax.random.normal(key, (n, LATENT), "float32")
    return jax.nn.sigmoid(decoded(params, z))


def negative_elbo(params: Params, images: Array, key: Array) -> Array:
    """Return the negative evidence lower bound, in nats an image, with one latent draw for each."""
    moments = _layer(params["moments"], jax.nn.relu(_layer(params["encoder"], images)))
    mean, log_variance = jnp.split(moments, 2, axis=-1)
    noise = jax.random.normal(key, mean.shape, "float32")
    logits = decoded(params, mean + jnp.exp(log_variance / 2) * noise)
    fit = (jax.nn.softplus(logits) - images * logits).sum(-1)
    prior = (jnp.exp(log_variance) + mean**2 - 1 - log_variance).sum(-1) / 2
    return (fit + prior).mean()


def decoded(params: Params, latent: Array) -> Array:
    """Return log odds of black pixels."""
    return _layer(params["pixels"], jax.nn.relu(_layer(params["decoder"], latent)))


def frechet(mean: Array, covariance: Array, other: Array, spread: Array) -> Array:
    """Return the squared Frechet distance of two normal laws."""
    values, vectors = jnp.linalg.eigh(spread)
    root = (vectors * jnp.sqrt(jnp.maximum(values, 0))[None, :]) @ vectors.T
    common = jnp.linalg.eigvalsh(root @ covariance @ root)
    shared = jnp.sqrt(jnp.maximum(common, 0)).sum()
    between = ((mean - other) ** 2).sum()
    return between + jnp.trace(covariance) + jnp.trace(spread) - 2 * shared


def _layer(layer: Layer, inputs: Array) -> Array:
    return inputs @ layer["weights"] + layer["bias"][None, :]


def _black(key: Array, shares: Array) -> Array:
    return (jax.random.uniform(key, shares.shape, "float32") < shares).astype("float32")
