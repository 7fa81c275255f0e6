"""Maps over (alpha, beta) and the best weights."""

import jax
import numpy as np
import pytest

from mcjax.laws.mediated.efficiency_map import best_weights, efficiency_map, random_designs
from mcjax.laws.mediated.interaction import mediated_limit, pooled_mse

pytestmark = pytest.mark.statistical

GRID = np.linspace(0.05, 0.9, 9)


def one_of(designs, place):
    return jax.tree.map(lambda leaf: leaf[place], designs)


@pytest.fixture(scope="module")
def designs():
    return random_designs(2, 3, 2, (12, 15, 10), 2, seed=3, distance=0.3)


def test_a_map_is_the_mean_over_designs_of_quotients(designs):
    found = np.asarray(efficiency_map(designs, GRID, GRID))
    assert found.shape == (9, 9, 2)
    quotients = []
    for place in range(2):
        one = one_of(designs, place)
        mean, covariance = mediated_limit(one, GRID[2], GRID[1])
        mse = (np.diagonal(np.asarray(covariance)) + np.asarray(mean) ** 2).reshape(2, 3).sum(1)
        quotients.append(float(pooled_mse(one)) / mse)
    np.testing.assert_allclose(found[2, 1], np.mean(quotients, 0), rtol=1e-9)


@pytest.mark.slow
def test_the_best_weights_are_no_worse_than_any_of_a_grid(designs):
    grid = np.asarray(efficiency_map(designs, GRID, GRID))
    worst = best_weights(designs)
    assert worst.efficiency >= grid.min(-1).max()
    own = [best_weights(designs, k) for k in range(2)]
    for k in range(2):
        assert own[k].efficiency >= grid[..., k].max()
        assert own[k].efficiency >= worst.efficiency
    there = np.full(9, worst.alpha), np.full(9, worst.beta)  # of the same shape: no new program
    assert np.asarray(efficiency_map(designs, *there)).min() == pytest.approx(
        worst.efficiency, rel=1e-9
    )


def test_low_rank_designs_and_distances_are_as_told():
    found = random_designs(3, 4, 2, (20, 20, 20), 5, distance=0.7)
    assert (np.linalg.matrix_rank(found.private) == 2).all()
    assert (np.linalg.matrix_rank(found.public) == 4).all()
    np.testing.assert_allclose(np.linalg.norm(found.truths, axis=-1), 0.7)
    # in the subspace that the entity sees
    full = np.concatenate([found.private, found.truths[..., None]], -1)
    assert (np.linalg.matrix_rank(full) == 2).all()
