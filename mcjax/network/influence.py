"""The influence matrix: which share of a model's information comes from whom."""

from __future__ import annotations

import numpy as np

from mcjax.network.network import REAL, Network


def influence(net: Network) -> tuple[np.ndarray, np.ndarray]:
    """Influence matrix and real shares.

    ``W[i, j] = w_ij n_ij / sum_k w_ik n_ik`` over all feeds k of model i, the real source included
    in the sum; ``r[i] = 1 - sum_j W[i, j]`` is the real share. A frozen model has ``W[i, i] = 1``.

    Returns
    -------
    W: shape (M, M), rows sum to at most 1.
    r: shape (M,).
    """
    weights = np.zeros((net.size, net.size))
    real = np.zeros(net.size)
    for i, feeds in enumerate(net.feeds_by_reader):
        total = sum(f.weight * f.samples for f in feeds)
        for feed in feeds:
            share = feed.weight * feed.samples / total
            if feed.origin == REAL:
                real[i] = share
            else:
                weights[i, net.index[feed.origin]] = share
        if not feeds:
            weights[i, i] = 1.0
    return weights, real
