"""Write files that may be written again, and nobody else's."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mcjax.errors import InputError
from mcjax.files import ENCODING


def write_own(target: Path, text: str, option: str, command: str) -> None:
    """Write a text to a file that is not there, or that begins with the same line.

    Parameters
    ----------
    target : Path
        The file.
    text : str
        Its text. The first line says which command wrote it.
    option : str
        The option that names the file.
    command : str
        The command, for the sentence on a file that somebody else wrote.

    Raises
    ------
    InputError
        If it is somebody's file, or cannot be written.
    """
    check_own(target, text.partition("\n")[0], option, command)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        problem = f"cannot be written: {error.strerror}; make room or name another file"
        raise InputError(option, problem, str(target)) from error


def check_own(target: Path, first_line: str, option: str, command: str) -> None:
    """Raise InputError if no file can be there, or one is there with another first line."""

    def wrong(problem: str) -> InputError:
        return InputError(option, f"{problem}; name another file", str(target))

    if os.path.isdir(target):  # unlike methods of Path, these raise no error for odd names
        raise wrong("is a directory")
    if not os.path.isdir(target.parent):
        raise wrong("cannot be written, as its folder does not exist")
    if not os.path.exists(target):
        return
    ours = False
    if os.path.isfile(target):  # a device or a pipe may be endless
        with suppress(OSError, UnicodeDecodeError), target.open(encoding=ENCODING) as file:
            ours = file.readline(len(first_line) + 1).rstrip("\n") == first_line
    if not ours:
        raise wrong(f"is there, and was not written by {command}")
