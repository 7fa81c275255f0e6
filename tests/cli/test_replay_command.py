"""``mcjax replay``: one chain of a kept study, as the study saw it."""

import json

import numpy as np
import pytest
from sample_study import STUDY

import mcjax
from mcjax.engine import engine
from mcjax.report.store import Store
from mcjax.solvers.status import Status
from mcjax.study.load import builtin_file, load_study

pytestmark = pytest.mark.system

LOGISTIC = STUDY.replace('"linear"', '"logistic"').replace("chains = 256", "chains = 8")
MINE = """
import jax
def loss(theta, x, y):
    return (y - x @ theta) ** 2
def sample(key, theta, x):
    return x @ theta + 1.0 * jax.random.normal(key, dtype=x.dtype)
"""


def keep(path, out):
    """The folder that ``verify`` leaves when it is stopped at once."""
    Store(out, load_study(path), path)
    return out


@pytest.fixture
def kept(study_file, tmp_path):
    """A half-finished study with rows, its file, and its folder."""
    study_file.write_text(LOGISTIC)
    return keep(study_file, tmp_path / "results")


def sentence(found, *parts):
    status, out, err = found
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("mcjax: ")
    for part in parts:
        assert str(part) in err


def same(found, expected):
    """Numbers of JSON, null for not-a-number, to the last bit."""
    np.testing.assert_array_equal(np.array(found, float), np.asarray(expected, float))


# ------------------------------------------------------------------------------------ what it shows


@pytest.mark.parametrize("model", ["linear", "logistic"])
def test_estimates_are_those_of_the_study(model, study_file, tmp_path, call_json, monkeypatch):
    """To the last bit those from which ``verify`` took its moments."""
    study_file.write_text(STUDY.replace('"linear"', f'"{model}"'))
    seen, real = [], engine.by_task

    def watched(chunk, tasks):
        found = real(chunk, tasks)
        seen.extend(trajectory for _, trajectory in found)
        return found

    monkeypatch.setattr(engine, "by_task", watched)
    out = tmp_path / "results"
    assert call_json("verify", study_file, "--quiet", "--out", out)[0] in (0, 3)
    monkeypatch.setattr(engine, "by_task", real)
    theta, status, steps = (
        np.concatenate([getattr(part, name) for part in seen])
        for name in ("theta", "status", "steps")
    )
    assert len(theta) == 256
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    code, found = call_json("replay", out, "--chain", 200)
    assert code == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert (found["condition"], found["chain"], found["models"]) == ("", 200, ["a", "b", "c"])
    fits = found["generations"]
    assert [(f["generation"], f["model"]) for f in fits] == [
        (t, m) for t in range(4) for m in "abc"
    ]
    same([f["theta"] for f in fits], theta[200].reshape(12, 2))
    assert [f["steps"] for f in fits] == steps[200].ravel().tolist()
    assert [f["status"] for f in fits] == [Status(s).reason for s in status[200].ravel().tolist()]
    errors = np.linalg.norm(theta[200].reshape(12, 2) - [0.5, -0.5], axis=1)
    np.testing.assert_allclose([f["error"] for f in fits], errors, rtol=1e-12)


def test_summaries_of_the_data(kept, study_file, call_json):
    _, found = call_json("replay", kept, "--chain", 5)
    assert found["sampling"] == "rows"
    study = load_study(study_file)
    drawn = mcjax.replay_data(study, "", 5, mcjax.replay(study, "", 5))
    expected = [own for fits in drawn for own in fits]
    for fit, own in zip(found["generations"], expected, strict=True):
        assert [d["origin"] for d in fit["data"]] == list(own)
        for data in fit["data"]:
            x, y = (np.asarray(leaf, float) for leaf in own[data["origin"]][:2])
            assert data["rows"] == len(y)
            ones = (y == 1).mean()  # labels are 0 and 1
            np.testing.assert_allclose(data["y_mean"], ones)
            np.testing.assert_allclose(data["y_sd"], np.sqrt(ones * (1 - ones)))
            np.testing.assert_allclose(data["x_mean"], x.sum(1) / len(y), rtol=1e-9)
            np.testing.assert_allclose(data["x_mean_length"], np.hypot(*(x.sum(1) / len(y))))
    assert [len(f["data"]) for f in found["generations"]] == [1, 1, 1, *[2, 1, 0] * 3]
    assert [d["rows"] for d in found["generations"][3]["data"]] == [100, 100]


def test_table(kept, call, call_json):
    status, out, err = call("replay", kept, "--chain", 5)
    assert (status, err) == (0, "")
    _, found = call_json("replay", kept, "--chain", 5)
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["chain", "5"]
    first, second = found["generations"][3]["data"]
    at = next(k for k, words in enumerate(lines) if words[:2] == ["1", "a"])
    theta = [f"{value:.4g}" for value in found["generations"][3]["theta"]]
    assert lines[at][2:6] == ["+", "converged", *theta]
    assert lines[at][-5:-2] == ["a", "100", f"{first['y_mean']:.4g}"]
    numbers = [f"{second[key]:.4g}" for key in ("y_mean", "y_sd", "x_mean_length")]
    assert lines[at + 1] == ["real", "100", *numbers]
    assert sum(words[1:4] == ["c", "=", "not_fitted"] for words in lines) == 3


def test_statistics_are_not_called_rows(study_file, tmp_path, call, call_json):
    out = keep(study_file, tmp_path / "results")
    status, text, _ = call("replay", out, "--chain", 0)
    assert status == 0
    assert "Sufficient statistics were drawn, not rows" in text
    assert "mean y" not in text
    _, found = call_json("replay", out, "--chain", 0)
    assert found["sampling"] == "statistics"
    assert [f["data"] for f in found["generations"][2:6]] == [
        [{"origin": "real", "rows": 200}],
        [{"origin": "a", "rows": 100}, {"origin": "real", "rows": 100}],
        [{"origin": "a", "rows": 200}],
        [],
    ]


def test_failures_are_null_and_explained(study_file, tmp_path, call, call_json):
    text = LOGISTIC.replace("= 200", "= 8").replace("= 100", "= 4").replace("[0.5", "[3.0")
    study_file.write_text(text)
    out = keep(study_file, tmp_path / "results")
    for chain in range(50):
        _, found = call_json("replay", out, "--chain", chain)
        fit = found["generations"][0]
        if fit["status"] == "separated":
            break
    assert (fit["theta"], fit["error"]) == ([None, None], None)
    assert fit["data"][0]["rows"] == 8  # the data that have no estimate
    reader = found["generations"][3]
    assert (reader["status"], reader["data"]) == ("parent_failed", [])
    _, shown, _ = call("replay", out, "--chain", chain)
    assert "x separated: a plane separates the labels" in shown
    assert "x parent_failed: a model that this one reads" in shown


def test_many_parameters_and_odd_names(study_file, tmp_path, call):
    text = LOGISTIC.replace("[0.5, -0.5]", "[0.1, 0.2, 0.3, 0.4, 0.5]").replace('"c"', '"[red]c"')
    study_file.write_text(text)
    _, out, _ = call("replay", keep(study_file, tmp_path / "results"), "--chain", 0)
    first = next(line for line in out.splitlines() if " [red]c " in line)
    shown, rest = first.split("converged")[1].split("...")
    assert len(shown.split()) == 4
    assert rest.split()[2:4] == ["real", "200"]


def test_a_condition_of_a_study_that_has_one(kept, call):
    assert call("replay", kept, "--chain", 0, "--condition", "")[0] == 0
    found = call("replay", kept, "--chain", 0, "--condition", "x")
    sentence(found, "--condition: 'x' is not", "leave it out")


@pytest.mark.parametrize("chain", [8, 2**32 - 1])
def test_chains_beyond_those_that_ran(chain, kept, study_file, call_json):
    _, found = call_json("replay", kept, "--chain", chain)
    theta = mcjax.replay(load_study(study_file), "", chain).theta
    same([f["theta"] for f in found["generations"]], theta.reshape(12, 2))


def test_conditions(study_file, tmp_path, call, call_json):
    study_file.write_text(LOGISTIC + "[grid]\nscale = [1, 2, 3, 4, 5]\n")
    out = keep(study_file, tmp_path / "results")
    status, found = call_json("replay", out, "--chain", 1, "--condition", "scale=2")
    assert (status, found["condition"]) == (0, "scale=2")
    theta = mcjax.replay(load_study(study_file), "scale=2", 1).theta
    same([f["theta"] for f in found["generations"]], theta.reshape(12, 2))
    assert found["generations"][0]["data"][0]["rows"] == 400
    assert "scale=2: chain 1" in call("replay", out, "--chain", 1, "--condition", "scale=2")[1]
    listed = "name one of 'scale=1', 'scale=2', 'scale=3', 'scale=4' and 1 more"
    sentence(call("replay", out, "--chain", 1), "--condition: is missing", listed)
    wrong = call("replay", out, "--chain", 1, "--condition", "scal=5")
    sentence(wrong, "'scal=5' is not a condition", "did you mean 'scale=5'", listed)


def test_the_builtin_study(tmp_path, call, call_json):
    out = keep(builtin_file("study"), tmp_path / "results")
    assert json.loads((out / "study.json").read_text())["source"] == {"builtin": "study"}
    name = "network=stable, family=poisson"
    status, found = call_json("replay", out, "--chain", 0, "--condition", name)
    assert status == 0
    theta = mcjax.replay(mcjax.builtin_study(), name, 0).theta
    same([f["theta"] for f in found["generations"]], theta.reshape(-1, 3))
    sentence(call("replay", out, "--chain", 0), "and 8 more")


def test_verify_keeps_the_file(study_file, tmp_path, call, monkeypatch):
    """Its absolute path and its text, from wherever it was named."""
    study_file.write_text(LOGISTIC)
    monkeypatch.chdir(tmp_path)
    assert call("verify", study_file.name, "--quiet", "--out", "results")[0] in (0, 1, 3)
    source = json.loads((tmp_path / "results" / "study.json").read_text())["source"]
    assert source == {"file": str(study_file), "text": LOGISTIC}
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert call("replay", "../results", "--chain", 0)[0] == 0


def test_other_versions_are_told(kept, call):
    about = json.loads((kept / "study.json").read_text())
    about["environment"]["versions"]["jax"] = "0.0.1"
    (kept / "study.json").write_text(json.dumps(about))
    status, out, err = call("replay", kept, "--chain", 0, "--json")
    assert (status, err.count("\n")) == (0, 1)
    assert "last digits may differ from the study's: jax 0.0.1, here" in err
    assert json.loads(out)["chain"] == 0


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("chain", ["-1", "4294967296", "1.5", "x", "", "9" * 5000])
def test_bad_chain_numbers(chain, kept, call):
    sentence(call("replay", kept, "--chain", chain), "chain: is", "give a whole number")


def test_usage(kept, call):
    assert call("replay", kept)[0] == 2
    assert call("replay", "--chain", 0)[0] == 2


def test_a_file_that_moved(kept, study_file, tmp_path, call):
    moved = study_file.rename(tmp_path / "moved.toml")
    gone = "does not exist any more"
    sentence(call("replay", kept, "--chain", 0), study_file, gone, kept, "--file PATH")
    assert call("replay", kept, "--chain", 0, "--file", moved)[0] == 0
    moved.write_text(LOGISTIC.replace("seed = 0", "seed = 1"))
    wrong = call("replay", kept, "--chain", 0, "--file", moved)
    sentence(wrong, moved, "is not the study of", kept, "name another --file")
    none = tmp_path / "none.toml"
    sentence(call("replay", kept, "--chain", 0, "--file", none), none, "does not exist")


def test_a_file_that_changed(kept, study_file, call):
    study_file.write_text(LOGISTIC.replace("chains = 8", "chains = 9\n"))
    assert call("replay", kept, "--chain", 0)[0] == 0  # the numbers are the same
    study_file.write_text(LOGISTIC.replace("seed = 0", "seed = 1"))
    found = call("replay", kept, "--chain", 0)
    sentence(found, study_file, "no longer the study of", kept, "it has changed", "--file PATH")
    study_file.write_text("[network")
    found = call("replay", kept, "--chain", 0)
    sentence(found, study_file, "not TOML", "restore it", "--file PATH")


def test_a_file_that_the_study_names(study_file, tmp_path, call):
    mine = tmp_path / "mine.py"
    mine.write_text(MINE)
    study_file.write_text(LOGISTIC.replace('name = "logistic"', 'file = "mine.py"'))
    out = keep(study_file, tmp_path / "results")
    assert call("replay", out, "--chain", 0)[0] == 0
    mine.write_text(MINE.replace("1.0", "2.0"))
    found = call("replay", out, "--chain", 0)
    sentence(found, study_file, "no longer the study of", "a file that it names", "--file PATH")
    mine.unlink()
    sentence(call("replay", out, "--chain", 0), mine, study_file, "restore it", "--file PATH")


def test_folders_without_a_study(kept, study_file, tmp_path, call):
    for folder in (tmp_path / "none", tmp_path, study_file):
        sentence(call("replay", folder, "--chain", 0), folder, "holds no results", "verify --out")
    for text in ("{", "[]", "{}", '{"identity": "x", "source": 3}'):
        (kept / "study.json").write_text(text)
        sentence(call("replay", kept, "--chain", 0), kept / "study.json", "is damaged")
    (kept / "study.json").write_text('{"identity": "x", "survey": {}}')
    sentence(call("replay", kept, "--chain", 0), kept, "holds a survey")


def test_a_study_made_in_python(study_file, tmp_path, call):
    out = tmp_path / "results"
    Store(out, load_study(study_file))
    sentence(call("replay", out, "--chain", 0), out, "does not say which file", "--file PATH")
    assert call("replay", out, "--chain", 0, "--file", study_file)[0] == 0
