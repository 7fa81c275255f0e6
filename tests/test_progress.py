"""Progress that Python functions show: a line while chains run, and nothing that stays."""

from itertools import accumulate

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from rich.console import Console

import mcjax
from mcjax.ongoing import long_work
from mcjax.progress import Progress, shows_work

loop = mcjax.topologies.self_loop(samples=50, initial=50)
STUDY = mcjax.Study(
    (mcjax.condition(loop, mcjax.linear(), [1.0]),), generations=1, chains=640, chunk=64
)
CODE = """
import jax, mcjax
jax.config.update("jax_enable_x64", True)
seen = []
from mcjax.progress import Progress
tell = Progress._tell
Progress._tell = lambda self, text: (seen.append(text), tell(self, text))
loop = mcjax.topologies.self_loop(samples=50, initial=50)
condition = mcjax.condition(loop, mcjax.linear(), [1.0])
study = mcjax.Study((condition,), generations=1, chains=640, chunk=64)
_ = mcjax.verify(study, progress=True)
print(len(seen) > 1, seen[-1].split(" chains")[0])
"""


def test_progress_is_on_standard_error_if_asked_for(capsys):
    mcjax.verify(STUDY)
    assert capsys.readouterr() == ("", "")
    reports = []
    mcjax.verify(STUDY, progress=True, report=lambda lanes, current: reports.append(lanes))
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(" chains")[0] for line in err.splitlines()] == [
        f"{ran} of 640" for ran in accumulate(reports)
    ]
    assert sum(reports) == 640


def test_progress_counts_chains_that_ran_before(capsys):
    half = mcjax.simulate(STUDY, chains=[320])
    mcjax.simulate(STUDY, known=half, progress=True)
    first, *_, last = capsys.readouterr().err.splitlines()
    assert int(first.split()[0]) > 320
    assert last == "640 of 640 chains"


def test_a_report_is_one_line_however_long(capsys):
    what = "rounds of " + "a long name " * 20
    with Progress(Console(stderr=True, width=80), 10, what=what) as line:
        line.advance(5)
    assert capsys.readouterr().err == f"5 of 10 {what}\n"


@pytest.mark.system
def test_a_notebook_shows_a_line_that_leaves_nothing():
    notebook = new_notebook(cells=[new_code_cell(CODE)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    line, printed = notebook.cells[0].outputs
    assert line.output_type == "display_data"
    assert line.data == {}
    assert printed.text == "True 640 of 640\n"
    nbformat.validate(notebook)


def work():
    with long_work(2, "rounds") as advance:
        for _ in range(2):
            with long_work(1, "parts of a round") as inside:
                inside(1)
            advance(1)


def test_long_work_is_shown_to_whoever_asks_for_it(capsys):
    work()
    with shows_work(quiet=True):
        work()
    assert capsys.readouterr() == ("", "")
    with shows_work():
        work()
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(",")[0] for line in err.splitlines()] == ["1 of 2 rounds", "2 of 2 rounds"]
    work()
    assert capsys.readouterr() == ("", "")
