"""Every network of M models, by number.

Bit ``i (M + 1) + j`` of a code says whether model j feeds model i; j = M is the real source. So
there are ``2**(M (M + 1))`` labelled networks: 4,096 of 3 models, 1,048,576 of 4.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from mcjax.network.build import build_network
from mcjax.network.feed import REAL
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Int

MOST_ENUMERATED = 4


def code_count(models: int) -> int:
    """Return the number of labelled networks."""
    return 1 << models * (models + 1)


def network_of(code: int, models: int, samples: int) -> Network:
    """Return the network with this code; every feed and generation 0 have ``samples`` samples."""
    feeds = [(origin, reader, samples) for origin, reader in feeds_of(code, models)]
    return build_network(models, feeds, initial=samples)


def feeds_of(code: int, models: int) -> list[tuple[str, str]]:
    """(origin, reader) of every feed."""
    names = [*map(str, range(models)), REAL]
    return [
        (names[j], str(i))
        for i in range(models)
        for j in range(models + 1)
        if code >> (i * (models + 1) + j) & 1
    ]


def describe_code(code: int, models: int) -> str:
    """Return the feeds on one line, such as ``0->1 real->1``."""
    return " ".join(f"{a}->{b}" for a, b in feeds_of(code, models)) or "no feeds"


def isomorphism_classes(models: int) -> tuple[Int[np.ndarray, " K"], Int[np.ndarray, " K"]]:
    """One network of each class of networks that differ only in the numbering of models.

    Returns
    -------
    codes : ndarray
        The smallest code of each class, ascending, shape (K,).
    sizes : ndarray
        Number of labelled networks in each class, shape (K,); they add up to all.
    """
    codes = np.arange(code_count(models), dtype=np.int64)
    smallest = codes.copy()
    for order in permutations(range(models)):
        moved = np.zeros_like(codes)
        for i in range(models):
            for j in range(models + 1):
                target = order[i] * (models + 1) + (order[j] if j < models else models)
                moved |= (codes >> (i * (models + 1) + j) & 1) << target
        np.minimum(smallest, moved, out=smallest)
    return np.unique(smallest, return_counts=True)
