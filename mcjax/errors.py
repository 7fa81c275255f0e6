"""The one exception a user's input can raise: one sentence with place, fault and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Input that cannot be used. ``str(error)`` is one sentence: file, field, remedy."""

    def __init__(self, field: str, message: str, file: str | None = None):
        self.field = field
        self.message = message
        self.file = file
        super().__init__(field, message, file)  # as pickle will call it again

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.field, self.message) if part)


class SharedError(InputError):
    """An input error that all processes of a job have come to, so that each can end by itself."""


@contextmanager
def naming(file: object) -> Iterator[None]:
    """Let input errors raised inside name the file they came from, unless they name one already."""
    try:
        yield
    except InputError as error:
        if error.file or isinstance(error, SharedError):
            raise
        raise InputError(error.field, error.message, str(file)) from error


def did_you_mean(word: object, choices: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the closest choice, or nothing."""
    close = difflib.get_close_matches(str(word), list(choices), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""
