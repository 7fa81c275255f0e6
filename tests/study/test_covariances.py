"""Covariances of covariates: their roots, and what is none."""

import numpy as np
import pytest

from mcjax.errors import InputError
from mcjax.study.roots import covariance_root
from mcjax.study.sources import read_covariance


def covariances():
    rng = np.random.default_rng(0)
    thin = rng.normal(size=(4, 2))
    full = rng.normal(size=(5, 5))
    return {
        "identity": np.eye(3),
        "scaled identity": 4 * np.eye(3),
        "diagonal": np.diag([1.0, 2.0, 0.0]),
        "full": full @ full.T,
        "low rank": thin @ thin.T,
        "all one": np.ones((3, 3)),
        "one by one": np.array([[2.0]]),
        "tiny": 1e-8 * full @ full.T,
    }


@pytest.mark.parametrize("name", covariances())
def test_covariance_root(name):
    """F F' = cov, low rank included."""
    cov = covariances()[name]
    root = covariance_root(read_covariance(cov.tolist(), len(cov)))
    assert root.shape == cov.shape
    np.testing.assert_allclose(root @ root.T, cov, rtol=1e-12, atol=1e-13 * np.abs(cov).max())


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([[1.0]], "2 rows of 2"),
        ([[1.0, 0.0]], "2 rows of 2"),
        ([[1.0, 0.0], [0.0]], "2 rows of 2"),
        ([[1.0, 0.0], [0.0, float("nan")]], "finite"),
        ([[1.0, 0.0], [0.0, float("inf")]], "finite"),
        ([[1.0, 0.3], [0.2, 1.0]], "not symmetric"),
        ([[1.0, 2.0], [2.0, 1.0]], "not positive semi-definite (eigenvalue -1)"),
        ([[0.0, 0.0], [0.0, 0.0]], "is zero"),
        ("ab", "2 rows of 2"),
    ],
)
def test_covariance_refused(rows, says):
    with pytest.raises(InputError) as caught:
        read_covariance(rows, 2)
    assert caught.value.field == "covariates.covariance"
    assert says in caught.value.message
