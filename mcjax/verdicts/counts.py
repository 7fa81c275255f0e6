"""The chains behind a claim, and whether they suffice for a verdict."""

from __future__ import annotations

from typing import NamedTuple

from mcjax.calls import explained
from mcjax.verdicts.tails import ALIKE, HEAVY

LOST_SHARE = 0.1
"""A cell is judged only if its share of lost chains is at most this multiple of the tolerance."""
NO_ESTIMATE = "no estimate"


class ChainCount(NamedTuple):
    """The chains behind a claim.

    Attributes
    ----------
    counted : int
        Chains that contribute to the claim.
    lost : int
        Chains that were drawn and have no estimate.
    note : str
        Why the chains do not suffice for a verdict; empty if they do.
    """

    counted: int
    lost: int
    note: str = ""

    def unless(self, note: str) -> ChainCount:
        """Return the count with a note, unless it already has one."""
        return self if self.note else self._replace(note=note)


@explained
def count_chains(
    counted: int, drawn: int, tolerance: float, *, alike: bool = False, heavy: bool = False
) -> ChainCount:
    """Count the chains behind a claim and note why they do not suffice for a verdict.

    Parameters
    ----------
    counted : int
        Chains that contribute to the claim.
    drawn : int
        Chains that were simulated.
    tolerance : float
        Margin of the claim.
    alike : bool, optional
        Whether the chains that contribute have no spread.
    heavy : bool, optional
        Whether a single chain dominates the spread, see :mod:`mcjax.verdicts.tails`.

    Returns
    -------
    ChainCount
        With one note at most: that too many chains are lost, that all chains have the same value,
        or that the tail is heavy, in this order of precedence.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.count_chains(counted=1000, drawn=1024, tolerance=0.1).note
    '24 of 1024 chains have no estimate'
    """
    lost = drawn - counted
    count = ChainCount(counted, lost)
    if lost > LOST_SHARE * tolerance * drawn:
        have = "has" if lost == 1 else "have"
        count = count.unless(f"{lost} of {drawn} chains {have} {NO_ESTIMATE}")
    return count.unless(ALIKE if alike else "").unless(HEAVY if heavy else "")
