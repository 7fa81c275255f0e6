"""Generated study and graph files: whatever they hold, a command ends as its contract says.

Many more go through all commands in ``benchmarks/odd_files.py``.
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path

from fault_strategies import File
from graph_strategies import graph_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from invariants import broken_rule
from study_strategies import good_studies, study_files, to_toml

from mcjax.cli import main

QUICK = settings(
    max_examples=80,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
WITHOUT_JAX = st.sampled_from([("diagnose",), ("diagnose", "--json")])


def run(command, file: File):
    """Run a command on a file: exit status, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file.name
        path.write_bytes(file.content)
        sys.argv = ["mcjax", command[0], str(path), *command[1:]]
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main.run()
        except SystemExit as stop:
            return stop.code or 0, out.getvalue(), err.getvalue()
        finally:
            sys.argv = before
    raise AssertionError("a command returned without an exit status")


@QUICK
@given(WITHOUT_JAX, st.one_of(study_files(), graph_files()))
def test_diagnose(command, file):
    status, out, err = run(command, file)
    assert broken_rule(command, status, out, err) is None, err


def test_most_studies_without_faults_are_read():
    """The companion: not everything is refused."""
    statuses = []

    @QUICK
    @given(good_studies().map(to_toml))
    def diagnose(text):
        statuses.append(run(("diagnose",), File("study.toml", text.encode(), study=True))[0])

    diagnose()
    assert set(statuses) <= {0, 2}
    assert statuses.count(0) > len(statuses) / 2
