"""Settings that a user has made for JAX change neither results nor whether a run ends."""

from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import optax
import pytest

from mcjax import api
from mcjax.draws.settings import as_here, double_precision, own_settings
from mcjax.estimators.gradient_steps import Optax
from mcjax.models.glm import logistic, poisson
from mcjax.network.build import build_network
from mcjax.study.study import Study, condition

NET = build_network("a", [("a", "a", 4), ("real", "a", 4)], 8)
SETTINGS = {
    "debug_nans": lambda: jax.debug_nans(True),
    "debug_infs": lambda: jax.debug_infs(True),
    "another generator": lambda: jax.threefry_partitionable(False),
}
BATCHES = Optax(optax.sgd(0.1), steps=5, batch_size=3)


def found(model, theta, estimator):
    study = Study((condition(NET, model, theta, estimator=estimator),), generations=2, chains=128)
    trajectory = api.replay(study, "", 1)
    rows = list(api.replay_data(study, "", 1, trajectory))
    [tally] = api.simulate(study)
    api.predict(study)
    return jax.tree.leaves((trajectory, rows, tally))


@pytest.mark.system  # each setting compiles programs of its own
@pytest.mark.parametrize(
    ("model", "estimator", "setting"),
    [
        (logistic(), None, "debug_nans"),
        (poisson(), None, "debug_infs"),
        (logistic(), BATCHES, "another generator"),
    ],
    ids=["logistic", "poisson", "batches"],
)
def test_results_are_the_same_under_other_settings(model, estimator, setting):
    """With four rows of each origin most logistic fits fail, so that estimates are NaN. The
    generators differ in what an estimator draws."""
    usual = found(model, [2.0, -2.0], estimator)
    with SETTINGS[setting]():
        under = found(model, [2.0, -2.0], estimator)
    for one, other in zip(usual, under, strict=True):
        np.testing.assert_array_equal(one, other)


def test_settings_are_those_of_the_caller_afterwards():
    with jax.debug_nans(True), own_settings():
        assert not jax.config.jax_debug_nans
    with jax.debug_nans(True):
        with own_settings():
            pass
        assert jax.config.jax_debug_nans


def test_other_threads_compute_with_the_settings_of_the_caller():
    def settings():
        config = jax.config
        return config.jax_enable_x64, config.jax_numpy_dtype_promotion, config.jax_disable_jit

    with ThreadPoolExecutor(1) as pool:
        with jax.numpy_dtype_promotion("standard"), jax.disable_jit(), double_precision(on=False):
            there = as_here(settings)
            assert pool.submit(there).result() == (False, "standard", True)
        assert pool.submit(as_here(settings)).result() == (True, "strict", False)


def test_chains_run_in_the_precision_of_the_caller():
    """Chunks are started in another thread, where the ``with`` of this one is not in force."""
    study = Study((condition(NET, poisson(), [0.1, 0.1]),), generations=1, chains=256, chunk=128)
    [expected] = api.simulate(study)
    jax.config.update("jax_enable_x64", False)
    try:
        with double_precision():
            [found] = api.simulate(study)
    finally:
        jax.config.update("jax_enable_x64", True)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other)
