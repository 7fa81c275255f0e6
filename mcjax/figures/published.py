"""Draw published numbers against simulation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from mcjax.figures.files import save
from mcjax.plot.style import MARKERS, PALETTE, figure
from mcjax.published.judge import Result
from mcjax.text import drawn
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED

COLOUR = {VERIFIED: PALETTE[0], REFUTED: PALETTE[1], INCONCLUSIVE: PALETTE[4]}
SHAPE = dict(zip((VERIFIED, REFUTED, INCONCLUSIVE), MARKERS, strict=False))


def published_figure(folder: Path, results: Sequence[Result], tolerance: float) -> list[Path]:
    """Draw the ratio of every simulated number to the law, with its interval and the margin."""
    height = 1.2 + 0.19 * len(results)
    rows: list[dict[str, Any]] = []
    with figure(1, 1, height) as (fig, panels):
        axes: Axes = panels[0, 0]
        axes.axvspan(1 - tolerance, 1 + tolerance, color="0.93", linewidth=0)
        axes.axvline(1, color="0.5", linewidth=0.8)
        for k, result in enumerate(results):
            cell = result.cell
            low, high = cell.interval
            axes.plot([low, high], [k, k], color=COLOUR[result.verdict], linewidth=1)
            axes.plot(
                cell.ratio, k, SHAPE[result.verdict], color=COLOUR[result.verdict], markersize=4
            )
            rows.append(
                {"condition": result.entry.id, "quantity": result.row.setting}
                | {"law": result.entry.kind, "ratio": cell.ratio, "low": low, "high": high}
                | {"verdict": result.verdict}
            )
        axes.set_yticks(range(len(results)))
        axes.set_yticklabels([drawn(f"{r.entry.id}  {r.row.setting}") for r in results], fontsize=7)
        axes.set(
            ylim=(len(results) - 0.4, -0.6),
            xlim=(1 - 2.2 * tolerance, 1 + 2.2 * tolerance),
            xlabel="simulated / law (of a bound: / bound); band: the margin",
        )
        columns = {
            "condition": "the published result",
            "ratio": "simulated over predicted",
            "low": "lower end of its interval",
            "high": "upper end of its interval",
            "verdict": "on the number",
        }
        return save(
            fig,
            folder,
            "ratios",
            rows=rows,
            about="Published numbers, simulated",
            columns=columns,
            owned=True,
        )
