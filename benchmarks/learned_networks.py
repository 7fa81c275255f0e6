"""A neural generator in three networks: collapse, its absence, and a flip.

    python benchmarks/learned_networks.py vae-digits FOLDER [--out FILE]
    python benchmarks/learned_networks.py vae-mnist FOLDER --images PATH

Four models each. ``zoo``: one reads itself, one reads as much of it as of real data, one as much
of itself as of real data, and one reads that. ``stable``: a frozen teacher feeds a pupil, the pupil
a second one, and that a model that reads as much real data. ``flip``: the teacher reads the second
pupil. The study is run by ``mcjax verify`` in the folder, from which the same command goes on.
``vae-digits`` takes three and a half minutes of processor time, and ``lm-docs`` three. Of
``vae-mnist``, the built-in study is run, without the zoo, in two and a half minutes.

Kept are means of all measures, verdicts, and paired differences, under the name of the generator.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path

from machine import keep

ROWS = {"vae-digits": 1000, "lm-docs": 400}
RUN = {"vae-digits": (16, 10), "lm-docs": (8, 8)}
"""Chains and generations."""
READERS = ("teacher", "pupil", "second", "mixed")
STABLE = [
    ("teacher", "pupil", 1),
    ("pupil", "second", 1),
    ("second", "mixed", 2),
    ("real", "mixed", 2),
]
FEEDS = {
    "zoo": [
        ("loop", "loop", 1),
        ("loop", "half", 2),
        ("real", "half", 2),
        ("anchored", "anchored", 2),
        ("real", "anchored", 2),
        ("anchored", "reader", 1),
    ],
    "stable": STABLE,
    "flip": [*STABLE, ("second", "teacher", 1)],
}
"""Who feeds whom, and into how many parts the rows of a reader are divided."""
MODELS = {"zoo": ("loop", "half", "anchored", "reader"), "stable": READERS, "flip": READERS}
STUDY = """\
[family]
name = "{name}"
[run]
generations = {generations}
chains = {chains}
tolerance = 0.3
[grid]
network = ["zoo.toml", "stable.toml", "flip.toml"]
common_draws = true
"""
CELL = ("empirical", "standard_error", "verdict", "note")


def write(name: str, folder: Path) -> Path:
    """Write the study and its networks, and return the file of the study."""
    folder.mkdir(parents=True, exist_ok=True)
    for network, feeds in FEEDS.items():
        lines = [
            f'    {{ from = "{origin}", to = "{reader}", samples = {ROWS[name] // parts} }},'
            for origin, reader, parts in feeds
        ]
        head = ["[network]", f"models = {list(MODELS[network])}", f"initial = {ROWS[name]}"]
        text = "\n".join([*head, "feeds = [", *lines, "]", ""])
        (folder / f"{network}.toml").write_text(text, encoding="utf-8")
    chains, generations = RUN[name]
    study = folder / "study.toml"
    text = STUDY.format(name=name, chains=chains, generations=generations)
    study.write_text(text, encoding="utf-8")
    return study


def arguments(name: str, folder: Path, images: Path | None) -> list[str]:
    """Return what ``mcjax verify`` is told."""
    if name in ROWS:
        return [str(write(name, folder))]
    if images is None:
        sys.exit("vae-mnist needs --images PATH")
    return [name, "--with", f"mnist={images}"]


def rounded(value):
    """Return plain data with six digits after the point."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value


def main() -> None:
    """Run or continue the study, and put what it found beside what is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[*ROWS, "vae-mnist"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=Path)
    default = Path(__file__).parent / "results" / "learned_networks.json"
    parser.add_argument("--out", type=Path, default=default)
    given = parser.parse_args()
    results = given.folder / "results"
    told = arguments(given.name, given.folder, given.images)
    command = [sys.executable, "-m", "mcjax", "verify", *told, "--out", str(results)]
    if subprocess.run(command, check=False).returncode not in (0, 1, 3):
        sys.exit("no results")
    found = json.loads((results / "verification.json").read_text(encoding="utf-8"))
    cells = {
        f"{cell['condition']} {cell['model']} {cell['quantity']}": {k: cell[k] for k in CELL}
        for cell in found["cells"]
    }
    parts = ("chains", "generations", "window", "measures", "differences")
    result = {part: found[part] for part in parts} | {"cells": cells}
    result["python"] = platform.python_version()  # whose texts language models read
    before = (
        json.loads(given.out.read_text(encoding="utf-8"))["results"] if given.out.exists() else {}
    )
    keep(given.out, before | {given.name: rounded(result)})


if __name__ == "__main__":
    main()
