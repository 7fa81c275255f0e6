"""The surrogate law on the command line, where it is asked for."""

import pytest

STUDY = """
[network]
models = ["a"]
initial = 60
feeds = [{ from = "a", to = "a", samples = 60 }]

[family]
name = "logistic"
theta = [1.0]

[run]
generations = 2
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def test_it_is_shown_on_request(file, call):
    status, out, _ = call("predict", file, "--law", "surrogate")
    assert status == 0
    assert "surrogate (asymptotic), predicted MSE" in out
    assert out.count("in the smallest fit, and all sample counts in proportion") == 1
    status, out, _ = call("predict", file)
    assert status == 0
    assert "surrogate" not in out


def test_it_has_a_standard_error(file, call_json):
    _, shown = call_json("predict", file, "--law", "surrogate")
    law = shown["laws"]["surrogate"]
    assert 0 < law["standard_error"][2][0] < 0.01 * law["mse"][2][0]
    assert shown["laws"]["second_order"]["standard_error"] == [[0.0]] * 3
