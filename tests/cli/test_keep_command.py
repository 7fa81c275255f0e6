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


# ----------------------------------------------------------------------------- every command

GRID = """
[grid]
"network.feeds.0.keep.temperature" = [0.8, 1.25, 2]
"""
COLD = """
[network]
models = ["a"]
initial = 3000

[[network.feeds]]
from = "a"
to = "a"
samples = 1500
keep = { temperature = 0.8 }

[[network.feeds]]
from = "real"
to = "a"
samples = 1500

[family]
name = "logistic"
theta = [0.5, -0.5]

[run]
generations = 3
chains = 3072
tolerance = 0.3
quantities = ["bias", "covariance"]
"""
NAMES = [f"network.feeds.0.keep.temperature={value}" for value in ("0.8", "1.25", "2")]


def test_temperatures_of_a_grid_share_a_program(tmp_path, call_json):
    file = written(tmp_path, COLD + GRID)
    status, plan = call_json("verify", file, "--plan")
    assert status == 0
    assert [program["conditions"] for program in plan["programs"]] == [3]
    out = tmp_path / "results"
    status, found = call_json("verify", file, "--quiet", "--out", out)
    assert status == 0
    assert found["verdict"] == "verified"
    assert list(dict.fromkeys(cell["condition"] for cell in found["cells"])) == NAMES
    seen = []
    for name in NAMES:
        status, chain = call_json("replay", out, "--condition", name, "--chain", 5)
        assert (status, chain["condition"]) == (0, name)
        seen.append([fit["theta"] for fit in chain["generations"]])
        assert [data["rows"] for data in chain["generations"][1]["data"]] == [1500, 1500]
    assert seen[0] != seen[1] != seen[2]
    status, _ = call_json("verify", file, "--quiet", "--out", out)  # goes on, with nothing to do
    assert status == 0


def test_a_temperature_in_a_grid_is_checked_like_any_other(tmp_path, call):
    file = written(tmp_path, COLD + GRID.replace("1.25", "-1.25"))
    status, out, err = call("verify", file)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "network.feeds[0].keep.temperature: is -1.25; give a positive number" in err


def test_results_know_what_is_kept(tmp_path, call):
    """A folder of another temperature is not gone on with."""
    file, out = written(tmp_path, COLD), tmp_path / "results"
    assert call("verify", file, "--quiet", "--out", out)[0] == 0
    file.write_text(COLD.replace("0.8", "0.9"))
    status, _, err = call("verify", file, "--quiet", "--out", out)
    assert (status, err.count("\n")) == (2, 1)
    assert "another study" in err


def test_a_theory_that_knows_nothing_of_it_is_refuted(tmp_path, call):
    file, theory = written(tmp_path, COLD), tmp_path / "theory.toml"
    theory.write_text(COLD.replace("keep = { temperature = 0.8 }\n", ""))
    assert call("verify", file, "--quiet")[0] == 0
    assert call("verify", file, "--quiet", "--theory", theory)[0] == 1


def test_two_selections_of_one_edge_are_replayed_apart(tmp_path, call_json):
    more = '[[network.feeds]]\nfrom = "a"\nto = "a"\nsamples = 50\nkeep = { flip = 0.1 }\n[family]'
    file = written(tmp_path, COLD.replace("[family]", more))
    out = tmp_path / "results"
    assert call_json("verify", file, "--quiet", "--out", out)[0] in (0, 3)
    _, chain = call_json("replay", out, "--chain", 0)
    data = chain["generations"][1]["data"]
    assert [entry["rows"] for entry in data] == [1500, 1500, 50]
    assert len({entry["origin"] for entry in data}) == 3


def test_a_reader_that_gets_nothing_is_counted_and_told(tmp_path, call, call_json):
    text = COLD.replace("temperature = 0.8", "verifier = [0.5, -0.5], within = 1e-9")
    text = text.replace("logistic", "linear").replace("chains = 3072", "chains = 4")
    text = text.replace("= 1500", "= 5").replace("= 3000", "= 10")
    out = tmp_path / "results"
    file = written(tmp_path, text)
    status, found = call_json("verify", file, "--quiet", "--out", out)
    assert status == 3
    assert found["verdict"] == "inconclusive"
    assert found["failures"] == {"nothing_kept": 4, "parent_failed": 8}
    status, shown, _ = call("verify", file, "--quiet", "--out", out)
    assert "4 fits ended as nothing_kept: a reader keeps next to nothing of a feed" in shown
    _, chain = call_json("replay", out, "--chain", 0)
    assert [fit["status"] for fit in chain["generations"]] == [
        "converged",
        "nothing_kept",
        "parent_failed",
        "parent_failed",
    ]
    assert chain["generations"][1]["theta"] == [None, None]


COLDER = "temperature = 0.8"
OWN_LOOP = """
[network]
models = ["a", "b"]
initial = 100
feeds = [
    { from = "a", to = "a", samples = 100, keep = { KEEP } },
    { from = "a", to = "b", samples = 100 },
]
"""


def test_a_verdict_that_is_not_known_is_told_so(tmp_path, call):
    status, out, _ = call("diagnose", written(tmp_path, OWN_LOOP.replace("KEEP", "flip = 0.1")))
    assert status == 0
    assert "Whether 2 of 2 models collapse is not known: what readers keep of their data" in out
    assert "\n  a  not known  " in out
    for absent in ("Collapse origin", "cure", "noise", "stable", "collapses", "nan", "None"):
        assert absent not in out


def test_a_centre_that_drifts_multiplies_nothing(tmp_path, call):
    """The labels of a checker move an own loop by the same step in every generation."""
    text = OWN_LOOP.replace("KEEP", "checker = [0.5]") + f"[family]\n{LOGISTIC}\n"
    status, out, _ = call("diagnose", written(tmp_path, text))
    assert status == 0
    assert "Explosion: a (its centre runs away)" in out
    assert "the centre runs away after that of a;" in out
    assert "by a factor" not in out
    assert "multiplied" not in out
    _, out, _ = call("diagnose", written(tmp_path, text.replace("checker = [0.5]", COLDER)))
    assert "Explosion: a (errors are multiplied by 1.25 per generation" in out
    assert "by a factor" in out


def test_a_diagnosis_of_a_file_that_keeps(tmp_path, call_json):
    """Kinds that no diagnosis knows do not stop it."""
    status, found = call_json("diagnose", written(tmp_path, COLD))
    assert status == 0
    assert set(found["models"]) == {"a"}
