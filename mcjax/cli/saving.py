"""Report progress, and keep what has been computed now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mcjax.progress import Progress

SAVE_EVERY, SAVE_SHARE = 1.0, 0.05
"""Seconds between two saves of the results so far, and largest share of time spent on saving."""


def reporting(
    save: Callable[[Any], None] | None, progress: Progress
) -> Callable[[int, Callable[[], Any]], None]:
    """Return a callback that reports progress, and saves now and then.

    It is called with the amount of work that was added, and a function that returns all results so
    far. Nothing is saved if there is nothing that saves.
    """
    following = time.monotonic() + SAVE_EVERY

    def report(added: int, current: Callable[[], Any]) -> None:
        nonlocal following
        progress.advance(added)
        began = time.monotonic()
        if save is not None and began > following:
            save(current())
            ended = time.monotonic()
            following = ended + max(SAVE_EVERY, (ended - began) / SAVE_SHARE)

    return report
