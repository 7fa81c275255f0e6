"""Models that are equal in law, whatever the generator.

Where every fit begins anew, a model that reads all its rows from one origin is, in law, what that
origin makes of it. A chain of such feeds back to real data is described by the numbers of rows
along it, so two models of one description are equal in law, though not in their numbers. A model
that reads itself alone runs through all of them: its generation k is in law every model that is k
feeds away from real data, in any network and at any generation. Where fits begin at earlier ones,
the same gaps are shown and not judged: they tell what the memory of parameters brings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.generators.chains import Read, readings
from mcjax.generators.contrasts import finite, within_share
from mcjax.generators.simulate import Values
from mcjax.generators.study import GeneratorCondition, GeneratorStudy
from mcjax.verdicts.claims import Claim, Place

LOOP, EQUAL = "self-loop", "equal"
"""The law that a model is in law a generation of a self-loop, and its quantity."""

BEGUN = (
    "fits begin at parameters of earlier fits, so that a model knows more than its rows and is no"
    " generation of a self-loop in law; the gap to it is what the memory brings"
)

Line = tuple[int, ...]
"""Numbers of rows of the fits from real data to a model."""


def lines(condition: GeneratorCondition, generations: int) -> list[list[Line | None]]:
    """Return by generation and model the fits from real data to it; None if they are no line."""
    found: list[list[Line | None]] = []
    for reads in readings(condition.network, generations):
        before = found[-1] if found else [None] * len(reads)
        found.append([_line(incoming, before, i) for i, incoming in enumerate(reads)])
    return found


def _line(incoming: Sequence[Read], before: Sequence[Line | None], model: int) -> Line | None:
    if not incoming:
        return before[model]
    if len(incoming) > 1:
        return None
    read = incoming[0]
    if read.origin > len(before):
        return None  # data of another source
    if read.origin == len(before):
        return (read.rows,)
    behind = before[read.origin]
    return None if behind is None else (*behind, read.rows)


def is_loop(condition: GeneratorCondition, model: int, generations: int) -> bool:
    """Return whether a model reads itself alone in every generation after the first."""
    later = readings(condition.network, generations)[1:]
    return all([read.origin for read in reads[model]] == [model] for reads in later)


class Compared(NamedTuple):
    """A model and the self-loop that it is compared with, chain by chain.

    Attributes
    ----------
    condition, model : int
        Positions of the condition and of the model in it.
    generation : int
        The last generation that is compared.
    gap : ndarray
        Mean over generations of the model's measures minus those of the self-loop's generation of
        the same line, shape (C, K).
    change : ndarray
        Mean over the same generations of the self-loop of its change since generation 0, (C, K).
    """

    condition: int
    model: int
    generation: int
    gap: Float[np.ndarray, "C K"]
    change: Float[np.ndarray, "C K"]


def contrasts_of(study: GeneratorStudy, values: Sequence[Values]) -> Iterator[Compared]:
    """Yield every model that is, in some generations, in law one of a self-loop's.

    The first self-loop of a generator in the study whose fits start alike serves, and need not have
    other draws. Where fits do not begin anew, nothing is equal in law.
    """
    last = study.generations
    for here, condition in enumerate(study.conditions):
        there = loop_of(study, condition)
        if there is None:
            continue
        k, loop = there
        own_lines = enumerate(_own(study.conditions[k], loop, last))
        known = {line: t for t, line in own_lines if line is not None}
        mine = lines(condition, last)
        chains = min(len(values[here]), len(values[k]))
        reference = values[k][:chains, :, loop]
        for i in range(condition.network.size):
            at = [(t, known[line]) for t in range(last + 1) if (line := mine[t][i]) in known]
            at = [(t, s) for t, s in at if s and (here, i) != there]
            if at:
                own, its = (np.array(generations) for generations in zip(*at, strict=True))
                gap = (values[here][:chains, own, i] - reference[:, its]).mean(1)
                change = (reference[:, its] - reference[:, :1]).mean(1)
                yield Compared(here, i, at[-1][0], gap=gap, change=change)


def equality_claims(
    study: GeneratorStudy, values: Sequence[Values], names: Sequence[Sequence[str]]
) -> Iterator[Claim]:
    """Claim of models a line away from real data that they are like generations of a self-loop.

    Gaps are small beside the change of the self-loop since generation 0.
    """
    for one in contrasts_of(study, values):
        condition = study.conditions[one.condition]
        model = condition.network.models[one.model]
        for k, name in enumerate(names[one.condition]):
            gap, change = one.gap[:, k], one.change[:, k]
            kept = finite(gap, change)
            if kept.any() and not gap[kept].any():
                continue  # with the same draws, of a paired condition
            place = Place(condition.name, model, one.generation, f"{EQUAL}({name})", law=LOOP)
            yield within_share(place, gap[kept], change[kept], study.tolerance, drawn=len(gap))


def loop_of(study: GeneratorStudy, condition: GeneratorCondition) -> tuple[int, int] | None:
    """Return the position of a condition, and in it that of a model that reads itself alone."""
    for k, other in enumerate(study.conditions):
        if other.generator is condition.generator and other.start == condition.start:
            for i in range(other.network.size):
                if study.generations and is_loop(other, i, study.generations):
                    return k, i
    return None


def _own(condition: GeneratorCondition, model: int, generations: int) -> list[Line | None]:
    return [found[model] for found in lines(condition, generations)]
