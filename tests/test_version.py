"""One version, from Python and from the command line."""

from importlib.metadata import version

from click.testing import CliRunner

import mcjax
from mcjax.cli.main import cli


def test_python_and_the_command_line_tell_the_installed_version():
    told = CliRunner().invoke(cli, ["--version"], catch_exceptions=False).output
    assert mcjax.__version__ == version("mcjax")
    assert mcjax.__version__ in told
