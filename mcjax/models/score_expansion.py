"""Taylor coefficients of the moments of a score, for laws of second order in 1/n.

Write r1, r2, r3 for the derivatives of the loss of one observation in its reader's predictor. The
reader is at m, a second reader of the same observation at k, and the observation was generated at
v. Laws need the derivatives in m, k and v, at one common predictor eta, of

    E r1(m)    and    E r1(m) r1(k) ,

and three moments at eta itself. All else follows: ``E r2 r1``, its derivatives, ``E r2^2`` and
``E r3 r1`` are derivatives of the second expression in one reader or in both.

Expectations are differentiated, not losses. For a loss with kinks, such as Huber's, the two differ:
``E psi''(e) psi(e) = -2 k f(k)`` for noise of density f, although ``psi'' = 0`` almost everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.estimators.predictor import Params

Eta = Float[np.ndarray, "*x"]
Orders = tuple[int, ...]


class ScoreExpansion(NamedTuple):
    """Taylor coefficients at predictors eta; entries are numbers or arrays of the shape of eta.

    Attributes
    ----------
    mean : mapping of (a, c) to array
        ``d_m^a d_v^c E r1`` for ``1 <= a + c <= 3``; what is missing is 0.
    product : mapping of (a, b, c) to array
        ``d_m^a d_k^b d_v^c E r1(m) r1(k)`` for ``a + b + c <= 2`` and ``a >= b``; what is missing
        is 0.
    cubed_slope, curved_square, cubed_curvature : array
        ``E r1^3``, ``E r1^2 r2`` and ``E r2^3``.
    """

    mean: Mapping[Orders, Eta | float]
    product: Mapping[Orders, Eta | float]
    cubed_slope: Eta | float
    curved_square: Eta | float
    cubed_curvature: Eta | float

    def mean_term(self, a: int, c: int) -> Eta | float:
        """Return ``d_m^a d_v^c E r1``."""
        return self.mean.get((a, c), 0.0)

    def product_term(self, a: int, b: int, c: int) -> Eta | float:
        """Return ``d_m^a d_k^b d_v^c E r1(m) r1(k)``, which is symmetric in both readers."""
        return self.product.get((max(a, b), min(a, b), c), 0.0)


Expansion = Callable[[Params, Eta, bool], ScoreExpansion]
"""``(params, eta, real) -> ScoreExpansion``; ``real`` tells whether the data are real."""


class LocationMoments(NamedTuple):
    """Moments of ``psi(e)`` for a loss with derivative ``-psi(y - eta)`` and symmetric noise e.

    Derivatives of psi are those of the expectation where psi has kinks.

    Attributes
    ----------
    slope, third_slope : float
        ``E psi'`` and ``E psi'''``.
    square : float
        ``E psi^2``.
    squared_slope, cubed_slope : float
        ``E psi'^2`` and ``E psi'^3``.
    bent : float
        ``E psi psi''``.
    sloped_square : float
        ``E psi^2 psi'``.
    """

    slope: float
    third_slope: float
    square: float
    squared_slope: float
    cubed_slope: float
    bent: float
    sloped_square: float


def canonical_expansion(derivatives: Callable[[Eta], tuple[Eta, Eta, Eta]]) -> Expansion:
    """Return the expansion of a generalised linear model with its canonical link.

    Parameters
    ----------
    derivatives : callable
        ``eta -> (mu', mu'', mu''')``, derivatives of the mean of y, which are also its variance and
        the derivatives of that.

    Returns
    -------
    callable
        ``(params, eta, real) -> ScoreExpansion``.

    Notes
    -----
    The score is ``r1 = mu(m) - y``, so ``E r1 = mu(m) - mu(v)`` and
    ``E r1(m) r1(k) = mu'(v) + (mu(m) - mu(v)) (mu(k) - mu(v))``. The third cumulant of y is
    ``mu''``, with a minus sign that of the score.
    """

    def expansion(params: Params, eta: Eta, real: bool) -> ScoreExpansion:
        first, second, third = derivatives(eta)
        square = first**2
        by_order = {1: first, 2: second, 3: third}
        return ScoreExpansion(
            mean={(k, 0): d for k, d in by_order.items()}
            | {(0, k): -d for k, d in by_order.items()},
            product={
                (0, 0, 0): first,
                (0, 0, 1): second,
                (0, 0, 2): third + 2 * square,
                (1, 1, 0): square,
                (1, 0, 1): -square,
            },
            cubed_slope=-second,
            curved_square=square,
            cubed_curvature=first**3,
        )

    return expansion


def location_expansion(moments: Callable[[Params, bool], LocationMoments]) -> Expansion:
    """Return the expansion of a model whose loss depends on ``y - eta``, with symmetric noise.

    Parameters
    ----------
    moments : callable
        ``(params, real) -> LocationMoments``.

    Returns
    -------
    callable
        ``(params, eta, real) -> ScoreExpansion``.

    Notes
    -----
    With ``d = v - m`` and ``g = v - k``, ``E r1 = -E psi(d + e)`` and
    ``E r1(m) r1(k) = E psi(d + e) psi(g + e)``. Odd moments vanish.
    """

    def expansion(params: Params, eta: Eta, real: bool) -> ScoreExpansion:
        m = moments(params, real)
        by_order = {1: m.slope, 3: m.third_slope}
        spread = m.bent + m.squared_slope
        return ScoreExpansion(
            mean={
                (a, order - a): -((-1) ** a) * value
                for order, value in by_order.items()
                for a in range(order + 1)
            },
            product={
                (0, 0, 0): m.square,
                (2, 0, 0): m.bent,
                (1, 1, 0): m.squared_slope,
                (1, 0, 1): -spread,
                (0, 0, 2): 2 * spread,
            },
            cubed_slope=0.0,
            curved_square=m.sloped_square,
            cubed_curvature=m.cubed_slope,
        )

    return expansion


def inconsistent_order(expansion: ScoreExpansion) -> int | None:
    """Return the lowest order at which a score has a mean at its own truth, or None.

    Along ``m = v`` the mean score is 0, and so are its derivatives
    ``sum_a binomial(k, a) d_m^a d_v^(k-a) E r1``. An expansion that was differentiated through a
    sampler of discrete labels fails here: its derivatives in v are 0.
    """
    for order in (1, 2, 3):
        terms = [
            math.comb(order, a) * np.asarray(expansion.mean_term(a, order - a), float)
            for a in range(order + 1)
        ]
        size = max(float(np.abs(term).max()) for term in terms)
        if np.abs(sum(terms)).max() > 1e-9 * size:
            return order
    return None
