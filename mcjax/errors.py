"""The exception for invalid input: one sentence with place, fault and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Invalid input; ``str(error)`` is one sentence that names file, field and remedy.

    Parameters
    ----------
    field : str
        Name of the field, or an empty string.
    message : str
        What is wrong, and what to do about it.
    file : str, optional
        Name of the file that the input comes from.

    Examples
    --------
    >>> import mcjax
    >>> try:
    ...     mcjax.topologies.ring(3, samples=0, initial=100)
    ... except mcjax.InputError as error:
    ...     print(error.field)
    ...
    network.feeds[0].samples
    """

    def __init__(self, field: str, message: str, file: str | None = None):
        self.field = field
        self.message = message
        self.file = file
        super().__init__(field, message, file)  # pickle calls the class with these arguments

    def __str__(self) -> str:
        told = ": ".join(part for part in (self.file, self.field, self.message) if part)
        return " ".join(line.strip() for line in told.split("\n"))  # an array has several lines


class SharedError(InputError):
    """An input error that is known to all processes of a job, so that each can exit by itself."""


class FileError(InputError):
    """An input error of a file that cannot be read, whatever it holds."""


@contextmanager
def named_by(field: str) -> Iterator[None]:
    """Let a file that cannot be read, in this context, be the fault of the field that names it."""
    try:
        yield
    except FileError as error:
        raise InputError(field, f"{error.file} {error.message}") from error


@contextmanager
def naming(file: object) -> Iterator[None]:
    """Add a file name to input errors raised in this context that name no file."""
    try:
        yield
    except InputError as error:
        if error.file or isinstance(error, SharedError):
            raise
        raise InputError(error.field, error.message, str(file)) from error


def did_you_mean(word: object, choices: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the closest choice, or an empty string."""
    close = difflib.get_close_matches(str(word), list(choices), n=1)
    return f" (did you mean '{close[0]}'?)" if close and close[0] != word else ""
