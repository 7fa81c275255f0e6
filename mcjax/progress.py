"""Report the progress of a long run, and the time left, on standard error or in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mcjax.ongoing import Advance, heard_by

if TYPE_CHECKING:
    from rich.console import Console

MILESTONES = 10


class Progress:
    """A progress bar on a terminal; elsewhere, a line for every tenth of the work.

    In a notebook it is a single line that changes, and is empty in the end.

    Parameters
    ----------
    console : Console
        Console on which progress is reported.
    total, done : int
        Size of the work, and how much of it was done before.
    quiet : bool, optional
        Whether nothing is reported.
    what : str, optional
        Plural noun for the units of work.
    """

    def __init__(
        self,
        console: Console,
        total: int,
        done: int = 0,
        quiet: bool = False,
        what: str = "chains",
    ):
        from rich.progress import (  # slow to import, and little work takes long
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = console
        self._what = what
        self._total = total
        self._done = done
        self._silent = quiet or done >= total
        columns = (
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(
            *columns,
            console=console,
            transient=True,
            disable=self._silent or not console.is_terminal,
        )
        self._task = self._bar.add_task(what, total=total, completed=done)
        self._line: Any = None  # of a notebook

    def __enter__(self) -> Progress:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar, or what the line of a notebook shows."""
        self._bar.stop()
        if self._line is not None:
            self._line.update({}, raw=True)

    def advance(self, more: int) -> None:
        """Report that so many more units of work are done."""
        before = self._done * MILESTONES // self._total
        self._done += more
        self._bar.advance(self._task, more)
        after = self._done * MILESTONES // self._total
        if not self._silent and not self._console.is_terminal and after > before:
            left = self._bar.tasks[0].time_remaining
            note = f", about {left:.0f} s left" if left else ""
            self._tell(f"{self._done} of {self._total} {self._what}{note}")

    def _tell(self, text: str) -> None:
        if not self._console.is_jupyter:
            self._console.print(text, soft_wrap=True)
            return
        from IPython.display import display  # a notebook has it

        if self._line is None:
            show: Any = display  # has no types
            self._line = show({"text/plain": text}, raw=True, display_id=True)
        else:
            self._line.update({"text/plain": text}, raw=True)


@contextmanager
def shows_work(quiet: bool = False) -> Iterator[None]:
    """Show on standard error, in this context, how far long work inside of laws is."""

    @contextmanager
    def listener(total: int, what: str) -> Iterator[Advance]:
        from rich.console import Console

        with Progress(Console(stderr=True), total, quiet=quiet, what=what) as line:
            yield line.advance

    with heard_by(listener):
        yield
