"""Measure what a machine can do, in products of matrices and in memory, and describe it."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from mcjax.chains.program import Dtype
from mcjax.engine.environment import environment

REPEATS, SWEEPS = 5, 200


def describe() -> dict[str, Any]:
    """Return what the machine is: device, processor, versions and the day."""
    devices = jax.local_devices()
    return environment() | {
        "platform": devices[0].platform,
        "devices": len(devices),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def product_rate(dtype: Dtype, devices: tuple[jax.Device, ...]) -> float:
    """Return how many operations a second products of matrices reach on some devices together.

    The rate of a machine that does other work changes: compare it with what ran at about the time.
    """
    size = 1024 if devices[0].platform == "cpu" else 8192
    product = jax.jit(partial(jnp.matmul, precision="highest"))
    given = [jax.device_put(jnp.ones((size, size), dtype), device) for device in devices]
    return len(devices) * 2 * size**3 / _fastest(lambda: [product(a, a) for a in given])


def bandwidth(size: float, devices: Sequence[jax.Device]) -> float:
    """Return bytes a second that some devices together read and write in arrays of ``size`` bytes.

    The arrays of a block are in cache if they fit, and so are these.
    """
    count = max(1024, int(size) // 4)

    @jax.jit
    def sweep(a: Array) -> Array:
        return lax.fori_loop(0, SWEEPS, lambda _, now: now * jnp.float32(0.5) + a, a)

    given = [jax.device_put(jnp.ones(count, jnp.float32), device) for device in devices]
    moved = 3 * 4 * count * SWEEPS  # two reads and a write
    return len(devices) * moved / _fastest(lambda: [sweep(a) for a in given])


def _fastest(start: Callable[[], Any]) -> float:
    """Return the least seconds of several calls, after one that is not counted."""
    seconds = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        jax.block_until_ready(start())
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def _processor() -> str:
    """Return the processor's own name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
