"""Find the smallest changes of a network that end collapse, and those that bring it about.

**Repairs.** One new real feed into each collapse origin ends all collapse: no component is an
origin any more, and a real feed makes no new one. Fewer do not suffice: origins are disjoint, a
real feed enters one model, and an origin without one stays an origin. A feed from a stable model
into an origin repairs it too, since it opens the origin to real data or to a frozen model.

**Flips.** A new feed j -> i makes some stable model collapse if and only if

(a) j collapses and i does not, or
(b) i is frozen, j = i or i reaches j, and no model from which j can be reached, j included, reads
    real data or is frozen, except i.

Derived here. (a) suffices: the origin that reaches j still has no feed from outside, because i is
stable and so not in it; hence it reaches i now. (b) suffices: call B the models that reach j, i
among them. With the new feed B is closed, gets no real data, and each of its models reads something
inside. A component of B that no other component of B feeds contains a cycle, so it is a collapse
origin; none of B needs to have collapsed before (if j did, this is (a) again). One of them is
necessary: suppose j is stable and that a stable model collapses through the collapse origin C of
the network with the new feed. If C did not contain i, it was an origin before, and the feed helped
it reach something new only if it reached j, which is stable. So C contains i, and j too, since it
is closed. It gets no real data, and its models other than i read inside C without the new feed. If
i did so too, the models of C that reach j, which all read inside C and have no real data, would
already hold an origin that reaches j. So i was frozen. The feed closes C, hence i = j or i reaches
j, and all models that reach j lie in C, which holds no real data and no second frozen model: (b).
"""

from __future__ import annotations

import numpy as np

from mcjax.laws.collapse.components import DataFlow
from mcjax.laws.collapse.origins import CollapseOrigin
from mcjax.network.feed import REAL
from mcjax.network.network import Network

Edge = tuple[str, str]
"""Origin and reader of a feed."""

NOTHING = -1
SEVERAL = -2


def repairs(origins: tuple[CollapseOrigin, ...]) -> tuple[Edge, ...]:
    """Return a smallest set of new real feeds after which nothing collapses."""
    return tuple((REAL, origin.members[0]) for origin in origins)


def flips(net: Network, flow: DataFlow, collapsed: np.ndarray) -> tuple[Edge, ...]:
    """Return every single new feed that makes a model collapse which is stable now.

    Parameters
    ----------
    net : Network
        The network.
    flow : DataFlow
        Its data flow.
    collapsed : ndarray of bool, shape (M,)
        The models that collapse now.

    Returns
    -------
    tuple of Edge
        In the order of the network, by origin and then by reader. None of them exists already, and
        there is none where data accumulate or sample counts grow fast enough.
    """
    if net.forgives:
        return ()
    flipping = np.outer(collapsed, ~collapsed)
    for j, i in enumerate(_only_anchor(flow)):
        if i >= 0 and not flow.anchored[i]:
            flipping[j, i] = True
    names = net.models
    return tuple((names[j], names[i]) for j, i in np.argwhere(flipping).tolist())


def _only_anchor(flow: DataFlow) -> list[int]:
    """Return, for each model, the one model with real data or frozen that reaches it (maybe
    itself).

    It is ``NOTHING`` if there is none and ``SEVERAL`` if there are more. Each model's value changes
    at most twice, so passing changes on to readers takes two visits of each feed.
    """
    anchor = [NOTHING] * len(flow.feeders)
    changed = []
    for i, feeders in enumerate(flow.feeders):
        if flow.anchored[i] or not feeders:
            anchor[i] = i
            changed.append(i)
    while changed:
        j = changed.pop()
        for i in flow.readers[j]:
            if anchor[i] not in (anchor[j], SEVERAL):
                anchor[i] = anchor[j] if anchor[i] == NOTHING else SEVERAL
                changed.append(i)
    return anchor
