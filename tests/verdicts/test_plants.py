"""No quantity that cannot fail: an error in each number it reads of a law is refuted."""

from dataclasses import fields, replace

import pytest
from known_errors import SPREAD, law
from plants import FOR_STRUCTURE, NO_NUMBERS, PLANTS
from specimens import MANY, SPECIMENS

from mcjax.laws.prediction import Predictions
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.equivalence import REFUTED, VERIFIED
from mcjax.verdicts.judge import judge
from mcjax.verdicts.quantities.registry import QUANTITIES

LARGE = 0.8
IDS = [f"{plant.specimen}: {plant.words}" for plant in PLANTS]


def recorded(prediction, read):
    """The prediction, as an object that notes the fields that are read."""
    names = {field.name for field in fields(prediction)}

    class Recorded(type(prediction)):
        def __getattribute__(self, name):
            if name in names:
                read.add(name)
            return super().__getattribute__(name)

    return Recorded(**{name: getattr(prediction, name) for name in names})


def judged(specimen, name, prediction):
    of_functionals = QUANTITIES[name].subject == "functionals"
    found = Predictions({"law": prediction}, {})
    if of_functionals:
        found = Predictions({"other": law(SPREAD)}, {}, {"law": prediction})
    return judge(specimen.study(name), [found], [specimen.chains(MANY)])


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_number_that_is_read_is_planted_wrong(name):
    read, planted = set(), set()
    for label, specimen in SPECIMENS.items():
        if label.split(" of ")[0] == name:
            told = recorded(specimen.true, read)
            comparison = Comparison(specimen.condition, told, specimen.tolerance)
            list(QUANTITIES[name].claims(comparison, specimen.chains(200)))
    for plant in PLANTS:
        if plant.quantity == name:
            planted |= set(plant.inputs)
    assert read - planted - set(NO_NUMBERS) - {f for q, f in FOR_STRUCTURE if q == name} == set()
    assert planted <= read  # what is not read cannot be judged


def test_what_is_listed_as_structure_is_read_by_no_plant():
    planted = {(plant.quantity, name) for plant in PLANTS for name in plant.inputs}
    assert not planted & set(FOR_STRUCTURE)


@pytest.mark.parametrize("plant", PLANTS, ids=IDS)
def test_a_large_error_is_refuted(plant):
    """By a claim of the kind that the plant names, while the true law is verified."""
    specimen = SPECIMENS[plant.specimen]
    assert judged(specimen, plant.quantity, specimen.true).verdict == VERIFIED
    wrong = plant.wrong(specimen.true, LARGE)
    cells = judged(specimen, plant.quantity, wrong).cells
    refuted = {cell.quantity for cell in cells if cell.verdict == REFUTED}
    assert refuted
    assert not plant.kind or plant.kind in refuted


def test_a_quantity_that_reads_what_no_plant_covers_is_found():
    read = set()
    told = recorded(replace(SPECIMENS["efficiency"].true), read)
    assert told.pooled == 0.3
    assert told.own_covariances.shape == (3, 2, 2, 2)  # by a property
    assert read == {"pooled", "covariance", "mse"}
