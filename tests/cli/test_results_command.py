"""What ``verify --out`` leaves for analysis, and judging it again without simulating."""

import json

import numpy as np
import pandas
import pytest
import xarray

import mcjax
from mcjax.engine import engine

pytestmark = pytest.mark.system

REAL_FEED = '[[network.feeds]]\nfrom = "real"\nto = "a"\nsamples = 100\n'
LAW = """
import numpy as np

def law(condition, generations):
    p = len(condition.theta) * condition.network.size
    return None, np.broadcast_to(np.eye(p), (generations + 1, p, p))
"""


@pytest.fixture
def no_chain(monkeypatch):
    """From here on, nothing is simulated."""

    def stop(*_, **__):
        raise AssertionError("simulated")

    return lambda: monkeypatch.setattr(engine, "run_blocks", stop)


def opened(folder):
    labelled = xarray.load_dataset(folder / "results.nc")
    return labelled, pandas.read_parquet(folder / "cells.parquet")


def test_what_out_leaves(study_file, tmp_path, call_json):
    out = tmp_path / "results"
    _, found = call_json("verify", study_file, "--quiet", "--out", out)
    labelled, table = opened(out)
    about = json.loads((out / "study.json").read_text())
    assert labelled.attrs["identity"] == about["identity"]
    assert labelled.attrs["study_file"] == study_file.read_text()
    assert labelled.attrs["command"] == f"mcjax verify {study_file} --quiet --out {out} --json"
    assert labelled.attrs["seed"] == "0"
    assert labelled.attrs["started"] == about["environment"]["started"]
    assert 0 < labelled.attrs["wall_seconds"] < 600
    assert labelled.attrs["verdict"] == found["verdict"] == "verified"
    assert len(table) == len(found["cells"]) == (labelled.verdict != "").sum()
    for cell in found["cells"]:
        place = {k: cell[k] for k in ("condition", "model", "generation", "quantity", "law")}
        assert labelled.empirical.sel(place) == cell["empirical"]
        assert labelled.low.sel(place) == cell["interval"][0]
        assert labelled.verdict.sel(place) == cell["verdict"]
        assert (
            labelled.mse.sel(condition="", model=cell["model"])[cell["generation"]]
            == (cell["empirical"])
        )


def test_the_python_function_finds_the_same(study_file, tmp_path, call_json):
    out = tmp_path / "results"
    call_json("verify", study_file, "--quiet", "--out", out)
    study = mcjax.load_study(study_file)
    predictions, outcomes = mcjax.predict(study), [t.outcome for t in mcjax.simulate(study)]
    verification = mcjax.judge(study, predictions, outcomes)
    found = mcjax.dataset(study, predictions, outcomes, verification)
    kept, _ = opened(out)
    assert found.equals(kept)
    assert found.attrs.items() <= kept.attrs.items()


@pytest.mark.parametrize("how", ["tolerance", "confidence", "quantities", "law", "theory"])
def test_judged_again_without_simulating(how, study_file, tmp_path, call_json, no_chain):
    """The same as if it had been judged so in the first place; and what lies there is replaced."""
    text = study_file.read_text()
    changes = {
        "tolerance": ("tolerance = 0.5", "tolerance = 0.05"),
        "confidence": ("confidence = 0.99", "confidence = 0.5"),
        "quantities": ("seed = 0", 'seed = 0\nquantities = ["mse", "bias", "growth", "normality"]'),
    }
    again = text.replace(*changes.get(how, ("", "")))
    assert (again != text) == (how in changes)
    (tmp_path / "mine.py").write_text(LAW)
    (tmp_path / "other.toml").write_text(text.replace(REAL_FEED, ""))
    options = {
        "law": ("--law", tmp_path / "mine.py"),
        "theory": ("--theory", tmp_path / "other.toml"),
    }.get(how, ())
    out, fresh = tmp_path / "results", tmp_path / "fresh"
    _, first = call_json("verify", study_file, "--quiet", "--out", out)
    study_file.write_text(again)
    _, expected = call_json("verify", study_file, "--quiet", "--out", fresh, *options)
    assert expected["cells"] != first["cells"]
    no_chain()
    _, found = call_json("verify", study_file, "--quiet", "--out", out, *options)
    assert found == expected
    (labelled, table), (like, cells) = opened(out), opened(fresh)
    assert labelled.equals(like)
    assert table.equals(cells)
    assert labelled.attrs["study_file"] == again
    assert labelled.attrs["tolerance"] == expected["tolerance"]
    if how == "law":
        assert "mine" in labelled.law
    if how == "quantities":
        assert np.isin(["bias", "normality"], labelled.quantity).all()


def test_more_chains_are_simulated(study_file, tmp_path, call, no_chain):
    """The guard of the test above guards."""
    out = tmp_path / "results"
    call("verify", study_file, "--quiet", "--out", out)
    no_chain()
    status, _, err = call("verify", study_file, "--quiet", "--out", out, "--chains", 300)
    assert status in (2, 70)  # the stop is no code of mcjax
    assert "AssertionError: simulated" in err


def test_the_command_of_the_report_gives_all_its_chains(study_file, tmp_path, call):
    out = tmp_path / "results"
    call("verify", study_file, "--quiet", "--chains", "128", "--out", out)
    call("verify", study_file, "--quiet", "--chains=64", "--out", out)
    command = f"mcjax verify {study_file} --quiet --out {out} --chains 128"
    assert xarray.load_dataset(out / "results.nc").attrs["command"] == command
    assert command in (out / "report.md").read_text()
