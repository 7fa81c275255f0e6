"""Cumulants of quadratic forms of normal errors, against exact integration."""

from dataclasses import replace
from itertools import product

import numpy as np
from known_errors import SPREAD, law
from numpy.polynomial.hermite_e import hermegauss

from mcjax.verdicts.quadratic_forms import (
    CUMULANTS_OF_ONE,
    add_independent,
    contribution,
    cumulants_of_form,
    cumulants_of_squares,
)

COVARIANCE = SPREAD[:3, :3]
MEAN = np.array([0.4, -1.1, 0.7])
FORM = np.array([[1.0, 0.3, -0.8], [0.3, -0.5, 0.2], [-0.8, 0.2, 0.1]])


def integrated(values):
    """Cumulants of a polynomial of degree 2 in three normal numbers, exact with 5 nodes each."""
    nodes, weights = hermegauss(5)
    z = np.array(list(product(nodes, repeat=3))) @ np.linalg.cholesky(COVARIANCE).T
    chance = np.prod(list(product(weights / weights.sum(), repeat=3)), axis=1)
    found = values(z)
    centred = found - chance @ found
    second, third, fourth = (chance @ centred**order for order in (2, 3, 4))
    return second, third, fourth - 3 * second**2


def test_forms():
    def form(z):
        e = z + MEAN
        return np.einsum("na,ab,nb->n", e, FORM, e)

    np.testing.assert_allclose(cumulants_of_form(COVARIANCE, MEAN, FORM), integrated(form))


def test_forms_side_by_side():
    forms, means = np.stack([FORM, np.eye(3)]), np.stack([MEAN, 0 * MEAN])
    both = cumulants_of_form(COVARIANCE, means, forms)
    for k in range(2):
        np.testing.assert_allclose(
            both[:, k], cumulants_of_form(COVARIANCE, means[k], forms[k]), rtol=1e-12
        )


def test_squared_errors_of_every_model_and_generation():
    mean = np.arange(12.0).reshape(3, 2, 2) / 10
    told = replace(law(SPREAD), mean=mean)
    found = cumulants_of_squares(told)
    for t, i in np.ndindex(3, 2):
        block = told.own_covariances[t, i]
        alone = cumulants_of_form(block, mean[t, i], np.eye(2))
        np.testing.assert_allclose(found[:, t, i], alone)
    np.testing.assert_allclose(
        contribution(found).spread, told.relative_spread * told.mse, rtol=1e-12
    )


def test_sums_of_independent_numbers():
    """The form of a block-diagonal matrix."""
    covariance = np.diag([2.0, 0.0, 0.0]) + np.diag([0.0, *np.diag(SPREAD)[1:3]])
    parts = np.stack(
        [cumulants_of_form(covariance[k : k + 1, k : k + 1], MEAN[k : k + 1], np.eye(1))
         for k in range(3)], axis=1
    )  # fmt: skip
    weights = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(
        add_independent(parts, weights), cumulants_of_form(covariance, MEAN, np.diag(weights))
    )
    np.testing.assert_allclose(
        cumulants_of_form(np.eye(1), np.zeros(1), np.eye(1)), CUMULANTS_OF_ONE
    )


def test_shapes():
    """Skewness and kurtosis do not depend on the unit, and change with the sign as they must."""
    cumulants = cumulants_of_form(COVARIANCE, MEAN, FORM)
    one, other = (
        contribution(cumulants),
        contribution(cumulants_of_form(COVARIANCE, MEAN, -3 * FORM)),
    )
    np.testing.assert_allclose(other, [3 * one.spread, -one.skewness, one.kurtosis])
    square = contribution(CUMULANTS_OF_ONE)
    np.testing.assert_allclose(square, [np.sqrt(2), np.sqrt(8), 12])  # chi-squared, one degree
