"""One version, from Python and from the command line."""

import re
from importlib.metadata import version
from pathlib import Path

from click.testing import CliRunner

import mcjax
from mcjax.cli.main import cli


def test_python_and_the_command_line_tell_the_installed_version():
    told = CliRunner().invoke(cli, ["--version"], catch_exceptions=False).output
    assert mcjax.__version__ == version("mcjax")
    assert mcjax.__version__ in told


def test_citation_and_changes_are_of_this_version():
    root = Path(mcjax.__file__).parents[1]
    for file, pattern in (("CITATION.cff", r"^version: (\S+)$"), ("CHANGELOG.md", r"^## ([\d.]+)")):
        text = (root / file).read_text(encoding="utf-8")
        assert re.findall(pattern, text, re.M)[0] == mcjax.__version__, file
