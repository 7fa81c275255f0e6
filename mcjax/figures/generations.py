"""Draw errors against the generation: for six topologies, and before and after a new feed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mcjax import api
from mcjax.figures.files import save
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import Network, build_network, topologies
from mcjax.plot.graph import arrow
from mcjax.plot.style import MARKERS, PALETTE, curves, figure, legend
from mcjax.study.study import Study, condition
from mcjax.text import drawn
from mcjax.verdicts.cells import Cell

ALIKE = {
    "ring of 4": "all models alike",
    "complete, 4": "all models alike",
    "star of 4, hub reads real": "models 1 to 3 alike",
}
"""Notes on panels in which points cover one another."""


def topology_panel(folder: Path, chains: int | None) -> list[Path]:
    """Draw the MSE of every model against the generation, for six networks.

    Points are simulated, and lines show the exact law.
    """
    counts: Any = {"samples": 200, "initial": 400}
    nets: dict[str, Network] = {
        "self-loop": topologies.self_loop(**counts),
        "self-loop, half real": topologies.self_loop(**counts, real=200),
        "ring of 4": topologies.ring(4, **counts),
        "complete, 4": topologies.complete(4, **counts),
        "chain of 4, head half real": topologies.chain(4, **counts, real=200),
        "star of 4, hub reads real": topologies.star(4, **counts, real=200),
    }
    model, theta = linear(), (0.5, -0.5, 0.5)
    study = Study(
        tuple(condition(net, model, theta, label=name) for name, net in nets.items()),
        generations=15,
        chains=chains or 4096,
    )
    cells = _of_law(api.verify(study).cells, "finite_sample")
    with figure(2, 3, 4.9) as (fig, panels):
        for axes, (name, net) in zip(panels.flat, nets.items(), strict=True):
            curves(axes, [cell for cell in cells if cell.condition == name], net.models)
            axes.set_title(drawn(name))
            axes.set_ylim(bottom=0)
            axes.text(0.97, 0.05, ALIKE.get(name, ""), ha="right", transform=axes.transAxes)
        for axes in panels[-1]:
            axes.set_xlabel("generation")
        for axes in panels[:, 0]:
            axes.set_ylabel("mean squared error")
        models = [
            Line2D([], [], color=colour, marker=marker, linestyle="", label=f"model {k}")
            for k, colour, marker in zip(range(4), PALETTE, MARKERS, strict=False)
        ]
        band = Patch(color="0.8", label="simulated, 95% band")
        law = Line2D([], [], color="0.3", label="exact law")
        fig.legend(handles=[*models, band, law], loc="outside lower center", ncols=6)
        return save(
            fig, folder, "topologies", rows=_rows(cells), about="MSE of models in six networks"
        )


def flip(folder: Path, chains: int | None) -> list[Path]:
    """Draw the MSE of every model in a stable network, before and after one feed is added."""
    feeds = [
        ("teacher", "student", 1000),
        ("teacher", "apprentice", 500),
        ("student", "apprentice", 500),
    ]
    stable = build_network(("teacher", "student", "apprentice"), feeds, 1000)
    nets = {
        "frozen teacher: stable": stable,
        "one feed more: all collapse": stable.with_feed("apprentice", "teacher", 1000),
    }
    theta = (0.5, -0.5)
    study = Study(
        tuple(condition(net, logistic(), theta, label=name) for name, net in nets.items()),
        generations=12,
        chains=chains or 4096,
    )
    cells = _of_law(api.verify(study).cells, "first_order")
    with figure(2, 2, 4.4) as (fig, panels):
        for column, (name, net) in enumerate(nets.items()):
            _diagram(panels[0, column], net, stable)
            panels[0, column].set_title(drawn(name))
            selected = [cell for cell in cells if cell.condition == name]
            points = curves(panels[1, column], selected, net.models)
            panels[1, column].set_xlabel("generation")
        top = max(axes.get_ylim()[1] for axes in panels[1])
        for axes in panels[1]:
            axes.set_ylim(0, top)
        panels[1, 0].set_ylabel("mean squared error")
        _legend(panels[1, 0], "first-order law", points, net.models)
        return save(
            fig, folder, "flip", rows=_rows(cells), about="MSE of models before and after a feed"
        )


def _of_law(cells: Sequence[Cell], law: str) -> list[Cell]:
    """Return the cells of the law that is drawn; several laws predict nearly the same."""
    return [cell for cell in cells if cell.law == law]


def _legend(axes: Axes, law: str, points: Sequence[Line2D], models: Sequence[str]) -> None:
    """Draw a legend for points, band and line, and for the colours of models with names."""
    entries: list[Any] = [
        Line2D([], [], color="grey", marker="o", linestyle="", markersize=3),
        Line2D([], [], color="grey"),
    ]
    labels = ["simulated, 95% band", law]
    legend(axes, [*points, *entries], [*models, *labels], loc="upper left")


def _diagram(axes: Axes, net: Network, before: Network) -> None:
    """Draw the models and feeds of a network; feeds that ``before`` does not have are dashed."""
    place = {"teacher": (0.0, 0.0), "student": (1.0, 0.55), "apprentice": (2.0, 0.0)}
    box = {"boxstyle": "round,pad=0.4", "facecolor": "none", "edgecolor": "none"}
    style: dict[str, Any] = {"ha": "center", "va": "center", "weight": "bold", "bbox": box}
    labels = {
        model: axes.text(*place[model], model, color=PALETTE[i], **style)
        for i, model in enumerate(net.models)
    }
    for feed in net.feeds:
        new = feed not in before.feeds
        arrow(
            axes,
            labels[feed.origin],
            labels[feed.reader],
            bend=-0.3 if new else 0.0,
            color=PALETTE[1] if new else "0.3",
            linestyle="--" if new else "-",
        )
    axes.set_xlim(-0.5, 2.5)
    axes.set_ylim(-0.5, 0.8)
    axes.axis("off")


def _rows(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    numbers = ("empirical", "standard_error", "predicted", "chains")
    keep = ("condition", "model", "generation", "law", "quantity", *numbers)
    return [{key: getattr(cell, key) for key in keep} for cell in cells]
