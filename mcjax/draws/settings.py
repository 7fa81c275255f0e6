"""Settings of JAX that would change results or stop runs, set aside while mcjax computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

import jax

Result = TypeVar("Result")


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
def double_precision(on: bool = True) -> Iterator[None]:
    """Compute in double precision, or without it, whatever the user has set for JAX."""
    if hasattr(jax, "enable_x64"):
        with jax.enable_x64(on):
            yield
    else:  # JAX before 0.8
        from jax import experimental

        with experimental.enable_x64(on):  # type: ignore[attr-defined]
            yield


def as_here(function: Callable[..., Result]) -> Callable[..., Result]:
    """Return a function that computes in other threads with what this one has set for JAX.

    That is the precision of numbers and of matrix products, which users may set by ``with``.
    """
    config: Any = jax.config
    x64, products = config.jax_enable_x64, config.jax_default_matmul_precision
    context = copy_context()

    def there(*arguments: Any) -> Result:
        with double_precision(x64), jax.default_matmul_precision(products):
            return context.run(function, *arguments)

    return there
