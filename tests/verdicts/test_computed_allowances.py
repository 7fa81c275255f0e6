"""What the first-order law is allowed at one sample size, computed by the second-order law."""

from dataclasses import replace

import numpy as np
import pytest

from mcjax import api
from mcjax.laws.first_order.rule_of_thumb import effective_rows
from mcjax.laws.predict import predict_condition
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import linear
from mcjax.network import build_network
from mcjax.study.study import Study, condition
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED
from mcjax.verdicts.quantities.registry import QUANTITIES

LOOP = (0.5, -0.5)


def loop(rows, model=None, theta=LOOP, **options):
    net = build_network("a", [("a", "a", rows)], rows, **options)
    return condition(net, model or logistic(), list(theta))


def first_of(one, generations=2):
    return predict_condition(one, generations).laws["first_order"]


def compared(one, generations=2, tolerance=0.1, **changes):
    return Comparison(one, replace(first_of(one, generations), **changes), tolerance)


# ------------------------------------------------------------------------------- what is allowed


def test_the_allowance_is_the_correction_and_the_remainder():
    one = loop(400)
    found = compared(one)
    second = predict_condition(one, 2, ["second_order"]).laws["second_order"]
    validity = second.validity
    first = first_of(one).mse
    remainder = 2 * validity.indicator**2 + validity.leverage / 10
    np.testing.assert_allclose(found.allowance, second.mse / first - 1 + remainder)
    assert (found.allowance < [[0.06], [0.09], [0.12]]).all()


def test_the_second_order_law_is_allowed_its_remainder_alone():
    one = loop(400)
    second = predict_condition(one, 2, ["second_order"]).laws["second_order"]
    found = Comparison(one, second, 0.1).allowance
    np.testing.assert_allclose(found, second.allowance)


def test_a_wrong_law_gets_no_larger_allowance():
    """Corrections are counted from the expansion's own first order, not from what is judged."""
    one = loop(400)
    right, wrong = compared(one), compared(one, mse=4 * first_of(one).mse)
    np.testing.assert_allclose(wrong.allowance, right.allowance)


def test_without_a_second_order_law_it_is_a_rule_of_thumb():
    one = loop(400, memory="accumulate")
    found = compared(one)
    assert found.finer is None
    assert "accumulate" in found.prediction.finer
    np.testing.assert_allclose(found.allowance[:, 0], 4 * 3 * np.arange(1, 4) / (400 - 3))


def test_a_rule_of_thumb_counts_information():
    feeds = [("a", "a", 2000, 0.01), ("real", "a", 40, 5.0)]
    net = build_network("a", feeds, 2000, memory="accumulate")
    one = condition(net, logistic(), list(LOOP))
    assert effective_rows(one) == pytest.approx(220**2 / (2000 * 0.01**2 + 40 * 25))
    heavy = first_of(loop(400, poisson(), memory="accumulate")).allowance
    light = first_of(loop(400, poisson(), (0.01, 0.01), memory="accumulate")).allowance
    assert (heavy > 4 * light).all()
    few = first_of(loop(400, poisson(), (1.5, 1.5), memory="accumulate")).allowance
    assert np.isinf(few).all()


def test_predictions_of_more_generations_do_not_ask_for_corrections(monkeypatch):
    """Laws are asked for a thousand generations to find one that would tell."""
    first = first_of(loop(400))
    asked = []
    name = "mcjax.laws.second_order.m_estimators.expansion"
    monkeypatch.setattr(name, lambda *given: asked.append(given))
    assert first.longer(1024).mse.shape == (1025, 1)
    assert not asked


# ---------------------------------------------------------------------------- what is not judged


def verified(one, chains, quantities=("mse",), tolerance=0.1, generations=2):
    study = Study(
        (one,), generations=generations, chains=chains, tolerance=tolerance, quantities=quantities
    )
    return study, api.verify(study)


@pytest.mark.system
def test_where_third_order_matters_nothing_is_judged():
    """Few rows hold all the information of Poisson regression with a large theta."""
    quantities = ("mse", "bias", "covariance", "normality", "collapse")
    _, found = verified(loop(400, poisson(), (1.5, 1.5)), 512, quantities)
    assert {cell.verdict for cell in found.cells} == {INCONCLUSIVE}
    assert all("third order matters here" in cell.note for cell in found.cells)
    assert "rows in the smallest fit" in found.cells[0].note


@pytest.mark.system
def test_weights_that_leave_few_effective_rows_refute_no_true_law():
    net = build_network("a", [("a", "a", 2000, 0.01), ("real", "a", 40, 5.0)], 2000)
    _, found = verified(condition(net, logistic(), list(LOOP)), 4096)
    assert found.verdict == INCONCLUSIVE
    assert max(cell.ratio for cell in found.cells) > 1.2
    assert not found.rules_of_thumb


def test_verifications_say_where_the_allowance_is_a_rule_of_thumb():
    one = loop(60, linear(), memory="accumulate")
    _, found = verified(one, 64)
    assert set(found.rules_of_thumb[one.name]) == {"first_order"}


# -------------------------------------------------------------------------------- wrong covariances


@pytest.fixture(scope="module")
def run():
    one = loop(400)
    study = Study((one,), generations=2, chains=100_000, tolerance=0.01)
    [tally] = api.simulate(study)
    return one, tally.outcome


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["covariance", "normality", "mse"])
@pytest.mark.parametrize("factor", [1.3, 1 / 1.3])
def test_a_covariance_off_by_three_tenths_is_refuted(run, name, factor):
    one, outcome = run
    true = compared(one, tolerance=0.01)
    changes = {"covariance": factor * true.prediction.covariance}
    wrong = compared(one, 2, 0.01, **changes, mse=factor * true.prediction.mse)
    for comparison, refuted in ((true, False), (wrong, True)):
        claims = QUANTITIES[name].claims(comparison, outcome)
        assert (min(claim.beyond for claim in claims) < 1e-6) == refuted, REFUTED


def test_the_more_alike_models_are_the_more_their_spread_may_depart():
    """What is neglected of the errors is not all common to them."""

    def allowed(common):
        feeds = [("a", "a", common), ("a", "b", common)]
        feeds += [("real", "a", 200 - common), ("real", "b", 200 - common)]
        one = condition(build_network("ab", feeds, 200, draws="shared"), logistic(), list(LOOP))
        planned = QUANTITIES["homogenisation"].planned(compared(one))
        first = {cells.quantity: cells.allowance[0] for cells in planned}
        return first["spread"], first["cosine"]

    (alike, cosine), (unlike, other) = (allowed(common) for common in (190, 50))
    assert alike / unlike > 2 * cosine / other
