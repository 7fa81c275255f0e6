"""Assignment of a failure of one L0 and V to workflows.

If two workflows cannot share one L0 and V by their laws, either may be wrong. A workflow is blamed
only if every set that holds it, of two workflows or more, is refuted, and some set is not. Suppose
that a workflow and others really share one pair. Then it is blamed only if the set of all that
share it was refuted, which is a wrong verdict on a claim. So blame needs no error budget of its own
(it is a closed test: Marcus, Peritz & Gabriel, Biometrika 63, 1976). All that are not blamed are
verified if the claim on their set is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from mcjax.logs.claims import LossClaim
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED, Verdict

MOST = 6
"""Largest number of workflows that are judged together: there are 2^6 sets of them."""


def sets_of(workflows: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield all sets of two workflows or more."""
    for size in range(2, len(workflows) + 1):
        yield from combinations(workflows, size)


def rest_of(sets: Mapping[tuple[str, ...], LossClaim]) -> tuple[str, ...]:
    """Return the workflows that are in some set which is not refuted."""
    standing = [names for names, claim in sets.items() if claim.verdict != REFUTED]
    whole = max(sets, key=len)
    return tuple(name for name in whole if any(name in names for names in standing))


def blamed(sets: Mapping[tuple[str, ...], LossClaim]) -> dict[str, Verdict]:
    """Return the verdict on each workflow from the claims on all sets."""
    rest = rest_of(sets)
    other: Verdict = INCONCLUSIVE
    if rest and sets[rest].verdict == VERIFIED:
        other = VERIFIED
    return {name: other if name in rest or not rest else REFUTED for name in max(sets, key=len)}
