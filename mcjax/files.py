"""Read input files once, within bounds, and decode their text. Imports nothing heavy."""

from __future__ import annotations

import codecs
import os
import select
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from mcjax.errors import FileError

ENCODING = "utf-8-sig"
"""Encoding of the text that mcjax writes and reads again, with or without a byte-order mark."""
LARGEST = 2**28
"""Largest number of bytes of a file that is read."""
NO_WRITER, SILENCE = 5.0, 30.0
"""Seconds until a pipe that nobody has opened for writing, and one that is silent, is given up."""
STANDARD_INPUT = Path("-")
CHUNK = 2**16

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_kept: ContextVar[dict[str, bytes] | None] = ContextVar("kept", default=None)


@contextmanager
def reading_once() -> Iterator[None]:
    """Remember, in this context, what is read from pipes, which can be read only once."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def read_text(path: Path) -> str:
    """Return the text of a file: in UTF-8, or as its byte-order mark says.

    Raises
    ------
    FileError
        If the file cannot be read, is too large, or is not text.
    """
    content = read_bytes(path)
    marks = (name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark))
    encoding = next(marks, "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        problem = "is not text in UTF-8; save it as UTF-8, or name another file"
        raise FileError("", problem, str(path)) from error
    if "\0" in text:
        problem = "holds zero bytes, as no text does; save it as UTF-8, or name another file"
        raise FileError("", problem, str(path))
    return text.replace("\r\n", "\n")


def read_bytes(path: Path) -> bytes:
    """Return what a file holds; ``-`` is standard input.

    A pipe is waited for, but not for ever. In the context of :func:`reading_once`, it may be read
    again.

    Raises
    ------
    FileError
        If the file cannot be read or is too large.
    """
    kept = _kept.get()
    if kept is not None and str(path) in kept:
        return kept[str(path)]
    try:
        if path == STANDARD_INPUT:
            content, regular = _standard_input(), False
        else:
            content, regular = _content(path)
    except FileError:
        raise
    except FileNotFoundError as error:
        raise FileError("", "does not exist; name another file", str(path)) from error
    except IsADirectoryError as error:
        raise FileError("", "is a directory; name a file", str(path)) from error
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); name another file"
        raise FileError("", problem, str(path)) from error
    except ValueError as error:  # a zero byte in the name
        raise FileError("", "is not a file name; name another file", str(path)) from error
    if len(content) > LARGEST:
        problem = f"holds more than {LARGEST >> 20} MiB; name a smaller file"
        raise FileError("", problem, str(path))
    if kept is not None and not regular:
        kept[str(path)] = content
    return content


def _content(path: Path) -> tuple[bytes, bool]:
    """Return at most ``LARGEST + 1`` bytes of a file, and whether it can be read again."""
    # to open a named pipe would otherwise wait for a writer
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", getattr(os, "O_BINARY", 0)))
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if stat.S_ISREG(mode):
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(LARGEST + 1), True
        return _stream(descriptor, path), False
    finally:
        os.close(descriptor)


def _standard_input() -> bytes:
    """Return at most ``LARGEST + 1`` bytes of standard input."""
    if sys.stdin is None:
        raise OSError(None, "it is closed")
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, AttributeError):  # not of the operating system, as within a notebook
        return bytes(sys.stdin.buffer.read(LARGEST + 1))
    if sys.stdin.isatty() or sys.platform == "win32":
        return sys.stdin.buffer.read(LARGEST + 1)
    return _stream(descriptor, STANDARD_INPUT)


def _stream(descriptor: int, path: Path) -> bytes:
    """Return at most ``LARGEST + 1`` bytes of what is no regular file."""
    parts: list[bytes] = []
    size, begun = 0, time.monotonic()
    named = path != STANDARD_INPUT and stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    opened = not named  # by a writer
    while size <= LARGEST:
        ready, _, _ = select.select([descriptor], [], [], SILENCE if opened else 0.02)
        if opened and not ready:
            problem = f"has sent nothing for {SILENCE:.0f} s; write it to a file first"
            raise FileError("", problem, str(path))
        try:
            part = os.read(descriptor, min(CHUNK, LARGEST + 1 - size))
        except BlockingIOError:
            opened = True
            continue
        if part:
            parts.append(part)
            size += len(part)
        elif ready:
            break
        elif time.monotonic() - begun > NO_WRITER:
            problem = (
                f"is a pipe that nobody has opened to write for {NO_WRITER:.0f} s; name a file"
            )
            raise FileError("", problem, str(path))
    return b"".join(parts)
