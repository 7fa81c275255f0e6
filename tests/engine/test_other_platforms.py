"""Programs lower for platforms that are not here, without functions that those lack.

Nothing is compiled. A program that asks for single precision holds no array in double precision,
which an accelerator computes slowly or not at all; what is left are literals of Python, which the
compiler folds.
"""

import collections
import re

import jax
import numpy as np
import optax
import pytest

import mcjax
from mcjax.draws.settings import own_settings
from mcjax.engine import engine
from mcjax.engine.compiled import compile_study
from mcjax.models.registry import FAMILIES

ACCELERATORS = ("cuda", "rocm", "tpu")
AVAILABLE = {
    "cuda": {"cusolver_potrf_ffi"},  # Cholesky of Newton's method, part of jaxlib's CUDA plugin
    "rocm": {"hipsolver_potrf_ffi"},  # the same for AMD
    "tpu": set(),  # there XLA factorises by itself
}
FEEDS = [("a", "a", 20), ("real", "a", 20), ("a", "b", 40)]
THETA = {
    "gaussian": [0.0, 1.0],
    "categorical": [0.5, 0.3, 0.2],
    "bernoulli": [0.4],
    "poisson_mean": [2.0],
    "gaussian_mixture": [0.0, -2.0, 2.0, 0.0, 0.0],
    "bigram": [0.7, 0.3, 0.2, 0.8],
    "unigram": [0.7, 0.2, 0.1],
}
OPTAX_DOUBLE = {"L-BFGS", "user's, L-BFGS"}
"""Numbers of optax's line search have the default precision, whatever that of the parameters."""
ONE_A_FIT = {"batches": "tensor<4x2xf64>"}
"""So are those of its bias corrections, one number for each of the fits at once."""
DOUBLE = re.compile(r"tensor<(?:\d+x)+f64>")
CALL = re.compile(r"custom_call @(\w+)")


def absolute(theta, x, y):
    return (1 + (y - x @ theta) ** 2) ** 0.5


def normal(key, theta, x):
    return x @ theta + jax.random.normal(key, dtype=theta.dtype)


def net(**given):
    return mcjax.build_network("ab", **{"feeds": FEEDS, "initial": 40, **given})


def kept(selection):
    return net(feeds=[mcjax.Feed("a", "a", 20, keep=selection), ("real", "a", 20), FEEDS[2]])


def of(model, network=None, p=2, **given):
    theta = THETA.get(model.name, [0.5] + [0.1] * (p - 1))
    return mcjax.condition(network or net(), model, theta, **given)


def optimised(make, *arguments):
    return {"estimator": mcjax.Optax(make(0.1), *arguments)}


SOURCE = mcjax.Source("up", samples=20, theta=(1.0, 0.0), covariance=np.eye(2) * 2, noise=2.0)
USERS = mcjax.user_model(absolute, normal)
# path that a kind of program must take, its condition, and settings of the study
QUICK = {
    "least squares by rows": ("fast", of(mcjax.linear()), {"sampling": "rows"}),
    "logistic": ("fast", of(mcjax.logistic()), {}),
    "poisson": ("fast", of(mcjax.poisson()), {}),
    "huber": ("fast", of(mcjax.huber()), {}),
    "many parameters": ("fast", of(mcjax.logistic(), p=10), {}),
    "ridge": ("fast", of(mcjax.penalised(mcjax.logistic(), ridge=0.1)), {}),
    "sufficient statistics": ("statistics", of(mcjax.linear()), {}),
    "reference": ("reference", of(mcjax.logistic()), {"path": "reference"}),
    "gaussian": ("reference", of(mcjax.gaussian()), {}),
}
OTHERS = {
    "relabelled": ("fast", of(mcjax.logistic(), kept(mcjax.Temperature(0.8))), {}),
    "drawn again": ("fast", of(mcjax.linear(), kept(mcjax.Verifier([1.0, 0.0], 1.0))), {}),
    "statistics of few rows": ("statistics", of(mcjax.linear(), net(initial=4), p=3), {}),
    "sums of all generations": (
        "statistics",
        of(mcjax.linear(), net(memory=mcjax.Accumulate())),
        {},
    ),
    "probit": ("fast", of(mcjax.probit()), {}),
    "negative binomial": ("fast", of(mcjax.negative_binomial()), {}),
    "dispersion estimated": ("reference", of(mcjax.nb2(), p=3), {}),
    "multinomial": ("reference", of(mcjax.multinomial(), p=4), {}),
    "quantile": ("fast", of(mcjax.quantile()), {}),
    "quantile, ridge": ("reference", of(mcjax.penalised(mcjax.quantile(), ridge=0.1)), {}),
    "minimum norm": ("reference", of(mcjax.minimum_norm(), p=30), {}),
    "bernoulli": ("reference", of(mcjax.bernoulli()), {}),
    "categorical": ("reference", of(mcjax.categorical()), {}),
    "mixture": ("reference", of(mcjax.gaussian_mixture()), {}),
    "unigram": ("reference", of(mcjax.unigram()), {}),
    "bigram": ("reference", of(mcjax.bigram()), {}),
    "mean of counts": ("reference", of(mcjax.poisson_mean()), {}),
    "firth": ("reference", of(mcjax.penalised(mcjax.logistic(), firth=True)), {}),
    "large p": ("products", of(mcjax.logistic(), p=30), {}),
    "L-BFGS": ("reference", of(mcjax.logistic(), estimator=mcjax.LBFGS()), {}),
    "descent": ("reference", of(mcjax.logistic(), **optimised(optax.sgd, 5)), {}),
    "batches": ("reference", of(mcjax.poisson(), **optimised(optax.adam, 5, 8)), {}),
    "fixed designs": ("fast", of(mcjax.logistic(), design="fixed"), {}),
    "sources": (
        "reference",
        of(mcjax.linear(), net(feeds=[*FEEDS, ("up", "b", 20)], sources=[SOURCE])),
        {},
    ),
    "pool of rows": ("reference", of(mcjax.logistic(), net(memory=mcjax.Accumulate())), {}),
    "subsample": ("reference", of(mcjax.logistic(), net(memory=mcjax.Subsample())), {}),
    "user's": ("reference", of(USERS), {"path": "reference"}),
    "user's, predictors found": ("predictors", of(USERS), {}),
    "user's, L-BFGS": ("reference", of(USERS, estimator=mcjax.LBFGS()), {}),
}
PROGRAMS = QUICK | OTHERS


def compiled(name, precision):
    _, condition, given = PROGRAMS[name]
    return compile_study(
        mcjax.Study((condition,), generations=2, chains=64, precision=precision, **given)
    )


def lowered(name, precision, platform):
    """Return the text of a program for each platform in ``platform``, traced once."""
    study = compiled(name, precision)
    [shared] = study.programs
    task, program = study.task(0, np.arange(4)), shared.program
    arrays = jax.tree.map(lambda leaf: np.stack([np.stack([leaf] * 4)]), task.arrays)
    if precision == "float32":
        arrays = jax.tree.map(engine.single, arrays)
    keys, devices = np.zeros((1, 4, 2), np.uint32), jax.devices()[:1]
    traced = engine.trace(arrays, keys, program, devices=devices, platform=platform[0])
    with own_settings():
        return {one: traced.lower(lowering_platforms=(one,)).as_text() for one in platform}


def check(name, precision):
    for platform, text in lowered(name, precision, ACCELERATORS).items():
        called = set(CALL.findall(text))
        assert called <= AVAILABLE[platform], (platform, called)
        if precision == "float32" and name not in OPTAX_DOUBLE:
            assert set(DOUBLE.findall(text)) <= {ONE_A_FIT.get(name)}, platform


@pytest.mark.by_default("logistic", "reference", "sufficient statistics")
@pytest.mark.parametrize("name", QUICK)
def test_programs_lower_for_accelerators(name):
    check(name, "float32")


@pytest.mark.system  # for its time
@pytest.mark.parametrize(("name", "precision"), [(name, "mixed") for name in QUICK])
def test_mixed_programs_lower_for_accelerators(name, precision):
    check(name, precision)


@pytest.mark.system  # for its time
@pytest.mark.parametrize("name", OTHERS)
def test_other_programs_lower_for_accelerators(name):
    check(name, "float32")


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_path_is_there(name):
    [shared] = compiled(name, "mixed").programs
    assert shared.route.path == PROGRAMS[name][0]


def test_every_family_is_there():
    assert {condition.model.name for _, condition, _ in PROGRAMS.values()} >= set(FAMILIES)


def test_stages_are_kept_apart_on_a_cpu_alone():
    count = collections.Counter(
        {
            platform: text.count("stablehlo.case") + text.count("optimization_barrier")
            for group in (("cpu",), ACCELERATORS)
            for platform, text in lowered("sufficient statistics", "float32", group).items()
        }
    )
    assert count["cpu"] > 0
    assert not any(count[platform] for platform in ACCELERATORS)
