"""Report the progress of a long run, and the time left, on standard error."""

from __future__ import annotations

from types import TracebackType

from rich import progress
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

MILESTONES = 10


class Progress:
    """A progress bar on a terminal; elsewhere, a line for every tenth of the work.

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
        self._bar = progress.Progress(
            *columns,
            console=console,
            transient=True,
            disable=self._silent or not console.is_terminal,
        )
        self._task = self._bar.add_task(what, total=total, completed=done)

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
        """Remove the bar."""
        self._bar.stop()

    def advance(self, more: int) -> None:
        """Report that so many more units of work are done."""
        before = self._done * MILESTONES // self._total
        self._done += more
        self._bar.advance(self._task, more)
        after = self._done * MILESTONES // self._total
        if not self._silent and not self._console.is_terminal and after > before:
            left = self._bar.tasks[0].time_remaining
            note = "" if left is None else f", about {left:.0f} s left"
            self._console.print(f"{self._done} of {self._total} {self._what}{note}")
