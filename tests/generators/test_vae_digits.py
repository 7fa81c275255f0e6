"""The variational autoencoder of digits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generators_of_tests import network

import mcjax
from mcjax.errors import InputError
from mcjax.generators.load import load_generators
from mcjax.generators.registry import make_generator
from mcjax.study.load import builtin_file

pytest.importorskip("sklearn")

from mcjax.generators import autoencoder
from mcjax.generators import vae_digits as vae

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def digits():
    return vae.load_digits()


@pytest.mark.system
def test_moments_are_those_of_binary_images(digits, z_limit):
    generator = vae.vae_digits(steps=1)
    seen = np.asarray(generator.real_rows(KEY, 4000) @ digits.axes, float)
    error = np.sqrt(np.diag(digits.covariance) / len(seen))
    assert np.abs((seen.mean(0) - digits.mean) / error).max() < z_limit
    products = (seen - digits.mean)[:, :, None] * (seen - digits.mean)[:, None, :]
    error = products.std(0) / np.sqrt(len(seen))
    assert np.abs((products.mean(0) - digits.covariance) / error).max() < z_limit


def test_frechet_distances():
    """0 of a law from itself; of commuting covariances, the distance of the deviations."""
    one, other = np.array([4.0, 1.0]), np.array([1.0, 9.0])
    assert autoencoder.frechet(one, np.diag(one), one, jnp.diag(one)) == pytest.approx(0, abs=1e-12)
    squared = ((one - other) ** 2).sum() + ((np.sqrt(one) - np.sqrt(other)) ** 2).sum()
    assert autoencoder.frechet(one, np.diag(one), other, jnp.diag(other)) == pytest.approx(squared)


@pytest.mark.system
def test_bounds_of_a_decoder_that_ignores_the_latent_variables():
    """The bound is then exact: the mean entropy of independent pixels, if the prior is kept."""
    params = jax.tree.map(jnp.zeros_like, autoencoder.init(KEY, 64, 64))
    shares = np.linspace(0.1, 0.9, 64, dtype=np.float32)
    params["pixels"]["bias"] = jnp.log(shares / (1 - shares))
    images = np.tile(np.eye(64, dtype=np.float32)[:1], (5, 1))
    exact = -np.log(shares[0]) - np.log(1 - shares[1:]).sum()
    assert autoencoder.negative_elbo(params, images, KEY) == pytest.approx(exact, rel=1e-5)


@pytest.mark.system
def test_a_flip_of_autoencoders():
    """In single precision, too, chains of two networks agree to the bit until news arrives."""
    generator = make_generator({"name": "vae-digits", "steps": 30}, folder=None)
    conditions = tuple(
        mcjax.GeneratorCondition(network(name), generator, name=name) for name in ("stable", "flip")
    )
    verification = mcjax.verify_generators(mcjax.GeneratorStudy(conditions, 2, 4))
    arrivals = {c.model: c.verdict for c in verification.cells if c.quantity == "arrival"}
    assert arrivals == dict.fromkeys("0123", "verified")
    elbo, frechet, spread = verification.mean(0)[0, 1]
    assert 25 < elbo < 45
    assert 0.1 < frechet < 3
    assert 0.4 < spread < 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"steps": 0}, "steps: is 0"),
        ({"steps": 1.5}, "steps: is 1.5; give a whole number"),
        ({"batch": "x"}, "batch: is 'x'"),
        ({"step": 3}, "did you mean 'steps'"),
    ],
)
def test_settings(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        make_generator({"name": "vae-digits", **settings}, folder=None)


def test_the_builtin_study_is_a_network_and_its_flip():
    stable, flip = (c.network for c in load_generators(builtin_file("vae-digits")).conditions)
    added = set(flip.feeds) - set(stable.feeds)
    assert set(stable.feeds) < set(flip.feeds)
    assert [(feed.origin, feed.reader, feed.samples) for feed in added] == [
        ("second", "teacher", 1000)
    ]
