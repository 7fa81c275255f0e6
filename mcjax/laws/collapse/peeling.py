"""Soundness in whatever order networks come.

**Peeling.** Remove a model if, in each network in which it is fitted, it reads real data or a model
that has been removed; repeat. If all models go, nothing collapses, whether networks come at random,
in turns or as an adversary chooses.

Proof: let d be the least share of real data and earlier removed models in a fit. Each fit on the
lineage of a model hands it on to these with a chance of at least d. So the lineage meets at most
``M d^-M`` fits on average, and the variance is at most the largest at generation 0 plus
``v M d^-M``, v being the largest variance of one fit, for samples that have one reader.

It is sufficient alone where whole networks switch. Derived here.
"""

from __future__ import annotations

import numpy as np

from mcjax.laws.collapse.adjacency import Adjacency
from mcjax.laws.collapse.lift import Lift
from mcjax.network.network import Network
from mcjax.network.unlisted import RandomFeeds


def sound_in_any_order(lift: Lift, marked: bool = False) -> bool:
    """Return whether peeling removes all models of the networks that recur, given by their lift.

    Nothing is said of networks that are marked by a penalty or a selection, or remember. Real
    sources with covariates of their own, which may leave a direction unseen, do not count.
    """
    net = lift.net
    if marked or not net.memory.current_only:
        return False
    size, places = net.size, net.places
    fit, origin, model_of = _fits(lift)
    fits, reads = np.unique(fit, return_inverse=True)
    owner = model_of[fits]
    waiting = np.bincount(owner, minlength=size).tolist()  # fits that read nothing removed
    readers = Adjacency(origin, reads, len(places))
    starts, ends = readers.starts.tolist(), readers.ends.tolist()
    model, done = owner.tolist(), [False] * len(fits)
    gone = [places[name] for name in net.source_index if name not in _narrow(net)]
    gone += [i for i in range(size) if not waiting[i]]
    removed = sum(not count for count in waiting)
    while gone:
        j = gone.pop()
        for k in ends[starts[j] : starts[j + 1]]:
            if done[k]:
                continue
            done[k] = True
            waiting[model[k]] -= 1
            if not waiting[model[k]]:
                gone.append(model[k])
                removed += 1
    return removed == size


def _fits(lift: Lift) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what models read in each network: a number of their fit, and the place of the origin.

    The third part is the model of each number.
    """
    net, size = lift.net, lift.net.size
    if not net.later.random:
        return lift.read_by, lift.origin[lift.reads], lift.model
    if isinstance(net.later, RandomFeeds):
        return _fits_of_random_feeds(lift)
    tables = [g.columns(net.places) for g in net.later.generations]
    weighs = [feeds.weight > 0 for feeds in tables]
    origin = np.concatenate([t.origin[w] for t, w in zip(tables, weighs, strict=True)])
    fit = np.concatenate(
        [z * size + t.reader[w] for z, (t, w) in enumerate(zip(tables, weighs, strict=True))]
    )
    return fit, origin, np.tile(np.arange(size), len(tables))


def _fits_of_random_feeds(lift: Lift) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what models read at least, whatever is drawn.

    Who has a feed that is always active reads all of these; who has none may read any one alone.
    """
    later, size = lift.net.later, lift.net.size
    assert isinstance(later, RandomFeeds), "it has been asked"
    random = np.array([feed.random for feed in later.given], bool)
    reader = lift.read_by
    sure = np.zeros(size, bool)
    sure[reader[~random]] = True
    fit = np.where(random, size + np.arange(len(reader)), reader)
    counts = ~random | ~sure[reader]
    return fit[counts], lift.origin[counts], np.append(np.arange(size), reader)


def _narrow(net: Network) -> set[str]:
    return {source.name for source in net.sources if source.covariance is not None}
