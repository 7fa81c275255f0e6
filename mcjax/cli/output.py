"""Keep standard output for what a command prints."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def prints_aside(as_json: bool) -> Iterator[None]:
    """Send what a user's code prints to standard error, so that JSON stands alone."""
    if not as_json or sys.stderr is None:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield
        jax = sys.modules.get("jax")
        if jax is not None:
            jax.effects_barrier()  # what compiled code prints comes late
