"""Streaming moments against the whole sample at once."""

import numpy as np
import pytest
from scipy import stats

from mcjax.chains.program import Trajectory
from mcjax.engine.moments import LARGEST, Moments, merge
from mcjax.engine.powers import along, shape_of_sums
from mcjax.engine.tiles import outcomes, summarise

TRUTH = np.array([1.0, -2.0])


@pytest.fixture(scope="module")
def theta():
    rng = np.random.default_rng(0)
    theta = TRUTH + rng.standard_t(5, size=(300, 4, 3, 2)) * [1.0, 1e-3]
    theta[rng.random(theta.shape[:3]) < 0.05] = np.nan
    return theta


def set_moments(theta, truth, values=None, pooled=None):
    """Moments of a set of chains, (C, T + 1, M, p)."""
    if values is None:
        values = np.zeros((*theta.shape[:-1], 0))
    if pooled is not None:
        beside = np.broadcast_to(pooled[:, None, None], (*theta.shape[:2], 1, theta.shape[-1]))
        theta = np.concatenate([theta, beside], -2)
        values = np.pad(values, [(0, 0), (0, 0), (0, 1), (0, 0)])
    ended = np.zeros((1, *theta.shape[:-1]), np.int32)
    chains = Trajectory(theta[None], ended, ended)
    [found] = outcomes(chains, values[None], np.asarray(truth), pooled is not None)
    return found.moments


def fold(theta, size, truth=TRUTH):
    parts = [set_moments(theta[i : i + size], truth) for i in range(0, len(theta), size)]
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
    found = merge(set_moments(nothing, TRUTH), set_moments(nothing, TRUTH))
    assert (found.squared.chains == 0).all()
    assert np.isinf(found.squared.standard_error()).all()


@pytest.mark.parametrize("share", [0, 0.1])
def test_products_of_wide_models(share):
    """With too many entries for all pairs, those within each model; products come in pieces."""
    rng = np.random.default_rng(3)
    theta = rng.normal(size=(64, 2, 3, 90))
    theta[rng.random(theta.shape[:3]) < share] = np.nan
    assert LARGEST < 3 * 90
    found = set_moments(theta, np.zeros(90)).product
    products = theta[..., :, None] * theta[..., None, :]
    np.testing.assert_allclose(found.mean, np.nanmean(products, 0), rtol=1e-9, atol=1e-13)
    spread = np.nansum((products - np.nanmean(products, 0)) ** 2, 0)
    np.testing.assert_allclose(found.square, spread, rtol=1e-8)
    np.testing.assert_array_equal(found.chains, np.isfinite(products).sum(0))


def test_products_of_many_entries():
    """Of all pairs, where one multiplication would have several threads."""
    theta = np.random.default_rng(4).normal(size=(64, 2, 19, 10))
    found = set_moments(theta, np.zeros(10)).product
    flat = theta.reshape(64, 2, 190)
    np.testing.assert_allclose(
        found.mean, np.einsum("cta,ctb->tab", flat, flat) / 64, rtol=1e-9, atol=1e-13
    )


def test_errors_near_the_end_of_the_range():
    """Their squares are infinite; they concern nobody else, and no chain fails to count."""
    theta = np.random.default_rng(5).normal(size=(64, 3, 2, 2))
    alone = set_moments(theta[:, :, 1:], np.zeros(2))
    theta[7, 1, 0] = 1e200, -1e200
    found = set_moments(theta, np.zeros(2))
    assert (found.error.chains == 64).all()
    assert np.isinf(found.squared.mean[1, 0])
    for one, other in ((found.squared, alone.squared), (found.error, alone.error)):
        np.testing.assert_allclose(one.mean[:, 1:], other.mean, rtol=1e-12)
        np.testing.assert_allclose(one.square[:, 1:], other.square, rtol=1e-12)
    np.testing.assert_allclose(found.across.square[1], alone.across.square[0], rtol=1e-12)
    assert np.isfinite(found.product.mean[[0, 2]]).all()
    assert (np.isinf(found.product.mean[1]).sum(), np.isfinite(found.product.mean[1]).sum()) == (
        4,
        12,
    )


@pytest.mark.parametrize("share", [0, 0.05])
def test_tiles_are_summarised_alike_in_any_company(share):
    """One by one or many at once, with all estimates or beside a tile that lacks some."""
    rng = np.random.default_rng(6)
    theta = rng.normal(size=(70, 64, 21, 2, 2))
    theta[3, rng.random((64, 21, 2)) < share] = np.nan
    status = np.zeros(theta.shape[:-1], np.int32)
    tiles = Trajectory(theta, status, status)
    together = summarise(tiles, TRUTH)
    for k in (0, 3, 4, 69):
        [alone] = summarise(Trajectory(*(leaf[k : k + 1] for leaf in tiles)), TRUTH)
        np.testing.assert_equal(together[k], alone)


def shape_directly(values):
    """Skewness of the mean and excess of the values over their number, over the first axis."""
    skewness, kurtosis = stats.skew(values), stats.kurtosis(values)
    excess = np.maximum(kurtosis - 1.5 * skewness**2, 0) / len(values)
    return skewness / len(values) ** 0.5, excess


@pytest.mark.parametrize("size", [1, 7, 64, 300])
def test_shapes_against_direct_computation(theta, size):
    found = fold(theta, size)
    squared = ((theta - TRUTH) ** 2).sum(-1)
    whole = np.isfinite(squared).all(1)
    weights = np.array([-1.0, 1.3])
    shape = shape_of_sums(found.squared, found.powers.squared)
    for m in range(3):
        for t in range(4):
            values = squared[np.isfinite(squared[:, t, m]), t, m]
            expected, _ = shape_directly(values)
            np.testing.assert_allclose(shape.skewness[t, m], expected, rtol=1e-8)
        values = squared[whole[:, m]][:, [1, 3], m] @ weights
        total, of = along(found.across.ends(m), found.powers.ends[m], weights)
        np.testing.assert_allclose(total.mean, values.mean(), rtol=1e-9)
        np.testing.assert_allclose(total.standard_error(), stats.sem(values), rtol=1e-9)
        np.testing.assert_allclose(of, shape_directly(values), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("size", [7, 64])
def test_shapes_of_functionals_and_of_the_pooled_estimator(theta, size):
    rng = np.random.default_rng(2)
    values, pooled = rng.exponential(size=(*theta.shape[:-1], 2)), TRUTH + rng.normal(size=(300, 2))
    parts = [
        set_moments(theta[k], TRUTH, values[k], pooled[k])
        for k in (slice(i, i + size) for i in range(0, 300, size))
    ]
    total = parts[0]
    for part in parts[1:]:
        total = merge(total, part)
    shape = shape_of_sums(total.functional, *np.moveaxis(total.powers.functional, -1, 0))
    np.testing.assert_allclose(shape, shape_directly(values), rtol=1e-8, atol=1e-12)
    squared, own = ((theta - TRUTH) ** 2).sum(-1)[:, 2, 1], ((pooled - TRUTH) ** 2).sum(-1)
    both = np.stack([own, squared], -1)[np.isfinite(squared)]
    joint = Moments(*(part[2, 1] for part in total.pooled))
    ratio, of = along(joint, total.powers.pooled[2, 1], np.array([1.0, -0.5]))
    np.testing.assert_allclose(ratio.mean, (both @ [1.0, -0.5]).mean(), rtol=1e-9)
    np.testing.assert_allclose(of, shape_directly(both @ [1.0, -0.5]), rtol=1e-7, atol=1e-12)


def test_merging_in_one_order_gives_the_same_bits(theta):
    np.testing.assert_equal(fold(theta, 64)._asdict(), fold(theta.copy(), 64)._asdict())


@pytest.mark.parametrize("theta_of", [np.zeros, np.ones, lambda shape: np.full(shape, np.nan)])
def test_shapes_of_chains_that_are_alike(theta_of):
    found = fold(theta_of((8, 3, 1, 2)), 4)
    assert (shape_of_sums(found.squared, found.powers.squared).skewness == 0).all()
    _, shape = along(found.across.ends(0), found.powers.ends[0], np.array([-1.0, 1.0]))
    assert shape == (0, 0)


def test_shapes_that_rounding_hides():
    """Narrow far from 0, they are taken to be symmetric; too small for powers, they are unknown."""
    rng = np.random.default_rng(1)
    far = fold(TRUTH + 1e4 + 1e-4 * rng.normal(size=(256, 1, 1, 2)), 64)
    assert shape_of_sums(far.squared, far.powers.squared).skewness == 0
    tiny = fold(1e-60 * rng.normal(size=(256, 1, 1, 2)) + 0 * TRUTH, 64, np.zeros(2))
    assert np.isnan(shape_of_sums(tiny.squared, tiny.powers.squared).skewness)
