"""Fits of many parameters by products of matrices, against the reference path."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import mcjax
from mcjax.engine import engine
from mcjax.engine.compiled import compile_study
from mcjax.engine.platforms import one_device_reason
from mcjax.estimators.chord import Chord
from mcjax.solvers.status import Status

P = 21
"""The fewest parameters of this path."""
FAMILIES = {
    "logistic": mcjax.logistic(),
    "poisson": mcjax.poisson(),
    "huber": mcjax.huber(),
    "ridge": mcjax.penalised(mcjax.logistic(), ridge=0.05),
}
APART = {"mixed": 2e-9, "float64": 2e-7, "float32": 0.02}
"""Largest difference between the two paths in standard deviations of estimates. In double precision
it is that of ``huber``, where rows beyond the threshold leave the last step of the reference an
error of 1e-8; in ``mixed``, labels of ``huber`` depend on parents in single precision."""


def study_of(model, rows, precision="mixed", **options):
    """Two models that train on each other, from real data and alone."""
    net = mcjax.build_network("ab", [("real", "a", rows), ("b", "a", rows), ("a", "b", rows)], rows)
    own = mcjax.condition(net, model, [0.5] + [0.0] * (P - 1))
    return mcjax.Study((own,), generations=2, chains=8, precision=precision, **options)


def trajectory(study):
    compiled = compile_study(study)
    [shared] = compiled.programs
    [(_, found)] = compiled.trajectories(shared, np.arange(study.chains))
    return found, shared


def check(study):
    """Compare with the reference path; return the statuses of fits."""
    (ours, shared), (other, _) = trajectory(study), trajectory(replace(study, path="reference"))
    assert shared.route.path == "products"
    assert shared.program.estimator == Chord()
    np.testing.assert_array_equal(ours.status, other.status)
    known = np.isfinite(other.theta)
    np.testing.assert_array_equal(known, np.isfinite(ours.theta))
    if known.any():
        apart = np.abs(ours.theta - other.theta)[known].max()
        assert apart < APART[study.precision] * np.std(other.theta[known])
    return ours


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("logistic", "mixed"),
        pytest.param("poisson", "float32", marks=pytest.mark.system),
        pytest.param("huber", "float64", marks=pytest.mark.system),
        pytest.param("ridge", "mixed", marks=pytest.mark.system),
    ],
)
def test_the_reference_finds_the_same(name, precision):
    found = check(study_of(FAMILIES[name], 15 * P, precision))
    assert (found.status == Status.CONVERGED).all()


@pytest.mark.system
def test_every_fit_ends_as_on_the_reference_path():
    """Some labels of few rows are separated, so that readers of those models have no data."""
    status = check(study_of(mcjax.logistic(), 3 * P)).status
    assert {Status.CONVERGED, Status.SEPARATED, Status.PARENT_FAILED} <= set(np.unique(status))


@pytest.mark.system
def test_covariates_that_leave_theta_open():
    """A Hessian that is singular in single precision is left to damped steps in double."""
    covariance = np.eye(P)
    covariance[0, 1] = covariance[1, 0] = 1
    study = study_of(mcjax.logistic(), 15 * P)
    own = replace(study.conditions[0], covariance=covariance)
    assert (check(replace(study, conditions=(own,))).status[:, 0] == Status.RANK_DEFICIENT).all()


def test_the_program_may_run_on_several_devices():
    compiled = compile_study(study_of(mcjax.logistic(), 15 * P))
    task, program = compiled.task(0, np.arange(2)), compiled.programs[0].program
    arrays = jax.tree.map(lambda leaf: np.stack([np.stack([leaf] * 2)]), task.arrays)
    keys, devices = np.zeros((1, 2, 2), np.uint32), jax.devices()[:1]
    lowered = engine.trace(arrays, keys, program, devices=devices, platform="cpu").lower()
    assert one_device_reason(lowered.as_text()) is None


def test_what_takes_this_path():
    loop = mcjax.topologies.self_loop(samples=150, initial=300)

    def path(model, p=P, **options):
        own = mcjax.condition(loop, model, [0.1] * p, **options)
        return compile_study(mcjax.Study((own,))).by_condition[0].route.path

    many = {"p": 100}
    assert path(mcjax.logistic(), **many) == path(mcjax.logistic()) == "products"
    assert path(mcjax.logistic(), p=P - 1) == "fast"
    assert path(mcjax.logistic(), estimator=mcjax.Newton()) == "products"
    for model, options in (
        (mcjax.penalised(mcjax.logistic(), firth=True), {}),
        (mcjax.logistic(), {"estimator": mcjax.LBFGS()}),
        (mcjax.logistic(), {"estimator": mcjax.Newton(limit=7)}),
    ):
        assert path(model, **options) == "reference"
