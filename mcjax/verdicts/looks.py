"""Sequential looks: simulate further chains only where a cell is undecided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mcjax.engine.outcome import Outcome, Tally
from mcjax.engine.processes import exchange
from mcjax.laws.prediction import Predictions
from mcjax.study.study import Study
from mcjax.verdicts.cells import Cell
from mcjax.verdicts.equivalence import INCONCLUSIVE
from mcjax.verdicts.judge import Verification, judge

FIRST_LOOK = 256
"""Chains of each condition before the first of several looks."""

Simulate = Callable[[Sequence[Tally[Outcome]], Sequence[int]], list[Tally[Outcome]]]
"""Maps the tallies so far and the number of chains wanted for each condition to new tallies."""


def judge_until_decided(
    study: Study,
    predictions: Sequence[Predictions],
    simulate: Simulate,
    known: Sequence[Tally[Outcome]] | None = None,
) -> tuple[Verification, list[Tally[Outcome]]]:
    """Simulate until every cell is decided or the study's chains are used up.

    The first look is taken at :data:`FIRST_LOOK` chains of each condition, and the number doubles
    from look to look. Conditions without an undecided cell get no more chains, and a cell that is
    decided at one look stays decided.

    Parameters
    ----------
    study : Study
        The study to simulate and judge.
    predictions : sequence of Predictions
        Predictions for each condition.
    simulate : callable
        Runs more chains.
    known : sequence of Tally, optional
        Tallies of an earlier run, at which a look was taken.

    Returns
    -------
    verification : Verification
        The judged study; each cell holds its own number of chains.
    tallies : list of Tally
        One for each condition.

    Notes
    -----
    Look k has the error probability ``(1 - confidence) 2^-k``, and the last look has what remains,
    so the probability of any wrong verdict is at most ``1 - confidence``. This is the alpha
    spending of Lan & DeMets (Biometrika 70, 1983) with Bonferroni's inequality, which holds
    whatever the dependence between looks.
    """
    looks = [min(FIRST_LOOK, study.chains)]
    while looks[-1] < study.chains:
        looks.append(min(2 * looks[-1], study.chains))
    tallies = list(known or [Tally()] * len(study.conditions))
    # a look was taken at the known chains: continue with the next one
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
    # a look has its share of the budget, and the study has the whole
    return replace(verification, study=study), tallies
