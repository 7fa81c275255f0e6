"""Judge logged losses by the laws of how errors add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from mcjax.arguments import checked
from mcjax.errors import InputError
from mcjax.logs.blame import MOST, blamed, rest_of, sets_of
from mcjax.logs.claims import OWN, LossClaim, settle
from mcjax.logs.fit import fit
from mcjax.logs.growth import RULES
from mcjax.logs.judgement import LossJudgement, WorkflowVerdict
from mcjax.logs.runs import together_by_chance
from mcjax.logs.scatter import FEWEST
from mcjax.logs.subjects import GIVEN, Subject, subjects_of
from mcjax.logs.table import Losses
from mcjax.numbers import check_between, check_share
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, Verdict, worst

NOBODY = (
    "no two workflows share one L0 and V by their laws, so it cannot be told which of them is"
    " wrong; judge each by a pair of its own"
)
APART = "the workflows that are not refuted do not all share one L0 and V"


@checked
def judge_losses(
    losses: Losses,
    *,
    laws: Mapping[str, str | Sequence[float]] | None = None,
    pair: Literal["common", "own"] = "common",
    first: int = 1,
    tolerance: float = 0.2,
    confidence: float = 0.99,
) -> LossJudgement:
    """Judge logged losses by the laws of how errors add up.

    Parameters
    ----------
    losses : Losses
        The losses.
    laws : mapping of str to str or sequence of float, optional
        The law of each workflow: ``replace``, ``accumulate`` or ``subsample``, with the share of
        fresh real data after a colon (``replace:0.25``), or the growth M_1, M_2, ... itself. A
        workflow that is left out has the law of its name.
    pair : {"common", "own"}, optional
        Whether workflows share one L0 and V, as they do if all fit equally many rows, or each has
        its own.
    first : int, optional
        The generation of the first fit, which is of real data.
    tolerance : float, optional
        Largest departure of a law that holds, as a share of the variation that it explains.
    confidence : float, optional
        Probability that no claim has a wrong verdict.

    Returns
    -------
    LossJudgement
        The verdicts.

    Raises
    ------
    InputError
        If a workflow has no law, or a generation comes before the first fit.

    Examples
    --------
    >>> import mcjax
    >>> generations = range(1, 9)
    >>> losses = [0.50 + 0.11 * t + 0.001 * (-1) ** t for t in generations]
    >>> logged = mcjax.Losses(generations, ["chat"] * 8, losses)
    >>> mcjax.judge_losses(logged, laws={"chat": "replace"}).verdict
    'verified'
    """
    check_share("confidence", confidence)
    check_between("tolerance", tolerance, 0)
    subjects = {one.name: one for one in subjects_of(losses, laws or {}, first)}
    able = [name for name, one in subjects.items() if one.scatter.design.freedom >= FEWEST]
    if pair == "common" and len(able) > MOST:
        problem = f"is common for at most {MOST} workflows, and there are {len(able)}; give 'own'"
        raise InputError("pair", problem)

    named = [one.law for one in subjects.values() if one.law != GIVEN]
    alone = [
        one.claim(law)
        for one in subjects.values()
        for law in dict.fromkeys((one.law, *RULES, *named))
    ]
    together = [
        LossClaim(names, OWN, fit([subjects[name].scatter for name in names]))
        for names in (sets_of(able) if pair == "common" else ())
    ]
    settled = settle([*together, *alone], tolerance, 1 - confidence)
    together, alone = settled[: len(together)], settled[len(together) :]
    own = {claim.workflows[0]: claim for claim in reversed(alone)}  # the first is of its own law
    found = _by_sets(together, own) if together else _by_own(own)
    workflows = {name: _verdict(losses, one, found[name]) for name, one in subjects.items()}
    each = [one.verdict for one in workflows.values()]
    if together and together[-1].verdict == REFUTED:  # all of them
        each.append(REFUTED)
    return LossJudgement(
        losses=losses,
        workflows=workflows,
        together=tuple(together),
        laws=tuple(alone),
        verdict=worst(np.array(each)),
        tolerance=tolerance,
        confidence=confidence,
        first=first,
        subjects=subjects,
    )


class Basis(NamedTuple):
    """A verdict, the claim that it rests on, the one that has the L0 and V, and a note."""

    verdict: Verdict
    claim: LossClaim
    pair: LossClaim
    note: str


def _by_own(own: Mapping[str, LossClaim]) -> dict[str, Basis]:
    """Return verdicts on workflows that have an L0 and a V of their own."""
    return {name: Basis(claim.verdict, claim, claim, claim.note) for name, claim in own.items()}


def _by_sets(together: Sequence[LossClaim], own: Mapping[str, LossClaim]) -> dict[str, Basis]:
    """Return verdicts on workflows that share one L0 and V."""
    sets = {claim.workflows: claim for claim in together}
    whole = together[-1].workflows
    rest, verdicts = rest_of(sets), blamed(sets)
    pair = sets[rest or whole]
    found = _by_own(own)  # of workflows with too few rows
    for name, verdict in verdicts.items():
        members = tuple(each for each in whole if each in rest or each == name)
        claim = pair if name in pair.workflows else sets[members]
        note = NOBODY if not rest else APART if pair.verdict == REFUTED else ""
        found[name] = Basis(verdict, claim, pair, note if verdict == INCONCLUSIVE else "")
    return found


def _verdict(losses: Losses, subject: Subject, basis: Basis) -> WorkflowVerdict:
    """Return the verdict on a workflow."""
    scatter, seeds = subject.scatter, losses.seeds[subject.name]
    return WorkflowVerdict(
        law=subject.law,
        verdict=basis.verdict,
        claim=basis.claim,
        pair=basis.pair,
        deviation=scatter.deviation,
        freedom=scatter.design.freedom,
        repeated=scatter.design.repeated,
        equal=scatter.equal,
        alike=1.0 if scatter.equal else together_by_chance(subject.fits, subject.losses, seeds),
        note=basis.note,
    )
