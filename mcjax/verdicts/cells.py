"""Judge claims under one error budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcjax.verdicts.claims import Claim, Interval, Place
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED, Verdict, holm

MOST_CHAINS_NEEDED = 2**53
"""Largest number of chains that is announced for an undecided cell."""
UNBOUNDED: Interval = (-math.inf, math.inf)


@dataclass(frozen=True)
class Cell:
    """A judged comparison.

    Attributes
    ----------
    condition, model, generation, quantity, law
        What is compared, see :class:`Place`.
    empirical : float
        Observed number, a mean over chains.
    standard_error : float
        Standard error of ``empirical``, estimated from the spread of the chains.
    predicted : float
        Number predicted by ``law``.
    ratio : float
        ``empirical / predicted`` if the quantity is judged as a ratio, otherwise nan.
    interval : tuple of float
        Confidence interval of the ratio or, if there is none, of the quantity itself.
    verdict : {"verified", "refuted", "inconclusive"}
        The verdict.
    chains, lost : int
        Chains that contribute to the cell, and chains that have no estimate there.
    chains_needed : int or None
        Chains that would decide an inconclusive cell: if the observed number is within its noise of
        the law's, those that verify a true law with a probability of 90%; otherwise, those that
        suffice if the observed numbers do not change.
    note : str
        Why the cell is not judged; empty if it is.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> cell = mcjax.verify(study).cells[0]
    >>> cell.quantity, cell.law, cell.verdict
    ('mse', 'first_order', 'verified')
    """

    condition: str
    model: str
    generation: int
    quantity: str
    law: str
    empirical: float
    standard_error: float
    predicted: float
    ratio: float
    interval: Interval
    verdict: Verdict
    chains: int
    lost: int
    chains_needed: int | None
    note: str

    @property
    def place(self) -> Place:
        """Place of the claim that was judged."""
        return Place(
            condition=self.condition,
            model=self.model,
            generation=self.generation,
            quantity=self.quantity,
            law=self.law,
        )


def settle(claims: Sequence[Claim], confidence: float) -> tuple[Cell, ...]:
    """Judge claims under one error budget.

    Parameters
    ----------
    claims : sequence of Claim
        Claims that share the budget.
    confidence : float
        The probability of any wrong verdict is at most ``1 - confidence``, by Holm's procedure
        (:func:`~mcjax.verdicts.equivalence.holm`).

    Returns
    -------
    tuple of Cell
        One for each claim, in their order.
    """
    p_values = np.array([min(c.within, c.beyond, 1.0) for c in claims])
    levels, rejected = holm(p_values, 1 - confidence)
    return tuple(
        _judge(claim, float(level), bool(decided))
        for claim, level, decided in zip(claims, levels, rejected, strict=True)
    )


def verdict_of(claim: Claim, level: float, decided: bool) -> Verdict:
    """Return the verdict on a claim, and nothing else.

    Parameters
    ----------
    claim : Claim
        The claim.
    level : float
        Its level, by Holm's procedure.
    decided : bool
        Whether its p-value is below that level.
    """
    if not decided or claim.count.note or _too_few(claim, level):
        return INCONCLUSIVE
    return VERIFIED if claim.within < claim.beyond else REFUTED


def _too_few(claim: Claim, level: float) -> bool:
    return claim.count.counted < math.ceil(claim.fewest(level))


def _judge(claim: Claim, level: float, decided: bool) -> Cell:
    verdict = verdict_of(claim, level, decided)
    chains, lost, note = claim.count
    needed = None
    fewest, few = math.ceil(claim.fewest(level)), _too_few(claim, level)
    interval = UNBOUNDED if note or few else claim.interval(level)
    if verdict == INCONCLUSIVE and not note:
        factor, expected = claim.factor(level), claim.expected(level)
        if expected > 1:  # the departure may be noise
            factor = expected
        note = "" if math.isfinite(factor) else claim.hopeless
        if few and not note:
            note = f"no verdict at this level with fewer than {fewest:,} chains"
        if chains * factor < MOST_CHAINS_NEEDED:
            needed = max(math.ceil(chains * factor), fewest)
    return Cell(
        **claim.place._asdict(),
        empirical=claim.observed.value,
        standard_error=claim.observed.error,
        predicted=claim.predicted,
        ratio=claim.ratio,
        interval=interval,
        verdict=verdict,
        chains=chains,
        lost=lost,
        chains_needed=needed,
        note=note,
    )
