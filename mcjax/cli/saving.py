"""Report progress, keep what has been computed now and then, and tell how to run it again."""

from __future__ import annotations

import shlex
import sys
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


def command_again(asked: int, chains: int) -> str:
    """Return the command that gives the results of this process again.

    A folder may hold more chains than the command that was given asks for.
    """
    words = sys.argv[1:]
    if chains > asked:
        for k, word in reversed(list(enumerate(words))):
            if word == "--chains" or word.startswith("--chains="):
                del words[k : k + 1 + (word == "--chains")]
        words += ["--chains", str(chains)]
    return shlex.join(["mcjax", *words])
