"""Claims about functionals: what an interval of rare or equal values is worth."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import chdtri
from scipy.stats import beta

import mcjax
from mcjax import api
from mcjax.chains.program import Trajectory
from mcjax.engine.outcome import functional_values
from mcjax.engine.tiles import summarise
from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import categorical, poisson_mean
from mcjax.network import topologies
from mcjax.study.study import Study, condition
from mcjax.verdicts.cells import settle
from mcjax.verdicts.claims import Place
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.plan import plan
from mcjax.verdicts.quantities.functional import QUANTITY, functional_claim

PLACE = Place("", "a", 1, "functional:alive", "extinction")


def claim_about(observed, predicted, unit, span, tolerance, chains):
    return functional_claim(
        PLACE,
        observed=Estimate(*observed),
        predicted=Estimate(predicted, 0.0),
        unit=unit,
        span=span,
        tolerance=tolerance,
        count=ChainCount(chains, 0),
    )


def chance(events, chains, told, tolerance=0.05):
    """The claim about a chance, of which so many chains are events."""
    seen = events / chains
    error = np.sqrt(seen * (1 - seen) / (chains - 1))
    return claim_about((seen, error), told, max(told, 0.1), 1.0, tolerance, chains)


def verdict(claim, confidence=0.99):
    [cell] = settle([claim], confidence)
    return cell.verdict


def test_no_event_in_a_few_chains_verifies_nothing():
    for told in (0.0, 1e-5, 0.01):
        assert verdict(chance(0, 256, told)) == INCONCLUSIVE
    assert verdict(chance(0, 256, 0.5)) == REFUTED
    assert verdict(chance(0, 100_000, 1e-5)) == VERIFIED  # within half a per cent
    assert verdict(chance(0, 100_000, 0.02)) == REFUTED
    assert verdict(chance(64, 64, 1.0)) == INCONCLUSIVE  # .95^64 is 4%
    assert verdict(chance(4096, 4096, 1.0)) == VERIFIED


@pytest.mark.parametrize("chains", [64, 4096, 10**6])
@pytest.mark.parametrize("level", [0.05, 1e-3, 1e-8])
def test_intervals_are_wider_than_the_exact_binomial_ones(chains, level):
    for events in sorted(
        {0, 1, 2, 5, 30, chains // 3, chains - 1, chains} & set(range(chains + 1))
    ):
        low = beta.ppf(level / 2, events, chains - events + 1) if events else 0.0
        high = beta.ppf(1 - level / 2, events + 1, chains - events) if events < chains else 1.0
        ends = 0.5 * (np.array(chance(events, chains, 0.5).interval(level)) - 1) + 0.5
        assert ends[0] <= low + 1e-12
        assert ends[1] >= high - 1e-12


def test_p_values_are_the_levels_at_which_intervals_reach_the_margin():
    claims = [chance(3, 5000, 1e-4), chance(1500, 5000, 0.31), chance(900, 5000, 0.3)]
    claims.append(claim_about((1.5, 0.02, 0.1), 1.48, 1.48, np.inf, 0.05, 500))
    for claim in claims:
        p = min(claim.within, claim.beyond)
        assert 0 < p < 1
        low, high = claim.interval(p)
        edges = min(abs(low - 0.95), abs(low - 1.05), abs(high - 0.95), abs(high - 1.05))
        assert edges < 1e-6
    few = chance(300, 1000, 0.3)
    more = few.factor(0.01)
    again = chance(round(300 * more), round(1000 * more), 0.3)
    low, high = again.interval(0.01)
    assert min(abs(low - 0.95), abs(high - 1.05)) < 2e-3


def test_wrong_claims_are_as_rare_as_told():
    """A chance at the very edge of the margin is called verified at most at the level."""
    rng, told, tolerance, level = np.random.default_rng(0), 0.2, 0.1, 0.05
    for true in (told * 1.1, told * 0.9):
        seen = rng.binomial(2000, true, 4000)
        p = np.array([chance(k, 2000, told, tolerance).within for k in seen])
        rate = (p < level).mean()
        assert rate < level / 2 + 4 * np.sqrt(level / 4000)
    seen = rng.binomial(20_000, told, 200)
    p = np.array([chance(k, 20_000, told, tolerance).within for k in seen])
    assert (p < level).mean() > 0.5  # and it can be verified


def outcome_of(theta, truth, model):
    """What so many chains of one model come to; theta: (C, T + 1, 1, p)."""
    ended = np.zeros(theta.shape[:-1], np.int32)
    [found] = summarise(
        Trajectory(theta[None], ended[None], ended[None]), np.array(truth), model.functionals
    )
    return found


LOOP = topologies.self_loop(samples=10, initial=10)
NORMAL = condition(LOOP, gaussian(), [0.0, 1.0])


def gaussian_claims(spread, told):
    mean = np.random.default_rng(1).standard_normal(spread.shape)
    theta = np.stack([mean, spread], axis=-1)[:, None, None]
    law = FunctionalPrediction("law", "", {k: np.array([[v]]) for k, v in told.items()})
    outcome = outcome_of(theta, NORMAL.theta, gaussian())
    claims = QUANTITY.claims(Comparison(NORMAL, law, 0.1), outcome)
    return {claim.place.quantity.split(":")[1]: claim for claim in claims}


def test_a_tail_that_hangs_on_one_chain_is_not_judged():
    rng = np.random.default_rng(2)
    light = gaussian_claims(rng.chisquare(9, 4096) / 9, {"variance": 1.0})["variance"]
    assert light.count.note == ""
    assert verdict(light) == VERIFIED
    wild = np.exp(4 * rng.standard_normal(16_384) - 8)  # its mean is 1, and it seems to be far less
    heavy = gaussian_claims(wild, {"variance": 1.0, "log_deviation": -4.0})
    assert heavy["variance"].count.note.startswith("heavy tail")
    assert verdict(heavy["variance"]) == INCONCLUSIVE
    assert verdict(heavy["log_deviation"]) == VERIFIED
    assert np.isnan(heavy["log_deviation"].ratio)
    assert "same value" in gaussian_claims(np.ones(256), {"variance": 1.0})["variance"].count.note


@pytest.mark.parametrize(("times", "judged"), [(1, False), (100, True)])
def test_what_is_implausible_in_one_cell_is_not_in_the_worst_of_many(times, judged):
    """A chain as far off as happens in one cell out of 250,000."""
    chains = 2048
    spread = np.random.default_rng(3).chisquare(9, (chains, times, 1)) / 9
    spread[0, 0, 0] = chdtri(1, 4e-6 / chains)
    theta = np.stack([np.random.default_rng(4).standard_normal(spread.shape), spread], axis=-1)
    law = FunctionalPrediction("law", "", {"variance": np.ones((times, 1))})
    outcome = outcome_of(theta, NORMAL.theta, gaussian())
    first = next(iter(QUANTITY.claims(Comparison(NORMAL, law, 0.1), outcome)))
    assert (first.count.note == "") == judged


def test_no_logarithm_of_nothing():
    spread = np.ones(256)
    spread[3] = 0
    found = gaussian_claims(spread, {"log_deviation": 0.0, "variance": 1.0})
    assert found["log_deviation"].count.note.startswith("1 chain has no finite value")
    assert found["log_deviation"].count.lost == 1
    assert found["variance"].count.lost == 0


def test_moments_of_functionals_merge():
    rng, model = np.random.default_rng(3), categorical()
    truth = np.array([0.6, 0.4])
    p = rng.random((150, 2, 1)).round(1)
    theta = np.stack([p, 1 - p], axis=-1)
    theta[7, 1] = np.nan
    whole = outcome_of(theta, truth, model)
    parts = outcome_of(theta[:64], truth, model).merged(outcome_of(theta[64:], truth, model))
    values = functional_values(theta, truth, model.functionals)
    assert np.isnan(values[7, 1]).all()
    for found in (whole, parts):
        moments = found.moments.functional
        assert moments.chains[:, 0, 0].tolist() == [150, 149]
        np.testing.assert_allclose(moments.mean, np.nanmean(values, 0))
        np.testing.assert_allclose(
            moments.square, np.nanvar(values, 0) * moments.chains, atol=1e-12
        )
        np.testing.assert_array_equal(found.highest, np.nanmax(values, 0))
    without = outcome_of(theta, truth, replace(model, functionals=()))
    assert without.moments.functional.mean.shape == (2, 1, 0)


@pytest.mark.statistical
def test_singular_covariances_are_judged_on_their_range():
    """Probabilities add up to 1, so their covariance is singular."""
    one = condition(LOOP, categorical(), [0.5, 0.3, 0.2])
    quantities = ("mse", "bias", "covariance", "normality", "functional")
    study = Study((one,), 2, 512, 0.3, quantities=quantities)
    predictions = api.predict(study)
    found = mcjax.judge(study, predictions, [t.outcome for t in api.simulate(study)])
    for cell in found.cells:
        if cell.quantity in ("bias", "covariance", "normality"):
            assert cell.verdict in (VERIFIED, INCONCLUSIVE)
            assert math.isfinite(cell.empirical)
        if cell.law == "generative":
            assert cell.note == ""
    needs = {need.quantity: need for need in plan(study, predictions, 0.9).needs}
    assert needs["covariance"].chains
    assert needs["bias"].chains


def test_plans_tell_what_they_can():
    one = condition(LOOP, poisson_mean(), [0.05])
    study = Study((one,), 3, 4096, 0.15, quantities=("functional",))
    predictions = api.predict(study)
    found = plan(study, predictions, 0.9)
    assert [need.quantity for need in found.needs] == ["functional:alive"]
    assert found.claims == found.needs[0].cells == 4
    # as announced: with so many chains all are verified in most runs
    told = predictions[0].functionals["extinction"].values["alive"].ravel()
    seen = np.random.default_rng(4).binomial(found.chains, told, (400, 4)) / found.chains
    verified = [
        all(
            cell.verdict == VERIFIED
            for cell in settle(
                [
                    chance(s * found.chains, found.chains, t, 0.15)
                    for s, t in zip(r, told, strict=True)
                ],
                0.99,
            )
        )
        for r in seen
    ]
    assert np.mean(verified) > 0.9 - 4 * np.sqrt(0.09 / 400)
    normal = Study((NORMAL,), 3, 4096, 0.15, quantities=("functional",))
    silent = plan(normal, api.predict(normal), 0.9)
    assert silent.chains is None
    assert len(silent.unplanned) == 4
