"""Pairs of networks with common draws: when news of a change arrives, and what it changes.

Two networks with common draws have the same chains, to the last bit, until a model has read other
data. Which models have, and when, follows from the feeds alone: those whose feeds differ, and one
generation later those that read them, and so on. Hence the first generation in which measures
differ is known exactly, and a chain of one network is the best control for that of the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from mcjax.generators.contrasts import differs_from_zero, exactly, finite
from mcjax.generators.growth import LAW, collapses
from mcjax.generators.histories import histories
from mcjax.generators.simulate import Values
from mcjax.generators.study import GeneratorCondition, GeneratorStudy
from mcjax.network import Network
from mcjax.verdicts.claims import Claim, Place
from mcjax.verdicts.estimates import estimate_mean

ARRIVAL, FLIP = "arrival", "flip"
"""Quantities about when two networks differ, and about how much at the end."""
PATHS = "paths"
"""The law of arrivals: news takes a generation for each feed."""
UNSEEN = "no measure shows the news in the generation in which it arrives; measure something finer"


@dataclass(frozen=True)
class Difference:
    """Difference of a measure between two paired networks, at the last generation.

    Attributes
    ----------
    condition, control : str
        The two conditions.
    model, measure : str
        What is compared.
    arrival : int or None
        The first generation in which any measure of the model differs in any chain.
    difference, standard_error : float
        Mean over chains of the measure in ``condition`` minus that in ``control``, and its error.
    """

    condition: str
    control: str
    model: str
    measure: str
    arrival: int | None
    difference: float
    standard_error: float


def pairs(study: GeneratorStudy) -> list[tuple[int, int]]:
    """Return the positions of conditions that are paired, control first.

    Conditions that differ in their networks alone are paired. The control of each is the earlier
    one with the fewest other feeds, and the first of these.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    found = []
    for i, one in enumerate(study.conditions):
        alike = one.label, one.seed, one.start, one.generator, one.network.models
        earlier = groups.setdefault(alike, [])
        if earlier:
            networks = [study.conditions[k].network for k in earlier]
            apart = [_other_feeds(network, one.network) for network in networks]
            found.append((earlier[int(np.argmin(apart))], i))
        earlier.append(i)
    return found


def _other_feeds(one: Network, other: Network) -> int:
    """Return how many feeds one of two networks has and the other has not."""
    mine, its = ({feed for g in net.later.generations for feed in g.feeds} for net in (one, other))
    return len(mine ^ its)


def reached(
    control: GeneratorCondition, other: GeneratorCondition, generations: int
) -> Bool[np.ndarray, "T+1 M"]:
    """Return when models have read other data than those of the control, shape (T + 1, M)."""
    mine, its = (np.array(histories(one, generations)) for one in (control, other))
    return np.asarray(mine != its)


def arrivals(differs: Bool[np.ndarray, "T+1 M"]) -> list[int | None]:
    """Return the first generation of each model in which it differs."""
    return [int(model.argmax()) if model.any() else None for model in differs.T]


def flip_claims(
    study: GeneratorStudy, values: Sequence[Values], names: Sequence[Sequence[str]]
) -> Iterator[Claim]:
    """Claim when news arrives, and that models whose verdict flips have changed by the end.

    Where a model must not differ, a single differing number of a single chain refutes; that is also
    so after the first arrival, if the news passes.
    """
    last = study.generations
    for at, (before, after) in ((pair, _of(study, pair)) for pair in pairs(study)):
        news = reached(before, after, last)
        one, other = (values[k][: _common(values, at)] for k in at)
        seen = _seen(one, other)
        dooms = [collapses(condition) for condition in (before, after)]
        expected, found = arrivals(news), arrivals(seen)
        for i, model in enumerate(after.network.models):
            early = (seen & ~news)[:, i]
            first = int(early.argmax()) if early.any() else found[i]
            when = expected[i]
            place = Place(after.name, model, last if when is None else when, ARRIVAL, law=PATHS)
            late = first != when and not early.any()
            yield exactly(
                place,
                observed=first,
                predicted=when,
                chains=len(one),
                note=UNSEEN if late else "",
            )
            if when is None or dooms[0][model] == dooms[1][model]:
                continue
            for k, name in enumerate(names[at[1]]):
                change = other[:, last, i, k] - one[:, last, i, k]
                place = Place(after.name, model, last, f"{FLIP}({name})", law=LAW)
                yield differs_from_zero(place, change[finite(change)], len(change))


def differences(
    study: GeneratorStudy, values: Sequence[Values], names: Sequence[Sequence[str]]
) -> tuple[Difference, ...]:
    """Return how all measures of all models differ between paired conditions."""
    found = []
    for at in pairs(study):
        before, after = _of(study, at)
        one, other = (values[k][: _common(values, at)] for k in at)
        when = arrivals(_seen(one, other))
        change = other[:, -1] - one[:, -1]
        for i, model in enumerate(after.network.models):
            for k, name in enumerate(names[at[1]]):
                own = change[:, i, k]
                mean = estimate_mean(own[finite(own)])
                found.append(
                    Difference(
                        condition=after.name,
                        control=before.name,
                        model=model,
                        measure=name,
                        arrival=when[i],
                        difference=mean.value,
                        standard_error=mean.error,
                    )
                )
    return tuple(found)


def _of(
    study: GeneratorStudy, pair: tuple[int, int]
) -> tuple[GeneratorCondition, GeneratorCondition]:
    return study.conditions[pair[0]], study.conditions[pair[1]]


def _common(values: Sequence[Values], pair: tuple[int, int]) -> int:
    """Return how many chains both conditions have."""
    return min(len(values[k]) for k in pair)


def _seen(one: Values, other: Values) -> Bool[np.ndarray, "T+1 M"]:
    """Return where any measure of any chain differs."""
    equal = (one == other) | (np.isnan(one) & np.isnan(other))
    return np.asarray(~equal.all((0, 3)))
