"""Versions and device of a run."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

import jax


def environment() -> dict[str, Any]:
    """Return the environment of the run: versions of packages, Python and the device."""
    return {
        "versions": {name: version(name) for name in ("mcjax", "jax", "jaxlib", "numpy")},
        "python": platform.python_version(),
        "device": str(jax.devices()[0].device_kind),
    }
