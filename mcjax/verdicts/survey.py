"""Judge a survey, which asks whether the collapse law is right about every network.

There are two claims about each model of each network; where two networks take turns, about each
model in each phase.

``collapse``: whether the model collapses. Let r be the growth of its squared error in the late
generations (slope times the time from generation 0 to the middle of the window) as a share of the
level. A straight line through 0 has r = 1, a constant r = 0. The claim that the model collapses is
r > 2/5, the opposite claim r < 2/5. There must be enough generations for growth to dominate, and
for transients to decay: after 64 generations of 3 models, the law's own r is at least .78 for
models that collapse and at most .12 for the others; after 384 generations of 4 models, .62 and .07.
Of pairs of networks of 2 models that take turns it is .76 and .04 after 128 generations; if they
are drawn, .80 and .13 after 96.

Where the generations are too few for that, no chains can speak against the law. A claim about a
model is never refuted, but inconclusive, if by the law itself r is not on the side of its verdict
by a tenth at least, or the rate or limit is off by more than half the tolerance: growth may be
hidden beside a larger error that has settled, and a transient may last.

``growth`` of a model that collapses, or ``limit`` of one that does not: the ratio of the simulated
to the predicted number lies within 1 +- tolerance.

All claims of a survey share one error budget (:func:`mcjax.verdicts.cells.settle`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from jaxtyping import Bool, Int, Shaped

from mcjax.engine.moments import Moments
from mcjax.engine.powers import along
from mcjax.engine.survey import LateErrors, late_generations, late_weights
from mcjax.errors import InputError
from mcjax.laws.collapse.origins import Clause
from mcjax.laws.first_order.collapse_rates import CollapseRates
from mcjax.laws.first_order.switching_rates import (
    IF_DRAWN,
    IN_TURN,
    STATIC,
    rates_by_vertex,
    squares_by_generation,
)
from mcjax.study.survey import Survey
from mcjax.verdicts.cells import Cell, settle
from mcjax.verdicts.claims import Claim, Place, mean_claim, ratio_claim, unjudged
from mcjax.verdicts.counts import count_chains
from mcjax.verdicts.equivalence import Verdict, worst
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.failures import count_failures
from mcjax.verdicts.quantities.collapse import BOUNDARY, ROOM, TOO_FEW_GENERATIONS
from mcjax.verdicts.skewed_means import Tails

LAW = "collapse_law"
CLAUSES_OF = {None: STATIC, "periodic": IN_TURN, "random": IF_DRAWN}
"""The clauses that may be left out, by how networks switch."""


@dataclass(frozen=True)
class SurveyVerdict:
    """A judged survey of K networks.

    Attributes
    ----------
    survey : Survey
        The survey.
    codes : ndarray of int, shape (K,)
        Codes of the networks.
    sizes : ndarray of int, shape (K,)
        Number of labelled networks that each network represents.
    collapses : ndarray of bool, shape (K, V)
        Whether each model collapses, in each phase, as predicted by the law.
    cells : tuple of Cell
        Every comparison, network by network and model by model.
    networks : ndarray of str, shape (K,)
        The worst verdict on each network.
    verdict : {"verified", "refuted", "inconclusive"}
        The verdict on all networks together.
    failures : dict of str to int
        Number of failed fits by reason.
    without : Clause or None
        Clause that is left out of the law, if any.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> survey = mcjax.Survey(models=1, generations=64, chains=2560)
    >>> verdict = mcjax.judge_pieces(survey, [errors for _, errors in mcjax.survey_pieces(survey)])
    >>> len(verdict.cells), verdict.verdict
    (8, 'verified')
    """

    survey: Survey
    codes: Int[np.ndarray, " K"]
    sizes: Int[np.ndarray, " K"]
    collapses: Bool[np.ndarray, "K V"]
    cells: tuple[Cell, ...]
    networks: Shaped[np.ndarray, " K"]
    verdict: Verdict
    failures: dict[str, int]
    without: Clause | None


def check_clause(survey: Survey, without: Clause | None, field: str = "without") -> None:
    """Raise InputError for a clause that says nothing of the networks of a survey."""
    known = CLAUSES_OF[survey.switching]
    if without is not None and without not in known:
        problem = f"is {without!r}, of which the law of these networks does not speak"
        raise InputError(field, f"{problem}; give {', '.join(known[:-1])} or {known[-1]}")


def survey_rates(survey: Survey, without: Clause | None = None) -> list[CollapseRates]:
    """Return the law's predictions for each network of a survey.

    Raises
    ------
    InputError
        If the law of such networks has no clause of this name.
    """
    check_clause(survey, without)
    codes, _ = survey.codes()
    return [rates_by_vertex(survey.network(c), survey.phases, without) for c in codes.tolist()]


def judge_survey(
    survey: Survey,
    rates: Sequence[CollapseRates],
    late: LateErrors,
    without: Clause | None = None,
) -> SurveyVerdict:
    """Judge the collapse law by the chains of every network.

    Parameters
    ----------
    survey : Survey
        The survey.
    rates : sequence of CollapseRates
        The law's predictions for each network of the survey.
    late : LateErrors
        Late errors of the chains of each network.
    without : Clause, optional
        Clause that was left out of the law.
    """
    codes, sizes = survey.codes()
    claims: list[Claim] = []
    for k, code in enumerate(codes.tolist()):
        name, own = survey.name(code), late.network(k)
        about = [
            _claims(survey, name, v, rates[k], late=own)
            for v in range(survey.models * survey.phases)
        ]
        # only a claim that may be refuted needs to know, which is rare unless the law is wrong
        if any(map(_against, chain.from_iterable(about))):
            told = _told(survey, code)
            about = [[_only_if_told(c, told[v]) for c in both] for v, both in enumerate(about)]
        claims += chain.from_iterable(about)
    cells = settle(claims, survey.confidence)
    by_network: dict[str, list[Verdict]] = {survey.name(int(code)): [] for code in codes}
    for cell in cells:
        by_network[cell.condition].append(cell.verdict)
    networks = np.array([worst(np.array(verdicts)) for verdicts in by_network.values()])
    return SurveyVerdict(
        survey=survey,
        codes=codes,
        sizes=sizes,
        collapses=np.array([rate.collapses for rate in rates]),
        cells=cells,
        networks=networks,
        verdict=worst(networks),
        failures=count_failures([late.fits]),
        without=without,
    )


@np.errstate(all="ignore")  # without chains, numbers are nan and the claims undecided
def _claims(
    survey: Survey, network: str, vertex: int, rates: CollapseRates, late: LateErrors
) -> list[Claim]:
    """Return the claims about one vertex of a network: its collapse, and its growth or limit.

    The latter is missing if the law predicts no number.
    """
    chains = int(late.moments.chains[vertex])
    slope, level = late.moments.mean[vertex]
    phase = vertex // survey.models
    middle = late_generations(survey.generations, survey.phases)[phase].mean()
    share = middle * slope / level
    slopes = np.array([middle, -share]) / level  # r is a ratio of means: the delta method
    growth = _estimate(late, vertex, slopes)._replace(value=float(share))
    collapses = bool(rates.collapses[vertex])
    count = count_chains(chains, int(late.chains), survey.tolerance)
    place = Place(
        condition=network,
        model=survey.vertices()[vertex],
        generation=survey.generations,
        quantity="collapse",
        law=LAW,
    )
    claims = [
        mean_claim(
            place,
            observed=growth,
            predicted=float(collapses),
            ratio=growth.value,
            judged=growth,
            tails=Tails.MEASURED,
            margin=(BOUNDARY, math.inf) if collapses else (-math.inf, BOUNDARY),
            count=count,
        )
    ]
    predicted = float((rates.growth if collapses else rates.limit)[vertex])
    if math.isfinite(predicted):
        which = 0 if collapses else 1
        observed = _estimate(late, vertex, np.eye(2)[which])
        claims.append(
            ratio_claim(
                place._replace(quantity="growth" if collapses else "limit"),
                observed=observed,
                predicted=Estimate(predicted, 0.0),
                tolerance=survey.tolerance,
                count=count,
                tails=Tails.MEASURED,
            )
        )
    return claims


def _told(survey: Survey, code: int) -> Bool[np.ndarray, " V"]:
    """Return about which vertices so many generations tell, by the law itself.

    That is the whole law: one less a clause foresees the same errors up to then.
    """
    network = survey.network(code)
    rates = rates_by_vertex(network, survey.phases)
    squares = squares_by_generation(network, survey.generations)
    slope, level = (late_weights(survey.generations, survey.phases) @ squares).reshape(2, -1)
    middle = late_generations(survey.generations, survey.phases).mean(1).repeat(survey.models)
    side = np.where(rates.collapses, 1, -1)
    late, predicted = np.where(rates.collapses, [slope, rates.growth], [level, rates.limit])
    clear = side * (middle * slope / level - BOUNDARY) > ROOM
    return np.asarray(clear & (np.abs(late - predicted) <= survey.tolerance / 2 * predicted))


def _against(claim: Claim) -> bool:
    """Return whether the evidence is against a claim rather than for it."""
    return claim.beyond < claim.within


def _only_if_told(claim: Claim, told: bool) -> Claim:
    """Return the claim, without a verdict if it may be refuted by too few generations."""
    return claim if told or not _against(claim) else unjudged(claim, TOO_FEW_GENERATIONS)


def _estimate(late: LateErrors, vertex: int, weights: np.ndarray) -> Estimate:
    """Estimate a weighted sum of one vertex's slope and level."""
    moments = Moments(*(part[vertex] for part in late.moments))
    total, shape = along(moments, late.pairs[vertex], weights)
    return Estimate(*map(float, (total.mean, total.standard_error(), *shape)))
