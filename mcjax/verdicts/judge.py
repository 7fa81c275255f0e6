"""Judge every quantity of every condition, simulated against predicted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.arguments import checked
from mcjax.engine.outcome import Outcome
from mcjax.errors import InputError
from mcjax.laws.first_order.departures import power_of_departures
from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.prediction import Predictions
from mcjax.numbers import how_many
from mcjax.study.study import Study
from mcjax.summaries import Summarised, Summary, few
from mcjax.verdicts.cells import Cell, settle
from mcjax.verdicts.claims import (
    DOUBTFUL,
    INCOMPLETE,
    SATURATED,
    Claim,
    Place,
    never_refuted,
    unjudged,
)
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.equivalence import INCONCLUSIVE, VERIFIED, Verdict, worst
from mcjax.verdicts.failures import LostChains, count_failures, lost_chains
from mcjax.verdicts.frames import cell_table
from mcjax.verdicts.labelled import dataset
from mcjax.verdicts.ladder import Ladder, Rung, climb, too_short
from mcjax.verdicts.ladder_costs import Departure
from mcjax.verdicts.measured import Measured, measured_of
from mcjax.verdicts.quantities.growth import Growth, growth_of
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.quantities.registry import limits_of, on_ladders, questions
from mcjax.verdicts.unjudged import Unjudged, unjudged_of

if TYPE_CHECKING:
    import pandas
    import xarray

WITHOUT_STUDY = "was copied or unpickled, which leaves out its study"


@dataclass(frozen=True, repr=False)
class Verification(Summarised):
    """A judged study.

    Attributes
    ----------
    cells : tuple of Cell
        Every comparison.
    verdict : {"verified", "refuted", "inconclusive"}
        The verdict on all cells together.
    growth : tuple of Growth
        Observed and predicted slopes of the MSE, also of models that settle.
    ladders : tuple of Ladder
        Fits of asymptotic laws to ladders of sample sizes.
    failures : dict of str to int
        Number of failed fits by reason.
    losses : tuple of LostChains
        Chains that models lost, by generation.
    measured : tuple of Measured
        What chains measured on held-out rows, which is shown and not judged.
    chains : int
        Smallest number of chains of any condition.
    inapplicable : dict of str to dict of str to str
        By condition and law, why the law was not judged.
    unjudged : tuple of Unjudged
        Quantities that a law leaves unjudged, with the reasons.
    rules_of_thumb : dict of str to dict of str to str
        By condition and asymptotic law, why its allowance is a rule of thumb, where it is not
        computed by the second-order law.
    waiting : tuple of str
        Conditions with a cell that more chains can decide.
    notes : tuple of str
        What else to know of the verdicts, a sentence each.
    outcomes : tuple of Outcome
        The outcome of each condition's chains, moments included.
    study : Study or None
        The study that was judged; None in copies by ``copy`` or ``pickle``, because a study holds
        functions. The same holds for ``predictions``, which are then empty.
    predictions : tuple of Predictions
        The predictions by which it was judged, for each condition.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> verification = mcjax.verify(study)
    >>> verification.to_dataframe()[["generation", "law", "verdict"]].head(2)
       generation          law   verdict
    0           0  first_order  verified
    1           1  first_order  verified
    """

    cells: tuple[Cell, ...]
    verdict: Verdict
    growth: tuple[Growth, ...]
    ladders: tuple[Ladder, ...]
    failures: dict[str, int]
    losses: tuple[LostChains, ...]
    chains: int
    inapplicable: dict[str, dict[str, str]]
    unjudged: tuple[Unjudged, ...]
    rules_of_thumb: dict[str, dict[str, str]]
    waiting: tuple[str, ...]
    measured: tuple[Measured, ...] = ()
    notes: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    study: Study | None = field(default=None, compare=False)
    predictions: tuple[Predictions, ...] = field(default=(), compare=False)

    def to_dataframe(self) -> pandas.DataFrame:
        """Return the cells as a pandas DataFrame, one row a cell.

        It is the table that a folder of results holds as ``cells.parquet``: ``low`` and ``high``
        are the ends of the interval, and ``chains_needed`` is nan where there is no number.
        """
        return cell_table(self.cells).to_pandas()

    def to_dataset(self) -> xarray.Dataset:
        """Return all results as an xarray Dataset, see :func:`mcjax.dataset`.

        Raises
        ------
        InputError
            If the verification was copied or unpickled, which leaves out its study.
        """
        if self.study is None:
            raise InputError("verification", f"{WITHOUT_STUDY}; call mcjax.dataset with the study")
        return dataset(self.study, self.predictions, self.outcomes, self)

    def _summary(self) -> Summary:
        by_claim: dict[tuple[str, str], Counter[str]] = {}
        for cell in self.cells:
            by_claim.setdefault((cell.quantity, cell.law), Counter())[cell.verdict] += 1
        rows = [
            (*claim, ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in counts))
            for claim, counts in by_claim.items()
        ]
        rows += [("failed fits", reason, f"{n:,}") for reason, n in self.failures.items()]
        title = (
            f"Verification: {self.verdict}, {how_many(len(self.cells), 'cell')},"
            f" {how_many(self.chains, 'chain')}"
        )
        return Summary(title, rows, len(rows), "claim")

    def __getstate__(self) -> dict[str, Any]:
        # a study and the predictions for it hold functions, which cannot be pickled
        return vars(self) | {"study": None, "predictions": ()}


@checked
def judge(
    study: Study,
    predictions: Sequence[Predictions],
    outcomes: Sequence[Outcome],
    decided: Sequence[Cell] = (),
) -> Verification:
    """Judge simulated chains against the laws.

    Every quantity of the study is judged for every model by every law that applies, under one error
    budget. If an asymptotic law has a ladder of sample sizes, the fitted limit decides, not the
    rungs.

    Parameters
    ----------
    study : Study
        The study to judge.
    predictions : sequence of Predictions
        Predictions for each condition.
    outcomes : sequence of Outcome
        Outcome of each condition.
    decided : sequence of Cell, optional
        Cells that an earlier look decided; they stay as they are.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> outcomes = [tally.outcome for tally in mcjax.simulate(study)]
    >>> mcjax.judge(study, mcjax.predict(study), outcomes).verdict
    'verified'
    """
    claims, ladders, settled = claims_of(study, predictions, outcomes)
    kept = {cell.place: cell for cell in decided}
    cells = tuple(kept.get(cell.place, cell) for cell in settle(claims, study.confidence))
    decisive = [cell for cell in cells if cell.place not in settled]
    return Verification(
        cells=cells,
        verdict=_overall(decisive, predictions),
        ladders=ladders,
        growth=tuple(
            growth
            for condition, laws, outcome in zip(
                study.conditions, predictions, outcomes, strict=True
            )
            for law in laws.laws.values()
            for growth in growth_of(condition, law, outcome)
        ),
        failures=count_failures([outcome.fits for outcome in outcomes]),
        losses=lost_chains(study.conditions, outcomes),
        chains=min(outcome.chains for outcome in outcomes),
        rules_of_thumb={
            c.name: rules
            for c, p in zip(study.conditions, predictions, strict=True)
            if (rules := _rules_of_thumb(p))
        },
        inapplicable={
            c.name: p.inapplicable
            for c, p in zip(study.conditions, predictions, strict=True)
            if p.inapplicable
        },
        unjudged=unjudged_of(study, predictions),
        waiting=_waiting(study, decisive),
        measured=measured_of(study, outcomes),
        notes=_notes(study, predictions),
        outcomes=tuple(outcomes),
        study=study,
        predictions=tuple(predictions),
    )


def claims_of(
    study: Study, predictions: Sequence[Predictions], outcomes: Sequence[Outcome]
) -> tuple[list[Claim], tuple[Ladder, ...], set[Place]]:
    """Make all claims of a study, from the predictions and the outcome of each condition.

    Returns
    -------
    claims : list of Claim
        The claims of every question, followed by those about ladders.
    ladders : tuple of Ladder
        Fits of asymptotic laws to ladders of sample sizes.
    settled : set of Place
        Places that a ladder decides, whose own claims are never refuted, and those that an
        asymptotic law does not reach and an exact one decides.

    Raises
    ------
    InputError
        If a quantity makes claims whose unit it does not list.
    """
    claims: list[Claim] = []
    rungs: list[Rung] = []
    settled: set[Place] = set()
    for position, comparison, quantity in questions(study, predictions):
        condition = comparison.condition
        made = list(quantity.claims(comparison, outcomes[position]))
        unknown = {claim.place.quantity for claim in made} - set(quantity.units(condition.model))
        if unknown:
            raise InputError(
                "run.quantities",
                f"has {quantity.name!r}, which makes claims named {unknown} without a unit; list"
                " them in its units()",
            )
        if quantity.of_squares and not comparison.prediction.mse_complete:
            unknown = comparison.prediction.small_samples
            why = f", because {unknown}" if isinstance(unknown, str) and unknown else ""
            made = [unjudged(claim, INCOMPLETE.format(why=why)) for claim in made]
        credible = _credible(comparison)
        made = [c if credible[c.place.generation] else unjudged(c, DOUBTFUL) for c in made]
        beyond = _beyond_reach(comparison, study.tolerance)
        reached = [unjudged(c, SATURATED) if beyond[c.place.generation] else c for c in made]
        claims += _third_order(comparison, quantity, reached)
        if any(law.exact for law in predictions[position].laws.values()):
            settled |= {c.place for c in made if beyond[c.place.generation]}
        ladder = condition.ladder if quantity.has_ladder else None
        if ladder is not None and comparison.prediction.asymptotic:
            power = power_of_departures(condition)
            moved = _departures(comparison, quantity)
            rungs += [
                Rung(ladder, condition.scale, c, power, departure=moved.get(c.place)) for c in made
            ]
    limits, ladders = climb(rungs, study.tolerance)
    climbed = {(ladder.condition, ladder.law) for ladder in ladders}
    climbing = {r.claim.place for r in rungs if (r.ladder, r.claim.place.law) in climbed}
    claims = [never_refuted(c) if c.place in climbing else c for c in claims]
    return [*claims, *limits], tuple(ladders), settled | climbing


def _credible(comparison: Comparison) -> Sequence[bool]:
    """Return, generation by generation, whether the error of a law is credible for all models."""
    prediction = comparison.prediction
    if isinstance(prediction, FunctionalPrediction):
        return [True] * len(next(iter(prediction.values.values())))
    shape = prediction.mse.shape
    return [bool(row.all()) for row in np.broadcast_to(prediction.credible, shape)]


def _third_order(comparison: Comparison, quantity: Quantity, made: list[Claim]) -> list[Claim]:
    """Return claims without a verdict where no departure is evidence against a law."""
    validity, outside = comparison.validity, quantity.outside(comparison)
    if validity is None or not outside.any():
        return made
    models = comparison.condition.network.models
    why = validity.outside(validity.directed if quantity.in_all_directions else validity.indicator)
    places = [(claim.place.generation, models.index(claim.place.model)) for claim in made]
    return [
        unjudged(claim, why) if outside[at] else claim
        for claim, at in zip(made, places, strict=True)
    ]


def _departures(comparison: Comparison, quantity: Quantity) -> dict[Place, Departure]:
    """Return by claim how far the law of the next order says that ratios are from their limits."""
    finer, validity = comparison.finer, comparison.validity
    moved = None if finer is None else quantity.moved(finer)
    if finer is None or validity is None or moved is None:
        return {}
    error = finer.error_of(quantity.moved)
    outside = quantity.outside(comparison)
    return {
        comparison.place(quantity.name, t, i): Departure(
            value=float(moved[t, i]),
            error=float(error[t, i]),
            batches=len(finer.versions),
            remainder=float(validity.remainder[t, i]),
            outside=validity.outside(validity.indicator) if outside[t, i] else "",
            law=finer.law,
        )
        for t, i in np.ndindex(*moved.shape)
    }


def _beyond_reach(comparison: Comparison, tolerance: float) -> Sequence[bool]:
    """Return, generation by generation, whether a law leaves out more than the tolerance."""
    prediction = comparison.prediction
    if isinstance(prediction, FunctionalPrediction):
        return [False] * len(next(iter(prediction.values.values())))
    left_out = np.broadcast_to(prediction.left_out, prediction.mse.shape)
    return [bool((row > tolerance).any()) for row in left_out]


def _overall(cells: Sequence[Cell], predictions: Sequence[Predictions]) -> Verdict:
    """Return the worst verdict; no study is verified if a condition has no law that applies."""
    verdict = worst(np.array([cell.verdict for cell in cells]))
    without_law = any(not laws.laws for laws in predictions)
    return INCONCLUSIVE if without_law and verdict == VERIFIED else verdict


def _rules_of_thumb(predictions: Predictions) -> dict[str, str]:
    """Return why the allowances of laws are rules of thumb, by law."""
    laws = predictions.laws.items()
    return {name: law.finer for name, law in laws if isinstance(law.finer, str) and law.finer}


def _notes(study: Study, predictions: Sequence[Predictions]) -> tuple[str, ...]:
    """Say which conditions have no law, and which of asymptotic laws are too few for a ladder."""
    ladders: dict[str, set[float]] = {}
    for condition, found in zip(study.conditions, predictions, strict=True):
        asymptotic = any(law.asymptotic for law in found.laws.values())
        if condition.ladder is not None and asymptotic and limits_of(study):
            ladders.setdefault(condition.ladder, set()).add(condition.scale)
    return _without_law(study, predictions) + too_short(ladders)


def _without_law(study: Study, predictions: Sequence[Predictions]) -> tuple[str, ...]:
    """Return a sentence on the conditions to which no law applies, or none."""
    names = [
        condition.name
        for condition, found in zip(study.conditions, predictions, strict=True)
        if not (found.laws or found.functionals)
    ]
    if not names:
        return ()
    if len(names) == len(study.conditions):
        return ("No law applies, so nothing is judged.",)
    noun, them = ("condition", "it") if len(names) == 1 else ("conditions", "them")
    which = few(names, len(names))
    return (f"No law applies to {noun} {which}, so nothing of {them} is judged.",)


def _waiting(study: Study, cells: Sequence[Cell]) -> tuple[str, ...]:
    """Return the conditions with a cell that more chains can decide, and all rungs of a ladder."""
    whole = on_ladders(study)
    undecided = {(cell.condition, cell.quantity in whole) for cell in cells if cell.chains_needed}
    return tuple(
        c.name for c in study.conditions if {(c.name, False), (c.ladder, True)} & undecided
    )
