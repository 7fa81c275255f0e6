"""The figures that can be drawn, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mcjax.figures.entities import entities
from mcjax.figures.every_network import every_network
from mcjax.figures.exploding_pair import exploding_pair
from mcjax.figures.explosion_map import explosion_map
from mcjax.figures.fine_tuned import fine_tuned
from mcjax.figures.generations import flip, topology_panel
from mcjax.figures.ladder import ladder
from mcjax.figures.mediated import efficiency_maps, homogenisation, transfer
from mcjax.figures.real_data import real_data
from mcjax.figures.small_samples import small_samples
from mcjax.figures.taking_turns import taking_turns
from mcjax.figures.three_failures import three_failures
from mcjax.figures.top_p import top_p
from mcjax.figures.verifier import verifier
from mcjax.figures.workflows import workflows

FIGURES: dict[str, Callable[[Path, int | None], list[Path]]] = {
    "topologies": topology_panel,
    "flip": flip,
    "ladder": ladder,
    "small-samples": small_samples,
    "every-network": every_network,
    "explosion-map": explosion_map,
    "workflows": workflows,
    "three-failures": three_failures,
    "verifier": verifier,
    "exploding-pair": exploding_pair,
    "top-p": top_p,
    "taking-turns": taking_turns,
    "fine-tuned": fine_tuned,
    "real-data": real_data,
    "mediated-map": efficiency_maps,
    "mediated-transfer": transfer,
    "mediated-homogenisation": homogenisation,
    "entities": entities,
}
"""Functions that draw a figure into a folder, and return the paths of its files, by name.

The second argument is the number of chains; None stands for the figure's own.
"""
