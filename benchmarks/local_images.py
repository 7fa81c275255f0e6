"""Verdicts on real data with images of a user's own, and what they take.

    python benchmarks/local_images.py FOLDER [--chains 1536] [--out RESULT.json]

``mcjax verify --builtin real-data --with mnist=FOLDER`` runs in a process of its own, for example
on the folder of Debian's package ``dataset-fashion-mnist``. Kept are the verdicts by quantity, of
all cells and of those of the images, seconds of a processor and the largest memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from machine import keep


def counted(cells: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Return how many cells have each verdict, by quantity."""
    return dict(Counter(f"{cell['quantity']}, {cell['verdict']}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chains", type=int, default=1536)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    command = [sys.executable, "-m", "mcjax", "verify", "--builtin", "real-data", "--json"]
    command += ["--with", f"mnist={given.folder}", "--chains", str(given.chains), "--quiet"]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    found = json.loads(ran.stdout)
    took = resource.getrusage(resource.RUSAGE_CHILDREN)
    results = {
        "chains": given.chains,
        "verdict": found["verdict"],
        "cells": counted(found["cells"]),
        "of the images": counted(c for c in found["cells"] if "-ubyte" in c["condition"]),
        "processor_seconds": round(took.ru_utime + took.ru_stime),
        "peak_MiB": round(took.ru_maxrss / 1024),
    }
    print(json.dumps(results, indent=1))
    if given.out is not None:
        keep(given.out, results)


if __name__ == "__main__":
    main()
