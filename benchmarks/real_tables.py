"""Tables of what was found on real data, from the results kept.

python benchmarks/real_tables.py
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
ROWS = 250  # a fit at scale 1
ROWS_LAW, MODEL_LAW, OTHER = "first_order", "of the model", "of the other network"
NAMES = {"vote": "votes of anes96, `probit`", "visits": "visits of randhie, `nb2`, 3 covariates"}


def ladders(results: Mapping[str, Any]) -> str:
    """Return a table of the ladders: verdicts on two laws, and mean squares over theirs."""
    lines = [
        "| Data | Rows a fit | Mean squares, fewest rows | Most rows | Limits verified"
        " | Means verified | Covariances verified | Mean squares by the law of the model"
        " | Refuted | Covariances refuted |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for data in sorted(set(results) - {"tolerance"}):
        cells = results[data]["cells"]
        scales = sorted(
            int(place.rpartition("=")[2])
            for place in cells
            if place.startswith(f"{ROWS_LAW}: mse, ")
        )
        ends = [
            ratios([cells[f"{ROWS_LAW}: mse, {data}, scale={s}"]]) for s in (scales[0], scales[-1])
        ]
        own, cross = (chosen(cells, f"{ROWS_LAW}: {kind}") for kind in ("covariance", "cross_cov"))
        wrong = chosen(cells, f"{MODEL_LAW}: mse, ")
        lines.append(
            f"| {NAMES.get(data, data)} | {ROWS * scales[0]:,} to {ROWS * scales[-1]:,}"
            f" | {' | '.join(ends)}"
            f" | {share(chosen(cells, f'{ROWS_LAW}: mse_asymptote'), 'verified')}"
            f" | {share(chosen(cells, f'{ROWS_LAW}: bias'), 'verified')}"
            f" | {share([*own, *cross], 'verified')}"
            f" | {ratios(wrong)} | {share(wrong, 'refuted')}"
            f" | {share(chosen(cells, f'{MODEL_LAW}: covariance'), 'refuted')} |"
        )
    return "\n".join(lines)


def growth(results: Mapping[str, Any]) -> str:
    """Return a table of growth: claims by two laws, and what is measured first and last."""
    lines = [
        "| Data | Network | Generations | Chains | Growth over the law's | Share of the level"
        " | Verified | Law of the other network refuted | Excess of a model | Its accuracy |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for place in sorted(set(results) - {"tolerance"}):
        found = results[place]
        data, _, network = place.partition(", ")
        claims = found["claims"]
        own = [c for c in claims if c["law"] == ROWS_LAW]
        grown = [c for c in own if c["quantity"].endswith("growth")]
        told = [c for c in own if c["quantity"].endswith("collapse")]
        rate = "settles"
        if grown:
            rate = between(
                [c["simulated"] / c["predicted"] for c in grown],
                [c["standard_error"] / c["predicted"] for c in grown],
            )
        lines.append(
            f"| {data} | {network} | {found['generations']} | {found['chains']:,} | {rate}"
            f" | {between([c['simulated'] for c in told], [c['standard_error'] for c in told])}"
            f" | {count(own, 'verified')}"
            f" | {count([c for c in claims if c['law'] == OTHER], 'refuted')}"
            f" | {curve(found, 'held_out_excess')} | {curve(found, 'accuracy')} |"
        )
    return "\n".join(lines)


def chosen(cells: Mapping[str, Any], begin: str) -> list[Mapping[str, Any]]:
    """Return the counts of verdicts at the places that begin so."""
    return [counts for place, counts in cells.items() if place.startswith(begin)]


def share(found: Iterable[Mapping[str, Any]], verdict: str) -> str:
    """Return how many of several cells have a verdict."""
    total = Counter[str]()
    for counts in found:
        total += Counter({v: n for v, n in counts.items() if v != "departures"})
    return f"{total[verdict]} of {total.total()}"


def count(claims: Iterable[Mapping[str, Any]], verdict: str) -> str:
    """Return how many of several claims have a verdict."""
    return share([Counter(c["verdict"] for c in claims)], verdict)


def ratios(found: Iterable[Mapping[str, Any]]) -> str:
    """Return the range of ratios whose departures from 1 are kept."""
    ends = [1 + e for counts in found for e in counts["departures"]]
    return f"{min(ends):.2f} to {max(ends):.2f}"


def between(values: list[float], errors: list[float]) -> str:
    """Return the range of numbers, with the largest standard error."""
    return f"{min(values):.2f} to {max(values):.2f} (±{max(errors):.2f})".replace("-", "−")


def curve(found: Mapping[str, Any], measure: str) -> str:
    """Return the first and the last mean of the first model, with standard errors."""
    if measure not in found["measured"]:
        return ""
    _, first, *_ = found["measured"][measure].values()
    ends = zip(first["mean"], first["standard_error"], strict=True)
    return " to ".join(measured(*pair) for pair in list(ends)[:: len(first["mean"]) - 1])


def measured(mean: float, error: float) -> str:
    """Return a mean and its standard error in one digit, as 1.23(4)."""
    digits = max(0, -math.floor(math.log10(error)))
    return f"{mean:.{digits}f}({round(error * 10**digits)})"


TABLES = {"real_ladders": ladders, "real_growth": growth}
"""The tables by the name of the results."""


def main() -> None:
    for name, table in TABLES.items():
        kept = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        print(table(kept["results"]), end="\n\n")


if __name__ == "__main__":
    main()
