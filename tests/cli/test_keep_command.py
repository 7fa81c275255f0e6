"""Feeds of which readers keep a selection, on the command line: known values, and all commands."""

import numpy as np
import pytest

pytestmark = pytest.mark.system

STUDY = """
[network]
models = ["a"]
initial = 100000
feeds = [{feeds}]

[family]
{family}

[run]
generations = 60
"""
LOGISTIC, LINEAR = 'name = "logistic"\ntheta = [1.0]', 'name = "linear"\ntheta = [0.0]'
REAL = '{{ from = "real", to = "a", samples = {} }}'
OWN = '{{ from = "a", to = "a", samples = {}, keep = {{ {} }} }}'
VALUES = {
    "half of it real, half of it cold": (
        LOGISTIC,
        [REAL.format(50000), OWN.format(50000, "temperature = 0.8")],
        [1, 1.11822, 1.18168, 1.21379, 1.24408],
        [6.93364, 9.83249, 10.75511, 11.01201, 11.11759],
    ),
    "warm": (
        LOGISTIC,
        [OWN.format(100000, "temperature = 1.25")],
        [1, 0.8, 0.64, 0.512, 0],
        [6.93364, 10.31494, 11.80704, 12.33132, 11.11111],
    ),
    "flipped labels": (
        LOGISTIC,
        [REAL.format(30000), OWN.format(70000, "flip = 0.1")],
        [1, 0.81459, 0.72175, 0.67251, 0.61230],
        [6.93364, 7.66439, 7.66895, 7.60039, 7.45445],
    ),
    "verified": (
        LINEAR,
        [REAL.format(50000), OWN.format(50000, "verifier = [1.0], within = 1.0")],
        [0, 0.26750, 0.33405, 0.35127, 0.35730],
        [1, 1.20536, 1.18461, 1.17621, 1.17309],
    ),
}
TWO = """
[network]
models = ["a", "b"]
initial = 600

[[network.feeds]]
from = "a"
to = "a"
samples = 400
keep = { verifier = [0.5, 1.0], within = 1.2 }

[[network.feeds]]
from = "real"
to = "a"
samples = 200

[[network.feeds]]
from = "b"
to = "b"
samples = 400
keep = { verifier = [0.0, 1.0], within = 2 }

[[network.feeds]]
from = "b"
to = "b"
samples = 200

[[network.feeds]]
from = "a"
to = "b"
samples = 400
weight = 0.5
keep = { verifier = [0.5, 1.0], within = 1.2 }

[family]
name = "linear"
theta = [1.0, -0.5]

[covariates]
covariance = [[1.0, 0.4], [0.4, 1.5]]

[run]
generations = 4
chains = 64
"""


def written(tmp_path, text):
    file = tmp_path / "study.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("name", VALUES)
def test_values_of_an_independent_program(name, tmp_path, call_json):
    family, feeds, centre, variance = VALUES[name]
    text = STUDY.replace("{feeds}", ", ".join(feeds)).replace("{family}", family)
    status, shown = call_json("predict", written(tmp_path, text))
    assert status == 0
    law, at = shown["laws"]["first_order"], [0, 1, 2, 3, 60]
    np.testing.assert_allclose(np.array(law["centre"])[at, 0, 0], centre, atol=5.1e-6)
    np.testing.assert_allclose(1e5 * np.array(law["spread"])[at, 0], variance, atol=5.1e-6)


def test_two_verifiers_and_a_shared_sample(tmp_path, call_json):
    """Of an independent program; model b reads the sample that a reads, and its own data twice."""
    text = TWO.replace("initial = 600", 'initial = 600\ndraws = "shared"')
    status, shown = call_json("predict", written(tmp_path, text))
    assert status == 0
    law = shown["laws"]["first_order"]
    expected = [[0.78543, 0.14372], [0.49090, 0.53880]]
    np.testing.assert_allclose(law["centre"][4], expected, atol=5.1e-6)
    diagonal = np.array([[0.0022022, 0.0029830], [0.0016306, 0.0015192]])
    np.testing.assert_allclose(law["spread"][4], diagonal.sum(1), atol=1.01e-7)
