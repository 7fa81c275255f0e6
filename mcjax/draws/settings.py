"""Settings of JAX that would change results or stop runs, set aside while mcjax computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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


CARRIED = (
    "default_device",
    "default_matmul_precision",
    "default_prng_impl",
    "disable_jit",
    "numpy_dtype_promotion",
    "numpy_rank_promotion",
)
"""Settings that users may make for one thread, by ``with``; the precision of numbers is another."""


def as_here(function: Callable[..., Result]) -> Callable[..., Result]:
    """Return a function that computes in other threads with this thread's settings of JAX.

    Parameters
    ----------
    function : callable
        The function.

    Returns
    -------
    callable
        The same function, for any thread. Context variables are those of now, too.
    """
    config: Any = jax.config
    x64, kept = config.jax_enable_x64, {name: getattr(config, f"jax_{name}") for name in CARRIED}
    context = copy_context()

    def there(*arguments: Any) -> Result:
        with ExitStack() as stack:
            stack.enter_context(double_precision(x64))
            for name, value in kept.items():
                stack.enter_context(getattr(jax, name)(value))
            return context.copy().run(function, *arguments)  # a context serves one thread

    return there
