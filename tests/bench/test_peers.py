"""The contestants of ``benchmarks/speed.py`` estimate what they are said to."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

pytestmark = pytest.mark.statistical

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ROWS, P, GENERATIONS = 200, 2, 2
Z = 4.892


@pytest.fixture
def peers():
    spec = importlib.util.spec_from_file_location("peers", BENCHMARKS / "peers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # as users write it
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield module


def check(estimates, truth):
    """Compare the means of the last estimates, (chains, models, p), with the truth.

    A ring with a real source keeps its mean. Labels of another family move it by many errors.
    """
    chains = np.asarray(estimates).mean(1)
    error = chains.std(0, ddof=1) / len(chains) ** 0.5
    np.testing.assert_array_less(np.abs(chains.mean(0) - truth) / error, Z)
    assert (error < 0.1).all()


@pytest.mark.parametrize("name", ["logistic", "poisson", "huber"])
def test_vmapped_chains(peers, name):
    chains = peers.jax_chains(name, peers.newton(name), ROWS, P, GENERATIONS, np.float64)
    check(jax.jit(chains)(jax.random.split(jax.random.key(0), 64)), peers.truth(P))


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", ["logistic", "poisson", "huber"])
def test_numpy_chains(peers, name, last):
    found = peers.numpy_chains(name, ROWS, P, GENERATIONS, np.float64, 64, 16, last)
    check(found, peers.truth(P))


@pytest.mark.parametrize(
    ("package", "name"),
    [
        *(("statsmodels", name) for name in ("logistic", "poisson", "huber", "linear")),
        # its Huber regression estimates a scale as well
        *(("sklearn", name) for name in ("logistic", "poisson", "linear")),
    ],
)
def test_loops_over_fits(peers, package, name):
    pytest.importorskip(package)
    check(peers.loop_chains(package, name, ROWS, P, GENERATIONS, 16), peers.truth(P))


@pytest.mark.parametrize("name", ["logistic", "poisson", "huber", "linear"])
def test_fits_find_one_solution(peers, name):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((ROWS, P))
    eta = x @ peers.truth(P)
    y = np.asarray(peers.labels(name, jax.random.key(2), jax.numpy.asarray(eta)))
    start = jax.numpy.zeros(P)
    want = np.asarray(peers.newton(name)(start, x, y))
    if name != "linear":
        np.testing.assert_allclose(peers.lbfgs(name)(start, x, y), want, atol=1e-6)
        several = peers.numpy_newton(name, np.zeros((1, P)), x[None], y[None])
        np.testing.assert_allclose(several[0], want, atol=1e-6)
    np.testing.assert_allclose(peers.loop_fit("statsmodels", name)(x, y), want, atol=1e-5)
