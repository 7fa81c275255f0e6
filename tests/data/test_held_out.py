"""What chains measure on rows that are held out, and the claims about it."""

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from rows import FRAME, MODELS, data_for
from scipy.special import expit, softmax
from sklearn.metrics import accuracy_score, log_loss

import mcjax
from mcjax.laws.validity import SmallSampleBias
from mcjax.report.store import Store
from mcjax.report.tables import show_verification
from mcjax.report.verification import verification_json
from mcjax.study.held_out import BLOCK, EXCESS
from mcjax.text import strict_json
from mcjax.verdicts.quantities.held_out import law_within

PAIR = mcjax.build_network(
    ["a", "b"], [("a", "a", 600), ("b", "b", 300), ("real", "b", 300)], initial=600
)
QUANTITIES = ("held_out", "held_out_growth", "held_out_collapse")


def condition_for(name, **choices):
    data = data_for(name, held_out=0.3, **choices)
    return mcjax.condition(PAIR, MODELS[name], data=data)


def measured(condition, theta):
    found = condition.held_out.values(theta, condition.theta)
    names = [functional.name for functional in condition.functionals]
    return dict(zip(names, found.T, strict=True))


@pytest.fixture(scope="module")
def logistic():
    return condition_for("logistic")


@pytest.fixture(scope="module")
def study(logistic):
    return mcjax.Study(
        (logistic,), generations=4, chains=512, tolerance=0.5, quantities=("mse", *QUANTITIES)
    )


@pytest.fixture(scope="module")
def verification(study):
    return mcjax.verify(study)


def test_classes_are_measured_as_by_scikit_learn(logistic):
    rows, theta = logistic.data.held_out, logistic.theta + np.array([[0.0, 0, 0], [0.4, -0.3, 0.9]])
    found = measured(logistic, theta)
    for k, one in enumerate(theta):
        chance = expit(rows.x @ one)
        assert found["loss"][k] == pytest.approx(log_loss(rows.y, chance), rel=1e-12)
        assert found["accuracy"][k] == pytest.approx(accuracy_score(rows.y, chance > 0.5))
        assert found["share of 1"][k] == pytest.approx(chance.mean(), rel=1e-12)
        largest = np.maximum(chance, 1 - chance)
        right = (chance > 0.5) == rows.y
        bins = np.digitize(largest, np.arange(1, 10) / 10)
        apart = [abs((largest - right)[bins == b].sum()) for b in range(10)]
        assert found["calibration error"][k] == pytest.approx(sum(apart) / len(rows.y), rel=1e-9)


def test_several_classes_are_measured_as_by_scikit_learn():
    """One of them is in no row that is held out."""
    frame = FRAME[["a", "b"]].assign(kind=np.minimum(FRAME["count"], 2))
    data = mcjax.Data.from_frame(frame, "kind", held_out=0.3)
    few = data.held_out.y < 2
    rows = replace(data.held_out, x=data.held_out.x[few], y=data.held_out.y[few])
    data = replace(data, held_out=rows)
    condition = mcjax.condition(PAIR, mcjax.multinomial(classes=3), data=data)
    found = measured(condition, condition.theta[None])
    eta = np.column_stack([np.zeros(len(rows.y)), rows.x @ condition.theta.reshape(2, 3).T])
    chances = softmax(eta, axis=1)
    assert found["loss"] == pytest.approx(log_loss(rows.y, chances, labels=[0, 1, 2]))
    assert found["accuracy"] == pytest.approx(accuracy_score(rows.y, chances.argmax(1)))
    shares = [found[f"share of {k}"][0] for k in range(3)]
    np.testing.assert_allclose(shares, chances.mean(0), rtol=1e-12)


def test_the_calibration_slope_of_least_squares_is_that_of_labels_on_predictions():
    condition = condition_for("linear")
    rows = condition.data.held_out
    found = measured(condition, condition.theta[None] + 0.3)
    expected = np.polyfit(rows.x @ (condition.theta + 0.3), rows.y, 1)[0]
    assert found["calibration slope"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["logistic", "huber"])
def test_the_excess_has_no_linear_part(name):
    """It is a square to second order, with the Hessian of the loss as its metric."""
    condition = condition_for(name)
    step = 1e-4 * np.array([1.0, -2.0, 0.5])
    excess = measured(condition, condition.theta + np.array([step, -step]))[EXCESS]
    square = step @ condition.held_out.around(condition.theta).curvature @ step / 2
    assert excess.mean() == pytest.approx(square, rel=1e-3)


def test_laws_of_the_excess_hold_around_centres_away_from_the_truth(logistic):
    """Against the mean over estimates with the mean and covariance of the law."""
    law = mcjax.Prediction.of(
        1e-4 * np.diag([2.0, 1, 3, 1, 1, 1])[None],
        2,
        np.array([[[0.3, -0.6, 0.5], [-0.4, 0.2, 0.6]]]),
    )
    small = np.full((1, 2, 3), 3e-3)
    known = SmallSampleBias(small, allowance=np.zeros((1, 2)), of_squares=np.zeros((1, 2)))
    law = replace(law, mean=law.mean + small, small_samples=known)
    found = law_within(logistic.held_out, logistic, law).mse[0]
    for i in range(2):
        root = np.linalg.cholesky(3 * law.own_covariances[0, i])
        around = logistic.theta + law.mean[0, i] + np.concatenate([root, -root])
        assert found[i] == pytest.approx(measured(logistic, around)[EXCESS].mean(), rel=1e-3)


def test_estimates_are_measured_in_blocks_whose_size_plays_no_part(logistic):
    rows = len(logistic.data.held_out.y)
    count = BLOCK // rows // 4
    theta = logistic.theta + np.random.default_rng(0).normal(0, 0.1, (count, 3))
    whole = logistic.held_out.values(theta, logistic.theta)
    alone = logistic.held_out.values(theta[:3], logistic.theta)
    np.testing.assert_allclose(whole[:3], alone, rtol=1e-12, atol=1e-14)
    assert logistic.held_out.values(theta[:0], logistic.theta).shape == (0, whole.shape[1])


def test_means_are_shown_by_generation_and_not_judged(study, verification):
    names = {"loss", "accuracy", "calibration error", "share of 1"}
    assert {one.measure for one in verification.measured} == names
    assert len(verification.measured) == len(names) * 5 * 2
    one = next(m for m in verification.measured if (m.measure, m.model) == ("accuracy", "b"))
    assert 0 < one.standard_error < 0.01 < one.mean < 1
    assert one.at_truth == study.conditions[0].held_out.at_truth()["accuracy"]
    text = json.loads(strict_json(verification_json(study, verification)))
    assert text["measured"][0].keys() >= {"model", "generation", "measure", "mean"}
    console = Console(file=io.StringIO(), width=160)
    show_verification(console, study, verification.predictions, verification, seconds=1.0)
    assert "Held-out rows: shown, not judged" in console.file.getvalue()
    variables = verification.to_dataset()
    assert variables["measured"].sel(measure="accuracy").shape == (1, 5, 2)


def test_the_held_out_loss_grows_where_there_is_collapse_and_settles_where_not(verification):
    last = [cell for cell in verification.cells if cell.quantity == "held_out_collapse"]
    assert [cell.predicted > 0.4 for cell in last] == [True, False]
    assert {cell.verdict for cell in last} == {"verified"}
    assert {cell.quantity for cell in verification.cells} >= {"held_out_growth", "held_out_drift"}


def test_a_kept_study_goes_on_with_its_moments(study, tmp_path):
    some = replace(study, chains=130)
    tallies = mcjax.simulate(some)
    Store(tmp_path, some).save(tallies)
    [kept] = Store(tmp_path, some).load()
    ends, again = tallies[0].outcome.moments.ends, kept.outcome.moments.ends
    assert ends.chains.min() == 130
    for before, after in zip(ends, again, strict=True):
        np.testing.assert_array_equal(before, after)


def test_without_held_out_rows_nothing_is_claimed(study):
    [condition] = study.conditions
    condition = replace(condition, data=replace(condition.data, held_out=None))
    quantities = ("mse", "held_out")
    found = mcjax.verify(replace(study, conditions=(condition,), chains=64, quantities=quantities))
    assert {cell.quantity for cell in found.cells} == {"mse"}
    assert [one.reason for one in found.unjudged] == ["no rows are held out; give data.held_out"]
    assert found.measured == ()


def test_labels_of_held_out_rows_are_checked_too():
    counts = pd.DataFrame({"a": FRAME["a"], "count": 1.0})
    data = mcjax.Data.from_frame(counts, "count", held_out=0.3)
    data = replace(data, held_out=replace(data.held_out, y=data.held_out.y + 0.5))
    with pytest.raises(mcjax.InputError, match="labels that are no whole numbers"):
        mcjax.condition(PAIR, mcjax.poisson(), data=data)
    one = data.held_out.y.copy()
    one[1:] = 1.0
    data = replace(data, held_out=replace(data.held_out, y=one))
    with pytest.raises(mcjax.InputError, match="has 1 label that is no whole number of"):
        mcjax.condition(PAIR, mcjax.poisson(), data=data)


def test_results_on_disk_are_told_apart_by_the_rows_that_are_held_out():
    one = data_for("linear", held_out=0.3)
    other = replace(one, held_out=replace(one.held_out, y=one.held_out.y + 1))
    assert one.digest != other.digest
