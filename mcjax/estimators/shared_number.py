"""Models of a linear predictor ``x'b`` and of one further number c that all rows share.

Theta is b and then c. As second derivatives of the loss of a row in the predictor and in c are
numbers, the Hessian of a fit is made of products of matrices, which costs far less than automatic
differentiation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from mcjax.estimators.predictor import Params, linear_predictor


class SharedSlopes(NamedTuple):
    """Derivatives of the loss in the predictor and in c, each of shape (N,).

    Attributes
    ----------
    slope, curvature : Array
        First and second derivative in the predictor; the second is not negative.
    by_number, mixed, bend : Array
        First derivative in c, that in both, and second derivative in c.
    """

    slope: Float[Array, " N"]
    curvature: Float[Array, " N"]
    by_number: Float[Array, " N"]
    mixed: Float[Array, " N"]
    bend: Float[Array, " N"]


@dataclass(frozen=True)
class PredictorAndNumber:
    """The form of a model of one linear predictor and a number that all rows share.

    Attributes
    ----------
    slopes : callable
        ``(params, eta, number, y) -> SharedSlopes``, for eta and y of shape (N,).
    apart : callable
        ``(eta, number, y, weight) -> bool``, whether rows, of which those of weight 0 do not count,
        have no estimate, as far as this predictor and this number tell.
    """

    slopes: Callable[
        [Params, Float[Array, " N"], Float[Array, ""], Float[Array, " N"]], SharedSlopes
    ]
    apart: Callable[
        [Float[Array, " N"], Float[Array, ""], Float[Array, " N"], Float[Array, " N"]],
        Bool[Array, ""],
    ]
    count = 1
    canonical = False

    def derivatives(
        self,
        params: Params,
        x: Float[Array, "q N"],
        y: Float[Array, " N"],
        theta: Float[Array, " p"],
        *,
        share: Float[Array, " N"],
    ) -> tuple[Float[Array, " p"], Float[Array, "p p"]]:
        """Return gradient and Hessian of the sum of losses of rows, each times its ``share``.

        Where the loss is not convex in c, its curvature there is the mean square of the slope, or
        the size of the curvature if that is larger, so that Newton steps go downhill.
        """
        found = self.slopes(params, linear_predictor(x, theta[:-1]), theta[-1], y)
        slope, mixed = (
            jnp.matmul(x, share * each, precision="highest") for each in (found.slope, found.mixed)
        )
        within = jnp.matmul(x * (share * found.curvature)[None], x.T, precision="highest")
        bend = jnp.sum(share * found.bend)
        convex = bend > 0
        beside = jnp.where(convex, mixed, 0)[:, None]
        square = jnp.sum(share * found.by_number**2)
        bend = jnp.where(convex, bend, jnp.maximum(square, -bend))
        hessian = jnp.block([[within, beside], [beside.T, bend[None, None]]])
        return jnp.append(slope, jnp.sum(share * found.by_number)), hessian

    def separated(
        self,
        x: Float[Array, "q N"],
        y: Float[Array, " N"],
        theta: Float[Array, " p"],
        weight: Float[Array, " N"],
    ) -> Bool[Array, ""]:
        """Return whether theta proves that rows have no estimate."""
        return self.apart(linear_predictor(x, theta[:-1]), theta[-1], y, weight)
