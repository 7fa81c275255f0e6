"""Models without covariates: a model fits the distribution of y and generates from the fitted one.

Estimates are means over the rows of a fit, so sums suffice, and data that accumulate cost the same
in every generation. An estimate may be degenerate: the variance may vanish, a class may die out, or
a rate may reach 0. Such an estimate counts like any other; a model trained on its own output never
recovers from it.

Labels are drawn in the study's draw precision. In float32, a standard deviation below about 1e-7 of
the mean is lost in rounding, and class probabilities are accurate to 2e-7. Where a truth needs more
(:mod:`mcjax.models.rounding`), labels are drawn in double precision. Sums are taken in the fit's
precision about a point near the estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from mcjax.calls import explained
from mcjax.draws import samplers
from mcjax.estimators.predictor import Params, Words
from mcjax.estimators.sufficient_statistics import Statistics, SufficientStatistics, Sums
from mcjax.models.information import Information, same_information
from mcjax.models.model import Functional, Model, Tempering, uniforms
from mcjax.models.rounding import chance_rounding, class_rounding, count_rounding
from mcjax.models.scores import MeanScores

SUM = 1e-9
"""Largest difference from 1 of the sum of class probabilities in a study."""


@dataclass(frozen=True)
class WeightedMean:
    """A model whose estimate is the weighted mean of a function of the rows, as exact laws use it.

    Attributes
    ----------
    spread_loss : float
        How the covariance of generated rows shrinks with the variance of the estimate. If the
        covariance of a real row is V and that of model j's estimate is ``c_jj V``, a row that model
        j generates has the expected covariance ``(1 - spread_loss c_jj) V``.
    """

    spread_loss: float


@dataclass(frozen=True)
class ClassShares(WeightedMean):
    """A model whose estimate is the shares of K classes among the rows.

    Attributes
    ----------
    shares : callable
        ``theta -> (..., K)``, the probabilities of all K classes, for theta (..., p).
    """

    shares: Callable[[Float[np.ndarray, "*C p"]], Float[np.ndarray, "*C K"]]


@dataclass(frozen=True)
class SmoothedShares:
    """A model whose estimate is the smoothed shares of K classes among the rows.

    The model's parameter ``smoothing`` is what a fit adds to the count of every class.
    """


@dataclass(frozen=True)
class PoissonRate(WeightedMean):
    """A model whose estimate is the mean of Poisson counts."""


@dataclass(frozen=True)
class GaussianMoments:
    """A model whose estimate is the mean and the variance of normal rows.

    The model's parameter ``unbiased`` is 1 if variances divide by N - 1 and 0 if they divide by N.
    """


@explained
def categorical() -> Model:
    """Return the model of K classes, ``y = 0, ..., K - 1`` with probabilities theta.

    Notes
    -----
    As an M-estimator, its loss is the squared distance from the unit vector of the class,
    ``|1_y - theta|^2 / 2``. H is the identity and ``V = diag(theta) - theta theta'``, which is
    singular because probabilities add up to 1.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=50, initial=50)
    >>> mcjax.condition(network, mcjax.categorical(), theta=[0.5, 0.3, 0.2]).theta
    array([0.5, 0.3, 0.2])
    """
    return generative_model(
        "categorical",
        loss=_categorical_loss,
        sample=_categorical_sample,
        information=categorical_information,
        statistics=Statistics(_categorical_summary, _categorical_estimate),
        check=_categorical_check,
        scores=MeanScores(_categorical_covariance),
        rounding=class_rounding,
        tempering=SHARES_TEMPERING,
        generative=ClassShares(1.0, _all_classes),
        functionals=(
            Functional("heterozygosity", _heterozygosity, "ratio", _at_most_one),
            Functional("richness", _richness, "ratio", _at_most_others),
            Functional("rarest_extinct", _rarest_extinct, "chance", _at_most_one),
        ),
    )


@explained
def bernoulli() -> Model:
    """Return the model of y = 0 or 1, theta = (probability of 1,): two classes, one parameter.

    Notes
    -----
    The loss is ``(y - theta)^2 / 2``, so ``H = 1`` and ``V = theta (1 - theta)``.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=50, initial=50)
    >>> mcjax.condition(network, mcjax.bernoulli(), theta=[0.1]).theta
    array([0.1])
    """
    return generative_model(
        "bernoulli",
        loss=_squared_loss,
        sample=_bernoulli_sample,
        information=bernoulli_information,
        statistics=Statistics(_bernoulli_summary, _bernoulli_estimate),
        check=_bernoulli_check,
        scores=MeanScores(_bernoulli_covariance),
        rounding=chance_rounding,
        tempering=CHANCE_TEMPERING,
        mirror=_complement,
        generative=ClassShares(1.0, both_classes),
        functionals=(
            Functional("heterozygosity", _bernoulli_heterozygosity, "ratio", _at_most_one),
            Functional("richness", _bernoulli_richness, "ratio", _at_most_one),
            Functional("rarest_extinct", _bernoulli_rarest_extinct, "chance", _at_most_one),
        ),
    )


@explained
def poisson_mean() -> Model:
    """Return the model of counts, ``y ~ Poisson(theta)`` with theta = (rate,).

    Notes
    -----
    The loss is ``(y - theta)^2 / 2``, so ``H = 1`` and ``V = theta``.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=50, initial=50)
    >>> mcjax.condition(network, mcjax.poisson_mean(), theta=[2.5]).theta
    array([2.5])
    """
    return generative_model(
        "poisson_mean",
        loss=_squared_loss,
        sample=_poisson_sample,
        information=poisson_mean_information,
        statistics=Statistics(_poisson_summary, _poisson_estimate),
        check=_poisson_check,
        scores=MeanScores(_poisson_covariance),
        rounding=count_rounding,
        generative=PoissonRate(0.0),
        functionals=(Functional("alive", _alive, "chance", _at_most_one),),
    )


def generative_model(name: str, *, least_rows: int = 1, **known: Any) -> Model:
    """Return a model without covariates whose sums suffice; see :class:`mcjax.Model`."""
    return Model(
        name=name,
        covariates=0,
        estimator=SufficientStatistics(),
        least_rows=least_rows,
        **known,
    )


def _at_most_one(p: int) -> float:
    return 1.0


def _at_most_others(p: int) -> float:
    return p - 1.0


# ------------------------------------------------------------------------------------- categorical


def _sharpened(params: Params, theta: Any, temperature: Any) -> tuple[Params, Any]:
    # relative to the largest, whose power is 1, so that not all of them underflow
    power = (theta / theta.max(0, keepdims=True)) ** (1 / temperature)
    return params, power / power.sum(0, keepdims=True)


def _sharpening(theta: np.ndarray, temperature: float) -> np.ndarray:
    """Return the derivative of ``q = theta^(1/T) / sum``, with ``dq_k / dlog theta_j`` known."""
    _, q = _sharpened({}, theta, temperature)
    with np.errstate(divide="ignore"):
        ratio = np.where(theta > 0, 1 / theta, 0.0)  # classes that died out stay so
    return (np.diag(q) - np.outer(q, q)) * ratio / temperature


SHARES_TEMPERING = Tempering(_sharpened, _sharpening)
"""Probabilities are raised to the power 1 / T, and divided by their sum."""


def _categorical_loss(params: Params, theta: Array, x: Array, y: Array) -> Array:
    return 0.5 * jnp.sum((_categorical_summary(params, theta, x, y) - theta) ** 2)


def _categorical_sample(params: Params, theta: Array, x: Array, words: Words) -> Array:
    """Draw a class by inverting the cumulative probabilities.

    The result is the first class that is not extinct and whose cumulative probability exceeds u
    times the total. Rounding of the sums therefore never revives an extinct class.
    """
    u, _ = uniforms(words, theta.dtype)
    ends = jnp.where(theta > 0, jnp.cumsum(theta), -1)
    return jnp.argmax(ends > u * ends.max()).astype(theta.dtype)


def _categorical_summary(params: Params, pivot: Array, x: Array, y: Array) -> Array:
    return (y == jnp.arange(len(pivot), dtype=y.dtype)).astype(y.dtype)


def _categorical_estimate(params: Params, pivot: Array, sums: Sums) -> tuple[Array, Array]:
    theta = (
        sums.total / sums.total.sum()
    )  # not / mass: a class that is left alone must have exactly 1
    return theta, jnp.asarray(True)


def _categorical_check(truth: np.ndarray) -> str:
    if len(truth) < 2 or (truth < 0).any() or abs(truth.sum() - 1) > SUM:
        return "must be the probabilities of two or more classes, which add up to 1"
    return ""


def _categorical_covariance(theta: np.ndarray) -> np.ndarray:
    return np.diag(theta) - np.outer(theta, theta)


def categorical_information(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"]
) -> Information:
    """Return ``H = I`` and ``V = diag(theta) - theta theta'`` of the squared loss."""
    return same_information(np.eye(len(theta)), np.diag(theta) - np.outer(theta, theta))


def _all_classes(theta: np.ndarray) -> np.ndarray:
    return theta


def _heterozygosity(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.sum(theta * (1 - theta), axis=-1)


def _richness(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.sum(theta > 0, axis=-1)


def _rarest_extinct(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return theta[..., int(np.argmin(truth))] == 0


# --------------------------------------------------------------------------------------- bernoulli


def _sharpened_chance(params: Params, theta: Any, temperature: Any) -> tuple[Params, Any]:
    larger = 0.5 + abs(theta - 0.5)  # of both, so that not both powers underflow
    power, other = ((p / larger) ** (1 / temperature) for p in (theta, 1 - theta))
    return params, power / (power + other)


def _sharpening_chance(theta: np.ndarray, temperature: float) -> np.ndarray:
    _, q = _sharpened_chance({}, theta, temperature)
    spread = theta * (1 - theta)
    return np.diag(np.where(spread > 0, q * (1 - q) / np.where(spread > 0, spread, 1), 0.0)) / (
        temperature
    )


CHANCE_TEMPERING = Tempering(_sharpened_chance, _sharpening_chance)


def _complement(theta: Any) -> Any:
    return 1 - theta


def _squared_loss(params: Params, theta: Array, x: Array, y: Array) -> Array:
    return 0.5 * (y - theta[0]) ** 2


def _bernoulli_sample(params: Params, theta: Array, x: Array, words: Words) -> Array:
    u = samplers.graded_uniform(*words, theta.dtype)  # so that rare events are not rounded away
    # u is never 0, but may be 1: both theta = 0 and theta = 1 stay exact
    return (u <= theta[0]).astype(theta.dtype)


def _bernoulli_summary(params: Params, pivot: Array, x: Array, y: Array) -> Array:
    return jnp.stack([y, 1 - y])


def _bernoulli_estimate(params: Params, pivot: Array, sums: Sums) -> tuple[Array, Array]:
    theta = sums.total[:1] / sums.total.sum()
    return theta, jnp.asarray(True)


def _bernoulli_check(truth: np.ndarray) -> str:
    if len(truth) != 1 or not 0 <= truth[0] <= 1:
        return "must be one probability, from 0 to 1"
    return ""


def _bernoulli_covariance(theta: np.ndarray) -> np.ndarray:
    return np.diag(theta * (1 - theta))


def bernoulli_information(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"]
) -> Information:
    """Return ``H = 1`` and ``V = theta (1 - theta)`` of the squared loss."""
    return same_information(np.eye(1), np.diag(theta * (1 - theta)))


def both_classes(theta: Float[np.ndarray, "*C p"]) -> Float[np.ndarray, "*C 2"]:
    """Return the probabilities of 1 and of 0, in that order, shape (..., 2)."""
    return np.concatenate([theta, 1 - theta], axis=-1)


def _bernoulli_heterozygosity(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return _heterozygosity(both_classes(theta), truth)


def _bernoulli_richness(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return _richness(both_classes(theta), truth)


def _bernoulli_rarest_extinct(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return _rarest_extinct(both_classes(theta), both_classes(truth))


# ------------------------------------------------------------------------------------ poisson_mean


def _poisson_sample(params: Params, theta: Array, x: Array, words: Words) -> Array:
    u, _ = uniforms(words, theta.dtype)
    return samplers.poisson(u, theta[0])


def _poisson_summary(params: Params, pivot: Array, x: Array, y: Array) -> Array:
    return y[None]


def _poisson_estimate(params: Params, pivot: Array, sums: Sums) -> tuple[Array, Array]:
    theta = sums.total / sums.mass
    return theta, jnp.asarray(True)


def _poisson_check(truth: np.ndarray) -> str:
    if len(truth) != 1 or not truth[0] > 0:
        return "must be one positive number, a rate"
    return ""


def _poisson_covariance(theta: np.ndarray) -> np.ndarray:
    return np.diag(theta)


def poisson_mean_information(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"]
) -> Information:
    """Return ``H = 1`` and ``V = theta`` of the squared loss."""
    return same_information(np.eye(1), np.diag(theta))


def _alive(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return theta[..., 0] > 0
