"""Diagnose a network that reads data of unknown origin, by its worst and its best case.

Where both cases agree, a verdict is certain. Where they do not, it depends on what is unknown, and
one feed is enough to make the difference: if the data of a single feed come from a closed loop, a
model that it reaches, directly or through others, carries the noise of that loop for ever. So the
smallest share that decides about a model is that of the smallest feed of unknown data to a model
that reaches it, or to the model itself.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mcjax.diagnosis.asked import ALL, Asked
from mcjax.diagnosis.rates import MOST_MODELS
from mcjax.diagnosis.verdict import Counts, Deciding, Diagnosis, ModelVerdict, PhaseVerdict
from mcjax.network.columns import FeedColumns
from mcjax.network.feed import UNKNOWN
from mcjax.network.network import Network
from mcjax.network.unknown import best_case, worst_case

if TYPE_CHECKING:
    from jaxtyping import Float

Case = Callable[[Network], Network]
"""Assumption about unknown data, as a map of networks."""


def diagnose_cases(
    net: Network, examine: Callable[[Case, Asked], Diagnosis], asked: Asked
) -> Diagnosis:
    """Return the diagnosis of a network, of both cases where it reads unknown data.

    Parameters
    ----------
    net : Network
        The network.
    examine : callable
        Returns the diagnosis of the network that a case makes of it, of the models asked for.
    asked : Asked
        The models that are asked for.
    """
    if not net.reads_unknown:
        return examine(lambda known: known, asked)
    asked.check(net)
    large = net.size > MOST_MODELS and asked.any
    worst = examine(worst_case, asked if large else ALL)
    names = [name for name in worst.models if name in net.index] if large else net.models
    best = examine(best_case, Asked(names) if large else ALL)
    deciding = {} if net.selections else _deciding(net)
    models = {
        name: _verdict(worst.models[name], best.models[name], deciding.get(name)) for name in names
    }
    counts = Counts.of(models.values())
    if large:  # the loop of the worst case is a model more, and collapses unless memory is kept
        loop = bool(worst.every[UNKNOWN].collapses)
        depends = worst.counts.collapse - best.counts.collapse - loop
        counts = best.counts._replace(depends=depends)
    diagnosis = replace(
        best,
        models=models,
        every=best.every if large else {},
        flips_sought=best.flips_sought and not counts.depends,
        flips=tuple(edge for edge in best.flips if models[str(edge[1])].certain),
        dangers=() if counts.depends else best.dangers,
        in_any_order=best.in_any_order and worst.in_any_order,
        worst_case=replace(worst, models={name: worst.models[name] for name in models}),
        best_case=best,
        counts=counts,
        worth=None,
    )
    return asked.of(diagnosis)


def _verdict(worst: ModelVerdict, best: ModelVerdict, deciding: Deciding | None) -> ModelVerdict:
    """Return the verdict on a model that has one in each case."""
    phases = tuple(
        bad if bad.collapses == good.collapses else PhaseVerdict(good.phase, None, None, None)
        for bad, good in zip(worst.phases, best.phases, strict=True)
    )
    failures = [(case.noise, case.forgets, case.explodes) for case in (worst, best)]
    if failures[0] == failures[1]:
        return replace(
            best,
            growth=worst.growth,
            limit=worst.limit,
            phases=phases,
            relative=worst.relative,
            doubles=worst.doubles,
            tenfold=worst.tenfold,
        )
    same = worst.noise == best.noise
    return replace(
        best,
        noise=best.noise if same else None,
        growth=worst.growth if same else None,
        limit=worst.limit if same else None,
        relative=worst.relative if same else (math.nan,) * 4,
        doubles=worst.doubles if same else None,
        tenfold=worst.tenfold if same else None,
        path=best.path or worst.path,
        phases=phases,
        certain=False,
        deciding=None if same else deciding,
    )


def _deciding(net: Network) -> dict[str, Deciding]:
    """Return the smallest feed of unknown data that reaches each model."""
    share = np.full(net.size, np.inf)
    readers: list[list[int]] = [[] for _ in net.models]
    for generation in net.later.recurring:
        columns = generation.columns(net.places)
        np.minimum.at(share, columns.reader, _shares(net, columns))
        between = (columns.origin < net.size) & (columns.weight > 0)
        pairs = columns.origin[between].tolist(), columns.reader[between].tolist()
        for j, i in zip(*pairs, strict=True):
            readers[j].append(i)
    begun = [(float(share[i]), i, i) for i in np.flatnonzero(np.isfinite(share)).tolist()]
    heapq.heapify(begun)
    found: dict[str, Deciding] = {}
    while begun:  # the smallest first, so that each model is visited once
        least, first, i = heapq.heappop(begun)
        if net.models[i] in found:
            continue
        found[net.models[i]] = Deciding(net.models[first], least)
        for k in readers[i]:
            if net.models[k] not in found:
                heapq.heappush(begun, (least, first, k))
    return found


def _shares(net: Network, columns: FeedColumns) -> Float[np.ndarray, " F"]:
    """Return the share of unknown feeds in what their readers fit; infinite for other feeds."""
    unknown = (columns.origin == net.places[UNKNOWN]) & (columns.weight > 0)
    rows = columns.rows(net.size)[columns.reader]
    shares: np.ndarray = np.where(unknown, columns.samples / rows, np.inf)
    return shares
