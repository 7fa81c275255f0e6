"""Grouping of conditions into compiled programs.

A program computes every condition at the padded size of its largest one: models times rows of the
largest fit. Starting with one program for each size, the two programs whose union adds least work
are merged repeatedly, until the total work would exceed ``WASTE`` times the necessary work. A
generation counts as at least ``SMALL`` rows, because smaller savings are not worth the seconds that
another program takes to compile. The result depends on sizes alone, never on the number of chains,
so that chains added later run in the same program.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WASTE, SMALL = 2.0, 1024


def buckets(sizes: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Group conditions into programs.

    Parameters
    ----------
    sizes : sequence of (int, int)
        Number of models, and rows of the largest fit, of each condition.

    Returns
    -------
    list of list of int
        Positions of the conditions of each program.
    """
    shapes, which = np.unique(np.array(sizes, float), axis=0, return_inverse=True)
    count = np.bincount(which.ravel()).astype(float)
    members = [np.flatnonzero(which.ravel() == k).tolist() for k in range(len(shapes))]
    work = count * np.maximum(shapes.prod(1), SMALL)
    allowed = WASTE * work.sum()
    while len(shapes) > 1:
        union = np.maximum(shapes[:, None], shapes[None])
        joint = (count[:, None] + count) * np.maximum(union.prod(-1), SMALL)
        added = joint - work[:, None] - work
        added[np.tril_indices(len(shapes))] = np.inf
        i, j = np.unravel_index(np.argmin(added), added.shape)
        if work.sum() + added[i, j] > allowed:
            break
        shapes[i], work[i] = union[i, j], joint[i, j]
        count[i] += count[j]
        members[i] += members.pop(int(j))
        shapes, work, count = (np.delete(a, j, axis=0) for a in (shapes, work, count))
    return sorted(sorted(group) for group in members)
