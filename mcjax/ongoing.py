"""Tell how far long work inside of a computation is, to whoever listens. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

Advance = Callable[[int], None]
"""Called with the number of units of work that are done since the last call."""
Listener = Callable[[int, str], AbstractContextManager[Advance]]
"""Called with the size of some work, and with a plural noun for its units."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def heard_by(listener: Listener | None) -> Iterator[None]:
    """Let a listener, or nobody, hear of all long work in this context."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def long_work(total: int, what: str) -> Iterator[Advance]:
    """Provide a function that tells that more of some work is done.

    Of work inside of other long work, nobody hears.

    Parameters
    ----------
    total : int
        Size of the work.
    what : str
        Plural noun for its units.
    """
    listener = _listener.get()
    if listener is None:
        yield lambda more: None
        return
    with heard_by(None), listener(total, what) as advance:
        yield advance
