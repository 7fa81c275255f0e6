"""Figures of one's own results: their files, their data, and what is refused."""

import csv
import json
import re

import matplotlib
import numpy as np
import pytest

import mcjax
from mcjax.figures.files import MADE_BY
from mcjax.figures.own import Wanted
from mcjax.report.store import Store
from mcjax.report.tabular import netcdf, read_results

STUDY = """
[network]
models = ["a", "b"]
initial = 20
feeds = [{ from = "a", to = "a", samples = 20 }, { from = "real", to = "b", samples = 20 }]
[family]
name = "linear"
theta = [0.5]
[run]
generations = 2
chains = 64
tolerance = 0.5
"""
LADDER = "[grid]\nscale = [1, 2, 4]\n"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder of results of a ladder, as ``verify --out`` leaves it, and the cells in it."""
    return keep(tmp_path_factory.mktemp("kept"), STUDY + LADDER)


def keep(folder, text):
    (folder / "study.toml").write_text(text)
    study = mcjax.load_study(folder / "study.toml")
    verification = mcjax.verify(study)
    results = {"results.nc": netcdf(verification.to_dataset())}
    Store(folder / "results", study, folder / "study.toml").finish(verification, results)
    return folder / "results", verification.cells


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.system
def test_the_usual_figures_and_their_data(kept, tmp_path, call):
    folder, cells = kept
    before = dict(matplotlib.rcParams)
    status, out, err = call("plot", folder, "--out", tmp_path / "plots", "--format", "png")
    assert (status, err) == (0, "")
    assert dict(matplotlib.rcParams) == before
    kinds = ("errors", "ratios", "verdicts", "ladder")
    assert out.split() == [str(tmp_path / f"plots/{k}.{e}") for k in kinds for e in ("png", "csv")]
    for kind in kinds:
        assert (tmp_path / f"plots/{kind}.png").read_bytes().startswith(b"\x89PNG")
        about = json.loads((tmp_path / f"plots/{kind}.json").read_text())
        assert about["made_by"] == MADE_BY
        assert all(about["columns"].values())
    found = rows(tmp_path / "plots/errors.csv")
    wanted = [c for c in cells if (c.quantity, c.law) == ("mse", "first_order")]
    ratios = [cell.ratio for cell in wanted]  # kept to nine digits
    assert [float(row["ratio"]) for row in found] == pytest.approx(ratios, rel=1e-8)
    assert {row["quantity"] for row in rows(tmp_path / "plots/ladder.csv")} == {
        "mse",
        "mse_asymptote",
    }


def test_figures_of_the_study_itself_as_wide_as_a_column(tmp_path, call):
    folder, _ = keep(tmp_path, STUDY)
    options = ("--width", "3.4", "--format", "svg", "--out", tmp_path / "plots")
    status, *_ = call("plot", folder, "--kind", "network", "--kind", "power", *options)
    assert status == 0
    for kind in ("network", "power"):
        page = (tmp_path / f"plots/{kind}.svg").read_text()
        assert re.search(r'<svg [^>]*width="244.8pt"', page)
    feeds = rows(tmp_path / "plots/network.csv")
    assert len(feeds) == 2
    assert feeds[0] == {"condition": "", "from": "a", "to": "a", "samples": "20"}
    curve = [row for row in rows(tmp_path / "plots/power.csv") if row["law"] == "first_order"]
    for column in ("power", "chains"):
        values = [float(row[column]) for row in curve]
        assert values == sorted(values)
    status, _, err = call("plot", folder, "--condition", "one", *options)
    assert (status, err.count("\n")) == (2, 1)
    assert "condition: 'one' was not judged; leave it out" in err


def test_quantities_without_ratios_have_the_other_figures(kept):
    results = read_results(kept[0])
    for note, wanted in (("", ("errors", "ratios", "verdicts", "ladder")), ("heavy tail", None)):
        noted = results.assign(note=results["note"].copy(data=np.full(results.note.shape, note)))
        usual = Wanted(kept[0], noted, None, "mse", None).usual_kinds()
        assert usual == (wanted or ("errors", "verdicts", "ladder"))


def test_a_style_is_used_and_names_are_not_given_to_tex(kept, tmp_path, call):
    style = tmp_path / "paper.mplstyle"
    style.write_text("axes.facecolor: 123456\ntext.usetex: True\nbackend: pdf\n")
    options = ("--kind", "errors", "--format", "svg", "--style", style, "--out", tmp_path / "p")
    assert call("plot", kept[0], *options)[0] == 0
    assert "#123456" in (tmp_path / "p/errors.svg").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind", "eror"], "--kind: 'eror' is not one of errors, ratios, verdicts, ladder,"),
        (["--kind", "eror"], "(did you mean 'errors'?)"),
        (["--width", "nan"], "--width: is nan; give a number from 2.0 to 40.0"),
        (["--format", "gif"], "'gif' is not one of"),
        (["--style", "no.mplstyle"], "--style: no.mplstyle does not exist"),
        (
            ["--condition", "scale=3"],
            "condition: 'scale=3' was not judged; give one of 'scale=1', 'scale=2',",
        ),
        (["--kind", "network", "--condition", "scale=3"], "is not a condition of the study"),
        (["--law", "first"], "law: 'first' was not judged; give one of 'first_order'"),
        (["--quantity", "mes"], "(did you mean 'mse'?)"),
        (["--kind", "power", "--file", "no.toml"], "no.toml"),
    ],
)
def test_bad_options_are_one_sentence(kept, tmp_path, call, options, message):
    status, out, err = call("plot", kept[0], *options, "--out", tmp_path / "plots")
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert message in err
    assert not (tmp_path / "plots").exists()


@pytest.mark.parametrize("line", ["font.siz: 7", "font.size: huge", "font.size 7"])
def test_a_style_that_matplotlib_does_not_read(kept, tmp_path, call, line):
    (tmp_path / "s.mplstyle").write_text(f"{line}\n")
    status, out, err = call("plot", kept[0], "--style", tmp_path / "s.mplstyle", "--out", tmp_path)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "--style: is refused by Matplotlib" in err
    assert "PosixPath" not in err
    assert line in err


def test_folders_that_hold_no_results(kept, tmp_path, call):
    def refused(folder):
        status, out, err = call("plot", folder, "--out", tmp_path / "plots")
        assert (status, out) == (2, "")
        assert len(err.splitlines()) == 1
        return err

    assert "holds no results" in refused(tmp_path / "nowhere")
    half = tmp_path / "half"
    half.mkdir()
    (half / "study.json").write_bytes((kept[0] / "study.json").read_bytes())
    assert "has not ended; run the same verify command" in refused(half)
    (half / "results.nc").write_bytes(b"nothing")
    assert "results.nc: is damaged" in refused(half)


def test_files_of_someone_else_are_not_replaced(kept, tmp_path, call):
    theirs = tmp_path / "ratios.pdf"
    theirs.write_text("mine")
    status, out, err = call("plot", kept[0], "--out", tmp_path)
    assert (status, out) == (2, "")
    assert "is not overwritten, as ratios.json does not say that mcjax drew it" in err
    assert [path.name for path in tmp_path.iterdir()] == ["ratios.pdf"]
    assert theirs.read_text() == "mine"


@pytest.mark.system
def test_results_are_drawn_without_the_study_file(kept, tmp_path, call):
    folder = tmp_path / "results"
    folder.mkdir()
    for path in kept[0].glob("*.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    about = json.loads((folder / "study.json").read_text())
    about["source"]["file"] = str(tmp_path / "gone.toml")
    (folder / "study.json").write_text(json.dumps(about))
    options = ("--format", "png", "--out", tmp_path / "plots")
    assert call("plot", folder, "--kind", "verdicts", *options)[0] == 0
    status, _, err = call("plot", folder, "--kind", "network", *options)
    assert status == 2
    assert "gone.toml: does not exist any more" in err
    moved = kept[0].parent / "study.toml"
    assert call("plot", folder, "--kind", "network", "--file", moved, *options)[0] == 0
