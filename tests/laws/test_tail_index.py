"""Whether a sample shows that its expectation exists: true cases on both sides."""

import numpy as np
import pytest

from mcjax.laws.first_order.tail_index import LARGEST, has_mean, tail_index

ROWS = 2**18


def squared_scores(noise):
    """Squares of the scores of least squares, of which the tail index is half that of the noise."""
    return lambda random: (random.normal(size=ROWS) * noise(random)) ** 2


def exponential_of_squares(a):
    """The score of the loss ``exp(a r^2)`` with normal r: its square has the index 1 / (4 a)."""

    def score(random):
        r = random.normal(size=ROWS)
        return (2 * a * r * np.exp(a * r * r)) ** 2

    return score


def student(df):
    return squared_scores(lambda random: random.standard_t(df, ROWS))


FINITE = {
    "normal": squared_scores(lambda random: random.normal(size=ROWS)),
    "laplace": squared_scores(lambda random: random.laplace(size=ROWS)),
    "t 3": student(3),
    "t 4.5": student(4.5),
    "exp of a tenth": exponential_of_squares(0.1),
    "bounded": lambda random: random.uniform(size=ROWS),
    "constant": lambda random: np.ones(ROWS),
    "nothing": lambda random: np.zeros(ROWS),
    "seldom anything": lambda random: random.uniform(size=ROWS) * (np.arange(ROWS) < LARGEST // 2),
}
INFINITE = {
    "cauchy": squared_scores(lambda random: random.standard_cauchy(ROWS)),
    "t 1.5": student(1.5),
    "t 2": student(2),
    "t 2.1, whose mean no such sample shows": student(2.1),
    "exp of three tenths": exponential_of_squares(0.3),
    "exp": exponential_of_squares(1),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", FINITE)
def test_a_mean_that_exists_is_accepted(name, seed):
    assert has_mean(FINITE[name](np.random.default_rng(seed)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", INFINITE)
def test_a_mean_that_does_not_exist_is_refused(name, seed):
    assert not has_mean(INFINITE[name](np.random.default_rng(seed)))


@pytest.mark.parametrize("index", [0.5, 1, 2, 4])
def test_the_index_of_a_power_law_is_estimated_within_its_error(index, z_limit):
    values = np.random.default_rng(5).pareto(index, ROWS) + 1
    assert abs(tail_index(values) - index) < z_limit * index / np.sqrt(LARGEST)
