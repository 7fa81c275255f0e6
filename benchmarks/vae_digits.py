"""A variational autoencoder of digits in two networks: a frozen teacher, and the same after a flip.

    python benchmarks/vae_digits.py [--chains 8] [--out FILE]

The teacher's output feeds a pupil, whose output feeds a second one, which feeds a model that reads
half real data. In the flip, the teacher reads the second pupil. About a minute of processor time.
Kept are the means of all measures, the verdicts, and the paired differences.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import jax
from machine import keep

import mcjax
from mcjax.generators.vae_digits import vae_digits

jax.config.update("jax_enable_x64", True)

ROWS, HALF, GENERATIONS = 1000, 500, 8
STABLE = [("0", "1", ROWS), ("1", "2", ROWS), ("2", "3", HALF), ("real", "3", HALF)]
NETWORKS = {"stable": STABLE, "flip": [*STABLE, ("2", "0", ROWS)]}


def main() -> None:
    """Simulate both networks, and keep what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chains", type=int, default=8)
    default = Path(__file__).parent / "results" / "vae_digits.json"
    parser.add_argument("--out", type=Path, default=default)
    given = parser.parse_args()
    generator = vae_digits()
    conditions = tuple(
        mcjax.GeneratorCondition(mcjax.build_network(4, feeds, initial=ROWS), generator, name=name)
        for name, feeds in NETWORKS.items()
    )
    study = mcjax.GeneratorStudy(conditions, GENERATIONS, given.chains, tolerance=0.3)
    found = mcjax.verify_generators(study)
    print(found)
    result = {
        "chains": given.chains,
        "measures": found.measures[0],
        "means": {name: found.mean(i).round(4).tolist() for i, name in enumerate(NETWORKS)},
        "errors": {
            name: found.standard_error(i).round(4).tolist() for i, name in enumerate(NETWORKS)
        },
        "differences": [asdict(one) for one in found.differences],
        "verdicts": {f"{c.condition} {c.model} {c.quantity}": c.verdict for c in found.cells},
    }
    keep(given.out, result)


if __name__ == "__main__":
    main()
