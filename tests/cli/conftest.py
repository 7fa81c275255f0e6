"""A study file, and a way to run the command line in this process."""

import json
import sys

import pytest
from sample_study import STUDY

from mcjax.cli import main


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def call(monkeypatch, capsys):
    """Run ``mcjax ARGUMENTS``; returns exit status, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["mcjax", *map(str, arguments)])
        status = 0
        try:
            main.run()
        except SystemExit as stop:
            status = stop.code or 0
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def call_json(call):
    """The same with ``--json``; returns exit status and the object."""

    def run(*arguments):
        status, out, _ = call(*arguments, "--json")
        return status, json.loads(out, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))

    return run
