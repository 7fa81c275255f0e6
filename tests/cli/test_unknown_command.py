"""Data of unknown origin on the command line: what is told, and where they are refused."""

import json

import pytest

STUDY = """
[network]
models = ["chat", "judge", "safe", "loop"]
initial = 400
rows = 400
feeds = [
    { from = "chat", to = "chat", share = 0.95 },
    { from = "unknown", to = "chat", share = 0.05 },
    { from = "chat", to = "judge", share = 0.5 },
    { from = "unknown", to = "judge", share = 0.5 },
    { from = "real", to = "safe", share = 1.0 },
    { from = "loop", to = "loop", share = 1.0 },
]
"""
LINEAR = """
[family]
name = "linear"
theta = [1.0, 2.0]
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def test_told(study, call):
    status, out, err = call("diagnose", study)
    assert (status, err) == (0, "read: 4 models, 6 feeds, real data to 1, unknown data to 2\n")
    assert out.startswith(
        "1 of 4 models collapses.\n"
        "Whether 2 of 4 models collapse depends on unknown data.\n"
        "As little as 5% of the rows of chat is enough, if it is of a closed synthetic loop.\n"
    )
    line = next(line for line in out.splitlines() if line.startswith("  judge"))
    assert "depends on unknown data  " in line
    assert "at worst collapses 0.005 per generation; at best stable 0.00891 in the limit" in line
    assert "No single new feed" not in out


def test_json(study, call_json):
    _, found = call_json("diagnose", study)
    assert (found["collapses"], found["certain"]) == (True, False)
    certain = {name: model["certain"] for name, model in found["models"].items()}
    assert certain == {"chat": False, "judge": False, "safe": True, "loop": True}
    collapses = {name: model["collapses"] for name, model in found["models"].items()}
    assert collapses == {"chat": None, "judge": None, "safe": False, "loop": True}
    for case, outcome in (("worst_case", True), ("best_case", False)):
        assert found[case]["chat"] == found["models"]["chat"][case]
        assert found[case]["judge"]["collapses"] is outcome
        assert found[case].keys() == found["models"].keys()
    assert found["models"]["judge"]["deciding"] == {"reader": "chat", "share": 0.05}
    assert "worst_case" not in found["models"]["safe"]


def test_nothing_unknown(tmp_path, call_json):
    (tmp_path / "edges.csv").write_text("from,to\nreal,a\na,a\n")
    _, found = call_json("diagnose", tmp_path / "edges.csv")
    assert found["certain"] is True
    assert found["models"]["a"]["certain"] is True
    assert "worst_case" not in found


def test_with_a_model(study, call):
    """Linear regressions, whose exact law is that of the best case, and a model of its own kind."""
    study.write_text(STUDY + LINEAR)
    status, out, _ = call("diagnose", study)
    assert status == 0
    assert "\nIf unknown data are real:\nExact law for linear regressions" in out
    study.write_text(STUDY + LINEAR + "penalty = { ridge = 0.01 }\n")
    status, out, _ = call("diagnose", study, "--json")
    assert status == 0
    ridge = json.loads(out)
    assert ridge["certain"]  # a ridge holds the noise of every loop
    assert not ridge["collapses"]
    own = "[covariates.models]\nchat = [[2.0, 0.0], [0.0, 1.0]]\n"
    study.write_text(STUDY + LINEAR + own)
    status, out, _ = call("diagnose", study, "--json")
    assert status == 0
    assert json.loads(out)["models"]["chat"]["certain"] is False


@pytest.mark.parametrize("command", ["predict", "verify", "design"])
def test_elsewhere_refused(command, study, call):
    study.write_text(STUDY + LINEAR + "[design]\nbudget = 10\n" * (command == "design"))
    status, out, err = call(command, study)
    assert (status, out) == (2, "")
    sentence = err.splitlines()[-1]
    assert sentence.startswith(f"mcjax: {study}: network.feeds: bring data from 'unknown', of")


def test_what_others_depend_on_is_told_with_a_model_that_is_certain(study, call):
    _, out, _ = call("diagnose", study, "--only", "safe")
    assert "Whether 2 of 4 models collapse depends on unknown data.\n" in out
    assert "As little as" not in out
