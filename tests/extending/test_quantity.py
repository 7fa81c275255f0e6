"""A quantity written against the public interface alone, from study to verdict."""

import io
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import mcjax
from mcjax.report.store import Store
from mcjax.report.tables import show_verification
from mcjax.verdicts.equivalence import REFUTED, VERIFIED
from mcjax.verdicts.plan import plan

sys.path.insert(0, str(Path(__file__).parent))
from absolute_error import MeanAbsoluteError


class Unplanned(MeanAbsoluteError):
    """The same, without a plan."""

    name = "unplanned"

    def planned(self, comparison):
        return [mcjax.UnplannedCells(self.name, comparison.condition.network.size)]


@pytest.fixture(scope="module")
def study():
    net = mcjax.topologies.ring(2, samples=400, initial=400)
    one = mcjax.condition(net, mcjax.linear(), [1.0, 2.0])
    return mcjax.Study(
        (one,), generations=3, chains=4096, tolerance=0.1, quantities=("mse", MeanAbsoluteError())
    )


@pytest.fixture(scope="module")
def run(study):
    predictions = mcjax.predict(study)
    outcomes = [tally.outcome for tally in mcjax.simulate(study)]
    return predictions, outcomes, mcjax.judge(study, predictions, outcomes)


def own_cells(found):
    return [cell for cell in found.cells if cell.quantity == "absolute"]


def test_it_is_judged(study, run):
    predictions, outcomes, found = run
    cells = own_cells(found)
    assert [cell.law for cell in cells] == ["first_order"] * 2 + ["finite_sample"] * 2
    assert {cell.verdict for cell in cells} == {VERIFIED}
    wrong = [
        replace(p, laws={k: replace(v, covariance=2 * v.covariance) for k, v in p.laws.items()})
        for p in predictions
    ]
    cells = own_cells(mcjax.judge(study, wrong, outcomes))
    assert {cell.verdict for cell in cells} == {REFUTED}
    assert cells[0].ratio == pytest.approx(1 / math.sqrt(2), rel=0.1)


def test_it_is_planned_or_stated_as_not_planned(study, run):
    predictions, _, _ = run
    needs = {(n.law, n.quantity): n for n in plan(study, predictions, 0.9).needs}
    own = needs["finite_sample", "absolute"]
    assert own.cells == 2
    assert 100 < own.chains < needs["finite_sample", "mse"].chains * 2
    other = replace(study, quantities=("mse", Unplanned()))
    result = plan(other, predictions, 0.9)
    assert result.unplanned == (("first_order", "unplanned"), ("finite_sample", "unplanned"))
    assert result.claims == plan(study, predictions, 0.9).claims


def test_it_is_tabulated_and_kept(study, run, tmp_path):
    predictions, outcomes, found = run
    console = Console(record=True, file=io.StringIO(), width=132)
    show_verification(console, study, predictions, found, 1.0)
    [line] = [
        line
        for line in console.export_text().splitlines()
        if "absolute" in line and "finite_sample" in line
    ]
    assert "observed / predicted" in line
    assert "verified 2/2" in line
    labelled = mcjax.dataset(study, predictions, outcomes, found)
    assert str(labelled.interval_of.sel(quantity="absolute").item()) == "observed / predicted"
    Store(tmp_path / "results", study).finish(found)
    about = json.loads((tmp_path / "results" / "study.json").read_text())
    assert about["settings"]["quantities"] == ["mse", "absolute"]


class Nameless(MeanAbsoluteError):
    name = ""


class Taken(MeanAbsoluteError):
    name = "bias"


class Elsewhere(MeanAbsoluteError):
    subject = "weather"


class SecondLadder(MeanAbsoluteError):
    has_ladder = True


class SameClaims(MeanAbsoluteError):
    def units(self, model):
        return {"cross_covariance": self.unit}


class WithoutUnits(MeanAbsoluteError):
    def units(self, model):
        return {}


class Pretender:
    name, unit = "pretender", "ratio"


@pytest.mark.parametrize(
    ("quantities", "words"),
    [
        (("mse", "grwth"), "did you mean 'growth'"),
        ((), "name at least 'mse'"),
        (("mse", "bias", "mse"), "has 'mse' twice; drop one"),
        ((MeanAbsoluteError(), MeanAbsoluteError()), "has 'absolute' twice; drop one"),
        ((MeanAbsoluteError,), "neither a name nor a quantity"),
        ((3,), "neither a name nor a quantity"),
        ((Nameless(),), "neither a name nor a quantity"),
        ((Taken(),), "has an object with the built-in name 'bias'"),
    ],
)
def test_what_a_study_cannot_ask(study, quantities, words):
    with pytest.raises(mcjax.InputError, match=r"run\.quantities") as error:
        replace(study, quantities=quantities)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("quantities", "words"),
    [
        ((Pretender(),), "derive it from mcjax.Quantity"),
        (("functional",), "has 'functional', but linear has no functionals; drop it"),
        ((Elsewhere(),), "subject 'weather'; it must be one of ('errors', 'functionals')"),
        (("mse", SecondLadder()), "only one quantity can be judged on a ladder"),
        (("covariance", SameClaims()), "which both make claims named 'cross_covariance'"),
    ],
)
def test_what_cannot_be_judged(study, run, quantities, words):
    asked = replace(study, quantities=quantities)
    for use in (
        lambda: mcjax.judge(asked, run[0], run[1]),
        lambda: plan(asked, run[0], 0.9),
        lambda: mcjax.verify(asked),
        lambda: mcjax.verify_until_decided(asked, run[0]),
    ):
        with pytest.raises(mcjax.InputError, match=r"run\.quantities") as error:
            use()
        assert words in str(error.value)


def test_claims_without_a_unit_are_not_judged(study, run):
    with pytest.raises(mcjax.InputError, match=r"claims named \{'absolute'\} without"):
        mcjax.judge(replace(study, quantities=(WithoutUnits(),)), run[0], run[1])
