"""The reference of the command line, from its definition.

A comment ``<!-- commands -->`` in a page becomes a section for each command.
"""

import inspect
import re

import click
from sphinx.application import Sphinx

from mcjax.cli.main import cli


def commands() -> str:
    """Return Markdown sections of all commands."""
    return "\n\n".join(section(name, command) for name, command in sorted(cli.commands.items()))


def section(name: str, command: click.Command) -> str:
    """Return the section of one command: usage, description and options."""
    context = click.Context(command, info_name=f"mcjax {name}")
    options = [option for option in command.params if isinstance(option, click.Option)]
    rows = ["| Option | Meaning |", "|---|---|", *(row(option, context) for option in options)]
    usage = command.get_usage(context).removeprefix("Usage: ")
    text = [f"## {name}", f"```text\n{usage}\n```", inspect.cleandoc(command.help), "\n".join(rows)]
    return "\n\n".join(text)


def row(option: click.Option, context: click.Context) -> str:
    """Return the row of an option: how it is written, and its help with its values."""
    written, help_ = option.get_help_record(context)
    help_ = re.sub(r"(?<!`)(--[\w-]+|\b(?:FILE|DIR|ID)\b)", r"`\1`", help_)
    cells = [text.replace("|", "\\|") for text in (f"`{written}`", help_)]
    return f"| {' | '.join(cells)} |"


def complete(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the commands where a page asks for them."""
    source[0] = source[0].replace("<!-- commands -->", commands())


def setup(app: Sphinx):
    app.connect("source-read", complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
