"""Diagnoses of networks that change, against powers of the exact recursion of second moments.

    python benchmarks/schedules.py [--networks 300] [--out FILE]

Networks are those of ``tests/diagnosis``: feeds that take turns, networks that are drawn
independently or by a Markov chain, feeds that come and go and are drawn besides, and networks of
three parts, each lifted by the periods of its own feeds. For each kind: how many verdicts on a
model in a phase there were, how many of them differ from the recursion, and the largest relative
errors of growth and limit. At last, the processor time of ``mcjax diagnose`` for 10,000 models in
twelve phases, and for twelve loops whose common period is 2e16 generations.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import keep

import mcjax
from mcjax.diagnosis import schedules
from mcjax.network.unlisted import Scheduled

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "diagnosis"))

import drawn_cases
import schedule_cases
import test_periods

SEED, ROUNDS, LEAST = 2026, 16, 1e-9
"""Seed of all draws, number of doublings of the recursion, and least relative gain of a growing
variance at the last doubling: slopes may be as small as chances are."""
Case = tuple[bool | None, float | None, float, float, float]
"""Verdict, its growth or limit, and slope, last gain and last value of the recursion."""
PRIMES = (7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)


def in_turn(rng: np.random.Generator) -> Iterator[Case]:
    """Feeds that take turns."""
    net = schedule_cases.random_schedule(rng)
    if net.later.turns > 1:
        yield from _compared(net, mcjax.diagnose(net))


def in_parts(rng: np.random.Generator) -> Iterator[Case]:
    """Parts of a network that have periods of their own."""
    feeds, names = test_periods.random_parts(rng), test_periods.NAMES
    net = mcjax.build_network(names, feeds, initial=20)
    if net.later.turns > 1:
        yield from _compared(net, mcjax.diagnose(replace(net, later=Scheduled(tuple(feeds)))))


def drawn(rng: np.random.Generator, independent: bool) -> Iterator[Case]:
    """Networks that are drawn."""
    net = drawn_cases.random_drawn(rng)
    if net.later.independent == independent:
        yield from _of_drawn(net)


def both(rng: np.random.Generator) -> Iterator[Case]:
    """Feeds that come and go, of which some are drawn."""
    net = drawn_cases.random_turns(rng)
    if net.later.random and net.later.turns <= 24:
        yield from _of_drawn(net)


def _of_drawn(net: mcjax.Network) -> Iterator[Case]:
    models = mcjax.diagnose(net).models.values()
    for phase, slope, last in drawn_cases.compare(net, models, ROUNDS):
        number = phase.growth if phase.collapses else phase.limit
        gain = slope * 2**ROUNDS * len(net.later.groups)
        yield phase.collapses, number, slope, gain, last


def _compared(net: mcjax.Network, diagnosis: mcjax.Diagnosis) -> Iterator[Case]:
    exact = schedule_cases.powers(net, ROUNDS)
    for i, verdict in enumerate(diagnosis.models.values()):
        for z, (once, twice, span) in exact.items():
            phase = verdict.phases[z % len(verdict.phases)]
            number = phase.growth if phase.collapses else phase.limit
            gain = twice[i] - once[i]
            yield phase.collapses, number, gain / span, gain, twice[i]


def counted(draw: Callable[[], Iterator[Case]], networks: int) -> dict[str, float]:
    """Compare so many networks that change."""
    found = {"networks": 0, "verdicts": 0, "collapse": 0, "wrong": 0, "growth": 0.0, "limit": 0.0}
    while found["networks"] < networks:
        cases = list(draw())
        found["networks"] += bool(cases)
        for collapses, number, slope, gain, last in cases:
            found["verdicts"] += 1
            found["collapse"] += bool(collapses)
            found["wrong"] += collapses != bool(gain > LEAST * last)
            if number is not None and not np.isnan(number):
                name, exact = ("growth", slope) if collapses else ("limit", last)
                found[name] = max(found[name], float(abs(number / exact - 1)))
    return found


def large(folder: Path) -> dict[str, float]:
    """Processor seconds of the command for large networks and long periods."""
    rng, texts = np.random.default_rng(SEED), {}
    every = rng.choice([1, 2, 3, 4], 10_000).tolist()
    rows = [f"m{i - 1},m{i},10,{every[i]}" for i in range(10_000) if i % 100]
    texts["stable"] = [*rows, *(f"real,m{i},10,12" for i in range(0, 10_000, 50))]
    rings = [f"m{i + 99},m{i},10,{every[i]}" for i in range(0, 10_000, 100)]
    texts["collapsing"] = [*rows, *rings, *(f"m0,m{i},10,{every[i]}" for i in range(100, 10_000))]
    texts["twelve loops"] = [
        line for p in PRIMES for line in (f"l{p},l{p},50,1", f"real,l{p},50,{p}")
    ]
    found = {}
    for name, lines in texts.items():
        file = folder / "net.csv"
        file.write_text("\n".join(["from,to,samples,every", *lines]) + "\n")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "mcjax", "diagnose", str(file)]
        subprocess.run(command, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found[name] = round(spent, 2)
    return found


def main() -> None:
    """Compare, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=300)
    default = Path(__file__).parent / "results" / "schedules.json"
    parser.add_argument("--out", type=Path, default=default)
    asked = parser.parse_args()
    rng = np.random.default_rng(SEED)
    kinds: dict[str, Callable[[], Iterator[Case]]] = {
        "in turn": lambda: in_turn(rng),
        "independent": lambda: drawn(rng, independent=True),
        "Markov": lambda: drawn(rng, independent=False),
        "in turn and drawn": lambda: both(rng),
    }
    found: dict[str, Any] = {name: counted(draw, asked.networks) for name, draw in kinds.items()}
    schedules.MOST_RATES = schedules.MOST_COMMON = 0  # as for the largest networks
    found["parts of periods of their own"] = counted(lambda: in_parts(rng), asked.networks)
    with tempfile.TemporaryDirectory() as folder:
        found["processor seconds"] = large(Path(folder))
    for name, numbers in found.items():
        print(name, numbers)
    keep(asked.out, found)


if __name__ == "__main__":
    main()
