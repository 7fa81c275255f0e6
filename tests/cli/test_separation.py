"""Fifty generations of a logistic regression on its own output: what the command says of it."""

import numpy as np
import pytest

pytestmark = pytest.mark.system

ALONE = """
[network]
models = ["a"]
initial = 100
feeds = [{ from = "a", to = "a", samples = 100 }]
[family]
name = "logistic"
theta = [1.0, 1.0, 1.0, 1.0]
[run]
generations = 50
chains = 512
tolerance = 0.1
"""


@pytest.fixture
def alone(tmp_path):
    path = tmp_path / "alone.toml"
    path.write_text(ALONE)
    return path


def test_separation_by_generation(alone, call_json):
    """A separated fit ends its chain; nothing is judged by those that are left."""
    status, found = call_json("verify", alone, "--quiet")
    assert (status, found["verdict"]) == (3, "inconclusive")
    [loss] = found["losses"]
    lost, separated = np.array(loss["lost"]), np.array(loss["rates"]["separated"])
    assert lost[0] == 0
    assert np.all(np.diff(lost) >= 0)
    assert lost[10] > 0.1
    assert lost[50] > 0.95
    np.testing.assert_allclose(np.cumsum(separated), lost, atol=1e-12)
    assert found["failures"]["separated"] == round(512 * lost[50])
    for cell in found["cells"]:
        if lost[cell["generation"]] > 0.01:
            assert cell["verdict"] == "inconclusive"
            assert cell["interval"] == [None, None]
            assert cell["note"].endswith("of 512 chains have no estimate")


def test_the_text_says_since_when(alone, call, tmp_path):
    status, text, _ = call("verify", alone, "--quiet", "--out", tmp_path / "out")
    assert status == 3
    for words in (
        "Chains lost",
        "separated: a plane separates the labels",
        "too many chains have no estimate",
        "0 verified, 0 refuted, 51 inconclusive",
    ):
        assert words in text
    row = next(line for line in text.splitlines() if "separated" in line and "t = " in line)
    first = int(row.split("t = ")[1].split()[0])
    assert 1 <= first <= 10
    page = (tmp_path / "out" / "report.md").read_text()
    assert "separated" in page
