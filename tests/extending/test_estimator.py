"""An estimator written against the public interface alone, from study to verdict."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax

sys.path.insert(0, str(Path(__file__).parent))
from reweighted import Reweighted

pytestmark = pytest.mark.system


def study(estimator=None, model=None, **options):
    net = mcjax.topologies.self_loop(samples=300, real=300, initial=600)
    one = mcjax.condition(net, model or mcjax.logistic(), [0.5, -1.0], estimator=estimator)
    return mcjax.Study((one,), generations=2, tolerance=0.3, **options)


def test_its_chains_are_those_of_newton():
    own, newton = (
        mcjax.replay(study(estimator, chains=2, precision="float64", path="reference"), "", 7)
        for estimator in (Reweighted(), mcjax.Newton())
    )
    np.testing.assert_array_equal(own.status, newton.status)
    np.testing.assert_allclose(own.theta, newton.theta, atol=1e-8)


def test_laws_of_estimates_that_minimise_the_loss_are_verified():
    result = mcjax.verify(study(Reweighted(), chains=1024))
    assert {(cell.law, cell.verdict) for cell in result.cells} == {("first_order", "verified")}
    assert not result.failures


def test_every_way_to_end_has_a_status():
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 40)))
    y = jnp.asarray((rng.random(40) < 0.5).astype(float))
    full, start, key = jnp.ones(40), jnp.zeros(2), jax.random.key(0)
    cases = {
        mcjax.Status.CONVERGED: (x, y, full),
        mcjax.Status.NOT_FITTED: (x, y, 0 * full),
        mcjax.Status.RANK_DEFICIENT: (x.at[1].set(0), y, full),
    }
    for status, data in cases.items():
        fit = Reweighted().fit(mcjax.logistic(), mcjax.Dataset(*data), start, key)
        assert fit.status == status
        assert jnp.isnan(fit.theta).all() == (status != mcjax.Status.CONVERGED)
    short = Reweighted(limit=1).fit(mcjax.logistic(), mcjax.Dataset(x, y, full), start, key)
    assert short.status == mcjax.Status.STEP_LIMIT


def test_other_models_are_refused():
    with pytest.raises(mcjax.InputError, match="estimator: is for logistic regression"):
        mcjax.verify(study(Reweighted(), mcjax.poisson(), chains=2))
