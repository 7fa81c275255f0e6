"""Chains agree that the designed study has smaller errors than an even split."""

import math

import pytest

import mcjax
from mcjax.design import design_file
from mcjax.design.written import write_study

STUDY = """
[network]
models = ["loop", "reader"]
initial = 100
feeds = [
    { from = "loop", to = "loop", samples = 100 },
    { from = "loop", to = "reader", samples = 100 },
    { from = "real", to = "loop", samples = 50 },
    { from = "real", to = "reader", samples = 50 },
]
[family]
name = "linear"
theta = [0.5, -0.5]
[run]
generations = 10
chains = 16384
tolerance = 0.1
[design]
budget = 100
"""
EXACT = 1.0985
"""Mean error of the even split over that of 76 and 24 rows, by the exact law of least squares."""


@pytest.mark.statistical
def test_a_designed_study_is_verified_and_has_smaller_errors(tmp_path):
    even, after = tmp_path / "even.toml", tmp_path / "after.toml"
    even.write_text(STUDY)
    write_study(even, design_file(even).network, after)
    means = []
    for path in (even, after):
        verification = mcjax.verify(mcjax.load_study(path))
        assert verification.verdict == "verified"
        last = {
            c.model: c
            for c in verification.cells
            if (c.generation, c.law, c.quantity) == (10, "finite_sample", "mse")
        }
        mean = sum(cell.empirical for cell in last.values()) / 2
        error = sum(cell.standard_error for cell in last.values()) / 2  # they are correlated
        means.append((mean, error))
    (before, spread), (best, other) = means
    relative = math.hypot(spread / before, other / best)
    assert abs(before / best / EXACT - 1) < 5 * relative
    assert before / best > 1 + 3 * relative
