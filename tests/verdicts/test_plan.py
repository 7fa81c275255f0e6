"""What a plan announces is what happens."""

import math
from dataclasses import replace

import numpy as np
import pytest
from known_errors import in_doubt
from scipy import stats

from mcjax import api
from mcjax.chains.program import Trajectory
from mcjax.engine.powers import NonNormality
from mcjax.engine.tiles import summarise
from mcjax.models.location import linear
from mcjax.network import topologies
from mcjax.study.ladder import ladder
from mcjax.study.study import Study, condition
from mcjax.verdicts.claims import Place, ratio_claim
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.equivalence import REFUTED, VERIFIED
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.judge import claims_of, judge
from mcjax.verdicts.ladder import Rung, climb
from mcjax.verdicts.plan import plan
from mcjax.verdicts.planning import SquareCells
from mcjax.verdicts.quantities.registry import QUANTITIES
from mcjax.verdicts.skewed_means import reaches

POWER = 0.9
RUNS = 100
FEWEST = int(stats.binom.ppf(1e-4, RUNS, POWER))
"""Fewest runs of 100 that succeed, if each does with the power."""


@pytest.fixture(scope="module")
def base():
    """Two models that read each other, with 400 rows a fit: its study and its exact law."""
    net = topologies.ring(2, samples=400, initial=400)
    study = Study((condition(net, linear(), np.ones(3)),), generations=3, tolerance=0.2)
    [found] = api.predict(study)
    return study, [replace(found, laws={"finite_sample": found.laws["finite_sample"]})]


def normal_runs(law, chains, seed):
    """Outcomes of normal errors with the law's covariances, generations independent."""
    rng = np.random.default_rng(seed)
    times, size = law.covariance.shape[:2]
    models = law.mse.shape[1]
    roots = np.linalg.cholesky(law.covariance)
    z = rng.standard_normal((RUNS, chains, times, size))
    theta = np.einsum("tab,rctb->rcta", roots, z).reshape(RUNS, chains, times, models, -1)
    ended = np.zeros(theta.shape[:-1], np.int32)
    return summarise(Trajectory(theta, ended, ended), np.zeros(theta.shape[-1]))


def verdicts(study, predictions, chains):
    law = predictions[0].laws["finite_sample"]
    return [
        judge(study, predictions, [outcome]).verdict for outcome in normal_runs(law, chains, chains)
    ]


ERRORS = tuple(name for name, quantity in QUANTITIES.items() if quantity.subject == "errors")
EVERY = [
    name for name in ERRORS if name not in ("normality", "efficiency") and "held_out" not in name
]
"""Those that an exact law of one real source speaks of, without rows that are held out."""


@pytest.mark.statistical
@pytest.mark.parametrize("quantity", EVERY)
def test_a_true_law_is_verified_with_the_power(base, quantity):
    study, predictions = base
    study = replace(study, quantities=(quantity,))
    found = plan(study, predictions, POWER)
    assert found.chains is not None
    full = verdicts(study, predictions, found.chains).count(VERIFIED)
    assert full >= FEWEST
    quarter = verdicts(study, predictions, found.chains // 4).count(VERIFIED)
    assert quarter < RUNS / 2  # and the number asked for is not out of all proportion


def test_an_announced_departure_is_refuted_with_the_power(base):
    """Every MSE off by as much as the plan says one must be."""
    study, predictions = base
    study = replace(study, chains=400)
    [need] = plan(study, predictions, POWER).needs
    law = predictions[0].laws["finite_sample"]
    wrong = [
        replace(
            predictions[0],
            laws={"finite_sample": replace(law, mse=law.mse / (1 + need.refuted))},
        )
    ]
    found = [judge(study, wrong, [outcome]).verdict for outcome in normal_runs(law, 400, 1)]
    assert found.count(REFUTED) >= FEWEST


def test_normality_of_normal_errors(base):
    study, predictions = base
    study = replace(study, quantities=("normality",), tolerance=0.1)
    law = replace(predictions[0].laws["finite_sample"], asymptotic=True)
    predictions = [replace(predictions[0], laws={"finite_sample": law})]
    chains = plan(study, predictions, POWER).chains
    assert verdicts(study, predictions, chains).count(VERIFIED) >= FEWEST


@pytest.mark.parametrize("tolerance", [0.01, 0.1, 0.4, 0.6, 0.9])
@pytest.mark.parametrize("skewness", [0.0, 1.0, 2.8])
def test_the_planned_upper_end_of_a_square_touches_the_margin(skewness, tolerance):
    """However few chains a wide margin takes, with which skewness matters most."""
    level, miss = 0.001, 0.01
    ones = np.ones(1)
    cells = SquareCells("mse", 1.2 * ones, 0 * ones, 0 * ones, skewness * ones)
    chains = cells.chains(tolerance, level, miss)
    _, up = reaches(level, 10**9, NonNormality(skewness / math.sqrt(chains)))
    reach = (up + stats.norm.isf(miss)) * 1.2 / math.sqrt(chains)
    assert reach == pytest.approx(tolerance, rel=1e-6)


def test_more_cells_and_tighter_margins_take_more_chains(base):
    study, predictions = base
    chains = plan(study, predictions, POWER).chains
    assert plan(replace(study, tolerance=0.1), predictions, POWER).chains > 3.5 * chains
    assert plan(study, predictions, 0.999).chains > chains
    assert plan(replace(study, confidence=0.9999), predictions, POWER).chains > chains
    every = plan(replace(study, quantities=ERRORS), predictions, POWER)
    assert every.chains == max(need.chains for need in every.needs)
    named = [need.quantity for need in every.needs]
    assert named == [*EVERY[:-1], "spread", "cosine"]


def test_a_law_that_is_itself_in_doubt_may_need_what_no_number_gives(base):
    study, predictions = base
    law = predictions[0].laws["finite_sample"]
    doubtful = in_doubt(law, 0.1)
    found = plan(study, [replace(predictions[0], laws={"finite_sample": doubtful})], POWER)
    assert found.chains is None
    assert found.needs[0].chains is None


@pytest.mark.parametrize("quantity", EVERY)
def test_what_is_announced_respects_the_fewest_chains_of_a_claim(base, quantity):
    """Below them nothing is verified or refuted, so nothing is announced."""
    study, predictions = base
    study = replace(study, quantities=(quantity,), tolerance=0.9)  # so wide that few chains suffice
    found = plan(study, predictions, POWER)
    level = (1 - study.confidence) / found.claims
    outcome = next(iter(normal_runs(predictions[0].laws["finite_sample"], 64, 0)))
    claims, *_ = claims_of(study, predictions, [outcome])
    for need in found.needs:
        own = [claim for claim in claims if claim.place.quantity == need.quantity]
        least = max(math.ceil(claim.fewest(level)) for claim in own)
        assert least <= need.fewest <= need.chains
        for chains, finite in ((need.fewest - 1, False), (100 * need.fewest, True)):
            others = plan(replace(study, chains=chains), predictions, POWER).needs
            [other] = [other for other in others if other.quantity == need.quantity]
            assert math.isfinite(other.refuted) == finite


def drawn_ladders(study, predictions, chains, runs, factor=1.0):
    """The limits of a first-order law on ladders whose exact ratios are known, without chains.

    The law is off by a factor. Generations are independent.
    """
    rng = np.random.default_rng(chains)
    for _ in range(runs):
        rungs = []
        for one, known in zip(study.conditions, predictions, strict=True):
            told, true = known.laws["first_order"], known.laws["finite_sample"]
            ratios = factor * true.mse / told.mse
            errors = ratios * told.relative_spread / np.sqrt(chains)
            for t, i in np.ndindex(*ratios.shape):
                claim = ratio_claim(
                    Place(one.name, str(i), t, "mse", "first_order"),
                    observed=Estimate(float(rng.normal(ratios[t, i], errors[t, i])), errors[t, i]),
                    predicted=Estimate(1.0, 0.0),
                    tolerance=study.tolerance,
                    count=ChainCount(chains, 0),
                )
                rungs.append(Rung("", one.scale, claim))
        limits, _ = climb(rungs, study.tolerance)
        level = (1 - study.confidence) / (len(rungs) + len(limits))
        yield limits, level


@pytest.mark.parametrize("scales", [(1, 2, 4), (1, 2, 4, 8), (1, 4, 16)])
def test_a_planned_ladder_is_verified_with_the_power(scales):
    net = topologies.self_loop(samples=50, real=50, initial=100)
    study = Study(
        ladder(condition(net, linear(), np.ones(2)), scales), generations=2, tolerance=0.2
    )
    predictions = api.predict(study)
    alone = [replace(p, laws={"first_order": p.laws["first_order"]}) for p in predictions]
    [need] = plan(study, alone, POWER).needs
    found = [
        max(claim.within for claim in limits) < level
        for limits, level in drawn_ladders(study, predictions, need.chains, RUNS)
    ]
    assert sum(found) >= FEWEST
    few = [
        max(claim.within for claim in limits) < level
        for limits, level in drawn_ladders(study, predictions, need.chains // 32, RUNS)
    ]
    assert sum(few) < RUNS / 2


def test_a_departure_announced_on_a_ladder_is_refuted_with_the_power():
    net = topologies.self_loop(samples=50, real=50, initial=100)
    study = Study(
        ladder(condition(net, linear(), np.ones(2)), (1, 2, 4, 8)), generations=2, chains=4096
    )
    predictions = api.predict(study)
    alone = [replace(p, laws={"first_order": p.laws["first_order"]}) for p in predictions]
    [need] = plan(study, alone, POWER).needs
    found = [
        limits[-1].beyond < level
        for limits, level in drawn_ladders(study, predictions, 4096, RUNS, 1 + need.refuted)
    ]
    assert sum(found) >= FEWEST


@pytest.fixture(scope="module")
def rising():
    net = topologies.self_loop(samples=50, real=50, initial=100)
    one = condition(net, linear(), np.ones(3))
    study = Study(ladder(one, (1, 2, 4, 8)), generations=2, tolerance=0.1)
    return study, plan(study, api.predict(study), POWER)


def test_a_ladder_is_planned_as_one(rising):
    _, found = rising
    needs = {(need.law, need.quantity): need for need in found.needs}
    assert set(needs) == {("first_order", "mse_asymptote"), ("finite_sample", "mse")}
    limit = needs["first_order", "mse_asymptote"]
    assert limit.cells == 3
    assert limit.chains > 1.5 * needs["finite_sample", "mse"].chains


@pytest.mark.statistical
def test_the_chains_of_a_planned_ladder_verify_it(rising):
    study, found = rising
    limit = next(need for need in found.needs if need.quantity == "mse_asymptote")
    outcomes = [t.outcome for t in api.simulate(replace(study, chains=limit.chains))]
    cells = judge(replace(study, chains=limit.chains), api.predict(study), outcomes).cells
    assert {c.verdict for c in cells if c.quantity == "mse_asymptote"} == {VERIFIED}
