"""A variational autoencoder of handwritten digits, as an example of a learned generator.

The population are 1,437 of the 1,797 images of 8 x 8 pixels that scikit-learn has; the others are
held out. Pixels are drawn black or white with their grey values as probabilities, in real and in
generated data. Encoder and decoder have one hidden layer of 64 units, and there are 8 latent
variables (Kingma & Welling, ICLR 2014). Fits are a fixed number of steps of Adam with a rate that
decays.

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

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Float32

from mcjax.data.packages import frame_of_package
from mcjax.errors import InputError
from mcjax.generators.generator import Generator
from mcjax.numbers import check_between

HELD_OUT, COMPONENTS, HIDDEN, LATENT, MEASURED = 360, 16, 64, 8, 1000
"""Images held out, principal components, units of a layer, latent variables, images generated for a
measure."""
LEAST_RATE = 0.05
"""The last learning rate, as a share of the first."""

Layer = dict[str, Array]
Params = dict[str, Layer]


class Digits(NamedTuple):
    """Images as probabilities of black, and what their binary versions are compared by.

    Attributes
    ----------
    population, held_out : ndarray
        Images, shapes (P, 64) and (H, 64).
    axes : ndarray
        Principal components of the population, shape (64, 16).
    mean, covariance : ndarray
        Moments of binary images of the population in these components.
    """

    population: Float32[np.ndarray, "P 64"]
    held_out: Float32[np.ndarray, "H 64"]
    axes: Float32[np.ndarray, "64 16"]
    mean: Float32[np.ndarray, " 16"]
    covariance: Float32[np.ndarray, "16 16"]


def vae_digits(steps: int = 500, batch: int = 128, rate: float = 3e-3) -> Generator:
    """Return the generator.

    Parameters
    ----------
    steps : int
        Steps of every fit.
    batch : int
        Rows of a step, drawn with replacement.
    rate : float
        The first learning rate.

    Raises
    ------
    InputError
        If a number is out of range, or scikit-learn is not installed.
    """
    check_between("family.steps", steps, 1, 2**31 - 1)
    check_between("family.batch", batch, 1, 2**31 - 1)
    check_between("family.rate", rate, 1e-12, 1e3)
    digits = load_digits()
    schedule = optax.cosine_decay_schedule(rate, steps, alpha=LEAST_RATE)
    optimiser = optax.adam(schedule)
    shares, mean, spread = map(jnp.asarray, (digits.population, digits.mean, digits.covariance))

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
        held_out = _black(binary, jnp.asarray(digits.held_out))
        seen = sample(drawn, params, MEASURED) @ digits.axes
        covariance = jnp.cov(seen.T)
        return {
            "elbo": negative_elbo(params, held_out, noise),
            "frechet": frechet(seen.mean(0), covariance, mean, spread),
            "spread": jnp.trace(covariance) / jnp.trace(spread),
        }

    def real(key: Array, n: int) -> Array:
        chosen, binary = jax.random.split(key)
        return _black(binary, shares[jax.random.randint(chosen, (n,), 0, len(shares))])

    settings = f"vae-digits: {steps} steps, {batch} rows, rate {rate!r}"
    return Generator(
        init, fit, sample, measure, real=real, name="vae-digits", digest=settings, show=pictures
    )


def pictures(rows: Float32[np.ndarray, "n 64"]) -> Float32[np.ndarray, "n 8 8"]:
    """Return rows as pictures, 1 where they are black."""
    return rows.reshape(-1, 8, 8)


def init(key: Array) -> Params:
    """Return random weights and zero biases."""
    pixels = 64
    sizes = {
        "encoder": (pixels, HIDDEN),
        "moments": (HIDDEN, 2 * LATENT),
        "decoder": (LATENT, HIDDEN),
        "pixels": (HIDDEN, pixels),
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
    z = jax.random.normal(latent, (n, LATENT), "float32")
    return _black(binary, jax.nn.sigmoid(decoded(params, z)))


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


def load_digits() -> Digits:
    """Return the images of scikit-learn, always split in the same way.

    Raises
    ------
    InputError
        If scikit-learn is not installed.
    """
    try:
        columns, target = frame_of_package("sklearn", "digits")
    except InputError as error:
        raise InputError("family.name", error.message) from error
    images = columns.drop(columns=target).to_numpy() / 16
    images = images[np.random.default_rng(0).permutation(len(images))]
    held_out, population = images[:HELD_OUT], images[HELD_OUT:]
    mean = population.mean(0)
    grey = np.cov(population.T, bias=True)
    axes = np.linalg.eigh(grey)[1][:, ::-1][:, :COMPONENTS]
    noise = np.diag((population * (1 - population)).mean(0))
    covariance = axes.T @ (grey + noise) @ axes
    arrays = population, held_out, axes, mean @ axes, covariance
    return Digits(*(array.astype(np.float32) for array in arrays))


def _layer(layer: Layer, inputs: Array) -> Array:
    return inputs @ layer["weights"] + layer["bias"][None, :]


def _black(key: Array, shares: Array) -> Array:
    return (jax.random.uniform(key, shares.shape, "float32") < shares).astype("float32")
