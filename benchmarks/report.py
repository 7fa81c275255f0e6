"""What the races found, as tables and as a figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mcjax.figures.style import MARKERS, PALETTE, figure, save


def table(name: str, found: Any) -> str:
    """A section as Markdown."""
    lines = [f"### {name}", ""]
    if isinstance(found, list) and "swept" not in found[0]:
        lines += [
            "| | µs a fit | range | times mcjax | compile s |",
            "|---|---|---|---|---|",
            *(
                f"| {r['name']} | {r['microseconds']:.3g} | {r['fastest']:.3g} to"
                f" {r['slowest']:.3g} | {r['times_mcjax']:.3g} | {r['compile_seconds']:.1f} |"
                for r in found
            ),
        ]
    elif isinstance(found, list):
        lines += ["| | | float32 | mixed |", "|---|---|---|---|"]
        for single, mixed in zip(found[::2], found[1::2], strict=True):
            lines.append(
                f"| {single['swept']} | {single['value']} | {single['microseconds']:.3g} |"
                f" {mixed['microseconds']:.3g} |"
            )
    else:
        lines += ["```json", json.dumps(found, indent=1), "```"]
    return "\n".join(lines) + "\n"


def summary(results: dict[str, Any]) -> str:
    """How many times mcjax's time a fit others take, logistic regression, as Markdown."""
    one, two = (
        {row["name"]: row for row in results[f"logistic, {cores}"]}
        for cores in ("1 core", "2 cores")
    )
    lines = ["| | one core | two cores |", "|---|---|---|"]

    def cells(own: Any) -> list[str]:
        return [f"{own(rows):.3g}" if own(rows) is not None else "" for rows in (one, two)]

    lines.append(
        "| **mcjax, µs a fit** | **"
        + "** | **".join(cells(lambda rows: rows["mcjax float32"]["microseconds"]))
        + "** |"
    )

    def times(name: str) -> Any:
        return lambda rows: rows[name]["times_mcjax"] if name in rows else None

    numpy = min((n for n in one if n.startswith("NumPy")), key=lambda n: one[n]["microseconds"])
    titles = {"C, AVX-512": "C, AVX-512, by hand", numpy: "NumPy, by hand, best of four layouts"}
    for name in [n for n in {**one, **two} if n in titles or not n.startswith(("NumPy", "mcjax"))]:
        low, high = cells(times(name))
        if low or high:
            lines.append(f"| {titles.get(name, name)} | {low} | {high} |")
    order = lines[:3] + sorted(lines[3:], key=_first_number)
    return "\n".join(order) + "\n"


def _first_number(line: str) -> float:
    return float(next(cell for cell in line.split("|")[2:] if cell.strip()))


def draw(results: dict[str, Any], folder: Path) -> list[Path]:
    """Microseconds a fit: of all contestants, and of mcjax against rows and parameters."""
    rows: list[dict[str, Any]] = []
    with figure(1, 3, height=3.4) as (fig, [[left, middle, right]]):
        names: dict[str, float] = {}
        for cores, marker, colour in (("1 core", "o", PALETTE[0]), ("2 cores", "s", PALETTE[1])):
            found = results.get(f"logistic, {cores}", [])
            for row in found:
                names.setdefault(row["name"], row["microseconds"])
                rows.append(
                    {"panel": cores, "name": row["name"], "value": "", "us": row["microseconds"]}
                )
            left.plot(
                [row["microseconds"] for row in found],
                [row["name"] for row in found],
                marker,
                color=colour,
                label=cores,
                ms=4,
            )
        left.set(xscale="log", xlabel="µs a fit, data included")
        left.tick_params(axis="y", labelsize=6)
        left.grid(axis="x", alpha=0.3)
        left.invert_yaxis()
        left.legend(loc="lower right")
        for axes, swept, label in ((middle, "rows", "rows a fit"), (right, "p", "parameters")):
            for k, precision in enumerate(("float32", "mixed")):
                own = [
                    row
                    for row in results.get("curves", [])
                    if (row["swept"], row["precision"]) == (swept, precision)
                ]
                rows += [
                    {
                        "panel": swept,
                        "name": precision,
                        "value": r["value"],
                        "us": r["microseconds"],
                    }
                    for r in own
                ]
                axes.plot(
                    [row["value"] for row in own],
                    [row["microseconds"] for row in own],
                    marker=MARKERS[k],
                    color=PALETTE[k],
                    label=precision,
                    ms=4,
                )
            axes.set(xscale="log", yscale="log", xlabel=label, ylabel="µs a fit, one core")
            axes.legend()
        return save(fig, folder, "speed", rows)
