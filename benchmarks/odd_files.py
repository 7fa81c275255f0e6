"""How the command line ends on thousands of generated study and graph files.

    python benchmarks/odd_files.py [--files 10000] [--processes 300] [--seed 0] [--out RESULT.json]

Files are those of ``tests/cli/file_strategies.py``. All go through the entry point in one process,
each under a limit of time, and some as processes of their own. What breaks a rule (an exit status
other than 0, 1, 2 and 3, a traceback, more than a sentence, text that moves a cursor, or a run over
the limit) is kept with its file in a folder.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "cli"))

from fault_strategies import File  # noqa: E402
from file_strategies import calls  # noqa: E402
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from invariants import broken_rule  # noqa: E402

LIMIT = 20.0
"""Seconds of a processor that a command may take."""
PATIENCE = 600.0
"""Seconds until a process is ended."""


class TooLong(BaseException):
    """A command has taken longer than the limit."""


def run_here(command: tuple[str, ...], path: Path) -> tuple[int, str, str]:
    """Run a command in this process: exit status, standard output, standard error."""
    from mcjax.cli import main

    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["mcjax", command[0], str(path), *command[1:]]
    status: Any = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), limited():
            main.run()
    except SystemExit as stop:
        status = stop.code or 0
    except TooLong:
        status = 124
    return status, out.getvalue(), err.getvalue()


def run_apart(drawn: tuple[tuple[str, ...], File]) -> tuple[tuple[int, str, str], float]:
    """Run a command as a process of its own: how it ended, and its seconds of a processor."""
    command, file = drawn
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = Path(folder) / file.name
        path.write_bytes(file.content)
        ends = [stack.enter_context((Path(folder) / name).open("w+b")) for name in (".out", ".err")]
        line = [sys.executable, "-m", "mcjax", command[0], str(path), *command[1:]]
        process = subprocess.Popen(line, stdout=ends[0], stderr=ends[1], cwd=folder)
        begun, ended = time.monotonic(), 0
        while not ended:
            time.sleep(0.05)
            ended, status, use = os.wait4(process.pid, os.WNOHANG)
            if not ended and time.monotonic() - begun > PATIENCE:
                process.kill()
        process.returncode = os.waitstatus_to_exitcode(status)
        for end in ends:
            end.seek(0)
        out, err = (end.read().decode("utf-8", "replace") for end in ends)
    return (process.returncode, out, err), use.ru_utime + use.ru_stime


def drive_apart(number: int, tally: Tally, start: int, workers: int = 4) -> None:
    """Run ``number`` files, each as a process of its own, a few at a time."""
    drawn: list[tuple[tuple[str, ...], File]] = []
    with_each(number, start, lambda *pair: drawn.append(pair))
    with ThreadPoolExecutor(workers) as pool:
        for (command, file), (ended, seconds) in zip(
            drawn, pool.map(run_apart, drawn), strict=True
        ):
            tally.add(command, file, ended, seconds)


def processor_seconds() -> float:
    """Return the time that processors have spent on this process and on those it started."""
    uses = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Stop what takes far longer than the limit."""

    def stop(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 10 * LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Tally:
    """Counts of exit statuses by command, the slowest runs, and what broke a rule."""

    def __init__(self, kept: Path):
        self.statuses: dict[str, Counter[str]] = {}
        self.slowest: list[tuple[float, str]] = []
        self.broken: Counter[str] = Counter()
        self.kept = kept

    def add(
        self, command: tuple[str, ...], file: File, ended: tuple[int, str, str], seconds: float
    ) -> None:
        """Count a run."""
        status, out, err = ended
        self.statuses.setdefault(command[0], Counter())[str(status)] += 1
        self.slowest = sorted([*self.slowest, (round(seconds, 2), " ".join(command))])[-5:]
        rule = broken_rule(command, status, out, err)
        if rule is None and seconds > LIMIT:
            rule = f"took more than {LIMIT:.0f} s"
        if rule is not None:
            self.broken[rule] += 1
            folder = self.kept / f"{sum(self.broken.values()):04}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file.name).write_bytes(file.content)
            about = (
                f"{' '.join(command)}\n{rule}\n{seconds:.1f} s\n{out[-3000:]}\n---\n{err[-6000:]}"
            )
            (folder / "about.txt").write_text(about, "utf-8", "backslashreplace")

    def results(self) -> dict[str, Any]:
        """Return everything as plain data."""
        total: Counter[str] = sum(self.statuses.values(), Counter())
        return {
            "runs": total.total(),
            "statuses": dict(sorted(total.items())),
            "by_command": {name: dict(sorted(c.items())) for name, c in self.statuses.items()},
            "broken": dict(self.broken),
            "slowest_processor_seconds": self.slowest[::-1],
        }


def with_each(number: int, start: int, use: Callable[[tuple[str, ...], File], None]) -> None:
    """Call a function with ``number`` commands and files."""

    @seed(start)
    @settings(
        max_examples=number,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(calls())
    def each(drawn: tuple[tuple[str, ...], File]) -> None:
        use(*drawn)

    each()


def drive(number: int, tally: Tally, start: int) -> None:
    """Run ``number`` files in this process."""
    began = time.monotonic()

    def run(command: tuple[str, ...], file: File) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file.name
            path.write_bytes(file.content)
            begin = processor_seconds()
            ended = run_here(command, path)
            tally.add(command, file, ended, processor_seconds() - begin)
        runs = sum(c.total() for c in tally.statuses.values())
        if runs % 500 == 0:
            minutes = (time.monotonic() - began) / 60
            print(f"{runs} in {minutes:.1f} min: {tally.results()}", file=sys.stderr, flush=True)

    with_each(number, start, run)


def main() -> None:
    """Run everything and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--kept", type=Path, default=Path("odd-files"))
    options = parser.parse_args()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    here, apart = Tally(options.kept / "here"), Tally(options.kept / "apart")
    if options.files:
        drive(options.files, here, options.seed)
    if options.processes:
        drive_apart(options.processes, apart, options.seed + 1)
    results = {"in_one_process": here.results(), "processes": apart.results()}
    print(json.dumps(results, indent=1))
    if options.out:
        from machine import keep

        keep(options.out, results)


if __name__ == "__main__":
    main()
