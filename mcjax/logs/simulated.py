"""The spread of departures of several workflows with few rows, by simulation.

The expansion of :mod:`mcjax.logs.fit` is one in 1 / d, where d counts degrees of freedom. With
few of them it is too short: a test at 1% would refute 4% of true claims with d = 3. Departures of
laws that are right, drawn with the noise that was estimated, give an F with their quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import optimize, special

FEW = 12
"""Degrees of freedom of some workflow below which departures are drawn."""
DRAWS = 5_000
SEED = 0
OUTER, INNER = 0.01, 0.1
"""Upper tails at which F has the quantiles of the departures drawn."""
LEAST, MOST = 0.5, 1e4
"""Range of the degrees of freedom of F."""


def quantiles_of(
    stacks: Sequence[Float[np.ndarray, "r k"]], freedoms: Sequence[int]
) -> tuple[float, float]:
    """Return the upper quantiles of Q, at the two tails, of laws that are right.

    Parameters
    ----------
    stacks : sequence of ndarray of shape (r, k)
        Constant and growth of each workflow in coordinates of its curves, in units of its noise.
    freedoms : sequence of int
        Degrees of freedom of each noise.
    """
    rng = np.random.default_rng(SEED)
    columns = stacks[0].shape[1]
    squares = np.zeros(DRAWS)
    sums = np.zeros((DRAWS, columns))
    products = np.zeros((DRAWS, columns, columns))
    for stack, freedom in zip(stacks, freedoms, strict=True):
        weights = freedom / rng.chisquare(freedom, DRAWS)
        losses = rng.standard_normal((DRAWS, len(stack)))
        squares += weights * np.sum(losses**2, axis=1)
        sums += weights[:, None] * (losses @ stack)
        products += weights[:, None, None] * (stack.T @ stack)
    fitted = np.linalg.solve(products, sums[..., None])[..., 0]
    outer, inner = np.quantile(squares - np.sum(sums * fitted, axis=1), [1 - OUTER, 1 - INNER])
    return float(outer), float(inner)


def factor_and_freedom(outer: float, inner: float, coordinates: int) -> tuple[float, float]:
    """Return c and g such that c F(f, g) has these quantiles, or nearly."""

    def off(freedom: float) -> float:
        far, near = (special.fdtri(coordinates, freedom, 1 - tail) for tail in (OUTER, INNER))
        return float(np.log(far / near) - np.log(outer / inner))

    if off(MOST) >= 0:
        freedom = MOST
    elif off(LEAST) <= 0:
        freedom = LEAST
    else:
        freedom = float(optimize.brentq(off, LEAST, MOST))
    return outer / float(special.fdtri(coordinates, freedom, 1 - OUTER)), freedom
