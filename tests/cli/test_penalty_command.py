"""A penalty in a study file, on the command line: known values, and refusals."""

import numpy as np
import pytest

pytestmark = pytest.mark.system

STUDY = """
[network]
models = ["a"]
initial = 100000
feeds = [{ from = "a", to = "a", samples = 100000 }]

[family]
name = "logistic"
theta = [1.0]
penalty = { ridge = 0.05 }

[run]
generations = 60
"""


def test_values_of_an_independent_program(tmp_path, call_json):
    """One logistic model that reads its own output: it forgets the truth, and noise stays."""
    file = tmp_path / "study.toml"
    file.write_text(STUDY)
    status, shown = call_json("predict", file)
    assert status == 0
    law, at = shown["laws"]["first_order"], [0, 1, 2, 3, 60]
    centres, spread = np.array(law["centre"])[at, 0, 0], np.array(law["spread"])[at, 0]
    np.testing.assert_allclose(centres, [0.76137, 0.60038, 0.48287, 0.39307, 0.00001], atol=5.1e-6)
    expected = [2.86709, 4.31959, 5.29600, 6.04312, 9.09091]
    np.testing.assert_allclose(1e5 * spread, expected, atol=5.1e-6)
    assert law["mse_complete"] is True
    bias = 1e5 * np.array(law["small_sample_bias"])[at[:4], 0, 0]
    np.testing.assert_allclose(bias, [0.7313, 0.79674, 0.66232, 0.46189], atol=6e-6)
    assert law["growth"] == [None]
    assert law["limit"][0] == pytest.approx(1 + 9.09091e-5, abs=1e-9)


@pytest.mark.parametrize("command", ["predict", "verify"])
@pytest.mark.parametrize(
    ("family", "message"),
    [
        (
            'penalty = "frith"',
            "family.penalty: is 'frith'; give 'firth' or a table such as { ridge = 0.1 } (did you"
            " mean 'firth'?)",
        ),
        (
            'name = "huber"\npenalty = "firth"',
            "family.penalty: 'firth' is for logistic, multinomial, poisson and linear regression,"
            " and not for huber; leave it out",
        ),
        ("penalty = { ridge = -1 }", "family.penalty.ridge: is -1; give a finite number of at"),
        ("penalty = { lasso = 1 }", "family.penalty.lasso: is no penalty; give 'firth' or a table"),
        (
            'name = "gaussian"\npenalty = { ridge = 1 }',
            "family.penalty: is for fits that minimise a loss; gaussian is fitted by"
            " SufficientStatistics, which adds no penalty; leave it out",
        ),
    ],
)
def test_a_wrong_penalty_is_one_sentence(tmp_path, call, command, family, message):
    text = STUDY.replace("penalty = { ridge = 0.05 }", family)
    if "name" in family:
        text = text.replace('name = "logistic"\n', "").replace("[1.0]", "[1.0, 1.0]")
    file = tmp_path / "study.toml"
    file.write_text(text)
    status, out, err = call(command, file)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert message in err
    assert str(file) in err
