"""Plot a network: who trains on whom, and where collapse begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import networkx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import OffsetFrom, Text
from matplotlib.transforms import Affine2D

from mcjax.arguments import checked
from mcjax.diagnosis import Diagnosis, diagnose
from mcjax.errors import InputError
from mcjax.laws.collapse.components import Vertex
from mcjax.network import Network
from mcjax.network.drawn import Drawn, Followed
from mcjax.plot.style import PALETTE, axes_for, title
from mcjax.text import drawn

MOST_DRAWN = 200
"""Largest number of models of a graph that can be read."""
MOST_COUNTED = 12
"""Largest number of feeds that have their sample counts beside them."""
SIDES = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""Sides of a box, as steps to the right and up."""
COLLAPSES, STABLE, SOURCE = PALETTE[1], PALETTE[0], "0.35"


@checked
def network(net: Network, diagnosis: Diagnosis | None = None, ax: Axes | None = None) -> Axes:
    """Plot a network as a graph, in which collapse is highlighted.

    Models that collapse are full, and the members of collapse origins and of exploding components
    have a thick border. Feeds are those of generation 1; a few have their sample counts.

    Parameters
    ----------
    net : Network
        The network, of at most 200 models.
    diagnosis : Diagnosis, optional
        Its diagnosis; defaults to that of :func:`mcjax.diagnose`.
    ax : Axes, optional
        Axes to draw on; defaults to those of a new figure.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    InputError
        If the network has too many models, or the diagnosis is of another network.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.ring(3, samples=100, initial=100)
    >>> axes = mcjax.plot.network(network, mcjax.diagnose(network))
    >>> len(axes.texts)
    9
    """
    if net.size > MOST_DRAWN:
        problem = f"has {net.size:,} models, and a graph of more than {MOST_DRAWN} cannot be read"
        raise InputError("net", f"{problem}; plot a part of it")
    if diagnosis is not None and set(diagnosis.models) != set(net.models):
        raise InputError(
            "diagnosis", "is of another network; give that of this one, or leave it out"
        )
    diagnosis = diagnosis or diagnose(net)
    feeds = net.recurring
    graph = networkx.MultiDiGraph((feed.origin, feed.reader) for feed in feeds)
    graph.add_nodes_from(net.models)
    place = _places(graph)
    begins = _beginnings(diagnosis)
    with axes_for(ax, 5.0, 4.0) as axes:
        labels = {
            name: _node(axes, name, place[name], diagnosis, begins=name in begins) for name in graph
        }
        both = {(f.reader, f.origin) for f in feeds}
        for origin, reader in dict.fromkeys((f.origin, f.reader) for f in feeds):
            counts = [f.samples for f in feeds if (f.origin, f.reader) == (origin, reader)]
            shown = len(feeds) <= MOST_COUNTED and net.later.turns == 1
            count = f"{sum(counts):,}" if shown else ""
            bend = 0.15 if (origin, reader) in both else 0.0
            side = _free_side(graph, place, reader)
            arrow(axes, labels[origin], labels[reader], bend=bend, side=side, text=count)
        spread = np.array(list(place.values()))
        low, high = spread.min(0), spread.max(0)
        pad = 0.18 * np.maximum(high - low, 1.0)
        axes.set_xlim(low[0] - pad[0], high[0] + pad[0])
        axes.set_ylim(low[1] - pad[1], high[1] + pad[1])
        axes.axis("off")
        _key(axes, net, diagnosis)
    return axes


def arrow(
    axes: Axes,
    origin: Text,
    reader: Text,
    *,
    bend: float = 0.0,
    side: tuple[int, int] = SIDES[0],
    text: str = "",
    **style: Any,
) -> None:
    """Draw an arrow that ends at the boxes of two names; a loop at one side of the box of one.

    Parameters
    ----------
    axes : Axes
        The axes.
    origin, reader : Text
        Names with a box each.
    bend : float, optional
        Curvature of the arrow.
    side : tuple of int, optional
        The side of a loop, one of :data:`SIDES`.
    text : str, optional
        Text at its middle.
    **style : object
        Further properties of the arrow.
    """
    ends: Any = origin.get_bbox_patch(), reader.get_bbox_patch()
    how = {"arrowstyle": "-|>", "color": "0.3"} | style
    beside: Any = {"fontsize": 7, "color": "0.3", "ha": "center", "va": "center"}
    if origin is reader:
        dx, dy = side
        foot = OffsetFrom(ends[0], (0.5 + dx / 2, 0.5 + dy / 2), "points")
        how |= {"connectionstyle": "arc3,rad=-1.8", "shrinkA": 0, "shrinkB": 0}
        start, end = (-7 * dy, 7 * dx), (7 * dy, -7 * dx)
        loop = axes.annotate("", end, xytext=start, xycoords=foot, textcoords=foot, arrowprops=how)
        loop.set_in_layout(False)  # where names end decides
        beside |= {"ha": ("right", "center", "left")[dx + 1]}
        axes.annotate(text, (16 * dx, 19 * dy), xycoords=foot, **beside).set_in_layout(False)
        return
    how |= {"patchA": ends[0], "patchB": ends[1], "connectionstyle": f"arc3,rad={bend}"}
    (x, y), (to_x, to_y) = origin.get_position(), reader.get_position()
    axes.annotate("", (to_x, to_y), (x, y), arrowprops=how).set_in_layout(False)
    if text:
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
        middle: Any = partial(_middle, axes, ((x, y), (to_x, to_y)), bend)
        axes.annotate(text, (0, 0), xycoords=middle, bbox=box, **beside)


def _middle(axes: Axes, ends: Any, bend: float, renderer: Any) -> Affine2D:
    """Return the coordinates whose origin is the middle of an arrow, which bends in pixels."""
    (x, y), (to_x, to_y) = axes.transData.transform(ends)
    middle = (x + to_x) / 2 + bend / 2 * (to_y - y), (y + to_y) / 2 - bend / 2 * (to_x - x)
    return Affine2D().translate(*middle)


def _places(graph: networkx.MultiDiGraph) -> Mapping[str, Any]:
    """Return where models and sources stand, the same in every run."""
    if len(graph) == 1:
        return {name: np.zeros(2) for name in graph}
    simple = networkx.Graph(graph.to_undirected())
    parts = [simple.subgraph(part) for part in networkx.connected_components(simple)]
    if len(parts) > 1:
        return networkx.circular_layout(simple)
    return networkx.kamada_kawai_layout(simple)


def _free_side(
    graph: networkx.MultiDiGraph, place: Mapping[str, Any], name: str
) -> tuple[int, int]:
    """Return the side of a model's box that is farthest from its arrows."""
    ways = [place[other] - place[name] for other in networkx.all_neighbors(graph, name)]
    units = [way / np.linalg.norm(way) for way in ways if way.any()]
    return min(SIDES, key=lambda side: max((float(unit @ side) for unit in units), default=0.0))


def _beginnings(diagnosis: Diagnosis | None) -> set[str]:
    """Return the members of collapse origins and of exploding components."""
    if diagnosis is None:
        return set()
    components: Iterable[Any] = (*diagnosis.unstable_sources, *diagnosis.explosions)
    members = (member for component in components for member in component.members)
    return {member.model if isinstance(member, Vertex) else member for member in members}


def _node(axes: Axes, name: str, place: Any, diagnosis: Diagnosis | None, *, begins: bool) -> Text:
    verdict = None if diagnosis is None else diagnosis.models.get(name)
    colour = SOURCE
    if verdict is not None and verdict.collapses is not None:
        colour = COLLAPSES if verdict.collapses else STABLE
    full = verdict is not None and verdict.collapses is True
    source = diagnosis is not None and verdict is None
    box = {
        "boxstyle": "square,pad=0.4" if source else "round,pad=0.4",
        "facecolor": colour if full else "white",
        "edgecolor": "black" if begins else colour,
        "linewidth": 2.2 if begins else 1.2,
    }
    ink = "black" if full else colour
    how: Any = {"ha": "center", "va": "center", "bbox": box, "zorder": 3}
    return axes.text(place[0], place[1], drawn(name), color=ink, **how)


def _key(axes: Axes, net: Network, diagnosis: Diagnosis | None) -> None:
    """Explain colours and borders below the graph."""
    entries: list[tuple[str, dict[str, Any]]] = []
    if diagnosis is not None:
        found = [verdict.collapses for verdict in diagnosis.models.values()]
        for verdict, colour, name in (
            (True, COLLAPSES, "collapses"),
            (False, STABLE, "stable"),
            (None, SOURCE, "not known"),
        ):
            if verdict in found:
                entries.append((name, {"mec": colour, "mfc": colour if verdict else "white"}))
        if _beginnings(diagnosis):
            entries.append(("collapse begins", {"mec": "black", "mfc": COLLAPSES, "mew": 2.0}))
    handles = [Line2D([], [], linestyle="", marker="o", label=n, **how) for n, how in entries]
    below: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "ncols": 2}
    if handles:
        axes.legend(handles=handles, frameon=False, **below)
    if isinstance(net.later, Drawn | Followed):
        title(axes, "feeds of all networks that may be drawn")
    elif net.later.turns > 1:
        title(axes, f"feeds of {net.later.turns} phases, and the worst of each model")
    else:
        changing = net.later.exponent or not net.later.constant
        title(axes, "feeds of the long run" if changing else "")
