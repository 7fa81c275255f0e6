r"""The growth of every measure after the transient, judged by the collapse law.

The slope of a measure is that of a straight line through its generations from t_0 to T, with

    t_0 = max(T // 2, log(1/20) / log(r))

and r the largest modulus below 1 of an eigenvalue of W, which holds the shares of a model's rows by
origin: by t_0, what generation 0 was like has decayed to a twentieth. Where feeds change, this is
counted from when they stay, or from when they take turns. Where they take turns, each phase has a
line of its own, and all lines have one slope: a measure that only goes up and down with the phases
has the slope 0.

A model that collapses by the law has a slope that is not 0. One that does not has settled: between
t_0 and T a measure changes by at most the tolerance times its change since generation 0. No law
says how large changes are, so a measure that does not move is no evidence against collapse, and
nothing is said of levels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from mcjax.diagnosis import diagnose
from mcjax.generators.chains import Read, readings
from mcjax.generators.contrasts import SATURATED, differs_from_zero, finite, within_share
from mcjax.generators.simulate import Values
from mcjax.generators.study import GeneratorCondition, GeneratorStudy
from mcjax.numbers import how_many
from mcjax.verdicts.claims import Claim, Place

LEFT = 0.05
"""Share of a transient that is left when growth is looked for."""
ROUNDING = 1e-9
"""Least distance below 1 at which an eigenvalue counts as smaller than 1."""
FEWEST_GENERATIONS = 2
"""Generations after the transient, at least."""
LAW = "collapse"
GROWTH, DRIFT = "growth", "drift"
"""Quantities about models that collapse by the law, and about others."""
MEMORY = (
    "fits begin at their own last parameters, a memory without a known end, so that growth cannot"
    " be told from a transient; slopes are shown, and paired networks tell what a feed does"
)


def collapses(condition: GeneratorCondition) -> dict[str, bool]:
    """Return by model whether it collapses by the collapse law."""
    models = diagnose(condition.network).models
    return {name: bool(models[name].collapses) for name in condition.network.models}


def first_of_window(condition: GeneratorCondition, generations: int) -> int:
    """Return the generation from which on growth is looked for, t_0."""
    return max(generations // 2, transient(condition))


def fewest(condition: GeneratorCondition) -> int:
    """Return the least number of generations from t_0 to T, in which some phase comes twice."""
    return max(FEWEST_GENERATIONS, condition.network.later.turns)


def transient(condition: GeneratorCondition) -> int:
    """Return the generation by which little is left of what was before the feeds of the long run.

    That is of generation 0 where feeds stay. Where they take turns, W is the product over a round.
    """
    later = condition.network.later
    before = len(later.generations) - later.turns
    rounds = [shares(reads) for reads in readings(condition.network, before + later.turns)]
    whole = np.eye(condition.network.size)
    for one in rounds[before + 1 :]:
        whole = one @ whole
    modulus = np.abs(np.linalg.eigvals(whole))
    radius = float(np.max(modulus[modulus < 1 - ROUNDING], initial=0.0))
    decays = math.ceil(math.log(LEFT) / math.log(radius)) if radius > LEFT else 1
    return before + later.turns * decays


def shares(reads: Sequence[Sequence[Read]]) -> Float[np.ndarray, "M M"]:
    """Return the shares of each model's rows by origin; one that reads nothing keeps its own."""
    found = np.zeros((len(reads), len(reads)))
    for i, incoming in enumerate(reads):
        total = sum(read.rows * read.weight for read in incoming)
        found[i, i] = not incoming
        for read in incoming:
            if read.origin < len(reads):
                found[i, read.origin] += read.rows * read.weight / total
    return found


def slopes(values: Values, first: int, turns: int = 1) -> Float[np.ndarray, "C M K"]:
    """Return the slope of each chain's measures over the generations from ``first`` on.

    It is that of lines through every ``turns``-th generation, which have one slope. It is exactly 0
    of a measure that is the same in all of these.
    """
    times = np.arange(first, values.shape[1], dtype=float)
    off = times.copy()
    for phase in range(min(turns, len(times))):
        off[phase::turns] -= times[phase::turns].mean()
    weights = off / max((off**2).sum(), 1e-300)
    seen = values[:, first:]
    found: Float[np.ndarray, "C M K"] = np.einsum("t,ctmk->cmk", weights, seen)
    found[(seen[:, turns:] == seen[:, :-turns]).all(axis=1)] = 0
    return found


def growth_claims(
    study: GeneratorStudy, condition: GeneratorCondition, values: Values, names: Sequence[str]
) -> Iterator[Claim]:
    """Claim of every measure of every model that it grows, or has settled."""
    last, first = study.generations, first_of_window(condition, study.generations)
    if last - first < fewest(condition):
        return
    dooms, frozen = collapses(condition), condition.network.frozen
    turns = condition.network.later.turns
    slope, whole = slopes(values, first, turns), values[:, last] - values[:, 0]
    for i, model in enumerate(condition.network.models):
        for k, name in enumerate(names) if not frozen[i] else ():
            kind = GROWTH if dooms[model] else DRIFT
            place = Place(condition.name, model, last, f"{kind}({name})", law=LAW)
            kept = finite(slope[:, i, k], whole[:, i, k])
            own, changed = slope[kept, i, k], whole[kept, i, k] / (last - first)
            settled = within_share(place, own, changed, study.tolerance, drawn=len(values))
            claim = settled
            if dooms[model]:
                alone = 1 - study.confidence  # the level of a claim that is judged by itself
                moves = differs_from_zero(place, own, len(values)).within < alone
                still = settled.within < alone and not moves
                claim = differs_from_zero(place, own, len(values), SATURATED if still else "")
            yield claim


def too_short(study: GeneratorStudy) -> Iterator[str]:
    """Yield a note on each condition whose generations end before growth can be judged."""
    for condition in study.conditions:
        first = first_of_window(condition, study.generations)
        if study.generations - first < fewest(condition):
            where = f" in {condition.name}" if condition.name else ""
            least = max(transient(condition), 1) + fewest(condition)
            yield (
                f"Growth is not judged{where}: {how_many(study.generations, 'generation')} are too"
                f" few to tell it from a transient; give at least {least}"
            )
