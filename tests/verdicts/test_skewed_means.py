"""Intervals of skewed means: that they keep their level, and agree with p-values."""

import itertools

import numpy as np
import pytest
from scipy import stats

from mcjax.engine.powers import NonNormality
from mcjax.verdicts.skewed_means import (
    Tails,
    factor_of_chains,
    p_above,
    p_below,
    reaches,
    shape_of,
)

SHAPES = [
    NonNormality(s, w)
    for s, w in itertools.product((-0.5, -0.01, 0.0, 1e-12, 0.3), (0.0, 0.001, 0.08))
]
LEVELS = (0.3, 0.05, 1e-4, 1e-7)


def misses(values, truth, level):
    """How often a one-sided interval of the mean of (C, runs) lies below and above the truth."""
    chains = len(values)
    error = values.std(0, ddof=1) / np.sqrt(chains)
    t, shape = (values.mean(0) - truth) / error, shape_of(values)
    below, above = (p(t, chains - 1, shape) for p in (p_below, p_above))
    return (below < level).sum(), (above < level).sum()


def draws(name, rng, shape):
    z = rng.standard_normal(shape)
    if name == "squares":
        return z**2, 1.0
    if name == "squares of three":
        return rng.chisquare(3, shape), 3.0
    if name == "squares of a mixture":
        return z**2 * np.where(rng.random(shape) < 1 / 3, 2.0, 0.5), 1.0
    other = 0.3 * z + np.sqrt(1 - 0.3**2) * rng.standard_normal(shape)
    return z * other, 0.3


@pytest.mark.parametrize("name", ["squares", "squares of three", "squares of a mixture"])
@pytest.mark.parametrize(("chains", "level"), [(32, 0.025), (64, 1e-3), (256, 1e-4)])
def test_level_of_squares_at_few_chains(name, chains, level):
    """Either side, within what a binomial count of a correct procedure passes but once in 1e6."""
    rng, runs = np.random.default_rng(0), 20_000
    assert Tails.SQUARES.fewest_chains(2 * level) <= chains
    below, above = misses(*draws(name, rng, (chains, runs)), level)
    most = stats.binom.isf(1e-6, runs, 1.1 * level)
    assert below <= most
    assert above <= most


@pytest.mark.parametrize(("chains", "level"), [(64, 0.01), (256, 1e-3)])
def test_level_of_products_at_few_chains(chains, level):
    rng, runs = np.random.default_rng(1), 20_000
    assert Tails.MEASURED.fewest_chains(2 * level) <= chains
    below, above = misses(*draws("products", rng, (chains, runs)), level)
    most = stats.binom.isf(1e-6, runs, 1.1 * level)
    assert below <= most
    assert above <= most


def test_students_interval_misses_too_often_below():
    """The same count as above, without skewness: what this module is for."""
    rng, runs, chains, level = np.random.default_rng(0), 20_000, 64, 1e-3
    values, truth = draws("squares", rng, (chains, runs))
    t = (values.mean(0) - truth) / values.std(0, ddof=1) * np.sqrt(chains)
    assert (p_below(t, chains - 1, NonNormality(0.0)) < level).sum() > 10 * level * runs


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("freedom", [31, 4095])
def test_p_values_are_the_levels_at_which_intervals_touch(shape, level, freedom):
    below, above = reaches(level, freedom, shape)
    assert 2 * p_above(float(below), freedom, shape) == pytest.approx(level, rel=1e-9)
    assert 2 * p_below(-float(above), freedom, shape) == pytest.approx(level, rel=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_intervals_grow_as_levels_shrink(shape):
    found = np.array([reaches(level, 63, shape) for level in np.geomspace(0.9, 1e-12, 200)])
    assert (np.diff(found, axis=0) > 0).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("above", [True, False])
def test_the_factor_of_chains_makes_an_end_touch(shape, above):
    distance = 1.3
    factor = float(factor_of_chains(0.01, 999, shape, distance, above=above))
    later = NonNormality(shape.skewness / factor**0.5, shape.excess / factor)
    assert float(reaches(0.01, 999, later)[above]) == pytest.approx(
        distance * factor**0.5, rel=1e-6
    )
    assert factor_of_chains(0.01, 999, shape, 0.0, above=above) == np.inf
    assert 0 < factor_of_chains(0.01, 999, shape, 1e300, above=above) < 1e-50


def test_without_skewness_it_is_students():
    found = reaches(0.01, 10, NonNormality(0.0))
    assert found == pytest.approx((stats.t.isf(0.005, 10), stats.t.isf(0.005, 10)))


def test_arrays_and_numbers_agree():
    s, w = np.array([0.2, -0.1, 0.0]), np.array([0.0, 0.01, 0.05])
    together = np.array(reaches(0.01, 99, NonNormality(s, w)))
    alone = np.array(
        [reaches(0.01, 99, NonNormality(*map(float, one))) for one in zip(s, w, strict=True)]
    )
    np.testing.assert_allclose(together.T, alone, rtol=1e-12)
    t = np.array([-3.0, 2.0, 4.0])
    np.testing.assert_allclose(
        p_below(t, 99, NonNormality(s, w)),
        [
            p_below(*map(float, (one, 99)), NonNormality(*map(float, of)))
            for one, *of in zip(t, s, w, strict=True)
        ],
    )


@pytest.mark.parametrize("tails", Tails)
def test_fewest_chains_and_smallest_levels_agree(tails):
    for level in (1e-2, 1e-4, 1e-9):
        chains = tails.fewest_chains(level)
        if chains > 32:
            assert tails.smallest_level(chains) == pytest.approx(level)
    assert tails.smallest_level(31) == 1


def test_shape_of_values():
    values = np.random.default_rng(0).exponential(size=(500, 2))
    shape = shape_of(values)
    np.testing.assert_allclose(shape.skewness, stats.skew(values) / np.sqrt(500))
    excess = stats.kurtosis(values) - 1.5 * stats.skew(values) ** 2
    np.testing.assert_allclose(shape.excess, np.maximum(excess, 0) / 500)


def test_values_that_are_alike_have_no_shape():
    shape = shape_of(np.stack([np.ones(100), np.arange(100.0)], axis=1))
    assert shape.skewness[0] == shape.excess[0] == 0
    assert np.isfinite(shape.skewness).all()
