"""The command line, as ``python -m mcjax``."""

from mcjax.cli.main import run

run()
