"""Cells: what is judged, what is not, and why."""

import io
from dataclasses import replace

import numpy as np
import pytest
from known_errors import in_doubt
from rich.console import Console

from mcjax import api
from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.models.location import linear
from mcjax.network import topologies
from mcjax.report.tables import show_verification
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.judge import judge


@pytest.fixture(scope="module")
def run():
    net = topologies.self_loop(samples=200, initial=200)
    study = Study(
        (condition(net, linear(), (0.5, -0.5)),), generations=4, chains=512, tolerance=0.4
    )
    return study, api.predict(study), [tally.outcome for tally in api.simulate(study)]


def with_law(predictions, **changes):
    found = predictions[0]
    law = replace(found.laws["first_order"], **changes)
    return [replace(found, laws={"first_order": law})]


def test_verified(run):
    result = judge(*run)
    assert result.verdict == VERIFIED
    assert [c.law for c in result.cells].count("first_order") == 5
    assert all(c.chains == 512 and c.lost == 0 for c in result.cells)


def test_growth_seen_is_growth_predicted(run, z_limit):
    study, predictions, outcomes = run
    growth = judge(study, predictions, outcomes).growth[0]
    assert growth.law == "first_order"
    mse = predictions[0].laws["first_order"].mse[:, 0]
    assert growth.predicted == pytest.approx((mse[4] - mse[2]) / 2)
    assert abs(growth.empirical - growth.predicted) < z_limit * growth.standard_error
    squared = outcomes[0].moments.squared
    independent = np.hypot(*squared.standard_error()[[2, 4], 0]) / 2
    assert growth.standard_error != pytest.approx(independent, rel=0.05)  # one chain, two times


def test_a_planted_error_is_refuted(run):
    study, predictions, outcomes = run
    law = predictions[0].laws["first_order"]
    assert judge(study, with_law(predictions, mse=law.mse / 2), outcomes).verdict == REFUTED


def test_the_error_of_a_prediction_widens_the_interval(run):
    study, predictions, outcomes = run
    law = predictions[0].laws["first_order"]
    plain = judge(study, predictions, outcomes).cells[-1]
    doubtful = with_law(predictions, versions=in_doubt(law, 0.05).versions)
    wide = judge(study, doubtful, outcomes).cells[-1]
    assert wide.interval[1] - wide.interval[0] > 1.2 * (plain.interval[1] - plain.interval[0])


def test_a_prediction_of_zero_is_not_judged(run):
    study, predictions, outcomes = run
    law = predictions[0].laws["first_order"]
    result = judge(study, with_law(predictions, mse=0 * law.mse), outcomes)
    assert {c.note for c in result.cells} == {"the law predicts 0"}
    assert result.verdict == INCONCLUSIVE


@pytest.mark.parametrize(("lost", "judged"), [(10, True), (30, False)])
def test_lost_chains(run, lost, judged):
    """Up to a tenth of the tolerance, 4% of 512 chains, may be missing from a cell."""
    study, predictions, outcomes = run
    moments = outcomes[0].moments
    chains = moments.squared.chains.copy()
    chains[4] -= lost
    squared = moments.squared._replace(chains=chains)
    outcome = outcomes[0]._replace(moments=moments._replace(squared=squared))
    cell = judge(study, predictions, [outcome]).cells[-1]
    assert cell.lost == lost
    assert (cell.verdict == VERIFIED) == judged
    assert (f"{lost} of 512 chains" in cell.note) != judged


def test_not_verified_while_no_law_speaks_of_a_condition(run):
    study, predictions, outcomes = run
    other = replace(study.conditions[0], name="other")
    double = replace(study, conditions=(study.conditions[0], other))
    silent = replace(predictions[0], laws={}, inapplicable={"first_order": "why"})
    result = judge(double, [predictions[0], silent], outcomes * 2)
    assert result.verdict == INCONCLUSIVE
    assert result.inapplicable == {"other": {"first_order": "why"}}
    assert result.notes == ("No law applies to condition other, so nothing of it is judged.",)
    console = Console(file=io.StringIO(), width=200)
    show_verification(console, double, result.predictions, result, seconds=1.0)
    assert result.notes[0] in console.file.getvalue()
    spoken = replace(silent, functionals={"mine": FunctionalPrediction("mine", "", {})})
    assert judge(double, [predictions[0], spoken], outcomes * 2).notes == ()
