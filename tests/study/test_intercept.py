"""``[covariates] intercept``: what a study says of it, and what is refused."""

import numpy as np
import pytest

import mcjax
from mcjax.study.identity import identity

LOOP = mcjax.topologies.self_loop(samples=50, initial=50)
STUDY = """
[network]
models = ["a"]
initial = 100
feeds = [{ from = "a", to = "a", samples = 100 }, { from = "s", to = "a", samples = 100 }]
sources = [{ name = "s", covariance = [[2.0]] }]
[covariates]
intercept = true
covariance = [[4.0]]
models = { a = [[3.0]] }
[family]
name = "logistic"
theta = [1.0, -1.0]
"""


def made(*theta, **choices):
    return mcjax.condition(LOOP, mcjax.logistic(), theta, **choices)


def test_a_file_and_python_make_the_same_condition(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    [condition] = mcjax.load_study(path).conditions
    assert condition.intercept
    for found, variance in (
        (condition.covariance, 4.0),
        (condition.own_covariances[0], 3.0),
        (condition.sources.covariance[1], 2.0),
    ):
        np.testing.assert_array_equal(found, np.diag([1.0, variance]))
    assert condition.covariate_laws.models.mean.tolist() == [1, 0]
    assert condition.covariate_laws.sources[1].covariance.tolist() == [[0, 0], [0, 2]]


def test_results_are_told_apart_and_ladders_keep_it():
    one, other = (mcjax.Study((made(1.0, 1.0, intercept=k),)) for k in (True, False))
    assert identity(one) != identity(other)
    rungs = mcjax.ladder(made(1.0, 1.0, intercept=True, covariance=[[4.0]]), [1, 2])
    assert all(rung.intercept and rung.covariance[1, 1] == 4 for rung in rungs)


@pytest.mark.parametrize(
    ("theta", "choices", "told"),
    [
        ((1.0,), {}, "covariates.intercept: is the only covariate"),
        (
            (1.0, 1.0),
            {"covariance": np.eye(2)},
            "covariates.covariance: must be 1 row of 1 finite number, as theta has 2, the first of"
            " them for the intercept",
        ),
    ],
)
def test_what_is_refused(theta, choices, told):
    with pytest.raises(mcjax.InputError, match=told):
        made(*theta, intercept=True, **choices)


def test_models_without_covariates_have_none():
    with pytest.raises(mcjax.InputError, match="covariates: do not exist in the family"):
        mcjax.condition(LOOP, mcjax.gaussian(), [0.0, 1.0], intercept=True)


def test_data_have_their_own():
    data = mcjax.Data.from_file("statsmodels:engel", "foodexp", standardise=True)
    with pytest.raises(mcjax.InputError, match="is that of the data; leave it out"):
        mcjax.condition(LOOP, mcjax.linear(), data=data, intercept=True)
