"""Settings of JAX that would change results or stop runs, set aside while mcjax computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def own_settings() -> Iterator[None]:
    """Compute with NaN as data and with one generator, whatever the user has set for JAX.

    Estimates that do not exist are NaN, which ``jax_debug_nans`` and ``jax_debug_infs`` would take
    for an error. Keys of estimators draw other numbers without ``jax_threefry_partitionable``. The
    settings of the caller's thread are restored afterwards.
    """
    with jax.debug_nans(False), jax.debug_infs(False), jax.threefry_partitionable(True):
        yield


@contextmanager
def double_precision() -> Iterator[None]:
    """Compute in double precision, whatever the user has set for JAX."""
    if hasattr(jax, "enable_x64"):
        with jax.enable_x64(True):
            yield
    else:  # JAX before 0.8
        from jax import experimental

        with experimental.enable_x64():  # type: ignore[attr-defined]
            yield
