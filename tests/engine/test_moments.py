"""Streaming moments against the whole sample at once."""

import numpy as np
import pytest

from mcjax.engine.moments import merge, tile_moments

TRUTH = np.array([1.0, -2.0])


@pytest.fixture(scope="module")
def theta():
    rng = np.random.default_rng(0)
    theta = TRUTH + rng.standard_t(5, size=(300, 4, 3, 2)) * [1.0, 1e-3]
    theta[rng.random(theta.shape[:3]) < 0.05] = np.nan
    return theta


def fold(theta, size):
    parts = [tile_moments(theta[i : i + size], TRUTH) for i in range(0, len(theta), size)]
    total = parts[0]
    for part in parts[1:]:
        total = merge(total, part)
    return total


@pytest.mark.parametrize("size", [1, 7, 64, 300])
def test_against_direct_computation(theta, size):
    found = fold(theta, size)
    error = theta - TRUTH
    squared = (error**2).sum(-1)
    np.testing.assert_allclose(found.error.mean, np.nanmean(error, 0), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(found.squared.mean, np.nanmean(squared, 0), rtol=1e-10)
    np.testing.assert_array_equal(found.squared.chains, np.isfinite(squared).sum(0))
    count = np.isfinite(squared).sum(0)
    se = np.nanstd(squared, 0, ddof=1) / np.sqrt(count)
    np.testing.assert_allclose(found.squared.standard_error(), se, rtol=1e-9)
    flat = error.reshape(300, 4, 6)
    products = flat[:, :, :, None] * flat[:, :, None, :]
    np.testing.assert_allclose(found.product.mean, np.nanmean(products, 0), rtol=1e-9, atol=1e-15)
    spread = np.nansum((products - np.nanmean(products, 0)) ** 2, 0)
    np.testing.assert_allclose(found.product.square, spread, rtol=1e-8)
    whole = np.isfinite(squared).all(1)
    for m in range(3):
        own = squared[whole[:, m], :, m]
        expected = np.cov(own.T) * (len(own) - 1)
        np.testing.assert_allclose(found.across.square[m], expected, rtol=1e-9, atol=1e-12)


def test_stable_far_from_zero():
    """A mean of 1e8 with a spread of 1: sums of squares would lose every digit."""
    rng = np.random.default_rng(1)
    theta = TRUTH + 1e4 + 1e-4 * rng.normal(size=(256, 1, 1, 2))
    squared = ((theta - TRUTH) ** 2).sum(-1)
    expected = squared.std(0, ddof=1) / 16
    np.testing.assert_allclose(fold(theta, 64).squared.standard_error(), expected, rtol=1e-6)


def test_no_chain_counts():
    nothing = np.full((5, 2, 1, 2), np.nan)
    found = merge(tile_moments(nothing, TRUTH), tile_moments(nothing, TRUTH))
    assert (found.squared.chains == 0).all()
    assert np.isinf(found.squared.standard_error()).all()
