"""Chains of losses whose predictors are found, against the reference path."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax
from mcjax.engine import engine
from mcjax.engine.compiled import compile_study
from mcjax.engine.platforms import one_device_reason
from mcjax.solvers.status import Status

APART = {"mixed": 1e-6, "float32": 0.02}
"""Largest difference between the two paths in standard deviations of estimates."""


def loss(theta, x, y):
    return ((y - x @ theta[1:]) * jnp.exp(-theta[0])) ** 2 / 2 + theta[0]


def sample(key, theta, x):
    return x @ theta[1:] + jnp.exp(theta[0]) * jax.random.normal(key, dtype=x.dtype)


def label(key, theta, x):
    return jax.random.bernoulli(key, jax.nn.sigmoid(x @ theta))


OWN = mcjax.user_model(loss, sample, covariates=2)
LOGISTIC = mcjax.user_model(lambda t, x, y: jax.nn.softplus(x @ t) - y * (x @ t), label)


def study_of(model=OWN, rows=30, p=3, net=None, **options):
    net = net or mcjax.build_network("ab", [("real", "a", rows), ("a", "b", rows)], rows)
    settings = {"generations": 2, "chains": 16} | options
    own = {key: settings.pop(key) for key in ("estimator",) if key in settings}
    return mcjax.Study((mcjax.condition(net, model, [0.3] * p, **own),), **settings)


def trajectory(study):
    compiled = compile_study(study)
    [shared] = compiled.programs
    [(_, found)] = compiled.trajectories(shared, np.arange(study.chains))
    return found, shared.route.path


def check(study, precision):
    """Compare with the reference path; return the statuses of fits."""
    ours, path = trajectory(study)
    other, plain = trajectory(replace(study, path="reference"))
    assert (path, plain) == ("predictors", "reference")
    np.testing.assert_array_equal(ours.status, other.status)
    apart = np.nanmax(np.abs(ours.theta - other.theta))
    assert apart < APART[precision] * np.nanstd(other.theta)
    return ours.status


@pytest.mark.parametrize("precision", ["mixed", pytest.param("float32", marks=pytest.mark.system)])
def test_the_reference_finds_the_same(precision):
    check(study_of(precision=precision), precision)


@pytest.mark.system
def test_few_rows():
    """Hessians far from the minimum are indefinite."""
    assert (check(study_of(rows=4), "mixed") == Status.CONVERGED).any()


@pytest.mark.system
def test_separated_labels():
    """Their estimates are at infinity, of which the reference may stop short, where rows end."""
    study = study_of(LOGISTIC, rows=8, generations=1)
    (ours, _), (other, _) = trajectory(study), trajectory(replace(study, path="reference"))
    status, theta = ours.status[:, 0], other.theta[:, 0]
    apart = ~(np.abs(theta).max(axis=-1) < 15)
    assert apart.any()
    assert (status[apart] == Status.SEPARATED).all()
    assert (status[~apart] == Status.CONVERGED).all()
    np.testing.assert_allclose(ours.theta[:, 0][~apart], theta[~apart], atol=1e-9)


def test_the_program_may_run_on_several_devices():
    compiled = compile_study(study_of())
    task, program = compiled.task(0, np.arange(2)), compiled.programs[0].program
    arrays = jax.tree.map(lambda leaf: np.stack([np.stack([leaf] * 2)]), task.arrays)
    keys, devices = np.zeros((1, 2, 2), np.uint32), jax.devices()[:1]
    lowered = engine.trace(arrays, keys, program, devices=devices, platform="cpu").lower()
    assert one_device_reason(lowered.as_text()) is None


def test_what_takes_this_path():
    def path(model=OWN, **options):
        return compile_study(study_of(model, **options)).by_condition[0].route.path

    assert path() == path(estimator=mcjax.Newton()) == path(mcjax.penalised(OWN, ridge=0.1))
    assert path() == "predictors"
    curved = mcjax.user_model(lambda theta, x, y: jnp.sum((y - x * theta) ** 4), sample)
    assert path(curved) == path(estimator=mcjax.LBFGS()) == "reference"
    assert path(solver="lbfgs") == path(estimator=mcjax.Newton(limit=7)) == "reference"
    wrong = mcjax.user_model(lambda theta, x, y: float(y), sample, covariates=2)
    assert path(wrong) == "reference"  # and checks tell what is wrong
