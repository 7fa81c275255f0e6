"""``mcjax verify`` of a survey: exit statuses, counts, what is kept, and how it goes on."""

import csv
import json
import re
import shutil
from pathlib import Path

import pandas
import pytest

from mcjax import api
from mcjax.cli import verify

pytestmark = pytest.mark.system

SURVEY = """
[survey]
models = 2
piece = 16

[run]
generations = 16
chains = 1536
tolerance = 0.4
confidence = 0.99
"""


@pytest.fixture
def survey_file(tmp_path):
    path = tmp_path / "survey.toml"
    path.write_text(SURVEY)
    return path


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Where the first test that asks for results leaves them for all."""
    return tmp_path_factory.mktemp("survey") / "results"


@pytest.fixture
def results(filled, survey_file, tmp_path, call):
    """A folder of one's own with the results of the survey."""
    if not filled.exists():
        call("verify", survey_file, "--quiet", "--out", filled)
    return Path(shutil.copytree(filled, tmp_path / "results"))


@pytest.fixture
def forbid_simulation(monkeypatch):
    def stop(*_):
        raise AssertionError("simulated again")

    return lambda: monkeypatch.setattr(api, "simulate_networks", stop)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def numbers(folder):
    """All but the time of the run."""
    return {name: data for name, data in content(folder).items() if name != "study.json"}


def test_verified_with_counts(results, survey_file, call):
    status, out, err = call("verify", survey_file, "--out", results)
    assert (status, err) == (0, "")
    # a source is a lone self-loop (7 + 7 + 1 networks) or has both models (2 x 2 networks)
    rows = dict(re.findall(r"│ (networks.*?|models:.*?) +│ +(\d+ │ +\d+ │ +\d+) │", out))
    assert {name: re.findall(r"\d+", row) for name, row in rows.items()} == {
        "networks in which no model collapses": ["45", "0", "0"],
        "networks in which some models collapse": ["6", "0", "0"],
        "networks in which all models collapse": ["13", "0", "0"],
        "models: whether they collapse": ["128", "0", "0"],
        "models: rate of growth": ["32", "0", "0"],
        "models: limit": ["96", "0", "0"],
    }
    assert "Every network of 2 models, by the collapse law" in out
    last = " ".join(out.splitlines()[-1:])
    assert "verified: 64 networks: 64 verified, 0 refuted, 0 inconclusive; 256 claims" in last
    assert "±40% with confidence 99% together; 1,536 chains and 16 generations each" in last


def test_json(results, survey_file, call_json):
    status, found = call_json("verify", survey_file, "--out", results)
    assert (status, found["verdict"]) == (0, "verified")
    assert found["networks"] == {
        "simulated": 64, "labelled": 64, "verified": 64, "refuted": 0, "inconclusive": 0
    }  # fmt: skip
    settings = {key: found[key] for key in ("chains", "failures", "tolerance", "confidence")}
    assert settings == {"chains": 1536, "failures": {}, "tolerance": 0.4, "confidence": 0.99}
    assert len(found["cells"]) == 256
    ring = [cell for cell in found["cells"] if cell["condition"] == "1->0 0->1"]
    assert [(cell["model"], cell["quantity"]) for cell in ring] == [
        ("0", "collapse"), ("0", "growth"), ("1", "collapse"), ("1", "growth")
    ]  # fmt: skip
    collapse, growth = ring[:2]
    assert growth["predicted"] == pytest.approx(1 / 1000)
    assert growth["ratio"] == pytest.approx(growth["empirical"] / growth["predicted"])
    assert collapse["predicted"] == 1
    assert collapse["interval"][0] > 0.4
    for cell in found["cells"]:
        low, high = cell["interval"]
        assert low <= cell["ratio"] <= high
        assert cell["verdict"] == "verified"
        if cell["quantity"] != "collapse":
            assert 0.6 < low < high < 1.4
    still = [cell["ratio"] for cell in found["cells"] if cell["predicted"] == 0]
    assert len(still) == 96
    assert max(still) < 0.4


def test_what_is_kept(results, survey_file, call_json):
    _, found = call_json("verify", survey_file, "--out", results)
    assert {path.name for path in results.iterdir()} == {
        ".lock", "study.json", "verification.json", "cells.csv", "cells.parquet",
        *(f"piece-0000{k}.npz" for k in range(4)),
    }  # fmt: skip
    assert json.loads((results / "verification.json").read_text()) == found
    about = json.loads((results / "study.json").read_text())
    assert about["survey"] == {
        "models": 2, "samples": 1000, "labelled": True, "generations": 16, "chains": 1536,
        "seed": 0, "tolerance": 0.4, "confidence": 0.99, "piece": 16,
    }  # fmt: skip
    assert about["environment"]["versions"]["jax"]
    with (results / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows] == [cell["verdict"] for cell in found["cells"]]
    assert [float(row["low"]) for row in rows] == [cell["interval"][0] for cell in found["cells"]]
    table = pandas.read_parquet(results / "cells.parquet")
    assert table.columns.tolist() == list(rows[0])
    assert table.low.tolist() == [cell["interval"][0] for cell in found["cells"]]
    assert table.verdict.tolist() == [row["verdict"] for row in rows]


@pytest.mark.parametrize(("clause", "networks"), [("closed", 8), ("self-loop", 15), ("period", 1)])
def test_refuted_without_a_clause(clause, networks, results, survey_file, call, forbid_simulation):
    """On chains that ran before: the law changes, the simulation does not."""
    forbid_simulation()
    status, out, _ = call("verify", survey_file, "--out", results, "--without", clause)
    assert status == 1
    assert f"the collapse law without '{clause}'" in out
    assert f"{64 - networks} verified, {networks} refuted, 0 inconclusive" in out
    named = re.findall("refuted: (.*->.*)", out)
    assert len(named) == min(networks, 5)
    if clause == "period":
        assert named == ["1->0 0->1"]


def test_judged_anew_by_another_tolerance(results, survey_file, call, forbid_simulation):
    forbid_simulation()
    survey_file.write_text(SURVEY.replace("tolerance = 0.4", "tolerance = 0.01"))
    status, out, _ = call("verify", survey_file, "--out", results)
    assert status == 3
    assert "claims at ±1% with" in out


def test_too_few_chains_are_inconclusive(survey_file, call):
    status, out, err = call("verify", survey_file, "--chains", "256", "--json")
    found = json.loads(out)
    assert (status, found["verdict"], found["chains"]) == (3, "inconclusive", 256)
    counts = found["networks"]
    assert counts["refuted"] == 0
    assert counts["inconclusive"] > 5
    assert counts["inconclusive"] + counts["verified"] == counts["simulated"] == 64
    # progress goes to standard error
    assert "16 of 64 networks" in err
    assert "64 of 64 networks" in err


def test_classes_stand_for_labelled_networks(survey_file, call):
    survey_file.write_text(SURVEY.replace("piece = 16", "piece = 36\nlabelled = false"))
    status, out, err = call("verify", survey_file, "--quiet")
    assert (status, err) == (0, "")
    assert "36 networks, which stand for 64 labelled ones: 36 verified, 0 refuted, 0 inc" in out


def test_an_interrupted_survey_goes_on(results, survey_file, tmp_path, call, monkeypatch):
    """Stopped after some pieces: the next run does the others, and every file is the same."""
    real, out, ran = api.simulate_networks, tmp_path / "resumed", []

    def dies(survey, codes):
        if codes[0] == 32:
            raise KeyboardInterrupt
        return real(survey, codes)

    monkeypatch.setattr(api, "simulate_networks", dies)
    status, shown, err = call("verify", survey_file, "--out", out)
    assert (status, shown) == (130, "")
    assert "the same command resumes from here" in err
    before = content(out)
    assert "verification.json" not in before
    assert {name for name in before if name.endswith(".npz")} == {
        "piece-00000.npz", "piece-00001.npz"
    }  # fmt: skip

    def counts(survey, codes):
        ran.append(codes[0])
        return real(survey, codes)

    monkeypatch.setattr(api, "simulate_networks", counts)
    status, _, err = call("verify", survey_file, "--out", out)
    assert status == 0
    assert sorted(ran) == [32, 48]
    assert numbers(out) == numbers(results)
    # and so after a piece is lost
    (out / "piece-00001.npz").unlink()
    ran.clear()
    assert call("verify", survey_file, "--quiet", "--out", out)[0] == 0
    assert ran == [16]
    assert numbers(out) == numbers(results)


# ---------------------------------------------------------------------------------- bad input


def sentence(found, *parts):
    status, out, err = found
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("mcjax: ")
    assert "Traceback" not in err
    for part in parts:
        assert str(part) in err


@pytest.mark.parametrize(
    ("old", "new", "field", "remedy"),
    [
        ("models = 2", "models = 5", "survey.models", "give 1 to 4"),
        ("models = 2", "models = 0", "survey.models", "give"),
        ("models = 2", 'models = ["a"]', "survey.models", "give a whole number"),
        ("models = 2", "", "survey.models", "is missing"),
        ("models = 2", "modles = 2", "survey.modles", "did you mean 'models'"),
        ("[survey]", "[survy]", "survy", "did you mean 'survey'"),
        ("piece = 16", "piece = 0", "survey.piece", "give"),
        ("piece = 16", "labelled = 1", "survey.labelled", "give true or false"),
        ("piece = 16", "samples = 99", "survey.samples", "below 100"),
        ("piece = 16", "samples = 1000.5", "survey.samples", "give a whole number"),
        ("generations = 16", "generations = 15", "run.generations", "below 16"),
        ("chains = 1536", "chains = 1", "run.chains", "give a whole number >= 2"),
        ("tolerance = 0.4", "tolerance = 1.0", "run.tolerance", "give"),
        ("[run]", '[family]\nname = "linear"\n[run]', "family", "exclude each other"),
        ("[run]", "[network]\ninitial = 9\n[run]", "network", "exclude each other"),
        ("[run]", "[covariates]\ncovariance = [[1.0]]\n[run]", "covariates", "exclude each"),
    ],
)
def test_malformed_survey(old, new, field, remedy, survey_file, call):
    assert old in SURVEY
    survey_file.write_text(SURVEY.replace(old, new))
    sentence(call("verify", survey_file), f"{survey_file}: {field}", remedy)


def test_options_that_do_not_go_together(survey_file, tmp_path, study_file, call):
    sentence(call("verify", survey_file, "--builtin", "every-3"), "--builtin", "exclude")
    sentence(call("verify", "--builtin", "every-5"), "--builtin", "every-3, every-4")
    sentence(call("verify", "every-3", "--theory", study_file), "--theory", "is for a study")
    sentence(call("verify", study_file, "--without", "closed"), study_file, "--without", "--theory")
    sentence(call("verify", "--without", "closed"), "--without", "is for a survey")
    sentence(call("verify", survey_file, "--theory", study_file), survey_file, "--theory")
    status, out, err = call("verify", survey_file, "--without", "open")
    assert (status, out) == (2, "")
    assert "'closed', 'self-loop', 'period'" in err


def test_other_commands_want_a_network(survey_file, call):
    for command in ("predict", "diagnose"):
        sentence(call(command, survey_file), survey_file, "network", "is missing")


def test_folders_of_others_and_damaged_pieces(results, survey_file, tmp_path, call):
    before = content(results)
    survey_file.write_text(SURVEY.replace("[run]", "[run]\nseed = 1"))
    sentence(call("verify", survey_file, "--out", results), results, "another study")
    assert content(results) == before
    survey_file.write_text(SURVEY)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for name, data in before.items():
        (damaged / name).write_bytes(data)
    (damaged / "piece-00001.npz").write_bytes(before["piece-00001.npz"][:1000])
    sentence(call("verify", survey_file, "--out", damaged), "piece-00001.npz", "remove it")


def test_a_folder_with_other_chains_says_so(results, survey_file, call):
    """Chains of a survey are not added to, and the sentence names the number that is kept."""
    status, _, err = call("verify", survey_file, "--quiet", "--chains", "6", "--out", results)
    assert (status, err.count("\n")) == (2, 1)
    assert "chains of each network" in err
    assert "give --chains" in err


def test_builtin(call, monkeypatch):
    """Both built-in surveys reach the simulation with the settings they are known by."""
    seen = []

    def stop(survey, as_json, out, without, quiet):
        seen.append((survey.models, survey.labelled, survey.generations, survey.chains, without))
        return "verified"

    monkeypatch.setattr(verify, "run_survey", stop)
    assert call("verify", "--builtin", "every-3", "--without", "period")[0] == 0
    assert call("verify", "--builtin", "every-4", "--chains", "512")[0] == 0
    assert seen == [(3, True, 64, 2560, "period"), (4, False, 384, 512, None)]
