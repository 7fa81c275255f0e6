"""Find the smallest changes of a network that end collapse, and those that cause it.

**Repairs.** One new real feed into each collapse origin ends all collapse: no component is an
origin any more, and a real feed creates no new one. Fewer do not suffice: origins are disjoint, a
real feed enters one model, and an origin without one stays an origin. A feed from a stable model
into an origin repairs it too, since it opens the origin to real data or to a frozen model.

**Flips.** A new feed j -> i makes some stable model collapse if and only if

(a) j collapses and i does not, or
(b) i is frozen, j = i or i reaches j, and no model from which j can be reached, j included, reads
    real data or is frozen, except i.

Proof. (a) suffices: the origin that reaches j still has no feed from outside, because i is stable
and therefore not in it, and with the new feed it reaches i. (b) suffices: let B be the set of
models that reach j; it contains i. With the new feed, B is closed, reads no real data, and each of
its models reads a model of B. A component of B that no other component of B feeds contains a cycle,
so it is a collapse origin; no model of B needs to have collapsed before (if j did, (a) holds).
(a) or (b) is necessary: let j be stable, and let a stable model collapse through a collapse origin
C of the network with the new feed. If C did not contain i, it was an origin before, and the feed
could help it reach another model only if it reached j, which is stable. So C contains i and, being
closed, j as well. C reads no real data, and its models other than i read inside C even without the
new feed. If i did so too, then the models of C that reach j, all of which read inside C and no real
data, would already contain an origin that reaches j. So i was frozen. The feed closes C, hence
i = j or i reaches j, and all models that reach j lie in C, which contains no real data and no
second frozen model: this is (b).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcjax.laws.collapse.components import DataFlow, Member, Vertex, blind_sources, data_flow
from mcjax.laws.collapse.origins import CollapseOrigin
from mcjax.network.feed import REAL
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

Edge = tuple[str, Member]
"""Origin and reader of a feed; where feeds come and go, the reader in a phase."""

NO_ANCHOR = -1
SEVERAL_ANCHORS = -2


def repairs(origins: tuple[CollapseOrigin, ...]) -> tuple[Edge, ...]:
    """Return a smallest set of new real feeds after which nothing collapses.

    There is one to the first member of each origin that is fitted.
    """
    return tuple((REAL, next(filter(_fitted, origin.members))) for origin in origins)


def _fitted(member: Member) -> bool:
    return not (isinstance(member, Vertex) and member.kept)


def flips(net: Network, collapsed: Bool[np.ndarray, " M"]) -> tuple[Edge, ...]:
    """Return every single new feed that makes a stable model collapse.

    Feeds are ordered by origin and then by reader, in the order of the network. There is none if
    data accumulate or sample counts grow fast enough.
    """
    if net.forgives:
        return ()
    flipping = np.outer(collapsed, ~collapsed)
    flipping[only_anchors(net)] = True
    names = net.models
    return tuple((names[j], names[i]) for j, i in np.argwhere(flipping).tolist())


def only_anchors(net: Network) -> tuple[Int[np.ndarray, " F"], Int[np.ndarray, " F"]]:
    """Return the new feeds of (b), as the positions of their origins and readers.

    Those of models that are frozen, and the only anchor in some direction of those that feed them.
    """
    flipping: dict[tuple[int, int], None] = {}
    if not net.forgives and any(net.frozen):
        for blind in blind_sources(net):  # a feed flips a model if it does so in some direction
            flow = data_flow(net, blind)
            for j, i in enumerate(_only_anchor(flow)):
                if i >= 0 and not flow.anchored[i]:
                    flipping[j, i] = None
    found = np.array([*flipping], int).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _only_anchor(flow: DataFlow) -> list[int]:
    """Return the only anchor of each model.

    An anchor of a model is a model that reads real data or is frozen, and that reaches the model or
    is the model itself.

    Returns
    -------
    list of int
        Position of each model's only anchor, ``NO_ANCHOR`` or ``SEVERAL_ANCHORS``.
    """
    # a value changes twice at most, so that passing it on to readers visits each feed twice
    anchor = [NO_ANCHOR] * len(flow.feeders)
    changed = []
    for i, feeders in enumerate(flow.feeders):
        if flow.anchored[i] or not feeders:
            anchor[i] = i
            changed.append(i)
    while changed:
        j = changed.pop()
        for i in flow.readers[j]:
            if anchor[i] not in (anchor[j], SEVERAL_ANCHORS):
                anchor[i] = anchor[j] if anchor[i] == NO_ANCHOR else SEVERAL_ANCHORS
                changed.append(i)
    return anchor
