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

from mcjax.network.network import Network


def sound_in_any_order(net: Network, marked: bool = False) -> bool:
    """Return whether peeling removes all models of the networks that recur.

    Nothing is said of networks that are marked by a penalty or a selection, or remember. Real
    sources with covariates of their own, which may leave a direction unseen, do not count.
    """
    if marked or not net.memory.current_only:
        return False
    whole = {name for name in net.source_index if name not in _narrow(net)}
    tables = net.tables[len(net.tables) - net.later.turns :]
    fits = [
        [{f.origin for f in table[i] if f.weight} for table in tables if table[i]]
        for i in range(net.size)
    ]
    removed = set(whole)
    while True:
        gone = {
            name
            for name, reads in zip(net.models, fits, strict=True)
            if name not in removed and all(read & removed for read in reads)
        }
        if not gone:
            return removed.issuperset(net.models)
        removed |= gone


def _narrow(net: Network) -> set[str]:
    return {source.name for source in net.sources if source.covariance is not None}
