"""Problems of estimation: models, and data sets of which some are spoilt."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mcjax.estimators.estimator import Dataset
from mcjax.estimators.objective import mean_loss
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import bernoulli, categorical, poisson_mean
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.minimum_norm import minimum_norm
from mcjax.models.nb2 import nb2
from mcjax.models.penalised import penalised
from mcjax.models.quantile import quantile
from mcjax.models.user import user_model

PAIRS, P, PLAIN = 30, 3, 4
LANES = ("scaled", "padded", "empty", "nonfinite", "deficient", "separated")
AT = {name: PLAIN + i for i, name in enumerate(LANES)}
"""Lanes after the ordinary ones: the first again with other weights or padding, and spoilt ones."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A model, labels for it, and the estimate by other means.

    ``labels(rng, eta)`` draws labels; ``start`` is where fits begin. ``spoilt`` names the status of
    the lanes in which a fit fails.
    """

    model: Any
    labels: Callable
    start: Any = None
    covariates: int = P
    spoilt: tuple[str, ...] = ("nonfinite", "deficient")
    rows: int = 2 * PAIRS


def gaussian_scale(theta, x, y):
    return theta["log_scale"] + 0.5 * ((y - x @ theta["mean"]) * jnp.exp(-theta["log_scale"])) ** 2


def normal(rng, eta):
    return eta + rng.normal(size=eta.shape)


def heavy(rng, eta):
    return eta + rng.standard_t(2, size=eta.shape)


def binary(rng, eta):
    return (rng.random(eta.shape) < 1 / (1 + np.exp(-eta))).astype(float)


TWO_BLOCKS = {"mean": jnp.zeros(P), "log_scale": jnp.zeros(())}
BLOCKS = user_model(gaussian_scale, lambda key, theta, x: x @ theta["mean"])
ALONE = {"covariates": 0, "spoilt": ("nonfinite",)}
PROBLEMS = {
    "linear": Problem(linear(), normal),
    "logistic": Problem(logistic(), binary, spoilt=("nonfinite", "deficient", "separated")),
    "poisson": Problem(poisson(), lambda rng, eta: rng.poisson(np.exp(eta)).astype(float)),
    "dispersed": Problem(
        nb2(),
        lambda rng, eta: rng.poisson(np.exp(eta) * rng.gamma(0.5, 2, eta.shape)).astype(float),
        jnp.zeros(P + 1),
        spoilt=("nonfinite", "deficient", "separated"),
    ),
    "huber": Problem(huber(), heavy),
    "two blocks": Problem(BLOCKS, normal, TWO_BLOCKS),
    "ridge": Problem(penalised(linear(), ridge=0.3), normal, spoilt=("nonfinite",)),
    "ridge logistic": Problem(penalised(logistic(), ridge=0.1), binary, spoilt=("nonfinite",)),
    "ridge two blocks": Problem(
        penalised(BLOCKS, ridge=0.2), normal, TWO_BLOCKS, spoilt=("nonfinite",)
    ),
    "firth": Problem(penalised(logistic(), firth=True), binary),
    "quantile": Problem(quantile(0.3), heavy),
    "ridge quantile": Problem(penalised(quantile(0.3), ridge=0.05), heavy, spoilt=("nonfinite",)),
    "tall": Problem(minimum_norm(), normal),
    "wide": Problem(minimum_norm(), normal, rows=2),
    "gaussian": Problem(gaussian(unbiased=False), normal, jnp.array([0.0, 1.0]), **ALONE),
    "categorical": Problem(
        categorical(),
        lambda rng, eta: rng.integers(0, 3, eta.shape).astype(float),
        jnp.full(3, 1 / 3),
        covariates=0,
        spoilt=(),  # a label that is no class counts for none
    ),
    "bernoulli": Problem(
        bernoulli(), lambda rng, eta: (eta > 0).astype(float), jnp.array([0.5]), **ALONE
    ),
    "poisson_mean": Problem(
        poisson_mean(), lambda rng, eta: rng.poisson(2, eta.shape) + 0.0, jnp.ones(1), **ALONE
    ),
}


@cache
def data_sets(problem):
    """Ordinary data sets with some rows of weight 0, then the lanes of ``LANES``."""
    own = PROBLEMS[problem]
    rng = np.random.default_rng(5)
    lanes = PLAIN + len(LANES)
    theta = 0.5 * rng.normal(size=(lanes, P))
    x = rng.normal(size=(lanes, P, 2 * PAIRS))
    y = own.labels(rng, np.einsum("lp,lpn->ln", theta, x))
    weight = np.where(rng.random((lanes, PAIRS)) < 0.1, 0.0, rng.uniform(0.5, 2, (lanes, PAIRS)))
    weight[:, 0] = 1.0
    weight[:, own.rows // 2 :] = 0.0
    weight[:, 3] *= own.rows > 6
    weight = np.tile(weight, 2)
    for name in ("scaled", "padded"):
        for values in (x, y, weight):
            values[AT[name]] = values[0]
    weight[AT["scaled"]] *= 7.0
    off = weight[0] == 0
    x[AT["padded"], :, off] = 50.0
    y[AT["padded"], off] = 1.0
    weight[AT["empty"]] = 0.0
    y[AT["nonfinite"], 0] = np.nan
    if own.rows > P:
        x[AT["deficient"], 1] = -0.5 * x[AT["deficient"], 0]
    else:
        x[AT["deficient"], :, PAIRS] = 2 * x[AT["deficient"], :, 0]
    if "separated" in own.spoilt:
        y[AT["separated"]] = x[AT["separated"], 0] + 2 * x[AT["separated"], 1] > 0
    return Dataset(jnp.asarray(x[:, : own.covariates]), jnp.asarray(y), jnp.asarray(weight))


def start_of(problem):
    own = PROBLEMS[problem]
    return jnp.zeros(P) if own.start is None else own.start


def lane(problem, i):
    return jax.tree.map(lambda leaf: leaf[i], data_sets(problem))


@jax.jit
def objective(model, data, theta):
    return jax.value_and_grad(lambda at: mean_loss(model, data, at))(theta)
