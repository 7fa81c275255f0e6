"""Which conditions share a compiled program.

A program computes every condition at the padded size of its largest: models times rows of the
largest fit. Beginning with a program for each size, those two are joined, again and again, whose
union adds least to the work, until all would compute more than ``WASTE`` times what they need.
A generation counts for at least ``SMALL`` rows: less is not worth the seconds that another program
takes to compile. The answer depends on sizes alone, never on how many chains are run, so that more
chains later are chains of the same program.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WASTE, SMALL = 2.0, 1024


def buckets(sizes: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Positions of conditions, program by program.

    Parameters
    ----------
    sizes: models and rows of the largest fit of each condition.
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
