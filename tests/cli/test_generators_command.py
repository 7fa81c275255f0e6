"""``mcjax verify`` and ``mcjax replay`` of generators: output, folders, going on."""

import json

import numpy as np
import pytest

from mcjax.cli import saving, verify
from mcjax.generators import simulate

CODE = """
import jax

def init(key):
    return 0.0

def fit(key, params, rows):
    return rows.mean()

def sample(key, params, n):
    return params + jax.random.normal(key, (n,))

def measure(key, params, rows):
    return {"mean": params, "square": params**2}

def real(key, n):
    return jax.random.normal(key, (n,))
"""
NETWORK = """
[network]
models = ["loop", "reader"]
initial = 20
feeds = [{ from = "loop", to = "reader", samples = 20 }, LOOP]
"""
STUDY = """
[family]
file = "mine.py"
[run]
generations = 4
chains = 96
[grid]
network = ["frozen.toml", "loop.toml"]
common_draws = true
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "mine.py").write_text(CODE)
    loop = '{ from = "loop", to = "loop", samples = 20 }'
    (tmp_path / "frozen.toml").write_text(NETWORK.replace(", LOOP", ""))
    (tmp_path / "loop.toml").write_text(NETWORK.replace("LOOP", loop))
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def test_json_of_a_study(study, call_json):
    status, result = call_json("verify", study, "--quiet")
    assert status == {"verified": 0, "refuted": 1, "inconclusive": 3}[result["verdict"]]
    assert result["chains"] == 96
    assert result["failures"] == {}
    square = result["measures"]["network=loop"]["loop"]["square"]
    assert len(square["mean"]) == len(square["standard_error"]) == 5
    assert np.abs(np.array(square["mean"]) - np.arange(1, 6) / 20).max() < 0.1
    arrivals = [c for c in result["cells"] if c["quantity"] == "arrival"]
    assert [(c["model"], c["empirical"], c["verdict"]) for c in arrivals] == [
        ("loop", 1, "verified"),
        ("reader", 2, "verified"),
    ]
    [change] = [
        d for d in result["differences"] if (d["model"], d["measure"]) == ("reader", "square")
    ]
    assert change["arrival"] == 2
    assert result["window"] == {"network=frozen": 2, "network=loop": 2}


def test_a_stopped_run_goes_on(study, tmp_path, call_json, monkeypatch):
    """Stopped within a block, in the middle of the generations: the same numbers.

    Fits begin at parameters of generation 0, which are therefore part of what is kept.
    """
    (study.parent / "mine.py").write_text(CODE.replace("rows.mean()", "rows.mean() + params / 2"))
    study.write_text(STUDY.replace("[run]", '[estimator]\nstart = "base"\n[run]'))
    _, whole = call_json("verify", study, "--quiet")
    monkeypatch.setattr(saving, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(saving, "SAVE_SHARE", np.inf)
    real, calls = simulate.run_block, []

    def dies(*arguments):
        for block in real(*arguments):
            calls.append(block.generation)
            if len(calls) == 8:
                raise KeyboardInterrupt
            yield block

    monkeypatch.setattr(simulate, "run_block", dies)
    out = tmp_path / "results"
    with pytest.raises(KeyboardInterrupt):
        verify.run_verify(study, as_json=True, out=out, quiet=True)
    with np.load(out / "measures.npz") as kept:
        assert len(kept["0/values"]) == 64
        assert kept["running/values"].shape == (64, 2, 2, 2)
    _, resumed = call_json("verify", study, "--quiet", "--out", out)
    assert resumed == whole
    assert len(calls) == 8 + 3 + 10  # nothing ran twice but the generation that was lost
    assert json.loads((out / "verification.json").read_text()) == whole
    header, *rows = (out / "measures.csv").read_text().splitlines()
    assert header == "condition,model,generation,measure,mean,standard_error"
    assert len(rows) == 2 * 2 * 5 * 2
    _, again = call_json("verify", study, "--quiet", "--out", out, "--chains", 97)
    assert again["chains"] == 97
    page = (out / "report.html").read_text(encoding="utf-8")
    for words in ("97 chains for each condition", "file = &quot;mine.py&quot;", "jaxlib"):
        assert words in page
    assert whole["curves"]["network=frozen"] == {}  # fits begin at what was learned
    text = (out / "report.md").read_text(encoding="utf-8")
    assert "Claims of one error budget" in text


def test_a_chain_is_replayed(study, tmp_path, call_json, call):
    out = tmp_path / "results"
    call_json("verify", study, "--quiet", "--out", out)
    chosen = ("replay", out, "--condition", "network=loop", "--chain", 80)
    status, chain = call_json(*chosen)
    assert status == 0
    with np.load(out / "measures.npz") as kept:
        values = kept["1/values"][80]
    found = [list(fit["measures"].values()) for fit in chain["generations"]]
    assert np.array(found).reshape(5, 2, 2).tolist() == values.tolist()
    assert chain["generations"][3]["data"] == [{"origin": "loop", "rows": 20}]
    assert "network=loop: chain 80" in call(*chosen)[1]
    (tmp_path / "mine.py").write_text(CODE + "\n# changed\n")
    status, _, error = call(*chosen)
    assert status == 2
    assert "is no longer the study of" in error


def test_tables(study, call):
    status, printed, _ = call("verify", study, "--quiet", "--chains", 70)
    assert status in (0, 3)
    assert "first differs" in printed
    assert "70 chains for each condition" in printed


def test_checks(study, call_json):
    status, result = call_json("check", study)
    assert status == 0
    assert [check["name"] for check in result["checks"]] == ["file", "generator"]
    (study.parent / "mine.py").write_text(CODE.replace("rows.mean()", "params"))
    status, result = call_json("check", study)
    assert status == 2
    assert "does not depend on rows" in result["checks"][-1]["message"]


def test_a_plan(study, call, call_json):
    status, planned = call_json("verify", study, "--plan", "--chains", 65)
    assert status == 0
    assert planned["chains_needed"] is None
    claims = {(one["quantity"], one["law"]): one["cells"] for one in planned["claims"]}
    assert claims == {
        ("growth", "collapse"): 4,
        ("drift", "collapse"): 2,
        ("arrival", "paths"): 2,
        ("flip", "collapse"): 4,
        ("equal", "self-loop"): 4,
    }
    assert [one["chains"] for one in planned["told"]] == [4, 8, 16, 32, 64, 65]
    [fits] = planned["fits"]
    assert (fits["generator"], fits["rows"], fits["steps"]) == ("mine", 20, 0)
    assert fits["fits"] == 128 * (10 - 4 + 10)
    assert 0 < fits["seconds"] <= planned["seconds"]
    status, printed, _ = call("verify", study, "--plan", "--chains", 65)
    assert "of which 63 only fill the last block" in printed
    assert "with no loop" in printed
    status, _, error = call("verify", study, "--plan", "--theory", study)
    assert status == 2
    assert "--theory" in error


def test_a_plan_whose_time_is_not_known(study, call):
    study.write_text(STUDY.replace("network =", "scale = [1, 2, 3, 4, 5]\nnetwork ="))
    status, printed, _ = call("verify", study, "--plan")
    assert status == 0
    assert "time unknown, because fits have 5 numbers of rows" in printed


def test_plots_say_that_there_is_nothing_to_plot(study, tmp_path, call):
    out = tmp_path / "results"
    call("verify", study, "--quiet", "--out", out)
    status, _, error = call("plot", out)
    assert status == 2
    assert "study of generators" in error
