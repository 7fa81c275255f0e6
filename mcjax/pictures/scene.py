"""Scene of a drawing of a network: boxes with their fate, and arrows with their part in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, auto
from itertools import pairwise
from typing import Literal

from mcjax.diagnosis import Diagnosis, ModelVerdict
from mcjax.laws.collapse.components import Vertex
from mcjax.network.drawn import Drawn, Followed
from mcjax.network.feed import UNKNOWN
from mcjax.network.network import Network
from mcjax.numbers import how_many
from mcjax.pictures.folding import Group, beginnings, groups_of, path_of
from mcjax.text import number

Fate = Literal["collapses", "stable", "unknown", "real", "unnamed"]
"""The fate of a model; of what is no model, whether it is real data or of unknown origin."""


class Part(IntEnum):
    """The part of a feed in a drawing, the most important last."""

    FOLDED = auto()
    """Feed of models that are folded away."""
    PLAIN = auto()
    """Feed between models."""
    REAL = auto()
    """Feed from real data."""
    PATH = auto()
    """Feed on the path of collapse."""
    CLOSED = auto()
    """Feed where collapse begins."""
    CURE = auto()
    """New feed that is a cure."""


MOST_BOXES = 24
"""Number of models up to which none are folded."""
MOST_COUNTED = 12
"""Largest number of feeds that have their sample counts beside them."""
MOST_SOURCES = 3
"""Largest number of real sources that are drawn by themselves."""


@dataclass(frozen=True)
class Box:
    """A model, a source, or a group of folded ones.

    Attributes
    ----------
    name : str
        What is written in it.
    note : str
        A second, smaller line; may be empty.
    fate : Fate
        What becomes of it, or which kind of source it is.
    models : tuple of str
        The models that it stands for; empty for a source.
    begins : bool
        Whether failures begin there.
    loop : str or None
        What is written beside a feed from it to itself; None if there is none.
    """

    name: str
    note: str
    fate: Fate
    models: tuple[str, ...] = ()
    begins: bool = False
    loop: str | None = None

    @property
    def folded(self) -> bool:
        """True if the box stands for several models."""
        return len(self.models) > 1

    @property
    def rest(self) -> bool:
        """True if the box stands for what is left of the network."""
        return self.folded and not self.begins


@dataclass(frozen=True)
class Arrow:
    """All feeds from one box to another.

    Attributes
    ----------
    origin, reader : int
        Positions of the boxes.
    part : Part
        The most important part of one of them.
    text : str
        What is written beside it; may be empty.
    """

    origin: int
    reader: int
    part: Part
    text: str = ""


@dataclass(frozen=True)
class Scene:
    """A drawing without places.

    Attributes
    ----------
    title : str
        What is drawn, in a sentence.
    boxes : tuple of Box
        Sources first.
    arrows : tuple of Arrow
        Each from one box to another.
    """

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def scene_of(net: Network, diagnosis: Diagnosis, most: int = MOST_BOXES) -> Scene:
    """Return what a drawing of a network with its diagnosis shows.

    Parameters
    ----------
    net : Network
        The network.
    diagnosis : Diagnosis
        Its diagnosis.
    most : int, optional
        Number of models up to which none are folded.
    """
    groups = groups_of(diagnosis, most)
    feeds = net.recurring
    cures = [(o, r.model if isinstance(r, Vertex) else r) for o, r in diagnosis.repairs]
    origins = dict.fromkeys([*(f.origin for f in feeds), *(origin for origin, _ in cures)])
    sources = [origin for origin in origins if origin not in net.index]
    boxes = [Box(name, "", _kind(name)) for name in sources[:MOST_SOURCES]]
    if len(sources) > MOST_SOURCES:
        more = how_many(len(sources) - MOST_SOURCES, "more source")
        boxes.append(Box(more, "", "real"))
    place = {name: min(k, MOST_SOURCES) for k, name in enumerate(sources)}
    first = len(boxes)
    place |= {name: first + k for k, group in enumerate(groups) for name in group.models}
    parts: dict[tuple[int, int], Part] = {}
    counts: dict[tuple[int, int], list[int]] = {}
    rest = {name for group in groups if group.rest for name in group.models}
    on_path, closed = _steps(groups, diagnosis.models), _closed(diagnosis)
    for feed in feeds:
        edge = feed.origin, feed.reader
        part = Part.FOLDED if feed.origin in rest or feed.reader in rest else Part.PLAIN
        part = Part.REAL if feed.origin not in net.index and feed.origin != UNKNOWN else part
        part = Part.PATH if edge in on_path else part
        part = Part.CLOSED if closed.get(feed.origin, -1) == closed.get(feed.reader, -2) else part
        between = place[feed.origin], place[feed.reader]
        parts[between] = max(parts.get(between, part), part)
        counts.setdefault(between, []).append(feed.samples)
    for origin, reader in cures:
        parts[place[origin], place[reader]] = Part.CURE
    counted = len(feeds) <= MOST_COUNTED and net.later.turns == 1
    texts = {
        between: "" if part is Part.FOLDED else _text(counts.get(between, []), counted)
        for between, part in parts.items()
    }
    for k, group in enumerate(groups, first):
        loop = texts.get((k, k)) if len(group.models) == 1 or group.begins else None
        boxes.append(_box(group, diagnosis.models, loop))
    arrows = (
        Arrow(origin, reader, part, texts[origin, reader])
        for (origin, reader), part in parts.items()
        if origin != reader
    )
    return Scene(_title(net, diagnosis), tuple(boxes), tuple(arrows))


def _kind(source: str) -> Fate:
    return "unnamed" if source == UNKNOWN else "real"


def _text(counts: list[int], counted: bool) -> str:
    """Return what is written beside feeds: their samples, or how many feeds they are."""
    if counted and counts:
        return f"{sum(counts):,}"
    return how_many(len(counts), "feed") if len(counts) > 1 else ""


def _steps(groups: list[Group], verdicts: Mapping[str, ModelVerdict]) -> set[tuple[str, str]]:
    """Return the steps of the paths to the models in front."""
    alone = (group.models[0] for group in groups if len(group.models) == 1)
    return {step for name in alone for step in pairwise(path_of(verdicts[name]))}


def _closed(diagnosis: Diagnosis) -> dict[str, int]:
    """Return the number of the component that each model where failures begin is in."""
    return {name: k for k, part in enumerate(beginnings(diagnosis)) for name in part}


def _box(group: Group, verdicts: Mapping[str, ModelVerdict], loop: str | None) -> Box:
    verdict = verdicts[group.models[0]]
    fate: Fate = "collapses" if verdict.collapses else "stable"
    fate = "unknown" if verdict.collapses is None else fate
    note = ""
    if len(group.models) == 1:
        note = _note(verdict)
    return Box(group.name, note, fate, group.models, begins=group.begins, loop=loop)


def _note(verdict: ModelVerdict) -> str:
    """Return a few words on a model."""
    told = [
        "errors explode" if verdict.explodes else "",
        "forgets" if verdict.forgets else "",
        "frozen" if verdict.frozen else "",
    ]
    if not any(told):
        rate = verdict.growth if verdict.collapses else verdict.limit
        known = number(rate, 3)
        if known != "-":
            told = [f"+{known} a generation" if verdict.collapses else f"{known} in the limit"]
    return ", ".join(filter(None, told))


def _title(net: Network, diagnosis: Diagnosis) -> str:
    doomed = sum(verdict.collapses is True for verdict in diagnosis.models.values())
    feeds = "feeds"
    if isinstance(net.later, Drawn | Followed):
        feeds = "feeds of all networks that may be drawn"
    elif net.later.turns > 1:
        feeds = f"feeds of {net.later.turns} phases"
    return f"{how_many(net.size, 'model')} with their {feeds}; {doomed:,} collapse"
