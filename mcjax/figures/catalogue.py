"""The figures that can be drawn, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mcjax.figures.every_network import every_network
from mcjax.figures.explosion_map import explosion_map
from mcjax.figures.generations import flip, topology_panel
from mcjax.figures.ladder import ladder
from mcjax.figures.workflows import workflows

FIGURES: dict[str, Callable[[Path, int | None], list[Path]]] = {
    "topologies": topology_panel,
    "flip": flip,
    "ladder": ladder,
    "every-network": every_network,
    "explosion-map": explosion_map,
    "workflows": workflows,
}
"""Each draws into a folder, with the given number of chains or its own, and returns its files."""
