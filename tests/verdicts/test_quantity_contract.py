"""What every quantity owes: claims, verdicts and plans, on errors whose law is known.

A new quantity needs a specimen here: chains, the law they follow, and a law with a planted error of
what the quantity looks at, which must be refuted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from known_errors import SPREAD, here, law, outcomes, paths, pooled_beside

from mcjax.chains.program import Trajectory
from mcjax.engine.outcome import summarise
from mcjax.laws.prediction import FunctionalPrediction, Predictions
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import poisson_mean
from mcjax.network import topologies
from mcjax.study.quantities import PLACES
from mcjax.study.study import Study, condition
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.judge import claims_of, judge
from mcjax.verdicts.plan import plan
from mcjax.verdicts.planning import UnplannedCells
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.quantities.registry import QUANTITIES, units_of

MANY, FEW = 40_000, (2, 3, 4, 8)
POWER, LEVEL = 0.9, 0.01


@dataclass
class Specimen:
    """Chains by their number, the true law, a wrong one, and what the quantity says of them.

    ``planted`` says in words what is wrong with the wrong law; ``silent`` are laws that do not
    predict the quantity. ``planned`` and ``announced``: whether the quantity says how many chains
    verify the true law, and how likely the wrong one is to be refuted.
    """

    planted: str
    true: Any
    wrong: Any
    chains: Any
    condition: Any
    tolerance: float = 0.1
    generations: int = 2
    silent: Sequence[Any] = field(default=())
    planned: bool = True
    announced: bool = True

    def compared(self, prediction):
        return Comparison(self.condition, prediction, self.tolerance)

    def study(self, name, chains=MANY):
        return Study(
            (self.condition,),
            generations=self.generations,
            chains=chains,
            tolerance=self.tolerance,
            quantities=(name,),
        )


def normal(generations=2):
    """Chains of two models whose errors add up, by their number."""

    def chains(count):
        errors = paths(np.random.default_rng(count), 1, count, generations)
        [outcome] = outcomes(errors, pooled_beside(errors, 0.3))
        return outcome

    return chains


def of_errors(planted, wrong, generations=2, **options):
    """A specimen whose true law is that errors add up."""
    return Specimen(
        planted=planted,
        true=options.pop("true", law(SPREAD, generations=generations)),
        wrong=wrong,
        chains=normal(generations),
        condition=here(normal(0)(2)),
        generations=generations,
        **options,
    )


GAUSSIAN = condition(topologies.self_loop(samples=10, initial=10), gaussian(), [0.0, 1.0])
POISSON = condition(topologies.self_loop(samples=10, initial=10), poisson_mean(), [0.5])


def estimates(one, theta):
    ended = np.zeros((1, *theta.shape[:-1]), np.int32)
    [outcome] = summarise(Trajectory(theta[None], ended, ended), one.theta, one.model.functionals)
    return outcome


def variances(count):
    """Chains with one mean and a variance that is 1 on average, at three generations."""
    spread = np.random.default_rng(count).chisquare(9, (count, 3, 1)) / 9
    return estimates(GAUSSIAN, np.stack([0 * spread, spread], axis=-1))


def survivors(count):
    """Chains of which 60% are alive."""
    alive = np.random.default_rng(count).random((count, 3, 1, 1)) < 0.6
    return estimates(POISSON, alive.astype(float))


def means(**values):
    return FunctionalPrediction("law", "", {k: np.full((3, 1), v) for k, v in values.items()})


SHIFT = 0.2 * np.sqrt(np.arange(1, 4))[:, None, None] * np.linalg.cholesky(SPREAD[:2, :2])[:, 0]
LEVEL_LAW = law(SPREAD, generations=7)
LEVEL_LAW = replace(
    LEVEL_LAW,
    mse=np.repeat(LEVEL_LAW.mse[:1], 8, axis=0),
    growth=np.full(2, np.nan),
    limit=LEVEL_LAW.mse[0],
)
SPECIMENS = {
    "mse": of_errors("all second moments too large by 15%", law(1.15 * SPREAD)),
    "growth": of_errors("all second moments too large by 25%", law(1.25 * SPREAD)),
    "growth of models without a long run": of_errors(
        "no growth at all",
        replace(LEVEL_LAW, limit=LEVEL_LAW.growth),
        true=law(SPREAD, generations=7, growth=np.full(2, np.nan)),
        generations=7,
    ),
    "collapse": of_errors("the opposite fate", LEVEL_LAW, generations=7),
    "bias": of_errors(
        "a mean of 20% of a standard deviation of model a",
        replace(law(SPREAD), mean=np.broadcast_to(SHIFT * np.array([[1], [0]]), (3, 2, 2))),
    ),
    "covariance": of_errors("all second moments too large by 25%", law(1.25 * SPREAD)),
    "normality": of_errors(
        "a standard deviation too small by 20%",
        law(0.64 * SPREAD),
        tolerance=0.025,
        silent=(law(SPREAD, asymptotic=False),),
    ),
    "normality of an exact law": of_errors(
        "a standard deviation too small by 20%",
        law(0.64 * SPREAD, asymptotic=False, normal=True),
        true=law(SPREAD, asymptotic=False, normal=True),
        tolerance=0.025,
    ),
    "efficiency": of_errors(
        "all second moments too large by 20%",
        law(1.2 * SPREAD, pooled=0.3),
        true=law(SPREAD, pooled=0.3),
        silent=(law(SPREAD),),
    ),
    "efficiency of the pooled estimator": of_errors(
        "the pooled estimator's error too large by 20%",
        law(SPREAD, pooled=0.36),
        true=law(SPREAD, pooled=0.3),
    ),
    "homogenisation": of_errors(
        "all second moments too large by 20%",
        law(1.2 * SPREAD),
        silent=(law(SPREAD[:2, :2], models=1),),
        announced=False,
    ),
    "functional": Specimen(
        planted="a mean too large by 20%",
        true=means(variance=1.0),
        wrong=means(variance=1.2),
        chains=variances,
        condition=GAUSSIAN,
        planned=False,
        announced=False,
    ),
    "functional of a chance": Specimen(
        planted="a chance too large by 25%",
        true=means(alive=0.6),
        wrong=means(alive=0.75),
        chains=survivors,
        condition=POISSON,
        announced=False,
    ),
}
CASES = [(label.split(" of ")[0], SPECIMENS[label]) for label in SPECIMENS]
every = pytest.mark.parametrize(("name", "specimen"), CASES, ids=SPECIMENS)


def predicted(name, prediction):
    """What laws say of one condition, if this is all they say."""
    if QUANTITIES[name].subject == "functionals":
        return [Predictions({"other": law(SPREAD)}, {}, {"law": prediction})]
    return [Predictions({"law": prediction}, {})]


def judged(name, specimen, prediction, chains=MANY):
    study = specimen.study(name, chains)
    return judge(study, predicted(name, prediction), [specimen.chains(chains)])


def claims(name, specimen, prediction, chains=MANY):
    study = specimen.study(name, chains)
    return claims_of(study, predicted(name, prediction), [specimen.chains(chains)])[0]


def test_every_quantity_is_registered_by_its_name_and_has_a_specimen():
    assert list(QUANTITIES) == list(PLACES)
    assert {name for name, _ in CASES} == set(PLACES)
    for name, quantity in QUANTITIES.items():
        assert isinstance(quantity, Quantity)
        assert quantity.name == name
        assert quantity.unit


def test_one_quantity_has_a_ladder():
    """The fits of a ladder do not name their quantity."""
    assert [name for name, quantity in QUANTITIES.items() if quantity.has_ladder] == ["mse"]


@every
def test_claims_have_places_of_their_own(name, specimen):
    found = claims(name, specimen, specimen.true)
    assert found
    places = [claim.place for claim in found]
    assert len(set(places)) == len(places)
    units = units_of(specimen.study(name))
    models, times = specimen.condition.network.models, range(specimen.generations + 1)
    for place in places:
        assert (place.condition, place.law) == (specimen.condition.name, "law")
        assert place.model in models
        assert place.generation in times
        assert units[place.quantity]


@every
def test_many_chains_verify_a_true_law_and_refute_a_wrong_one(name, specimen):
    assert judged(name, specimen, specimen.true).verdict == VERIFIED
    assert judged(name, specimen, specimen.wrong).verdict == REFUTED, specimen.planted


@every
@pytest.mark.parametrize("chains", FEW)
def test_few_chains_are_judged(name, specimen, chains):
    for prediction in (specimen.true, specimen.wrong):
        for claim in claims(name, specimen, prediction, chains):
            assert 0 <= claim.within <= 1
            assert 0 <= claim.beyond <= 1
        for cell in judged(name, specimen, prediction, chains).cells:
            assert cell.verdict in (VERIFIED, REFUTED, INCONCLUSIVE)
            assert cell.interval[0] <= cell.interval[1]
            assert cell.chains_needed is None or cell.chains_needed >= chains


@every
def test_a_plan_counts_the_claims_and_gives_a_number_or_says_it_does_not(name, specimen):
    quantity = QUANTITIES[name]
    parts = quantity.planned(specimen.compared(specimen.true))
    found = claims(name, specimen, specimen.true)
    assert sum(cells.count for cells in parts) == len(found)
    result = plan(specimen.study(name), predicted(name, specimen.true), POWER)
    assert result.claims == len(found)
    assert {isinstance(cells, UnplannedCells) for cells in parts} == {not specimen.planned}
    assert bool(result.needs) == specimen.planned
    assert bool(result.unplanned) != specimen.planned
    if specimen.planned:
        assert 1 < result.chains < MANY
        assert judged(name, specimen, specimen.true, 2 * result.chains).verdict == VERIFIED
    else:
        assert result.chains is None


@every
def test_chances_of_refuting(name, specimen):
    """Of a wrong law certain in the end, of a true one no larger than the level."""
    quantity = QUANTITIES[name]
    wrong, true = (
        quantity.chances(specimen.compared(prediction), specimen.true, LEVEL)
        for prediction in (specimen.wrong, specimen.true)
    )
    assert bool(wrong) == bool(true) == specimen.announced
    for chains in (100, 10_000, 1_000_000) if specimen.announced else ():
        values = [chance(chains) for chance in (*wrong, *true)]
        assert all(0 <= value <= 1 for value in values)
        assert max(values[len(wrong) :]) < LEVEL
    if specimen.announced:
        assert max(chance(1_000_000) for chance in wrong) > 0.99


@every
def test_a_law_that_does_not_predict_it_is_not_judged(name, specimen):
    for prediction in specimen.silent:
        assert not QUANTITIES[name].speaks(prediction)
    assert QUANTITIES[name].speaks(specimen.true)
    assert QUANTITIES[name].speaks(specimen.wrong)
    for prediction in [p for p in specimen.silent if p.mse.shape == specimen.true.mse.shape]:
        assert claims(name, specimen, prediction) == []
        assert plan(specimen.study(name), predicted(name, prediction), POWER).claims == 0
