r"""Fit the law ``L0 + V M_t`` to one or several workflows, and measure how far losses depart.

Let z be the losses of all workflows in coordinates of their curves
(:mod:`mcjax.logs.scatter`), each workflow divided by its standard deviation s_w. L0 and V >= 0 are
the weighted least-squares fit. What is left of z, with the squared length Q, is the departure from
the law in units of noise. If the law is right, Q is approximately ``c F(f, g)``, where f is the
number of coordinates that are left and, with the part K_w of the projection on them that belongs to
a workflow with d_w degrees of freedom,

    a = sum_w tr(K_w^2) / d_w ,          b = sum_w tr(K_w)^2 / d_w ,
    g = f (f + 2) / (2 a + b) ,          c = f + 2 a - 2 f / g .

This gives the mean and the variance of Q up to terms of order 1 / d^2; for several workflows of
which one has few degrees of freedom, c and g are simulated (:mod:`mcjax.logs.simulated`). For
one workflow it is the exact F-test of lack of fit; for the means of several groups it is the test
of Welch (Biometrika 38, 1951), which Johansen (Biometrika 67, 1980) extended to regression. It is
derived here for groups with one variance each. Where V is negative it is set to 0, and f
grows by one: of a law that says that errors grow, the test keeps its level.

The true departure is a vector, and with probability 1 - p it is within ``sqrt(c F_p)`` of the
observed one, where F_p is the upper quantile (Scheffe's argument). It is told as a share of the
variation that the law explains: that of ``V M_t`` around a constant, in the same units. That is V
over its standard error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import special

from mcjax.logs.scatter import Design, Scatter
from mcjax.logs.simulated import FEW, factor_and_freedom, quantiles_of


class Spread(NamedTuple):
    """Distribution of Q if the law is right: ``factor`` times F.

    Attributes
    ----------
    factor : float
        c above.
    coordinates, freedom : float
        f and g above.
    """

    factor: float
    coordinates: float
    freedom: float

    def above(self, square: float) -> float:
        """Return the probability that Q exceeds a number."""
        if self.coordinates < 1:
            return 1.0
        return float(special.fdtrc(self.coordinates, self.freedom, square / self.factor))

    def radius(self, probability: float) -> float:
        """Return the length that the departure exceeds with some probability."""
        if self.coordinates < 1:
            return 0.0
        quantile = special.fdtri(self.coordinates, self.freedom, 1 - probability)
        return math.sqrt(self.factor * quantile)


class Weighted:
    """Designs of several workflows, each weighted by its noise.

    Parameters
    ----------
    designs : sequence of Design
        One for each workflow.
    deviations : sequence of float
        Standard deviations of their losses.
    grows : bool, optional
        Whether V is fitted; otherwise it is 0.
    """

    def __init__(self, designs: Sequence[Design], deviations: Sequence[float], grows: bool = True):
        self.designs = designs
        columns = slice(None) if grows else slice(1)
        parts = [d.parts[:, columns] / s for d, s in zip(designs, deviations, strict=True)]
        self.stack = np.concatenate(parts)
        self.basis, triangle = np.linalg.qr(self.stack)
        """Orthonormal columns; the fit of losses z is basis basis' z."""
        self.varies = bool(abs(triangle[-1, -1]) > 1e-12 * np.linalg.norm(triangle))
        """True if the columns are independent."""
        self.inverse = np.linalg.inv(triangle) if self.varies else np.full(triangle.shape, np.nan)
        """From the coordinates basis' z to L0 and V; its rows are as long as their errors."""
        ends = np.cumsum([len(part) for part in parts])[:-1]
        self.blocks = np.split(self.basis, ends)

    def error(self, place: int) -> float:
        """Return the standard error of L0 (0) or V (1)."""
        return float(np.linalg.norm(self.inverse[place]))

    @cached_property
    def spread(self) -> Spread:
        """Distribution of Q if the law is right."""
        left = len(self.stack) - self.stack.shape[1]
        first = second = 0.0
        for block, design in zip(self.blocks, self.designs, strict=True):
            kept = np.eye(len(block)) - block @ block.T
            first += float(np.sum(kept**2)) / design.freedom
            second += float(np.trace(kept)) ** 2 / design.freedom
        if left < 1:
            return Spread(1.0, 0, 1.0)
        few = min(design.freedom for design in self.designs) < FEW
        if len(self.designs) > 1 and few and self.varies:
            outer, inner = quantiles_of(self.blocks, [d.freedom for d in self.designs])
            factor, freedom = factor_and_freedom(outer, inner, left)
            return Spread(factor, left, freedom)
        freedom = left * (left + 2) / (2 * first + second)
        return Spread(left + 2 * first - 2 * left / freedom, left, freedom)

    def freedom(self, place: int) -> float:
        """Return degrees of freedom of the error of L0 (0) or V (1), by Satterthwaite's formula."""
        shares = [float(np.sum((block @ self.inverse[place]) ** 2)) for block in self.blocks]
        total = sum(shares)
        squares = (
            (share / total) ** 2 / design.freedom
            for share, design in zip(shares, self.designs, strict=True)
        )
        return 1 / sum(squares)


class Number(NamedTuple):
    """A fitted number.

    Attributes
    ----------
    value, error, freedom : float
        The number, its standard error, and degrees of freedom of the latter.
    """

    value: float
    error: float
    freedom: float

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the confidence interval by Student's distribution."""
        half = self.error * float(special.stdtrit(self.freedom, (1 + confidence) / 2))
        return self.value - half, self.value + half


class Fit(NamedTuple):
    """The law fitted to the losses of some workflows.

    Attributes
    ----------
    start, noise : Number
        L0, and V, which is that of the unconstrained fit: it may be negative.
    departure : float
        Length of the departure, in units of noise; V is 0 where it would be negative.
    spread : Spread
        How the squared length varies if the law is right.
    """

    start: Number
    noise: Number
    departure: float
    spread: Spread

    @property
    def explained(self) -> float:
        """Length of the variation that the law explains, in units of noise; 0 if V is negative."""
        return max(self.noise.value / self.noise.error, 0.0)


def fit(scatters: Sequence[Scatter]) -> Fit:
    """Fit one L0 and one V to the losses of some workflows."""
    designs = [scatter.design for scatter in scatters]
    deviations = [scatter.deviation for scatter in scatters]
    losses = np.concatenate([scatter.coordinates / scatter.deviation for scatter in scatters])
    whole = Weighted(designs, deviations)
    flat = Weighted(designs, deviations, grows=False)
    fitted = whole if whole.varies else flat
    pair = fitted.inverse @ (fitted.basis.T @ losses)
    numbers = [Number(float(v), fitted.error(k), fitted.freedom(k)) for k, v in enumerate(pair)]
    if not whole.varies:  # all losses are of one generation
        numbers.append(Number(0.0, math.inf, 1.0))
    start, noise = numbers
    used = whole if whole.varies and pair[1] >= 0 else flat
    left = losses - used.basis @ (used.basis.T @ losses)
    return Fit(start, noise, float(np.linalg.norm(left)), used.spread)
