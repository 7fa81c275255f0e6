"""Asymptotic laws on a ladder of sample sizes: the fit, its claim, and whose verdict counts."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mcjax import api
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import linear
from mcjax.network import build_network, topologies
from mcjax.study.load import load_study
from mcjax.study.study import Study, condition, ladder
from mcjax.verdicts.claims import ALLOWED, Estimate, Place, ratio_claim, settle
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.judge import judge
from mcjax.verdicts.ladder import Rung, climb, limit_of

pytestmark = pytest.mark.statistical

SCALES = (1, 2, 4, 8)
LIMIT = limit_of("mse")


def rungs(ratios, errors, scales=SCALES, chains=10**6, notes=()):
    """Rungs with these ratios, seen on laws of other sizes."""
    notes = dict(notes)
    return [
        Rung(
            "ladder",
            scale,
            ratio_claim(
                Place(f"scale={scale}", "a", 3, "mse", "first_order"),
                observed=Estimate(ratio / scale, error / scale),
                predicted=Estimate(1 / scale, 0.0),
                tolerance=0.05,
                count=ChainCount(chains, 0, notes.get(scale, "")),
            ),
        )
        for scale, ratio, error in zip(scales, ratios, errors, strict=True)
    ]


def curve(scales, c=1.0, a=0.4, b=-0.2):
    s = np.asarray(scales, float)
    return c + a / s + b / s**2


@pytest.mark.parametrize("scales", [(1, 2, 4), (1, 2, 4, 8), (0.5, 1, 3, 5, 9)])
def test_the_curve_is_found(scales):
    errors = np.linspace(0.01, 0.03, len(scales))
    [claim], [ladder] = climb(rungs(curve(scales), errors, scales), 0.05)
    assert ladder.intercept == pytest.approx(1)
    assert ladder.cost == pytest.approx(0.4)
    assert ladder.curvature == pytest.approx(-0.2)
    assert ladder.rungs == len(scales)
    assert claim.place == ("ladder", "a", 3, LIMIT, "first_order")
    design = np.vander(1 / np.asarray(scales, float), 3, increasing=True) / errors[:, None]
    expected = np.sqrt(np.diagonal(np.linalg.inv(design.T @ design)))
    assert (ladder.standard_error, ladder.cost_error) == pytest.approx(tuple(expected[:2]))


def test_errors_and_verdicts_are_calibrated():
    """4,000 ladders: estimates spread as told; a limit on the edge of the margin is rarely claimed
    to lie inside, or outside."""
    rng = np.random.default_rng(0)
    errors = np.array([0.004, 0.004, 0.005, 0.006])
    runs, found, claimed = 4000, [], 0
    for _ in range(runs):
        seen = curve(SCALES, c=1.05) + errors * rng.standard_normal(4)
        [claim], [ladder] = climb(rungs(seen, errors), 0.05)
        found.append((ladder.intercept, ladder.cost, ladder.misfit))
        claimed += min(claim.within, claim.beyond) < 0.05
    intercept, cost, misfit = np.array(found).T
    for values, truth, told in (
        (intercept, 1.05, ladder.standard_error),
        (cost, 0.4, ladder.cost_error),
    ):
        assert abs(values.mean() - truth) < 5 * told / np.sqrt(runs)
        assert abs(values.std() / told - 1) < 5 / np.sqrt(2 * runs)
    assert claimed <= stats.binom.isf(1e-6, runs, 0.05)
    assert stats.kstest(misfit, "uniform").pvalue > 1e-6


def verdict(seen, errors, scales=SCALES, **options):
    claims, _ = climb(rungs(seen, errors, scales, **options), 0.05)
    return settle(claims, 0.99)[0]


def test_verdicts():
    errors = np.full(4, 0.004)
    assert verdict(curve(SCALES), errors).verdict == VERIFIED
    assert verdict(curve(SCALES, c=1.1), errors).verdict == REFUTED
    cell = verdict(curve(SCALES), 10 * errors)
    assert cell.verdict == INCONCLUSIVE
    factor = cell.chains_needed / 10**6
    assert verdict(curve(SCALES), 10 * errors / np.sqrt(1.01 * factor)).verdict == VERIFIED


def test_a_curve_of_another_form_is_not_judged():
    """The root of s in place of s: five rungs tell the difference."""
    scales = (1, 2, 4, 8, 16)
    cell = verdict(1 + 0.4 / np.sqrt(scales), np.full(5, 0.001), scales)
    assert cell.verdict == INCONCLUSIVE
    assert "does not fit" in cell.note


def test_what_keeps_a_rung_from_judgement_keeps_the_ladder():
    cell = verdict(curve(SCALES), np.full(4, 0.004), notes={2: "why"})
    assert cell.verdict == INCONCLUSIVE
    assert cell.note == "a rung of the ladder: why"


def test_two_rungs_are_no_ladder():
    assert climb(rungs(curve(SCALES[:2]), [0.01, 0.01], SCALES[:2]), 0.05) == ([], [])
    assert climb(rungs(np.ones(3), np.full(3, 0.01), (1, 2, 2)), 0.05) == ([], [])


# --------------------------------------------------------------------------------------- in studies


def ladder_study(scales, model, theta, samples, generations=3, **options):
    net = topologies.self_loop(samples=samples, real=samples, initial=2 * samples)
    conditions = ladder(condition(net, model, theta), scales)
    return Study(conditions, generations=generations, **options)


@pytest.fixture(scope="module")
def run():
    """Least squares at 16 rows for 2 parameters and more: the law is 20% off, and right."""
    study = ladder_study(SCALES, linear(), (1.0, 1.0), 8, chains=65_536, tolerance=0.1)
    return study, api.predict(study), [tally.outcome for tally in api.simulate(study)]


def first_order_alone(predictions, **changes):
    return [
        replace(p, laws={"first_order": replace(p.laws["first_order"], **changes)})
        for p in predictions
    ]


def test_the_ladder_decides_and_not_its_rungs(run):
    study, predictions, outcomes = run
    result = judge(study, first_order_alone(predictions), outcomes)
    assert result.verdict == VERIFIED
    single = [c for c in result.cells if c.quantity == "mse"]
    off = [c for c in single if c.condition == "scale=1"]
    assert {c.verdict for c in off} == {INCONCLUSIVE}
    assert {c.note for c in off} == {ALLOWED}
    steps = [c for c in result.cells if c.quantity == LIMIT]
    assert [c.generation for c in steps] == [0, 1, 2, 3]
    assert {c.verdict for c in steps} == {VERIFIED}


def test_the_exact_law_beside_it_is_judged_at_every_size(run):
    study, predictions, outcomes = run
    result = judge(study, predictions, outcomes)
    exact = [c for c in result.cells if c.law == "finite_sample"]
    assert {c.verdict for c in exact} == {VERIFIED}
    assert len(exact) == 4 * len(SCALES)
    assert result.verdict == VERIFIED
    claimed = {"law": "finite_sample", "asymptotic": False, "allowance": 0.0}
    wrong = [
        replace(p, laws={"finite_sample": replace(p.laws["first_order"], **claimed)})
        for p in predictions
    ]
    assert judge(study, wrong, outcomes).verdict == REFUTED


def test_the_cost_is_that_of_the_exact_law(run):
    """Exact ratios on the same rungs, fitted with the same weights."""
    study, predictions, outcomes = run
    result = judge(study, first_order_alone(predictions), outcomes)
    for fit in result.ladders:
        cells = [c for c in result.cells if c.quantity == "mse" and c.generation == fit.generation]
        exact = [
            p.laws["finite_sample"].mse[fit.generation, 0]
            / p.laws["first_order"].mse[fit.generation, 0]
            for p in predictions
        ]
        errors = [c.standard_error / c.predicted for c in cells]
        _, [expected] = climb(rungs(exact, errors), 0.1)
        assert abs(fit.intercept - expected.intercept) < 5 * fit.standard_error
        assert abs(fit.cost - expected.cost) < 5 * fit.cost_error
        assert fit.cost > 0.05


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_a_planted_error_is_refuted(run, factor):
    study, predictions, outcomes = run
    wrong = [first_order_alone([p], mse=p.laws["first_order"].mse * factor)[0] for p in predictions]
    assert judge(study, wrong, outcomes).verdict == REFUTED


@pytest.mark.slow
@pytest.mark.parametrize("model", [logistic(), poisson()], ids=lambda model: model.name)
def test_the_ladder_verifies_what_no_single_size_does(model):
    """100 to 800 real and as many synthetic rows, weighted .62 and .38 as is best for one model.

    At 100 rows the law is off by up to 22% (logistic) and 35% (Poisson): true all the same.
    """
    net = build_network(1, [("0", "0", 100, 0.382), ("real", "0", 100, 0.618)], 100)
    one = condition(net, model, (1.0, 1.0))
    study = Study(ladder(one, SCALES), generations=4, chains=65_536, tolerance=0.05)
    result = api.verify(study)
    assert result.verdict == VERIFIED
    single = [cell for cell in result.cells if cell.quantity == "mse"]
    assert REFUTED not in {cell.verdict for cell in single}
    assert {cell.verdict for cell in single if cell.condition == "scale=1"} == {INCONCLUSIVE}
    for cell in single:
        # by its curve the law is off by more than the margin there: never called verified
        fit = next(fit for fit in result.ladders if fit.generation == cell.generation)
        scale = next(c.scale for c in study.conditions if c.name == cell.condition)
        gap = fit.cost / scale + fit.curvature / scale**2
        assert cell.verdict != VERIFIED or gap < 0.05


FILE = """
[network]
models = ["a"]
initial = 40
feeds = [{ from = "a", to = "a", samples = 20 }, { from = "real", to = "a", samples = 20 }]
[family]
name = "linear"
theta = [1.0]
[grid]
scale = [1, 2, 4]
seed = [0, 1]
"""


def test_a_grid_of_scales_is_a_ladder(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(FILE)
    conditions = load_study(path).conditions
    assert [c.ladder for c in conditions] == ["seed=0", "seed=1"] * 3
    assert [c.scale for c in conditions] == [1, 1, 2, 2, 4, 4]
    assert conditions[0].name == "scale=1, seed=0"
    path.write_text(FILE.replace("scale = [1, 2, 4]\n", ""))
    assert [c.ladder for c in load_study(path).conditions] == [None, None]
