"""Whether draws show that the variance of a score is finite: true cases on both sides."""

import numpy as np
import pytest

from mcjax.laws.first_order.monte_carlo_information import BATCHES, PAIRS, TOPS
from mcjax.laws.first_order.score_tests import EXTREMES, BatchMeans, infinite_variance

ROWS = BATCHES * 2 * PAIRS


def told(scores):
    """What is said of the scores of one parameter."""
    batches = np.abs(scores).reshape(BATCHES, 1, -1)
    empty = np.zeros((BATCHES, 1))
    return infinite_variance(
        BatchMeans(empty, empty, empty, np.sort(batches)[..., -TOPS:], np.ones(BATCHES))
    )


def scores_of(noise):
    """Scores of least squares, whose tail index is that of the noise."""
    return lambda random: random.normal(size=ROWS) * noise(random)


def exponential_of_squares(a):
    """The score of the loss ``exp(a r^2)`` with normal r, whose tail index is 1 / (2 a)."""

    def score(random):
        r = random.normal(size=ROWS)
        return 2 * a * r * np.exp(a * r * r)

    return score


def student(df):
    return scores_of(lambda random: random.standard_t(df, ROWS))


FINITE = {
    "normal": scores_of(lambda random: random.normal(size=ROWS)),
    "laplace": scores_of(lambda random: random.laplace(size=ROWS)),
    "t 3": student(3),
    "t 4.5": student(4.5),
    "exp of a tenth": exponential_of_squares(0.1),
    "bounded": lambda random: random.uniform(size=ROWS),
    "constant": lambda random: np.ones(ROWS),
    "seldom anything": lambda random: random.uniform(size=ROWS) * (np.arange(ROWS) < EXTREMES // 2),
}
INFINITE = {
    "cauchy": scores_of(lambda random: random.standard_cauchy(ROWS)),
    "t 1.5": student(1.5),
    "t 2": student(2),
    "t 2.1, whose variance no such draws show": student(2.1),
    "exp of three tenths": exponential_of_squares(0.3),
    "exp": exponential_of_squares(1),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", FINITE)
def test_a_finite_variance_is_accepted(name, seed):
    assert told(FINITE[name](np.random.default_rng(seed))) == ""


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", INFINITE)
def test_an_infinite_variance_is_told(name, seed):
    assert "no finite variance" in told(INFINITE[name](np.random.default_rng(seed)))
