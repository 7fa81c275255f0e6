"""Diagnoses of networks that are drawn, against powers of the recursion of their second moments.

    python benchmarks/drawn_networks.py [--networks 2000] [--out FILE]

The networks are those of ``tests/diagnosis/drawn_cases.py``: two to four models, one to four
networks, drawn independently or by a Markov chain, private and shared draws. For each network and
model: whether the verdict is that of the recursion after 2^20 generations and after twice as many,
and the relative error of the growth, or of the limit.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from machine import keep

import mcjax

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "diagnosis"))

from drawn_cases import compare, random_drawn

SEED = 2026
DOUBLINGS = 20
SLOWEST = 1e-9
"""Slope of the recursion, per generation, from which a model counts as one that collapses."""


def main() -> None:
    """Compare, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=2000)
    default = Path(__file__).parent / "results" / "drawn_networks.json"
    parser.add_argument("--out", type=Path, default=default)
    asked = parser.parse_args()
    rng = np.random.default_rng(SEED)
    kinds: dict[str, dict[str, float]] = {}
    for _ in range(asked.networks):
        net = random_drawn(rng)
        kind = "independent" if net.later.independent else "markov"
        found = kinds.setdefault(
            f"{kind}, {net.draws}",
            {"verdicts": 0, "collapse": 0, "wrong": 0, "growth": 0.0, "limit": 0.0},
        )
        verdicts = mcjax.diagnose(net).models.values()
        for phase, slope, limit in compare(net, verdicts, DOUBLINGS):
            found["verdicts"] += 1
            found["collapse"] += bool(phase.collapses)
            found["wrong"] += bool(phase.collapses != (slope > SLOWEST))
            if phase.collapses:
                found["growth"] = max(found["growth"], float(abs(phase.growth / slope - 1)))
            else:
                found["limit"] = max(found["limit"], float(abs(phase.limit / limit - 1)))
    keep(asked.out, kinds)
    for kind, numbers in kinds.items():
        print(kind, numbers)


if __name__ == "__main__":
    main()
