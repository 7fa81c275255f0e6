"""What laws know of the rows that readers get: against finite differences and rows of NumPy."""

import numpy as np
import pytest
from kinds import COVARIANCE, EXAMPLES, OTHER, PARENT, READER, ROOT, SIGMA, C, scores

from mcjax.laws.first_order.population import Origin
from mcjax.laws.first_order.populations import population_of
from mcjax.laws.law import Inapplicable
from mcjax.models.gaussian import gaussian
from mcjax.models.glm import logistic
from mcjax.models.location import huber, linear
from mcjax.selections.best_of import BestOf
from mcjax.selections.selection import Selection
from mcjax.selections.verifier import Verifier
from mcjax.study.selections import PLACES

each = pytest.mark.parametrize("name", EXAMPLES)


def test_every_kind_has_an_example():
    assert {name.split()[0] for name in EXAMPLES} == set(PLACES)


@each
def test_slopes_are_derivatives_of_the_mean(name):
    own = EXAMPLES[name]
    parent, reader, _ = own.points
    score, by_parent, h = own.population().score(reader), own.population().by_parent(reader), 1e-5
    for k, step in enumerate(h * np.eye(len(parent))):
        up, down = (own.population().score(reader + s * step).mean for s in (1, -1))
        np.testing.assert_allclose(score.by_reader[:, k], (up - down) / (2 * h), atol=1e-8)
        up, down = (own.population(parent + s * step).score(reader).mean for s in (1, -1))
        np.testing.assert_allclose(by_parent[:, k], (up - down) / (2 * h), atol=1e-8)


@pytest.mark.statistical
@each
def test_moments_against_rows_of_numpy(name, z_limit):
    """Means and covariances of the scores of two readers; rows that are not kept have no score."""
    own = EXAMPLES[name]
    parent, first, second = own.points
    rng, rows = np.random.default_rng(4), 300_000
    x, y, kept = own.draw(rng, parent, rows)
    if not own.raw:
        x, y, kept = x[kept], y[kept], kept[kept]
    a, b = (kept[:, None] * scores(own.model, x, y, reader) for reader in (first, second))
    data, count = own.population(), len(y)
    for found, reader in ((a, first), (b, second)):
        off = np.abs(found.mean(0) - data.score(reader).mean)
        assert (off < z_limit * found.std(0) / np.sqrt(count) + 1e-10).all()
    products = (a - a.mean(0))[:, :, None] * (b - b.mean(0))[:, None, :]
    off = np.abs(products.mean(0) - data.covariance(first, second))
    assert (off < z_limit * products.std(0) / np.sqrt(count) + 1e-10).all()


@each
def test_the_covariance_of_two_readers_turns_with_them(name):
    own = EXAMPLES[name]
    _, first, second = own.points
    data = own.population()
    turned = data.covariance(second, first).T
    np.testing.assert_allclose(data.covariance(first, second), turned, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("count", ["accepted", "raw"])
def test_a_verifier_that_accepts_everything_changes_nothing(count):
    model = linear(sigma=SIGMA)
    origin = Origin(PARENT, ROOT, model.params, False)
    kept = Verifier(C, 50.0, count).population(origin, model)
    plain = population_of(origin, model)
    moments = ((*data.score(READER), data.by_parent(READER)) for data in (kept, plain))
    for part, expected in zip(*moments, strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(
        kept.covariance(READER, OTHER), plain.covariance(READER, OTHER), rtol=1e-12, atol=1e-13
    )


def test_a_verifier_of_no_width_leaves_labels_of_its_own():
    """Rows with ``y = x'c``, and covariates whose predictor agrees with c: one direction narrows to
    the noise."""
    model = linear(sigma=SIGMA)
    data = Verifier(C, 1e-7).population(Origin(PARENT, ROOT, model.params, False), model)
    np.testing.assert_allclose(data.score(np.array(C)).mean, 0, atol=1e-13)
    delta = PARENT - C
    along = COVARIANCE @ delta
    left = COVARIANCE - np.outer(along, along) / (SIGMA**2 + delta @ along)
    np.testing.assert_allclose(data.score(READER).by_reader, left, rtol=1e-9, atol=1e-12)


def test_what_laws_do_not_know_is_said():
    origin = Origin(PARENT, ROOT, {}, False)
    with pytest.raises(Inapplicable, match="least squares with normal noise alone, which huber"):
        Verifier(C, 1.0).population(origin, huber(threshold=1.0))
    with pytest.raises(Inapplicable, match="family gaussian alone"):
        BestOf(2).population(origin, logistic())

    class Other(Selection):
        problem = draw = None

    with pytest.raises(Inapplicable, match="no law is known of what Other keeps"):
        Other().population(origin, gaussian())
