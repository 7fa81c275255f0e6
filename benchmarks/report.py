"""Report the results of the races as tables and as a figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.ticker import FixedLocator, NullLocator

from mcjax.figures.files import save
from mcjax.plot.style import MARKERS, PALETTE, figure


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


TITLES = {
    "mcjax float32": "mcjax",
    "C, AVX-512": "C, AVX-512, by hand",
    "sklearn": "scikit-learn",
}


def races(results: dict[str, Any]) -> list[tuple[str, list[dict[str, Any] | None]]]:
    """Contestants of logistic regression on one core and on two, the quickest first; of NumPy's
    layouts the best one."""
    found: dict[str, list[dict[str, Any] | None]] = {}
    for column, cores in enumerate(("1 core", "2 cores")):
        rows = results[f"logistic, {cores}"]
        numpy = min(
            (r for r in rows if r["name"].startswith("NumPy")),
            key=lambda r: r["microseconds"],
            default=None,
        )
        for row in rows:
            if row["name"].startswith("NumPy") and row is not numpy:
                continue
            name = "NumPy, by hand" if row is numpy else TITLES.get(row["name"], row["name"])
            found.setdefault(name, [None, None])[column] = row
    quickest = {
        name: min(r["times_mcjax"] for r in rows if r is not None) for name, rows in found.items()
    }
    return sorted(found.items(), key=lambda item: quickest[item[0]])


def summary(results: dict[str, Any]) -> str:
    """How many times mcjax's time a fit others take, logistic regression, as Markdown."""
    lines = ["| | one core | two cores |", "|---|---|---|"]
    for name, rows in races(results):
        if name == "mcjax":
            cells = [f"**{row['microseconds']:.3g} µs**" if row else "" for row in rows]
        else:
            cells = [f"{row['times_mcjax']:.3g} times" if row else "" for row in rows]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines) + "\n"


def draw(results: dict[str, Any], folder: Path) -> list[Path]:
    """Microseconds a fit: of all contestants, and of mcjax against rows and parameters."""
    rows: list[dict[str, Any]] = []
    with figure(1, 3, height=3.0) as (fig, [[left, middle, right]]):
        left.get_gridspec().set_width_ratios([1.6, 1, 1])
        right.sharey(middle)
        named = races(results)
        for column, label in enumerate(("one core", "two cores")):
            shown = [(k, name, own[column]) for k, (name, own) in enumerate(named) if own[column]]
            left.plot(
                [row["microseconds"] for *_, row in shown],
                [place for place, *_ in shown],
                MARKERS[column],
                color=PALETTE[column],
                label=label,
                ms=4,
            )
            rows += [
                {"panel": label, "name": name, "value": "", "microseconds": row["microseconds"]}
                for _, name, row in shown
            ]
        left.set(xscale="log", xlabel="µs a fit, data included")
        left.set_yticks(range(len(named)), [name for name, _ in named], fontsize=7)
        left.grid(axis="x", alpha=0.3)
        left.set_ylim(len(named) - 0.5, -0.5)
        left.legend(loc="upper right")
        panels = (
            (middle, "rows", "rows a fit", [50, 200, 800]),
            (right, "p", "parameters", [1, 2, 5, 10, 20]),
        )
        for axes, swept, label, ticks in panels:
            for k, precision in enumerate(("float32", "mixed")):
                own = [
                    row
                    for row in results["curves"]
                    if (row["swept"], row["precision"]) == (swept, precision)
                ]
                at, taken = ([row[key] for row in own] for key in ("value", "microseconds"))
                style = {"marker": MARKERS[k], "color": PALETTE[k], "ms": 4}
                axes.plot(at, taken, label=precision, **style)
                rows += [
                    {"panel": swept, "name": precision, "value": v, "microseconds": us}
                    for v, us in zip(at, taken, strict=True)
                ]
            axes.set(xscale="log", yscale="log", xlabel=label)
            _plain(axes.xaxis, ticks)
            _plain(axes.yaxis, [0.5, 1, 2, 5, 10, 20, 50])
        middle.set_ylabel("µs a fit, one core")
        middle.legend()
        columns = {
            "name": "who fits, or in which precision",
            "value": "rows a fit, or parameters, as the panel says",
            "microseconds": "time a fit, drawing its data included, in microseconds",
        }
        return save(fig, folder, "speed", rows, "How long a fit takes", columns)


def _plain(axis: Any, ticks: list[float]) -> None:
    """Ticks as numbers, not as powers of ten."""
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())
