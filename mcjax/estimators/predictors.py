"""Models of several linear predictors, ``x'theta_1, ..., x'theta_J``.

Theta is a matrix with a row for each predictor, and a vector in chains: one row after the other.
The Hessian of the loss of one row is ``(diag(d) - r r') (x) x x'`` for two vectors d and r that do
not depend on its label. So the Hessian of a fit is a product of two matrices, which costs far less
than automatic differentiation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from mcjax.estimators.predictor import Params


class Predictors(Protocol):
    """The form of a loss whose Hessian over rows is made of products of matrices."""

    @property
    def canonical(self) -> bool:
        """Return whether labels do not enter the Hessian, which is then the information."""

    @property
    def count(self) -> int:
        """Return the number of parameters for each covariate."""

    def derivatives(
        self,
        params: Params,
        x: Float[Array, "q N"],
        y: Float[Array, " N"],
        theta: Float[Array, " p"],
        *,
        share: Float[Array, " N"],
    ) -> tuple[Float[Array, " p"], Float[Array, "p p"]]:
        """Return gradient and Hessian of the sum of losses of rows, each times its ``share``."""

    def separated(
        self,
        x: Float[Array, "q N"],
        y: Float[Array, " N"],
        theta: Float[Array, " p"],
        weight: Float[Array, " N"],
    ) -> Bool[Array, ""]:
        """Return whether theta proves that rows have no estimate."""


class SeveralSlopes(NamedTuple):
    """Derivatives of the loss in J predictors, each of shape (J, N).

    Attributes
    ----------
    slope : Array
        The first derivatives.
    diagonal, direction : Array
        d and r; the second derivatives are ``diag(d) - r r'``.
    """

    slope: Float[Array, "J N"]
    diagonal: Float[Array, "J N"]
    direction: Float[Array, "J N"]


@dataclass(frozen=True)
class LinearPredictors:
    """The form of a model of J linear predictors.

    Attributes
    ----------
    count : int
        J.
    slopes : callable
        ``(params, eta, y) -> SeveralSlopes``, for eta of shape (J, N) and y of shape (N,).
    apart : callable
        ``(eta, y, weight) -> bool``, whether rows, of which those of weight 0 do not count, have no
        estimate, as far as these predictors tell.
    """

    count: int
    slopes: Callable[[Params, Float[Array, "J N"], Float[Array, " N"]], SeveralSlopes]
    apart: Callable[[Float[Array, "J N"], Float[Array, " N"], Float[Array, " N"]], Bool[Array, ""]]
    canonical = True

    def eta(self, x: Float[Array, " q *N"], theta: Float[Array, " p"]) -> Float[Array, " J *N"]:
        """Return the predictors of one row or of many."""
        return jnp.matmul(theta.reshape(self.count, -1), x, precision="highest")

    def derivatives(
        self,
        params: Params,
        x: Float[Array, "q N"],
        y: Float[Array, " N"],
        theta: Float[Array, " p"],
        *,
        share: Float[Array, " N"],
    ) -> tuple[Float[Array, " p"], Float[Array, "p p"]]:
        """Return gradient and Hessian of the sum of losses of rows, each times its ``share``."""
        slope, diagonal, direction = self.slopes(params, self.eta(x, theta), y)
        gradient = jnp.matmul(share[None] * slope, x.T, precision="highest")
        if len(x) * (len(x) + 1) // 2 > len(theta):  # pairs of covariates are too many to hold
            return gradient.ravel(), _by_blocks(x, share, diagonal, direction)
        return gradient.ravel(), _by_pairs(x, share, diagonal, direction)

    def separated(
        self,
        x: Float[Array, "q N"],
        y: Float[Array, " N"],
        theta: Float[Array, " p"],
        weight: Float[Array, " N"],
    ) -> Bool[Array, ""]:
        """Return whether theta proves that rows have no estimate."""
        return self.apart(self.eta(x, theta), y, weight)


def _by_pairs(x: Array, share: Array, diagonal: Array, direction: Array) -> Float[Array, "p p"]:
    """Return the Hessian as one product of weights by products, of pairs of each in one order."""
    (j, k), (u, v) = np.triu_indices(len(diagonal)), np.triu_indices(len(x))
    own = jnp.asarray(j == k, x.dtype)[:, None]
    weights = share[None] * (own * diagonal[j] - direction[j] * direction[k])
    found = jnp.matmul(weights, (x[u] * x[v]).T, precision="highest")
    classes, covariates = _places(len(diagonal)), _places(len(x))
    p = len(diagonal) * len(x)
    return found[classes[:, None, :, None], covariates[None, :, None, :]].reshape(p, p)


def _by_blocks(x: Array, share: Array, diagonal: Array, direction: Array) -> Float[Array, "p p"]:
    """Return the Hessian as J blocks, less the product of a matrix with itself."""
    p = len(diagonal) * len(x)
    blocks = jnp.matmul((share[None] * diagonal)[:, None] * x[None], x.T, precision="highest")
    apart = jnp.eye(len(diagonal), dtype=x.dtype)[:, None, :, None] * blocks[:, :, None]
    across = (direction[:, None] * x[None]).reshape(p, -1)
    return apart.reshape(p, p) - jnp.matmul(share[None] * across, across.T, precision="highest")


def _places(size: int) -> Int[np.ndarray, "size size"]:
    """Return the places of all pairs among those in one order."""
    places = np.zeros((size, size), int)
    places[np.triu_indices(size)] = np.arange(size * (size + 1) // 2)
    return np.maximum(places, places.T)
