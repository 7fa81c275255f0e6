"""Starting JAX, once for each command that needs it. What the environment gets wrong is told in one
sentence: XLA would end the process with status 1, which says refuted."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import Any

from mcjax.errors import InputError


def start_jax(distributed: str | None = None) -> None:
    """Configure JAX and start its backend, before any array exists.

    Parameters
    ----------
    distributed : str or None
        The job of several processes to join, see :func:`mcjax.engine.processes.start`.

    Raises
    ------
    InputError
        If the environment keeps JAX from starting, or the job is not to be found.
    """
    _check_xla_flags()
    jax = import_jax()
    jax.config.update("jax_enable_x64", True)
    flags = os.environ.get("XLA_FLAGS", "")
    if getattr(jax.config, "jax_num_cpu_devices", 1) < 1 and "device_count" not in flags:
        cores = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
        with suppress(RuntimeError):  # where the program that calls has begun to use JAX
            jax.config.update("jax_num_cpu_devices", len(cores))
    if distributed is not None:
        from mcjax.engine.processes import start

        start(distributed)
    try:
        jax.local_devices()
    except Exception as error:  # JAX raises RuntimeError, and AssertionError without a word
        platforms = os.environ.get("JAX_PLATFORMS")
        if platforms:
            raise InputError(
                "JAX_PLATFORMS",
                f"is {platforms!r}, which does not start here{_reason(error)}; unset it, or name"
                " what this machine has",
            ) from error
        raise InputError("", f"JAX finds no device that starts{_reason(error)}") from error


def import_jax() -> Any:
    """Return JAX; importing it allocates nothing, but reads variables of the environment.

    Raises
    ------
    InputError
        If it cannot be imported.
    """
    try:
        import jax
    except Exception as error:  # variables named JAX_..., packages that do not fit each other
        raise InputError("", f"JAX cannot be imported{_reason(error)}") from error
    return jax


def _check_xla_flags() -> None:
    """Raise if XLA refuses its flags: another process tries, for XLA ends the one that does."""
    flags = os.environ.get("XLA_FLAGS")
    if not flags or not sys.executable:
        return
    own = {key: value for key, value in os.environ.items() if not key.startswith("JAX_")}
    tried = subprocess.run(
        [sys.executable, "-c", "import jax; jax.local_devices()"],
        env=own | {"JAX_PLATFORMS": "cpu"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    if tried.returncode:
        raise InputError("XLA_FLAGS", f"is {flags!r}, which XLA refuses; correct or unset it")


def _reason(error: Exception) -> str:
    """What an error says, in parentheses; nothing if it says nothing."""
    lines = str(error).strip().splitlines()
    return f" ({lines[0]})" if lines else ""
