"""All rows together: standard normal, and independent of all others."""

import numpy as np
import pytest
from drawn_rows import THETA, TIMES, P, draw, in_order
from scipy import stats

from mcjax.models.location import linear
from mcjax.network import build_network

MODELS, CHAINS, ROWS = 3, 5, 200


def complete(**options):
    names = [str(i) for i in range(MODELS)]
    feeds = [(j, i, ROWS) for i in names for j in (*names, "real")]
    return build_network(MODELS, feeds, ROWS, **options)


def streams(net):
    """Every sample as standard normals, shape (streams, rows, p + 1): x and the label's noise."""
    data = draw(net, TIMES, CHAINS, shape=None, model=linear())
    x, y, _ = (in_order(leaf) for leaf in data)
    x = x.reshape(CHAINS, len(TIMES), MODELS, P, MODELS + 1, ROWS)
    y = y.reshape(CHAINS, len(TIMES), MODELS, MODELS + 1, ROWS)
    parents = THETA[[0, 1, 2, -1]]
    noise = y - np.einsum("ctmpbn,bp->ctmbn", x, parents)
    joint = np.concatenate([np.moveaxis(x, 3, -1), noise[..., None]], -1)
    return joint.reshape(-1, ROWS, P + 1)


@pytest.fixture(scope="module")
def normals():
    return streams(complete())


@pytest.mark.statistical
def test_rows_are_standard_normal(normals, z_limit):
    """Means, variances, covariances and each marginal law, over all streams."""
    z = normals.reshape(-1, P + 1)
    count = len(z)
    assert count == CHAINS * len(TIMES) * MODELS * (MODELS + 1) * ROWS
    assert (np.abs(z.mean(0)) < z_limit / np.sqrt(count)).all()
    error = np.sqrt((1 + np.eye(P + 1)) / count)
    assert (np.abs(z.T @ z / count - np.eye(P + 1)) < z_limit * error).all()
    squares = z**2 - 1
    error = np.sqrt(np.where(np.eye(P + 1) > 0, 56, 4) / count)
    expected = 2 * np.eye(P + 1)
    assert (np.abs(squares.T @ squares / count - expected) < z_limit * error).all()
    for column in z.T:
        assert stats.kstest(column, stats.norm.cdf).pvalue > 1e-6
    assert stats.kstest((z**2).sum(1), stats.chi2(P + 1).cdf).pvalue > 1e-6


def largest_correlation(normals):
    """Between any two streams, row by row, in standard errors; and of each row with the next."""
    flat = normals.reshape(len(normals), -1)
    between = flat @ flat.T / np.sqrt(flat.shape[1])
    next_row = (normals[:, :-1] * normals[:, 1:]).sum((1, 2)) / np.sqrt((ROWS - 1) * (P + 1))
    return np.abs(between[np.triu_indices(len(flat), 1)]).max(), np.abs(next_row).max()


def limit(tests):
    """For the largest of ``tests`` normal statistics; a product of normals has heavier tails, by
    an amount that sums of hundreds of them leave well below the margin of 1."""
    return stats.norm.isf(0.5e-6 / tests) + 1


def test_streams_are_uncorrelated(normals):
    between, next_row = largest_correlation(normals)
    count = len(normals)
    assert between < limit(count * (count - 1) / 2)
    assert next_row < limit(count)


def test_no_row_is_drawn_twice(normals):
    assert len(np.unique(normals[..., :P])) == normals[..., :P].size


def test_shared_samples_fail_the_battery():
    """The companion: where readers do share, both tests above notice."""
    joint = streams(complete(draws="shared"))
    between, _ = largest_correlation(joint)
    assert between > limit(len(joint) ** 2)
    synthetic = CHAINS * len(TIMES) * MODELS * ROWS
    assert len(np.unique(joint[..., 0])) == synthetic + CHAINS * len(TIMES) * MODELS * ROWS
