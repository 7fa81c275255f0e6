"""Labels that separate: what commands say of fifty generations, and of small samples of a file."""

import numpy as np
import pandas as pd
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


def test_rows_of_data(tmp_path, call_json):
    """Few rows of a file separate, or lack a level; with a ridge, all fits have estimates."""
    random = np.random.default_rng(3)
    x = random.normal(size=400)
    table = pd.DataFrame({"x": x, "y": (random.random(400) < 1 / (1 + np.exp(-3 * x))).astype(int)})
    table["kind"] = np.where(np.arange(400) % 20 == 0, "rare", "usual")
    table.to_csv(tmp_path / "rows.csv", index=False)
    path = tmp_path / "study.toml"
    text = """
    [network]
    models = ["a"]
    initial = 20
    feeds = [{ from = "real", to = "a", samples = 20 }]
    [data]
    file = "rows.csv"
    target = "y"
    [family]
    name = "logistic"
    """
    path.write_text(text)
    status, found = call_json("check", path)
    assert status == 2
    [check] = [check for check in found["checks"] if not check["passed"]]
    assert check["name"] == "estimates"
    assert "separated" in check["message"]
    assert "rank_deficient" in check["message"]
    assert "set penalty = { ridge = 0.01 }" in check["message"]
    path.write_text(text + "penalty = { ridge = 0.01 }\n")
    status, found = call_json("check", path)
    assert status == 0
    assert found["checks"][-1]["message"] == "exist for all 128 fits of 64 chains"
