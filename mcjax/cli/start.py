"""Start JAX, once for each command that needs it.

Errors in the environment are reported in one sentence. XLA would otherwise end the process with
status 1, which means "refuted".
"""

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
    distributed : str, optional
        Job of several processes to join, see :func:`mcjax.engine.processes.start`.

    Raises
    ------
    InputError
        If the environment keeps JAX from starting, or the job cannot be joined.
    """
    _check_xla_flags()
    jax = import_jax()
    jax.config.update("jax_enable_x64", True)
    for setting in ("jax_debug_nans", "jax_debug_infs"):  # NaN is how a fit without estimate ends
        jax.config.update(setting, False)
    flags = os.environ.get("XLA_FLAGS", "")
    if getattr(jax.config, "jax_num_cpu_devices", 1) < 1 and "device_count" not in flags:
        cores = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
        with suppress(RuntimeError):  # the calling program has used JAX already
            jax.config.update("jax_num_cpu_devices", len(cores))
    if distributed is not None:
        from mcjax.engine.processes import start

        start(distributed)
    try:
        jax.local_devices()
    except Exception as error:  # JAX raises RuntimeError, or AssertionError without a message
        platforms = os.environ.get("JAX_PLATFORMS")
        if platforms:
            raise InputError(
                "JAX_PLATFORMS",
                f"is {platforms!r}, which does not start here{_reason(error)}; unset it, or name"
                " a platform that this machine has",
            ) from error
        raise InputError("", f"JAX finds no device that starts{_reason(error)}") from error


def import_jax() -> Any:
    """Import and return JAX, which allocates nothing but reads environment variables.

    Raises
    ------
    InputError
        If JAX cannot be imported.
    """
    try:
        import jax
    except Exception as error:  # invalid JAX_... variables, or incompatible packages
        raise InputError("", f"JAX cannot be imported{_reason(error)}") from error
    return jax


def _check_xla_flags() -> None:
    """Raise an InputError if XLA refuses its flags.

    Another process tries the flags, because XLA ends the process in which they are wrong.
    """
    flags = os.environ.get("XLA_FLAGS")
    if not flags or not sys.executable:
        return
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("JAX_")}
    trial = subprocess.run(
        [sys.executable, "-c", "import jax; jax.local_devices()"],
        env=inherited | {"JAX_PLATFORMS": "cpu"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    if trial.returncode:
        raise InputError("XLA_FLAGS", f"is {flags!r}, which XLA refuses; correct or unset it")


def _reason(error: Exception) -> str:
    """Return the first line of an error's message in parentheses; empty without a message."""
    lines = str(error).strip().splitlines()
    return f" ({lines[0]})" if lines else ""
