"""Mixtures of normal components as vectors of free parameters, and their densities.

With K components in d dimensions, theta has ``(K - 1) + K d + K d (d + 1) / 2`` numbers: logarithms
of the weights over the last weight, the means, and the rows of the lower Cholesky factor of each
covariance up to the diagonal, of which the logarithm is kept. So every vector is a mixture. Sums
over dimensions are written out, because there are few.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

FAINTEST = -200.0
"""Logarithm of the smallest weight whose parameters still have units of their own."""


class Components(NamedTuple):
    """The components of a mixture.

    Attributes
    ----------
    log_weights : Array
        Logarithms of the weights, shape (K,).
    means : Array
        Shape (K, d).
    factors : Array
        Lower Cholesky factors of the covariances, shape (K, d, d).
    """

    log_weights: Float[Array, " K"]
    means: Float[Array, "K d"]
    factors: Float[Array, "K d d"]


class Shape(NamedTuple):
    """The numbers of components and of dimensions.

    Attributes
    ----------
    components, dimensions : int
        K and d.
    """

    components: int
    dimensions: int

    @property
    def size(self) -> int:
        """Number of parameters, p."""
        k, d = self
        return k - 1 + k * d + k * d * (d + 1) // 2

    def unpacked(self, theta: Float[Array, " p"]) -> Components:
        """Return the components that theta, shape (p,), describes."""
        k, d = self
        logs = jnp.append(theta[: k - 1], jnp.zeros(1, theta.dtype))
        means, rest = theta[k - 1 : k - 1 + k * d], theta[k - 1 + k * d :]
        rows, columns = np.tril_indices(d)
        lower = rest.reshape(k, -1)
        lower = jnp.where(rows == columns, jnp.exp(lower), lower)
        factors = jnp.zeros((k, d, d), theta.dtype).at[:, rows, columns].set(lower)
        return Components(jax.nn.log_softmax(logs), means.reshape(k, d), factors)

    def packed(self, parts: Components) -> Float[Array, " p"]:
        """Return the parameters, shape (p,), of some components."""
        rows, columns = np.tril_indices(self.dimensions)
        lower = parts.factors[:, rows, columns]
        diagonal = rows == columns
        lower = jnp.where(diagonal, jnp.log(jnp.where(diagonal, lower, 1)), lower)
        logs = parts.log_weights[:-1] - parts.log_weights[-1]
        return jnp.concatenate([logs, parts.means.ravel(), lower.ravel()])

    def units(self, theta: Float[Array, " p"], scale: Float[Array, " d"]) -> Float[Array, " p"]:
        """Return the unit of each parameter, (p,), for rows with deviations ``scale``, (d,).

        It is proportional to a standard error, ``1 / sqrt(weight)``.
        """
        rows, columns = np.tril_indices(self.dimensions)
        lower = jnp.where(rows == columns, 1, scale[rows])
        logs = self.unpacked(theta).log_weights
        rare = jnp.exp(-jnp.maximum(logs, FAINTEST) / 2)
        ratios = jnp.maximum(rare[:-1], rare[-1:])
        own = [(rare[:, None] * part[None]).ravel() for part in (scale, lower)]
        return jnp.concatenate([ratios, *own])


def log_densities(parts: Components, y: Float[Array, "d ..."]) -> Float[Array, "K ..."]:
    """Return the logarithm of weight times density of every component at rows y, (d, ...)."""
    dimensions = len(y)

    def one(log_weight: Array, mean: Array, factor: Array) -> Array:
        solved: list[Array] = []
        for i in range(dimensions):
            off = y[i] - mean[i] - sum(factor[i, j] * solved[j] for j in range(i))
            solved.append(off / factor[i, i])
        size = sum(jnp.log(factor[i, i]) for i in range(dimensions))
        square = sum(off**2 for off in solved)
        return log_weight - 0.5 * square - size - 0.5 * dimensions * math.log(2 * math.pi)

    return jax.vmap(one)(*parts)


def cholesky(matrix: list[list[Array]]) -> list[list[Array]]:
    """Return the lower Cholesky factor of a matrix that is given by its lower triangle.

    Entries are arrays of any one shape. A pivot below 0 counts as 0.
    """
    factor: list[list[Array]] = []
    for i, row in enumerate(matrix):
        done: list[Array] = []
        for j in range(i + 1):
            above = done if i == j else factor[j]
            rest = row[j] - sum(a * b for a, b in zip(done[:j], above[:j], strict=True))
            if i == j:
                done.append(jnp.sqrt(jnp.maximum(rest, 0)))
            else:
                pivot = factor[j][j]
                done.append(jnp.where(pivot > 0, rest / jnp.where(pivot > 0, pivot, 1), 0))
        factor.append(done)
    return factor
