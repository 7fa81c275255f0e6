"""How much the mean curvature of a loss over the spread of an estimate differs from that at its
centre, which laws are allowed for."""

import numpy as np
import pandas as pd
import pytest

import mcjax
from mcjax.laws.first_order import path_system
from mcjax.laws.first_order.file_population import rows_of
from mcjax.laws.first_order.population import Origin, OriginOfRows
from mcjax.laws.first_order.population_path import flatness
from mcjax.laws.first_order.populations import population_of
from mcjax.laws.first_order.remembered import REMEMBERED, remembered
from mcjax.laws.first_order.row_span import RowSpan

CENTRE = np.array([0.3, -0.2, 0.5])
SLOPE = np.diag([1.0, 2.0, 4.0])
COVARIANCE = np.array([[0.5, 0.1, 0.0], [0.1, 0.3, -0.1], [0.0, -0.1, 0.2]])


def found(change):
    """The flatness of a loss whose J differs by ``change(d)`` at a distance d from the centre."""

    def mean_change(places, weights):
        return sum(w * change(at - CENTRE) for at, w in zip(places, weights, strict=True))

    return flatness(CENTRE, SLOPE, mean_change, COVARIANCE)


def test_the_mean_of_a_quadratic_curvature_is_exact():
    """With ``J(mu + d) = J + C(d) + B(d, d)``, the mean of J is ``J + B : Sigma``, for any C."""
    rng = np.random.default_rng(0)
    linear, bilinear = rng.normal(size=(3, 3, 3)), rng.normal(size=(3, 3, 3, 3))
    mean = np.einsum("abcd,cd->ab", bilinear, COVARIANCE)
    flat = found(lambda d: linear @ d + bilinear @ d @ d)
    assert flat == pytest.approx(np.linalg.norm(np.linalg.inv(SLOPE) @ mean, 2), rel=1e-12)


def test_changes_in_two_directions_may_cancel():
    values, vectors = np.linalg.eigh(COVARIANCE)
    spread = np.diag([1.0, 0.0, 0.0])

    def saddle(d):
        first, _, last = (vectors.T @ d) ** 2 / values
        return (first - last) * spread

    assert found(saddle) < 1e-12
    assert found(lambda d: (vectors.T @ d)[0] ** 2 / values[0] * spread) == pytest.approx(1)


def test_exponential_curvature_has_nearly_the_mean_of_a_log_normal():
    direction = np.array([0.6, 0.8, 0.0])
    variance = direction @ COVARIANCE @ direction
    expected = np.exp(variance / 2) - 1
    assert found(lambda d: (np.exp(direction @ d) - 1) * SLOPE) == pytest.approx(expected, rel=0.05)


def test_curvature_that_peaks_a_standard_deviation_away_is_not_constant():
    """The densities of two sources far apart have such peaks, with a median between."""
    values, vectors = np.linalg.eigh(COVARIANCE)

    def peaks(d):
        away = abs(vectors[:, 0] @ d) / np.sqrt(values[0])
        return np.exp(-(((away - 1) / 0.1) ** 2)) * SLOPE

    assert found(peaks) > 0.5


def test_curvature_that_is_no_number_somewhere_is_not_constant():
    assert found(lambda d: np.full((3, 3), np.inf if d[0] > 0.5 else 0.0)) == np.inf


def test_what_is_remembered_of_readers_is_bounded():
    called = []

    def double(reader):
        called.append(reader.copy())
        return 2 * reader

    known = remembered(double)
    readers = np.arange(REMEMBERED + 1.0)[:, None] + [0.0, 0.5]
    for reader in (*readers, readers[-1], readers[0]):
        np.testing.assert_array_equal(known(reader), 2 * reader)
    assert len(called) == len(readers) + 1  # the first one is forgotten


def populations():
    """Rows that models generate around 0, and those of a file, with a model of two parameters."""
    rng = np.random.default_rng(1)
    columns = {"a": rng.normal(size=40), "b": rng.normal(size=40), "y": rng.poisson(2.0, 40)}
    data = mcjax.Data.from_frame(pd.DataFrame(columns), "y", intercept=False)
    theta, root = np.array([0.3, -0.2]), np.eye(2)
    for model in (mcjax.poisson(), mcjax.huber()):
        origin = Origin(theta, root, model.params, real=False)
        yield population_of(origin, model)
        among = OriginOfRows(theta, data.x, model.params, real=False)
        yield population_of(among, model)
        yield rows_of(among._replace(real=True), data, model)
    counts = np.append(theta, -0.5)
    yield population_of(Origin(counts, root, {}, real=False), mcjax.nb2())
    yield rows_of(OriginOfRows(counts, data.x, {}, real=True), data, mcjax.nb2())
    classes, model = OriginOfRows(np.tile(theta, 2), data.x, {}, real=False), mcjax.multinomial(3)
    yield population_of(classes, model)


def test_slopes_at_nodes_are_those_of_scores_and_are_not_remembered():
    for population in populations():
        reader = population.origin.theta + 0.3
        population.score(population.origin.theta)
        before = {name: len(kept) for name, kept in vars(population).items() if type(kept) is dict}
        slope = population.slope(reader)
        assert {name: len(vars(population)[name]) for name in before} == before
        np.testing.assert_array_equal(slope, population.score(reader).by_reader)


def test_changes_of_slopes_are_added_up_and_nothing_of_them_is_remembered():
    weights = np.array([0.3, -0.2, 0.7])
    for population in populations():
        reader = population.origin.theta
        others = reader + np.array([[0.3], [-0.1], [0.0]])
        expected = sum(w * population.slope(m) for w, m in zip(weights, others, strict=True))
        expected -= weights.sum() * population.slope(reader)
        before = {name: len(kept) for name, kept in vars(population).items() if type(kept) is dict}
        found = population.change_of_slope(reader, others, weights)
        assert {name: len(vars(population)[name]) for name in before} == before
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)
        nothing = population.change_of_slope(reader, np.array([reader] * 3), weights)
        np.testing.assert_array_equal(nothing, 0)


def test_slopes_of_rows_are_added_up_before_their_products_are_and_shared(monkeypatch):
    """Counts have no part in the slopes of Poisson regression; labels have in Huber's."""
    frame = pd.DataFrame({"a": np.linspace(-2, 2, 16), "y": [1, 2, 0, 4] * 4})
    data = mcjax.Data.from_frame(frame, "y", intercept=False)
    net = mcjax.build_network("a", [("real", "a", 400), ("a", "a", 400)], 400)
    matrix, products = RowSpan.matrix, []
    monkeypatch.setattr(RowSpan, "matrix", lambda *of: products.append(of) or matrix(*of))
    numbers = []
    for model in (mcjax.poisson(), mcjax.huber()):
        [_, fits] = path_system.path_of(mcjax.condition(net, model, data=data), 1).fits
        [fit] = fits.values()
        places, weights = np.add(fit.centre, [[0.2], [-0.2]]), np.array([0.3, 0.1])
        expected = [
            share * rows.change_of_slope(fit.centre, places, weights)
            for share, rows in zip(fit.share, fit.data, strict=True)
        ]
        products.clear()
        found = fit.change_of_slope(places, weights)
        numbers.append(len(products))
        np.testing.assert_allclose(found, np.sum(expected, axis=0), rtol=1e-12)
    assert numbers == [1, 2]


def test_what_stays_on_a_path_is_computed_once(monkeypatch):
    frame = pd.DataFrame({"a": np.arange(-8.0, 8.0) ** 3, "y": [1, 2, 0, 4] * 4})
    data = mcjax.Data.from_frame(frame, "y", standardise=True)
    net = mcjax.build_network("a", [("real", "a", 50)], 50)
    condition, calls = mcjax.condition(net, mcjax.poisson(), data=data), []
    monkeypatch.setattr(path_system, "flatness", lambda *of: calls.append(of) or flatness(*of))
    found = path_system.path_of(condition, 6).flatness
    assert len(calls) == 3  # generations 0 and 1, and the one after which fits are the same
    assert found.min() == found.max() > 0
