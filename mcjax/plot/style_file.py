"""Read a user's own style for figures."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import matplotlib

from mcjax.errors import InputError, named_by
from mcjax.files import read_text

OF_PROGRAMS = ("backend", "interactive", "toolbar", "savefig.directory", "timezone")
"""Settings that a style has no say in."""


def read_style(path: Path) -> dict[str, Any]:
    """Return the settings in a Matplotlib style file, except those of the program that draws.

    Raises
    ------
    InputError
        If the file cannot be read, or has a setting that Matplotlib does not know.
    """
    with named_by("--style"):
        read_text(path)  # raises errors that name the file
    messages: list[str] = []
    log = logging.getLogger("matplotlib")
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    kept = log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        found = matplotlib.rc_params_from_file(str(path), use_default_template=False)
    finally:
        log.removeHandler(handler)
        log.propagate = kept
    if messages:
        problem = messages[0].strip().splitlines()[0].rstrip(".:")
        raise InputError("--style", f"is refused by Matplotlib: {problem}; correct it", str(path))
    return {key: value for key, value in found.items() if key not in OF_PROGRAMS}
