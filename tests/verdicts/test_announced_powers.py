"""Powers announced for few chains, with which estimates are skewed, are reached."""

from dataclasses import replace

import pytest
from plants import PLANTS
from reached import refutations
from scipy import stats

RUNS, POWER = 100, 0.8
CASES = [
    ("mse", "mean square", 1.0),
    ("growth", "slope", 3.0),
    ("growth of models without a long run", "change", 0.6),
    ("collapse of a level", "fate", 1.0),
    ("efficiency", "mean square too large", -0.5),
    ("homogenisation", "own covariances", 0.3),
    ("homogenisation of directions", "public", 1.0),
]
"""Specimens, words of the planted error, and a size for which some 100 chains suffice."""


@pytest.mark.statistical
@pytest.mark.parametrize(("specimen", "words", "size"), CASES)
def test_large_errors_are_refuted_as_often_as_announced(specimen, words, size):
    plant = next(p for p in PLANTS if p.specimen == specimen and words in p.words)
    found = refutations(replace(plant, size=size), POWER, RUNS)
    assert found.chains < 300
    assert found.announced >= POWER
    assert stats.binom.cdf(round(found.rate * RUNS), RUNS, found.announced) > 1e-4
