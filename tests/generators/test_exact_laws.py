"""Whole chains follow the exact laws of generators that have one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generators_of_tests import FEEDS, H, N, network, shares, study

import mcjax
from mcjax.generators.simulate import simulate

TIMES = [1, 2, 5, 10, 20]


def moments_of_kernel_densities(name, generations, width=H):
    """Means of the raw second moment and of the variance of every model's rows, (T + 1, M, 2).

    A row is a row of the origin plus noise of variance width^2, or real with second moment 1. So
    second moments q follow the shares, and with C the covariance of the models' means of rows,
    C' = W C W' + (variance of a row, given the models) / N on the diagonal.
    """
    w, real, frozen = shares(name)
    q, c = np.ones(4), np.eye(4) / N
    found = [np.stack([q, q - np.diag(c)], -1)]
    for _ in range(generations):
        spread = w @ (q - np.diag(c) + width**2) + real
        c = w @ c @ w.T + np.diag(np.where(frozen, 0, spread)) / N
        q = np.where(frozen, q, w @ (q + width**2) + real)
        found.append(np.stack([q, q - np.diag(c)], -1))
    return np.array(found)


@pytest.mark.statistical
@pytest.mark.parametrize("name", FEEDS)
def test_moments_of_kernel_densities(name, z_limit):
    values = simulate(study(name, generations=20, chains=1024)).values[0][:, TIMES]
    law = moments_of_kernel_densities(name, 20)[TIMES]
    error = values.std(0, ddof=1) / 32
    z = (values.mean(0) - law) / error
    assert np.abs(z).max() < z_limit
    wrong = moments_of_kernel_densities(name, 20, width=1.1 * H)[TIMES]
    assert np.abs((values.mean(0) - wrong) / error).max() > 2 * z_limit


def test_moments_of_kernel_densities_after_few_generations(z_limit):
    values = simulate(study("ring", generations=3, chains=256)).values[0]
    law = moments_of_kernel_densities("ring", 3)
    z = (values.mean(0) - law) / (values.std(0, ddof=1) / 16)
    assert np.abs(z).max() < z_limit


@pytest.mark.statistical
def test_means_of_smoothed_frequencies(z_limit):
    """Words with counts smoothed by alpha: E p' = lam W E p + (1 - lam) / K."""
    truth, alpha = np.array([0.4, 0.3, 0.15, 0.1, 0.05]), 2.0
    words = len(truth)

    def draw(key, p, n):
        return jax.random.choice(key, words, (n,), p=p)

    def smoothed(counts):
        return (counts + alpha) / (counts.sum() + alpha * words)

    generator = mcjax.Generator(
        init=lambda key: (),
        fit=lambda key, params, rows: smoothed(jnp.bincount(rows, length=words).astype(float)),
        sample=lambda key, params, n: draw(key, params, n),
        measure=lambda key, params, rows: {"p": params},
        real=lambda key, n: draw(key, jnp.asarray(truth), n),
    )
    condition = mcjax.GeneratorCondition(network("zoo"), generator)
    values = simulate(mcjax.GeneratorStudy((condition,), 8, 1024)).values[0]
    kept = N / (N + alpha * words)
    w, real, _ = shares("zoo")
    p = np.tile(kept * truth + (1 - kept) / words, (4, 1))
    for t in range(9):
        error = values[:, t].std(0, ddof=1) / 32
        assert np.abs((values[:, t].mean(0) - p) / error).max() < z_limit
        p = kept * (w @ p + np.outer(real, truth)) + (1 - kept) / words
