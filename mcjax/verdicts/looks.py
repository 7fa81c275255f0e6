"""Sequential looks: chains only where something is still undecided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mcjax.engine.outcome import Tally
from mcjax.engine.processes import exchange
from mcjax.laws.prediction import Predictions
from mcjax.study.study import Study
from mcjax.verdicts.claims import Cell
from mcjax.verdicts.equivalence import INCONCLUSIVE
from mcjax.verdicts.judge import Verification, judge

FIRST_LOOK = 256
"""Chains of each condition before the first of several looks."""

Simulate = Callable[[Sequence[Tally], Sequence[int]], list[Tally]]
"""From tallies so far and the chains wanted of each condition to new tallies."""


def judge_until_decided(
    study: Study,
    predictions: Sequence[Predictions],
    simulate: Simulate,
    known: Sequence[Tally] | None = None,
) -> tuple[Verification, list[Tally]]:
    """Simulate until every cell is decided, or the study's chains are spent.

    Looks are taken at :data:`FIRST_LOOK` chains of each condition and at twice as many each time;
    conditions without an undecided cell get no more chains, and a cell that one look decides stays
    decided. Look k of K may make a wrong claim with probability ``(1 - confidence) 2^-k``, the last
    with what is left, so all looks together with at most ``1 - confidence`` (the error is spent as
    in Lan & DeMets, Biometrika 70, 1983, and added up by Bonferroni's inequality, which holds
    whatever the dependence between looks).

    Parameters
    ----------
    study : Study
        What is simulated and judged.
    predictions : sequence of Predictions
        One for each condition.
    simulate : callable
        Runs more chains.
    known : sequence of Tally, optional
        Tallies of an earlier run, which was looked at.

    Returns
    -------
    verification : Verification
        The verdict, in which each cell tells its chains.
    tallies : list of Tally
        One for each condition.
    """
    looks = [min(FIRST_LOOK, study.chains)]
    while looks[-1] < study.chains:
        looks.append(min(2 * looks[-1], study.chains))
    tallies = list(known or [Tally()] * len(study.conditions))
    # what is known already was looked at: go on with the look that comes next
    most = max(tally.chains for tally in tallies)
    begin = next((k for k, look in enumerate(looks) if look >= most), len(looks) - 1)
    wanted = [looks[begin]] * len(tallies)
    decided: list[Cell] = []
    for k in range(begin, len(looks)):
        tallies = simulate(tallies, wanted)
        error = (1 - study.confidence) * 0.5 ** min(k + 1, len(looks) - 1)
        outcomes = [tally.outcome for tally in tallies]
        verification = judge(replace(study, confidence=1 - error), predictions, outcomes, decided)
        waiting = exchange(verification.waiting)[0]  # the same in all processes, to the last bit
        if not waiting:
            break
        decided = [cell for cell in verification.cells if cell.verdict != INCONCLUSIVE]
        following = looks[min(k + 1, len(looks) - 1)]
        wanted = [
            following if condition.name in waiting else chains
            for condition, chains in zip(study.conditions, wanted, strict=True)
        ]
    return verification, tallies
