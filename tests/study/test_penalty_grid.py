"""A penalty of ``[family]`` serves every family of a grid that has none of its own."""

import pytest

from mcjax.study.load import load_study

STUDY = """
[network]
models = ["a"]
initial = 60
feeds = [{ from = "a", to = "a", samples = 60 }]

[family]
name = "logistic"
theta = [0.5]
penalty = { ridge = 0.25 }

[grid]
family = [FAMILIES]
"""


@pytest.mark.parametrize(
    ("entry", "ridge"),
    [
        ('"logistic"', 0.25),
        ('"poisson"', 0.25),
        ('{ name = "linear", sigma = 2.0 }', 0.25),
        ('{ name = "logistic", penalty = { ridge = 1.0 } }', 1.0),
        ('{ name = "linear", penalty = { ridge = 0 } }', None),
    ],
)
def test_families_of_a_grid(tmp_path, entry, ridge):
    file = tmp_path / "study.toml"
    file.write_text(STUDY.replace("FAMILIES", entry))
    [made] = load_study(file).conditions
    found = made.model.penalty
    assert (found if found is None else found.strength) == ridge
