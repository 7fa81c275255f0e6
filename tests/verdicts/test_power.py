"""A wrong law is refuted as often as announced, by errors whose true law is known."""

from dataclasses import replace

import numpy as np
import pytest
from known_errors import SPREAD, chances, claims, in_doubt, law, outcomes, paths
from scipy import stats

from mcjax import api
from mcjax.laws.prediction import Predictions
from mcjax.models.location import linear
from mcjax.network import topologies
from mcjax.study.ladder import ladder
from mcjax.study.study import Study, condition
from mcjax.verdicts.judge import judge
from mcjax.verdicts.plan import plan
from mcjax.verdicts.power import likeliest, true_law
from mcjax.verdicts.skewed_means import p_above, p_below, shape_of

pytestmark = pytest.mark.statistical

RUNS, CHAINS, LEVEL, TOLERANCE = 400, 512, 0.01, 0.05
TRUE = law(SPREAD, generations=3)
SHIFT = np.full((4, 2, 2), 0.17)
APART = SPREAD.copy()
APART[:2, 2:] = APART[2:, :2] = 0
"""The same models, each by itself as before and independent of one another."""
WRONG = {
    "mse": law(1.18 * SPREAD, generations=3),
    "growth": law(1.25 * SPREAD, generations=3),
    "bias": replace(TRUE, mean=SHIFT, mse=TRUE.mse + (SHIFT**2).sum(-1)),
    "covariance": law(1.3 * SPREAD, generations=3),
    "cross_covariance": law(APART, generations=3),
}


@pytest.fixture(scope="module")
def runs():
    return outcomes(paths(np.random.default_rng(0), RUNS, CHAINS, 3))


@pytest.mark.parametrize("quantity", WRONG)
def test_announced_is_what_comes(runs, quantity):
    """Cell by cell; where the announcement is a bound, no less often."""
    judged = WRONG[quantity]
    found = [claims(quantity, judged, run, TOLERANCE) for run in runs]
    seen = np.array([[claim.beyond < LEVEL for claim in of] for of in found]).mean(0)
    told = chances(quantity.removeprefix("cross_"), judged, TRUE, TOLERANCE, LEVEL)
    if "covariance" in quantity:
        told = told[1::2] if quantity == "cross_covariance" else told[::2]
    announced = np.array([chance(CHAINS) for chance in told])
    assert announced.max() > 0.15
    error = np.sqrt(np.maximum(announced * (1 - announced), 0.01) / RUNS)
    assert (seen > announced - 4 * error).all()
    assert (seen < announced + 4 * error + (0 if quantity in ("mse", "bias") else 0.3)).all()


@pytest.mark.parametrize("told", [0.7, 1.37])
def test_few_chains_of_skewed_squares(told):
    """On one side the end of an interval varies by more than the mean, on the other by less."""
    chains, runs = 150, 40_000
    squares = np.random.default_rng(5).chisquare(2, (chains, runs)) / 2 / told
    mean, error, shape = squares.mean(0), stats.sem(squares), shape_of(squares)
    shape = shape._replace(excess=0.0)
    high = p_below((mean - (1 - TOLERANCE)) / error, chains - 1, shape) < LEVEL / 2
    low = p_above((mean - (1 + TOLERANCE)) / error, chains - 1, shape) < LEVEL / 2
    seen = np.mean(low | high)
    one, wrong = (law(size * np.eye(2), models=1, generations=0) for size in (1.0, told))
    [chance] = chances("mse", wrong, one, TOLERANCE, LEVEL)
    assert 0.5 < seen < 0.98
    assert seen - 0.04 < chance(chains) < seen + 0.01  # to second order, understated


@pytest.mark.parametrize("quantity", ["mse", "growth", "bias", "covariance"])
def test_a_true_law_is_hardly_refuted_whatever_the_chains(quantity):
    for chance in chances(quantity, TRUE, TRUE, TOLERANCE, LEVEL):
        assert max(chance(10**k) for k in range(3, 12)) < LEVEL


def test_chains_to_refute():
    told = chances("mse", WRONG["mse"], TRUE, TOLERANCE, LEVEL)
    _, _, needed = likeliest(told, CHAINS, 0.9)
    _, at_needed, _ = likeliest(told, needed, 0.9)
    _, at_less, _ = likeliest(told, 0.95 * needed, 0.9)
    assert at_less < 0.9 <= at_needed
    within = chances("mse", law(1.04 * SPREAD, generations=3), TRUE, TOLERANCE, LEVEL)
    assert likeliest(within, CHAINS, 0.9)[2] is None  # inside the margin nothing refutes
    known = in_doubt(WRONG["mse"], 0.1)
    assert likeliest(chances("mse", known, TRUE, TOLERANCE, LEVEL), CHAINS, 0.9)[2] is None


def test_covariances_are_those_of_the_chains_kept():
    wide = law(1.06 * SPREAD, generations=3)
    [own, *_] = chances("covariance", wide, TRUE, TOLERANCE, LEVEL)
    assert own(2**16) == own(2**30)


def test_the_truth_is_the_law_for_every_sample_size_or_the_limit():
    limit, exact = TRUE, replace(TRUE, law="exact", asymptotic=False)
    own = Predictions({"limit": limit, "exact": exact}, {})
    assert true_law(own, False) is exact
    assert true_law(own, True) is limit
    assert true_law(Predictions({}, {}), True) is None


def test_a_plan_against_another_theory():
    """Without its real feed the law is far off; by itself it is not to be refuted."""
    study, wrong = (
        Study(
            (
                condition(
                    topologies.self_loop(samples=100, real=real, initial=200), linear(), [1.0, 0.0]
                ),
            )
        )
        for real in (100, 0)
    )
    own = api.predict(study)
    for need in plan(study, api.predict(wrong), 0.9, own).needs:
        assert need.chance > 0.99
        assert need.refuting < study.chains
    for need in plan(study, own, 0.9, own).needs:
        assert need.chance < 0.01
        assert need.refuting is None
    assert all(need.chance is None for need in plan(study, own, 0.9).needs)


def test_a_ladder_against_another_theory():
    """The announced chance of a limit off by 10%, at the level that the verdict uses."""
    one = condition(topologies.self_loop(samples=25, real=25, initial=50), linear(), [1.0, 0.0])
    study = Study(ladder(one, (1, 2, 4, 8)), generations=1, tolerance=0.05, chains=6000)
    limits = [replace(p, laws={"first_order": p.laws["first_order"]}) for p in api.predict(study)]
    wrong = [
        replace(
            p,
            laws={
                "first_order": replace(p.laws["first_order"], mse=1.1 * p.laws["first_order"].mse)
            },
        )
        for p in limits
    ]
    [need] = plan(study, wrong, 0.9, api.predict(study)).needs
    assert need.quantity == "mse_asymptote"
    study = replace(study, chains=need.refuting)
    [need] = plan(study, wrong, 0.9, api.predict(study)).needs
    refuted = []
    for seed in range(24):
        conditions = tuple(replace(c, seed=seed) for c in study.conditions)
        found = [t.outcome for t in api.simulate(replace(study, conditions=conditions))]
        cells = judge(study, wrong, found).cells
        refuted.append(any(c.verdict == "refuted" for c in cells if c.generation == need.likeliest))
    assert need.chance == pytest.approx(0.9, abs=0.02)
    assert np.mean(refuted) > 0.7
