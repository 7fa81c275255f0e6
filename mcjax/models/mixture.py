"""Mixtures of normal components, fitted by EM: they have laws although no fit is in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float
from numpy.typing import ArrayLike

from mcjax.arguments import checked
from mcjax.draws import samplers
from mcjax.errors import InputError
from mcjax.estimators.em import EM, WIDEST
from mcjax.estimators.normal_components import Shape, log_densities
from mcjax.estimators.predictor import Params, Words
from mcjax.models.model import Functional, Model
from mcjax.models.rounding import beside
from mcjax.numbers import check_between

MOST = 16
"""Largest number of components, and of dimensions."""
SUM = 1e-9
"""Largest difference from 1 of the sum of weights."""
PARTS = ("weights", "means", "covariances")


@dataclass(frozen=True)
class OverallMoments:
    """A model whose estimate has the mean and the covariance of its rows, whatever else it has.

    Attributes
    ----------
    moments : callable
        ``theta -> (mean, covariance)``, shapes (..., d) and (..., d, d), for theta (..., p).
    """

    moments: Callable[
        [Float[np.ndarray, "*C p"]], tuple[Float[np.ndarray, "*C d"], Float[np.ndarray, "*C d d"]]
    ]


@checked
def gaussian_mixture(components: int = 2, dimensions: int = 1, floor: float = 0.0) -> Model:
    """Return the mixture of K normal components with any covariances, in d dimensions.

    Parameters
    ----------
    components : int
        K, from 1 to 16.
    dimensions : int
        Numbers in a row, d, from 1 to 16.
    floor : float
        Smallest deviation of a component of a fit, as a share of that of all rows, at most 0.1, see
        :class:`mcjax.EM`. Without a floor, fits with a component that shrinks fail, and are
        counted.

    Returns
    -------
    Model
        The model, with a row ``y`` of shape (d,) and no x. It is fitted by :class:`mcjax.EM`,
        which begins at the weighted mean of the parameters behind the data.

    Raises
    ------
    InputError
        If a number is out of range.

    Notes
    -----
    ``theta`` holds logarithms of the weights over the last one, the means, and the Cholesky factors
    of the covariances with the logarithms of their diagonals. A truth may be given by names
    instead, ``{"weights": ..., "means": ..., "covariances": ...}``, of shapes (K,), (K, d) and
    (K, d, d); :func:`mcjax.mixture_parameters` returns its numbers.

    A fitted mixture has exactly the mean and the covariance of its rows. So these two follow an
    exact law, at any overlap of the components and any number of them, also where the components
    themselves are not determined. The first-order law describes the errors of theta where the
    components are apart and rows are many.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=500, initial=500)
    >>> truth = {"weights": [0.5, 0.5], "means": [-2.0, 2.0], "covariances": [1.0, 1.0]}
    >>> condition = mcjax.condition(network, mcjax.gaussian_mixture(), truth)
    >>> condition.theta.tolist()
    [0.0, -2.0, 2.0, 0.0, 0.0]
    """
    check_between("family.components", components, 1, MOST)
    check_between("family.dimensions", dimensions, 1, MOST)
    check_between("family.floor", floor, 0, WIDEST)
    shape = Shape(components, dimensions)
    return replace(_model(shape), estimator=EM(*shape, floor=float(floor)))


@checked
def mixture_parameters(
    weights: ArrayLike, means: ArrayLike, covariances: ArrayLike
) -> Float[np.ndarray, " p"]:
    """Return the parameters of a mixture of normal components.

    Parameters
    ----------
    weights : array_like, shape (K,)
        Positive, with the sum 1.
    means : array_like, shape (K, d)
        Or (K,) for one dimension.
    covariances : array_like, shape (K, d, d)
        Or (K,) for one dimension.

    Returns
    -------
    ndarray, shape (p,)
        What :func:`mcjax.gaussian_mixture` takes as theta.

    Raises
    ------
    InputError
        If a weight is not positive, weights do not add up to 1, shapes do not match, or a matrix is
        no covariance.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.mixture_parameters([0.5, 0.5], [0.0, 3.0], [1.0, 1.0]).tolist()
    [0.0, 0.0, 3.0, 0.0, 0.0]
    """
    given = zip(PARTS, (weights, means, covariances), strict=True)
    share, centres, spreads = (_numbers(name, values) for name, values in given)
    count = len(share) if share.ndim == 1 else 0
    if not count or not (share > 0).all() or abs(share.sum() - 1) > SUM:
        raise InputError("family.theta.weights", "must be positive numbers that add up to 1")
    if centres.ndim == 1:
        centres = centres[:, None]
    if spreads.ndim == 1:
        spreads = spreads[:, None, None]
    if centres.ndim != 2 or len(centres) != count:
        raise InputError("family.theta.means", f"must have a row for each of {count} weights")
    d = centres.shape[1]
    if spreads.shape != (count, d, d):
        raise InputError(
            "family.theta.covariances", f"must be {count} matrices of {d} rows and columns"
        )
    if not np.allclose(spreads, np.swapaxes(spreads, 1, 2), rtol=1e-9, atol=0):
        raise InputError("family.theta.covariances", "must be symmetric matrices")
    try:
        factors = np.linalg.cholesky(spreads)
    except np.linalg.LinAlgError as error:
        problem = "must be positive definite matrices; one is not"
        raise InputError("family.theta.covariances", problem) from error
    rows, columns = np.tril_indices(d)
    lower = factors[:, rows, columns]
    lower[:, rows == columns] = np.log(lower[:, rows == columns])
    return np.concatenate([np.log(share[:-1] / share[-1]), centres.ravel(), lower.ravel()])


def _numbers(name: str, values: ArrayLike) -> np.ndarray:
    try:
        found = np.array(values, float)
    except (TypeError, ValueError) as error:
        raise InputError(f"family.theta.{name}", "must be an array of numbers") from error
    if found.ndim == 0 or not np.isfinite(found).all():
        raise InputError(f"family.theta.{name}", "must be a list of finite numbers")
    return found


def named_parameters(parts: Mapping[str, Any]) -> Float[np.ndarray, " p"]:
    """Return the parameters, shape (p,), of a truth that is given by names."""
    if set(parts) != set(PARTS):
        raise InputError("family.theta", f"is a table; give it {', '.join(PARTS)}, and no more")
    return mixture_parameters(**parts)


@cache  # one model for each shape, so that equal models compile once
def _model(shape: Shape) -> Model:
    moments = partial(overall_moments, shape)

    def variance(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
        _, covariance = moments(theta)
        return np.trace(covariance, axis1=-2, axis2=-1) / shape.dimensions

    def mean_square(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
        return ((moments(theta)[0] - moments(truth)[0]) ** 2).sum(-1)

    def loss(params: Params, theta: Array, x: Array, y: Array) -> Array:
        return -jax.nn.logsumexp(log_densities(shape.unpacked(theta), y), axis=0)

    def check(truth: np.ndarray) -> str:
        k, d = shape
        if len(truth) == shape.size:
            return ""
        return (
            f"has {len(truth)} numbers; a mixture of {k} components in {d} dimensions has"
            f" {shape.size}, or give weights, means and covariances"
        )

    return Model(
        name="gaussian_mixture",
        variant=f"{shape.components} components in {shape.dimensions} dimensions",
        covariates=0,
        least_rows=shape.dimensions + 1,
        loss=loss,
        sample=partial(_sample, shape),
        check=check,
        parametrise=named_parameters,
        rounding=partial(_rounding, shape),
        generative=OverallMoments(moments),
        functionals=(
            Functional("variance", variance, "ratio", _unbounded),
            Functional("mean_square", mean_square, "ratio", _unbounded),
        ),
    )


def _unbounded(p: int) -> float:
    return math.inf


def overall_moments(
    shape: Shape, theta: Float[np.ndarray, "*C p"]
) -> tuple[Float[np.ndarray, "*C d"], Float[np.ndarray, "*C d d"]]:
    """Return the mean and the covariance of mixtures, (..., d) and (..., d, d)."""
    weights, means, factors = _parts(shape, theta)
    mean = np.einsum("...k,...ki->...i", weights, means)
    off = means - mean[..., None, :]
    within = np.einsum("...k,...kil,...kjl->...ij", weights, factors, factors)
    return mean, within + np.einsum("...k,...ki,...kj->...ij", weights, off, off)


def _parts(
    shape: Shape, theta: Float[np.ndarray, "*C p"]
) -> tuple[Float[np.ndarray, "*C K"], Float[np.ndarray, "*C K d"], Float[np.ndarray, "*C K d d"]]:
    """Return weights, means and Cholesky factors in NumPy, for any number of mixtures."""
    k, d = shape
    lead = theta.shape[:-1]
    logs = np.concatenate([theta[..., : k - 1], np.zeros((*lead, 1))], axis=-1)
    weights = np.exp(logs - logs.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    means = theta[..., k - 1 : k - 1 + k * d].reshape(*lead, k, d)
    rows, columns = np.tril_indices(d)
    lower = theta[..., k - 1 + k * d :].reshape(*lead, k, len(rows))
    diagonal = rows == columns
    factors = np.zeros((*lead, k, d, d))
    factors[..., rows, columns] = np.where(diagonal, np.exp(np.where(diagonal, lower, 0)), lower)
    return weights, means, factors


def _rounding(
    shape: Shape,
    params: Params,
    theta: Float[np.ndarray, " p"],
    cov: Float[np.ndarray, "q q"],
    rows: int,
) -> float:
    """Return the unit roundoff at which rows of a component begin to lose their noise."""
    _, means, factors = _parts(shape, theta)
    sizes, noises = np.abs(means), np.diagonal(factors, axis1=1, axis2=2)
    pairs = zip(sizes.ravel().tolist(), noises.ravel().tolist(), strict=True)
    return min(beside(size, noise, rows) for size, noise in pairs)


def _sample(shape: Shape, params: Params, theta: Array, x: Array, words: Words) -> Array:
    """Draw a component by inverting cumulative weights, and a row from it."""
    parts = shape.unpacked(theta)
    u = samplers.uniform(words[0], theta.dtype)
    ends = jnp.cumsum(jnp.exp(parts.log_weights))
    which = jnp.argmax(ends > u * ends[-1])
    normals: list[Array] = []
    while len(normals) < shape.dimensions:
        words = samplers.further_words(words)
        normals += samplers.normal_pair(words, theta.dtype)
    z = jnp.stack(normals[: shape.dimensions])
    return parts.means[which] + (parts.factors[which] * z[None]).sum(1)
