"""The cost on a ladder of sample sizes, as the second-order law predicts it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import mcjax
from mcjax import api
from mcjax.verdicts.cells import settle
from mcjax.verdicts.claims import Place, ratio_claim
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.judge import judge
from mcjax.verdicts.ladder import Rung, climb
from mcjax.verdicts.ladder_costs import TOO_SLOW, Departure
from mcjax.verdicts.plan import plan

SCALES = np.array([1.0, 2.0, 4.0, 8.0])
TOLERANCE = 0.05


def climbed(ratios, predicted, errors=0.003, law="second_order", outside="", scales=SCALES, **more):
    """Climb a ladder with these ratios, whose cost is predicted."""
    errors = np.broadcast_to(errors, len(scales))

    def rung(scale, ratio, error):
        claim = ratio_claim(
            Place(f"scale={scale}", "a", 3, "mse", "first_order"),
            observed=Estimate(ratio, error),
            predicted=Estimate(1.0, 0.0),
            tolerance=TOLERANCE,
            count=ChainCount(10**6, 0, ""),
        )
        neglected = 2 * (predicted / scale) ** 2
        told = Departure(predicted / scale, 0.0, 0, neglected, outside, law)
        return Rung("ladder", scale, claim, departure=replace(told, **more))

    return climb(list(map(rung, scales, ratios, errors)), TOLERANCE)


def curve(a=0.2, b=0.02, scales=SCALES):
    return 1 + a / scales + b / scales**2


def cost_cell(ratios, predicted, **options):
    claims, _ = climbed(ratios, predicted, **options)
    [claim] = [c for c in claims if c.place.quantity == "mse_cost"]
    return settle([claim], 0.99)[0]


def test_a_true_cost_is_verified_and_a_wrong_one_refuted():
    right = cost_cell(curve(), 0.2)
    assert right.place == ("ladder", "a", 3, "mse_cost", "second_order")
    assert (right.verdict, right.predicted) == (VERIFIED, 0.2)
    assert right.interval[0] < 0.2 < right.interval[1]
    for wrong in (0.04, 0.36, -0.2):
        assert cost_cell(curve(), wrong).verdict == REFUTED
    assert cost_cell(1 + 0 * SCALES, 0.2).verdict == REFUTED
    open_ = cost_cell(curve(), 0.2, errors=0.05)
    assert open_.verdict == INCONCLUSIVE
    more = np.sqrt(1.1 * open_.chains_needed / 10**6)
    assert cost_cell(curve(), 0.2, errors=0.05 / more).verdict == VERIFIED


def test_other_scales_are_counted_in_the_same_unit():
    """The cost is that at scale 1, the tolerance that at the smallest scale."""
    scales = SCALES / 4
    cell = cost_cell(curve(0.05, 0.001, scales), 0.05, scales=scales)
    assert (cell.predicted, cell.verdict) == (0.05, VERIFIED)
    assert cost_cell(curve(0.05, 0.001, scales), 0.02, scales=scales).verdict == REFUTED


def test_what_the_law_neglects_is_allowed_for():
    """Sources that cancel predict a small cost, and may leave larger terms."""
    assert cost_cell(curve(0.15, 0.0), 0.0, remainder=0.02).verdict == REFUTED
    assert cost_cell(curve(0.15, 0.0), 0.0, remainder=1.0).verdict == INCONCLUSIVE


def test_no_verdict_where_the_law_or_the_fit_has_none():
    assert cost_cell(curve(), 0.06, outside="third order").note == "third order"
    slow = 1 + 0.6 / np.sqrt(SCALES)
    cell = cost_cell(slow, 0.6)
    assert (cell.verdict, cell.note) == (INCONCLUSIVE, TOO_SLOW)


def test_a_cost_is_told_but_not_judged_where_nobody_asked_for_the_law():
    claims, [ladder] = climbed(curve(), 0.2, law="")
    assert [claim.place.quantity for claim in claims] == ["mse_asymptote"]
    assert ladder.predicted_cost == pytest.approx(0.2)
    _, [judged] = climbed(curve(), 0.2)
    assert judged == ladder


@pytest.mark.statistical
@pytest.mark.parametrize("a", [0.1, 0.4])
def test_true_costs_are_rarely_refuted(a):
    """Of 1,000 ladders whose further coefficients are as large as the law says they may be."""
    rng = np.random.default_rng(0)
    judged, refuted, covered = 0, 0, 0
    for sign in rng.choice([-1.0, 1.0], 1000):
        seen = curve(a, sign * 2 * a**2) + 0.004 * rng.standard_normal(4)
        claims, _ = climbed(seen, a, errors=0.004)
        found = claims[1]
        if found.count.note:  # some seem to fall more slowly
            continue
        judged += 1
        refuted += found.beyond < 0.05
        low, high = found.interval(0.05)
        covered += low <= a <= high
    assert judged > 400
    assert refuted <= stats.binom.isf(1e-6, judged, 0.05)
    assert covered >= stats.binom.isf(1 - 1e-6, judged, 0.95)


# ---------------------------------------------------------------------------------------- studies


def climbing(rows=200, chains=64, **options):
    net = mcjax.build_network("a", [("a", "a", rows)], rows)
    first = mcjax.condition(net, mcjax.logistic(), [1.0, 0.5])
    rungs = mcjax.ladder(first, (1, 2, 4, 8))
    return mcjax.Study(tuple(rungs), generations=1, chains=chains, tolerance=0.05, **options)


@pytest.mark.system
def test_the_predicted_cost_is_the_correction_of_the_second_order_law():
    study = climbing()
    outcomes = [tally.outcome for tally in api.simulate(study)]
    told = judge(study, api.predict(study), outcomes)
    asked = judge(study, api.predict(study, ["second_order"]), outcomes)
    law = api.predict(study, ["second_order"])[0].laws["second_order"]
    expected = law.mse / law.leading.mse - 1
    for verification in (told, asked):
        found = [ladder.predicted_cost for ladder in verification.ladders]
        np.testing.assert_allclose(found, expected[:, 0], rtol=1e-9)
    assert not [cell for cell in told.cells if cell.quantity == "mse_cost"]
    assert len([cell for cell in asked.cells if cell.quantity == "mse_cost"]) == 2


@pytest.mark.system
def test_claims_about_costs_share_the_budget_of_a_plan():
    study = climbing()
    outcomes = [tally.outcome for tally in api.simulate(study)]
    predictions = api.predict(study, ["second_order"])
    planned = plan(study, predictions, 0.9)
    assert planned.claims == len(judge(study, predictions, outcomes).cells)
    assert ("second_order", "mse_cost") in planned.unplanned


@pytest.mark.statistical
def test_chains_verify_the_cost_and_refute_another():
    study = climbing(chains=131_072)
    outcomes = [tally.outcome for tally in api.simulate(study)]
    right = api.predict(study, ["second_order"])

    def costs(predictions):
        cells = judge(study, predictions, outcomes).cells
        return [cell.verdict for cell in cells if cell.quantity == "mse_cost"]

    def turned(laws):
        """Give corrections the other sign."""
        second = laws.laws["second_order"]
        wrong = replace(second, mse=2 * second.leading.mse - second.mse)
        first = replace(laws.laws["first_order"], next_order=lambda: wrong)
        return replace(laws, laws={**laws.laws, "first_order": first, "second_order": wrong})

    assert set(costs(right)) <= {VERIFIED, INCONCLUSIVE}
    assert costs(right)[0] == VERIFIED
    assert REFUTED in costs(list(map(turned, right)))
