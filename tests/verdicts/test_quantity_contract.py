"""What every quantity owes: claims, verdicts and plans, on errors whose law is known.

A new quantity needs a specimen in ``specimens.py``: chains, the law they follow, and a law with a
planted error of what the quantity looks at, which must be refuted. Each number that it reads of a
law needs a plant in ``plants.py``.
"""

import pytest
from known_errors import SPREAD, law
from specimens import MANY, SPECIMENS

from mcjax.laws.prediction import Predictions
from mcjax.study.quantities import PLACES
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.judge import claims_of, judge
from mcjax.verdicts.plan import plan
from mcjax.verdicts.planning import UnplannedCells
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.quantities.registry import QUANTITIES, units_of

FEW = (2, 3, 4, 8)
POWER, LEVEL = 0.9, 0.01
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
