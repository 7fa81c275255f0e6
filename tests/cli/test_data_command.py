"""Real data in a study file, on the command line."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

import mcjax
from mcjax.figures.page import pages
from mcjax.report.tables import show_verification
from mcjax.text import with_error

STUDY = """
[network]
models = ["a"]
initial = 300
feeds = [{ from = "a", to = "a", samples = 150 }, { from = "real", to = "a", samples = 150 }]

[data]
file = "rows.csv"
target = "y"

[family]
name = "linear"

[run]
generations = 1
"""


@pytest.fixture
def study(tmp_path):
    """Write rows and a study of them; return the study's file."""
    random = np.random.default_rng(2)
    x = random.normal(size=(80, 2))
    y = x @ [1.0, -1.0] + random.exponential(1.0 + x[:, 0] ** 2)
    table = np.column_stack([x, y])
    np.savetxt(tmp_path / "rows.csv", table, delimiter=",", header="a,b,y", comments="")
    np.savetxt(
        tmp_path / "late.csv", table[table[:, 0] > 0], delimiter=",", header="a,b,y", comments=""
    )
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path / "study.toml"


def test_predictions_are_around_the_fit_to_all_rows(study, call_json):
    status, shown = call_json("predict", study)
    assert status == 0
    x = np.loadtxt(study.parent / "rows.csv", delimiter=",", skiprows=1)
    design = np.column_stack([np.ones(80), x[:, :2]])
    theta, *_ = np.linalg.lstsq(design, x[:, 2])
    law = shown["laws"]["first_order"]
    np.testing.assert_allclose(law["centre"], np.broadcast_to(theta, (2, 1, 3)))
    assert "rows of a file" in shown["inapplicable"]["finite_sample"]


def test_a_diagnosis_reads_the_file(study, call_json):
    status, shown = call_json("diagnose", study)
    assert status == 0
    assert shown["models"]["a"]["noise"] is False
    with_source = STUDY.replace(
        "feeds = [", 'sources = [{ name = "late", file = "late.csv" }]\nfeeds = ['
    )
    (study.parent / "two.toml").write_text(with_source.replace('from = "real"', 'from = "late"'))
    status, shown = call_json("diagnose", study.parent / "two.toml")
    assert status == 0
    assert shown["models"]["a"]["forgets"] is True


def test_a_check_says_what_was_read(study, call_json):
    status, shown = call_json("check", study)
    assert status == 0
    [message] = [check["message"] for check in shown["checks"] if check["name"] == "data"]
    assert message.startswith("are 80 rows, 3 covariates from ")
    assert message.endswith("rows.csv, target y")


def test_quantiles_have_no_law_and_the_reason_is_said(study, call_json):
    study.write_text(STUDY.replace('"linear"', '"quantile"\nlevel = 0.5'))
    status, shown = call_json("laws", study)
    assert status == 0
    [law] = [law for law in shown["laws"] if law["name"] == "first_order"]
    assert "is a step function" in law["conditions"][0]["reason"]


WRONG = {
    ('"rows.csv"', '"row.csv"'): "data.file: ",
    ('"rows.csv"', '"statsmodels:engl"'): "data.file: names 'engl'",
    ('target = "y"', 'target = "z"'): "data.target: names 'z', which is no column of the file",
    ('target = "y"', 'targt = "y"'): "data.targt: is not a field of a study file (did you mean",
    ('target = "y"', 'target = "y"\nheld_out = 1.5'): "data.held_out: is 1.5",
    ('name = "linear"', 'name = "logistic"'): "data.target: has 80 labels other than 0 and 1",
    ('name = "linear"', 'name = "linear"\ntheta = [1.0]'): "family.theta: is what fits the data",
    ('name = "linear"', 'name = "gaussian"'): "data: has covariates, which gaussian has not",
    ("[run]", "[covariates]\ncovariance = [[1.0]]\n[run]"): "covariates.covariance: is that of",
    (
        "feeds =",
        'sources = [{ name = "s", file = "s.csv" }]\nfeeds =',
    ): "network.sources (s).file: ",
}


@pytest.mark.parametrize("change", WRONG, ids=lambda change: change[1])
def test_bad_input_is_one_sentence(study, call, change):
    study.write_text(STUDY.replace(*change))
    status, out, err = call("predict", study)
    assert (status, out) == (2, "")
    [line] = err.splitlines()
    assert WRONG[change] in line


def test_rows_of_a_source_that_lack_values_are_those_of_its_file(study, call):
    (study.parent / "late.csv").write_text("a,b,y\n1,,3\n2,3,4\n")
    study.write_text(
        STUDY.replace("feeds =", 'sources = [{ name = "s", file = "late.csv" }]\nfeeds =')
    )
    status, _, err = call("predict", study)
    assert status == 2
    place = f"network.sources (s).file: {study.parent / 'late.csv'}: covariates: have 1 missing"
    assert f"{study}: {place}" in err


@pytest.mark.parametrize(("rows", "told"), [(1, "its only row"), (2, "all 2 rows")])
def test_rows_of_a_source_that_have_no_fit_are_those_of_the_source(study, call, rows, told):
    (study.parent / "late.csv").write_text("a,b,y\n" + "1,2,3\n" * rows)
    study.write_text(
        STUDY.replace("feeds =", 'sources = [{ name = "s", file = "late.csv" }]\nfeeds =')
    )
    status, _, err = call("predict", study)
    assert status == 2
    assert f"{study}: network.sources (s): has no fit of linear to {told} (" in err


def test_centres_at_the_truth_are_at_a_distance_of_0(study, call):
    _, out, _ = call("predict", study)
    [line] = [line for line in out.splitlines() if "distance from the truth" in line]
    assert [cell.strip() for cell in line.split("│")[3:-1]] == ["0", "0"]


def test_a_page_says_what_was_read(study):
    one = mcjax.load_study(study)
    found = mcjax.verify(replace(one, chains=40))
    about = {"command": "", "file": "", "environment": {}}
    texts = pages(one, found.predictions, found, seconds=0.0, about=about)
    for text in texts.values():
        assert f"Read: 80 rows, 3 covariates from {study.parent / 'rows.csv'}, target y." in text


def test_what_no_law_predicts_is_shown_as_simulated(study, capsys):
    """Unless chains are lost, of which those that are left would mislead."""
    one = replace(mcjax.load_study(study), chains=40)
    found = mcjax.verify(one)
    without = [replace(each, laws={}) for each in found.predictions]
    [outcome] = found.outcomes
    few = outcome.moments.squared._replace(chains=outcome.moments.squared.chains - 1)
    lost = outcome._replace(moments=outcome.moments._replace(squared=few))
    mse = with_error(found.cells[-1].empirical, found.cells[-1].standard_error)
    for each, told in ((outcome, mse), (lost, "39 left")):
        shown = replace(found, cells=(), outcomes=(each,))
        show_verification(Console(width=134), one, without, shown, 0.0)
        [row] = [line for line in capsys.readouterr().out.splitlines() if " none " in line]
        assert told in row


def test_a_source_with_a_file_needs_data(study, call):
    lacking = STUDY.replace('[data]\nfile = "rows.csv"\ntarget = "y"\n', "")
    lacking = lacking.replace('name = "linear"', 'name = "linear"\ntheta = [1.0]')
    lacking = lacking.replace("feeds =", 'sources = [{ name = "s", file = "late.csv" }]\nfeeds =')
    study.write_text(lacking)
    status, _, err = call("predict", study)
    assert status == 2
    assert "network.sources (s).file: is encoded like that of [data]" in err


def test_families_may_bring_their_data(study, call_json):
    grid = (
        '[grid]\nfamily = [{ name = "linear" }, { name = "huber", data = { file = "late.csv" } }]'
    )
    study.write_text(STUDY + grid.replace('"late.csv"', '"late.csv", target = "y"'))
    status, shown = call_json("laws", study)
    assert status == 0
    names = {entry["condition"] for law in shown["laws"] for entry in law["conditions"]}
    assert names == {"family=linear", "family=huber, data=late.csv"}
