"""Choose the models of a large network that matter, and fold the others into a few groups.

In front are the components where failures begin, then the models that these reach by the shortest
paths, with the paths, and the stable models with the largest errors. All others are folded by their
fate. A component of many models is folded as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mcjax.diagnosis import Diagnosis, ModelVerdict
from mcjax.laws.collapse.components import Member, Vertex
from mcjax.numbers import how_many

BEGIN, MEMBERS, REACHED, STABLE = 1 / 2, 1 / 4, 1 / 3, 1 / 6
"""Shares of the boxes: where failures begin, of which one component takes at most the second share;
of other models in front, those that collapse, and those that do not."""


class Group(NamedTuple):
    """Models that are drawn as one box.

    Attributes
    ----------
    name : str
        What is written in the box.
    models : tuple of str
        The models; several if they are folded.
    begins : bool
        Whether failures begin there.
    """

    name: str
    models: tuple[str, ...]
    begins: bool

    @property
    def rest(self) -> bool:
        """True if the box stands for what is left of the network."""
        return len(self.models) > 1 and not self.begins


def groups_of(diagnosis: Diagnosis, most: int) -> list[Group]:
    """Return the models of a network in groups, of one model each unless the network is large.

    Parameters
    ----------
    diagnosis : Diagnosis
        Its diagnosis.
    most : int
        Number of models up to which nothing is folded.
    """
    verdicts = diagnosis.models
    components = beginnings(diagnosis)
    begin = set().union(*components)
    if len(verdicts) <= most:
        return [Group(name, (name,), name in begin) for name in verdicts]
    groups, others, count = list[Group](), dict[str, None](), 0
    for members in components:
        free = BEGIN * most - len(groups)
        if free < 1:
            others.update(dict.fromkeys(members))
            count += 1
        elif len(members) > min(MEMBERS * most, free):
            few = f"{members[0]} and {len(members) - 1:,} more"
            groups.append(Group(few, members, begins=True))
        else:
            groups += (Group(name, (name,), begins=True) for name in members)
    if others:
        told = f"{count:,} more of {how_many(len(others), 'model')}"
        groups.append(Group(told, tuple(others), begins=True))
    for name in _in_front(verdicts, begin, most):
        groups.append(Group(name, (name,), begins=False))
    taken = {name for group in groups for name in group.models}
    for fate, word in ((True, "that collapse"), (None, "not known"), (False, "stable")):
        rest = tuple(n for n, v in verdicts.items() if n not in taken and v.collapses is fate)
        if rest:
            groups.append(Group(f"{len(rest):,} more {word}", rest, begins=False))
    return groups


def beginnings(diagnosis: Diagnosis) -> list[tuple[str, ...]]:
    """Return the models of each collapse origin and of each exploding component, each once."""
    components = [_models(origin.members) for origin in diagnosis.unstable_sources]
    components += (_models(explosion.members) for explosion in diagnosis.explosions)
    return list(dict.fromkeys(components))


def path_of(verdict: ModelVerdict) -> tuple[str, ...]:
    """Return the models on the path from where failure begins, or data are unknown, to a model."""
    return _models(verdict.path)


def _in_front(verdicts: Mapping[str, ModelVerdict], begin: set[str], most: int) -> Iterable[str]:
    """Return models that are drawn by themselves, other than those where failures begin."""
    doomed = [
        name
        for name, verdict in verdicts.items()
        if verdict.collapses is not False and name not in begin and verdict.path
    ]
    doomed.sort(key=lambda name: (not verdicts[name].collapses, len(verdicts[name].path)))
    front: dict[str, None] = {}
    for name in doomed:
        path = filter(verdicts.__contains__, path_of(verdicts[name]))
        more = [m for m in path if m not in begin and m not in front]
        if len(front) + len(more) > REACHED * most:
            break
        front.update(dict.fromkeys(more))
    stable = [n for n, v in verdicts.items() if v.collapses is False]
    stable.sort(key=lambda name: -_size(verdicts[name]))
    share = STABLE if begin else STABLE + REACHED
    return [*front, *stable[: round(share * most)]]


def _size(verdict: ModelVerdict) -> float:
    limit = verdict.limit
    return limit if limit is not None and math.isfinite(limit) else 0.0


def _models(members: Iterable[Member]) -> tuple[str, ...]:
    """Return the models of members, each once; a vertex is a model in a phase."""
    names = (m.model if isinstance(m, Vertex) else m for m in members)
    return tuple(dict.fromkeys(names))
