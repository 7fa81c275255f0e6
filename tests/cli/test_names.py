"""A name is shown whole, and never does anything, wherever it goes."""

import csv
import io
import json
import re

import pandas
import pytest
import xarray
from matplotlib.figure import Figure

from mcjax.plot.style import figure, legend
from mcjax.text import csv_text, drawn, fenced, markdown, shown, shown_lines

pytestmark = pytest.mark.system

HOSTILE = (
    "chat [v2]",
    "[/INST] chat",
    "[bold]",
    "back\\",
    ":smile:",
    "\x1b[31mred\x1b[0m",
    "\x07\x9b2J",
    "two\nlines\r\ttab",
    "turned \u202eeman",
    "<script>alert('x')</script>",
    "&lt;b&gt;",
    "=cmd()",
    "+1+1",
    "-a",
    "@SUM(A1)",
    "$x$",
    r"$\frac$",
    "a_b^c",
    "_hidden_",
    "```",
    "**bold** `code`",
    "模型 émile",
    "a name of many words and far more letters than any column of a table has room for, " * 2
    + "end",
)


@pytest.fixture
def hostile_file(tmp_path):
    """A study of models with these names, under labels that are no better."""
    feeds = "".join(
        f'[[network.feeds]]\nfrom = "real"\nto = {json.dumps(name)}\nsamples = 40\n'
        for name in HOSTILE[1:]
    )
    first = json.dumps(HOSTILE[0])
    path = tmp_path / "study.toml"
    path.write_text(
        f"[network]\nmodels = [{', '.join(map(json.dumps, HOSTILE))}]\ninitial = 40\n"
        f"[[network.feeds]]\nfrom = {first}\nto = {first}\nsamples = 40\n{feeds}"
        '[family]\nname = "linear"\ntheta = [1.0]\n'
        '[run]\ngenerations = 2\nchains = 64\ntolerance = 0.5\nquantities = ["mse"]\n'
        "[grid]\nscale = [1, 2]\n",
        encoding="utf-8",
    )
    return path


def harmless(text):
    """Whether nothing in a text moves a cursor or turns the direction of writing."""
    return all(c.isprintable() or c in "\n\t" for c in text)


@pytest.mark.parametrize("width", [None, "60"])
def test_commands_show_every_name_whole(hostile_file, call, width, monkeypatch):
    if width:  # a narrow terminal
        monkeypatch.setenv("COLUMNS", width)
        monkeypatch.setenv("FORCE_COLOR", "1")
    for command in (("diagnose",), ("predict",), ("verify", "--quiet")):
        status, out, err = call(command[0], hostile_file, *command[1:])
        assert status in (0, 1, 3), err
        out = re.sub(r"\x1b\[[\d;]*m", "", out)  # the program's own colours
        assert harmless(out)
        for name in HOSTILE:
            assert shown(name) in out, (command, name)


def test_results_and_pages(hostile_file, call, tmp_path):
    out = tmp_path / "out"
    status, _, err = call("verify", hostile_file, "--quiet", "--out", out)
    assert status in (0, 1, 3), err
    page = (out / "report.html").read_text(encoding="utf-8")
    text = (out / "report.md").read_text(encoding="utf-8")
    table = (out / "cells.csv").read_text(encoding="utf-8")
    assert harmless(page)
    assert harmless(text)
    assert harmless(table)
    assert "<script" not in page
    # nothing but headings and the answer stands outside of code
    fences = re.findall(r"^(`{3,})text\n.*?^\1$", text, re.M | re.S)
    assert len(fences) == 4
    rest = re.sub(r"^(`{3,})text\n.*?^\1$", "", text, flags=re.M | re.S)
    assert "script" not in rest
    assert "bold" not in rest
    cells = list(csv.DictReader(io.StringIO(table)))
    for row in cells:
        assert not any(row[key].startswith(("=", "+", "-", "@")) for key in ("condition", "model"))
    assert {row["model"].removeprefix("'") for row in cells} == set(map(shown, HOSTILE))
    # data for programs hold names as they are
    assert set(pandas.read_parquet(out / "cells.parquet").model) == set(HOSTILE)
    assert xarray.load_dataset(out / "results.nc").model.values.tolist() == list(HOSTILE)
    found = json.loads((out / "verification.json").read_text(encoding="utf-8"))
    assert {cell["model"] for cell in found["cells"]} == set(HOSTILE)


def test_input_errors_show_names(tmp_path, call):
    path = tmp_path / "\x1b[31mnet.toml"
    path.write_text('[network]\nmodels = ["a"]\ninitial = 9\nfeeds = []\nwrong = 1\n')
    status, out, err = call("diagnose", path)
    assert (status, out) == (2, "")
    assert harmless(err)
    assert r"\x1b[31mnet.toml" in err


@pytest.mark.parametrize("name", HOSTILE)
def test_legends_show_every_name(name):
    with figure(1, 1, 2) as (fig, panels):
        assert isinstance(fig, Figure)
        axes = panels[0, 0]
        legend(axes, axes.plot([0, 1]), [name])
        axes.set_title(drawn(name))
        fig.savefig(io.BytesIO(), format="svg")
        [text] = axes.get_legend().get_texts()
        for own in (text, axes.title):
            whole = shown(name)
            seen, mathematics = own._preprocess_math(own.get_text())
            assert not mathematics
            assert seen == whole if len(whole) <= 40 else whole.startswith(seen.removesuffix("…"))


def test_csv_keeps_numbers_and_disarms_formulas():
    rows = [{"a": "=1+1", "b": -1.5, "c": "-1.5", "d": "-x", "e": "+inf", "f": "a\tb", "g": None}]
    assert csv_text(rows).splitlines()[1] == r"'=1+1,-1.5,-1.5,'-x,+inf,a\tb,"
    assert csv_text([], ["x", "y"]) == "x,y\r\n"


def test_markdown():
    assert markdown("first_order and <b> of `x` _y_") == r"first_order and \<b\> of \`x\` \_y\_"
    assert fenced("a\n````\n") == "`````text\na\n````\n`````"
    assert shown_lines("a\tb\r\nc\x1b") == "a\tb\nc\\x1b"
