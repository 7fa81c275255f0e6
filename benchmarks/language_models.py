"""Keep what the built-in studies of language models show.

    mcjax verify lm-docs --out DOCS --chains 16; mcjax verify lm-entities --out ENTITIES
    python benchmarks/language_models.py DOCS ENTITIES

Kept are means of all measures with their standard errors, paired differences, changes of losses by
whose text they are of, and verdicts. The studies take six minutes of processor time together.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from machine import keep

PARTS = ("chains", "notes", "measures", "transfers", "differences")


def main() -> None:
    """Gather results of two folders in one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs=2)
    default = Path(__file__).parent / "results" / "language_models.json"
    parser.add_argument("--out", type=Path, default=default)
    given = parser.parse_args()
    result = {}
    for name, folder in zip(("lm-docs", "lm-entities"), given.folders, strict=True):
        found = json.loads((folder / "verification.json").read_text(encoding="utf-8"))
        verdicts = {
            f"{c['condition']} {c['model']} {c['quantity']}": c["verdict"] for c in found["cells"]
        }
        result[name] = {part: found[part] for part in PARTS} | {"verdicts": verdicts}
    keep(given.out, rounded(result))


def rounded(value):
    """Return plain data with four digits after the point."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
