"""Networks that read data of which nobody knows where they come from.

They are a source named ``unknown``. In the *best case* its data are as real as those of ``real``.
In the *worst case* they come from a closed loop: a model that reads nothing but its own output, in
as many rows as the largest feed from it. Where a verdict is the same in both cases, it does not
rest on what is unknown.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcjax.errors import InputError
from mcjax.network.columns import FeedColumns
from mcjax.network.feed import UNKNOWN, Feed
from mcjax.network.generation import Generation
from mcjax.network.network import Network

TAKEN_AS_REAL = f"{UNKNOWN} (taken as real)"
"""The name of the source of unknown data in the best case."""


def best_case(net: Network) -> Network:
    """Return the network in which unknown data are real."""
    names = {UNKNOWN: TAKEN_AS_REAL}
    sources = (replace(s, name=names.get(s.name, s.name)) for s in net.sources)
    later = net.later.changed(lambda generation: _renamed(generation, names))
    return replace(net, later=later, sources=tuple(sources))


def worst_case(net: Network) -> Network:
    """Return the network in which unknown data come from a closed loop, its last model."""
    samples = max(_most(generation) for generation in net.later.generations)
    loop = Feed(UNKNOWN, UNKNOWN, samples)
    names = (*net.models, UNKNOWN, *(name for name in net.source_index if name != UNKNOWN))
    later = net.later.changed(lambda generation: _with_loop(generation, loop, names))
    return replace(
        net,
        models=(*net.models, UNKNOWN),
        initial=(*net.initial, samples),
        later=later,
        sources=tuple(source for source in net.sources if source.name != UNKNOWN),
    )


def check_known(net: Network) -> None:
    """Raise InputError for a network that reads unknown data."""
    if net.reads_unknown:
        raise InputError(
            "network.feeds",
            f"bring data from {UNKNOWN!r}, of which only `mcjax diagnose` says what may follow;"
            " name a model, 'real' or a source in their place",
        )


def _renamed(generation: Generation, names: dict[str, str]) -> Generation:
    given = generation.given
    if given is not None:
        return Generation(replace(given, names=tuple(names.get(n, n) for n in given.names)))
    return Generation(
        replace(feed, origin=names.get(feed.origin, feed.origin)) for feed in generation.feeds
    )


def _most(generation: Generation) -> int:
    """Return the largest number of samples of a feed of unknown data; 1 if there is none."""
    given = generation.given
    if given is None:
        return max((f.samples for f in generation.feeds if f.origin == UNKNOWN), default=1)
    unknown = given.samples[given.origin == given.names.index(UNKNOWN)]
    return int(unknown.max(initial=1))


def _with_loop(generation: Generation, loop: Feed, names: tuple[str, ...]) -> Generation:
    given = generation.given
    if given is None:
        return Generation((*generation.feeds, loop))
    places = {name: k for k, name in enumerate(names)}
    moved = np.array([places[name] for name in given.names], np.int64)
    own = np.array([places[UNKNOWN]])
    return Generation(
        FeedColumns(
            names,
            np.append(moved[given.origin], own),
            np.append(moved[given.reader], own),
            samples=np.append(given.samples, loop.samples),
            weight=np.append(given.weight, loop.weight),
        )
    )
