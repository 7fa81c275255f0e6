"""The normal model: mean and variance are fitted to the rows and generate the next ones."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from mcjax.arguments import checked
from mcjax.draws import samplers
from mcjax.errors import InputError
from mcjax.estimators.predictor import Params, Words
from mcjax.estimators.sufficient_statistics import Statistics, Sums
from mcjax.models.generative import GaussianMoments, generative_model
from mcjax.models.information import Information, same_information
from mcjax.models.model import Functional, Model, uniforms
from mcjax.models.rounding import normal_rounding
from mcjax.models.scores import NormalScores


@checked
def gaussian(unbiased: bool = True) -> Model:
    """Return the normal model, ``y ~ N(theta_1, theta_2)`` with theta = (mean, variance).

    Parameters
    ----------
    unbiased : bool
        Whether variances divide by N - 1 or by N. With weights w, N is the effective number of
        rows, ``(sum w)^2 / sum w^2``.

    Returns
    -------
    Model
        The model, with one y per row and no x.

    Notes
    -----
    As an M-estimator, its loss is the negative log density and ``H = V = diag(1/s, 1/(2 s^2))`` for
    the variance s.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=10, initial=10)
    >>> condition = mcjax.condition(network, mcjax.gaussian(), theta=[0.0, 1.0])
    >>> [prediction] = mcjax.predict(mcjax.Study((condition,), generations=2))
    >>> sorted(prediction.laws)
    ['first_order']
    """
    if not isinstance(unbiased, bool):
        raise InputError("family.unbiased", f"is {unbiased!r}; give true or false")
    return generative_model(
        "gaussian",
        params={"unbiased": float(unbiased)},
        loss=_loss,
        sample=_sample,
        information=gaussian_information,
        statistics=Statistics(_summary, _estimate),
        check=_check,
        scores=NormalScores(),
        rounding=normal_rounding,
        generative=GaussianMoments(),
        functionals=(
            Functional("variance", _variance, "ratio", _unbounded),
            Functional("deviation", _deviation, "ratio", _unbounded),
            Functional("log_deviation", _log_deviation, "logarithm", _unbounded),
            Functional("mean_square", _mean_square, "ratio", _unbounded),
        ),
        least_rows=2,
    )


def _unbounded(p: int) -> float:
    return math.inf


def _loss(params: Params, theta: Array, x: Array, y: Array) -> Array:
    return 0.5 * (jnp.log(theta[1]) + (y - theta[0]) ** 2 / theta[1])


def _sample(params: Params, theta: Array, x: Array, words: Words) -> Array:
    u, v = uniforms(words, theta.dtype)
    return theta[0] + jnp.sqrt(theta[1]) * jnp.sqrt(-2 * jnp.log(u)) * samplers.turn(v)[0]


def _summary(params: Params, pivot: Array, x: Array, y: Array) -> Array:
    off = y - pivot[0]
    return jnp.stack([off, off**2])


def _estimate(params: Params, pivot: Array, sums: Sums) -> tuple[Array, Array]:
    rows = sums.rows
    mean = sums.total[0] / sums.mass
    spread = jnp.maximum(sums.total[1] / sums.mass - mean**2, 0)
    theta = jnp.stack([pivot[0] + mean, spread * rows / (rows - params["unbiased"])])
    return theta, jnp.asarray(True)


def _check(truth: np.ndarray) -> str:
    if len(truth) != 2 or not truth[1] > 0:
        return "must be two numbers, a mean and a positive variance"
    return ""


def gaussian_information(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"]
) -> Information:
    """Return the Fisher information ``H = V = diag(1/s, 1/(2 s^2))`` for the variance s."""
    fisher = np.diag([1 / theta[1], 0.5 / theta[1] ** 2])
    return same_information(fisher, fisher)


def _variance(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return theta[..., 1]


def _deviation(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.sqrt(theta[..., 1])


def _log_deviation(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):  # no variance left
        return 0.5 * np.log(theta[..., 1])


def _mean_square(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return (theta[..., 0] - truth[0]) ** 2
