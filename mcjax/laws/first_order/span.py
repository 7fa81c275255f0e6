"""Integrals over normal covariates that enter through a few linear predictors.

For x ~ N(0, F F') and a function f of the predictors ``x'a, x'b, ...`` alone, only the component of
z in the span of ``F'a, F'b, ...`` enters f, where ``x = F z``, and the rest is independent of it.
With an orthonormal basis Q of the span and the moments ``e = E f``, ``M = E[u u' f]`` of
``u = Q'z``,

    E[x x' f] = F (Q (M - e I) Q' + e I) F' .

So integrals have as many dimensions as there are independent predictors, whatever p. They are
computed by the trapezoidal rule, which converges geometrically for analytic functions with a
Gaussian weight. Functions with a kink have errors of the order of the squared step: about 1e-5 for
quantiles of Laplace noise, and 1e-4 for two readers of quantiles at different parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Protocol

import numpy as np
from jaxtyping import Float

from mcjax.laws.law import Inapplicable

if TYPE_CHECKING:
    from mcjax.laws.first_order.population import Matrix, Vector

STEPS, MOST = {1: 1 / 64, 2: 1 / 8, 3: 2 / 5, 4: 1 / 2}, {1: 8192, 2: 1536, 3: 160, 4: 48}
"""Largest step of the trapezoidal rule, and largest number of steps along an axis, by the number of
dimensions."""
POLES = 0.6
"""Largest product of the step and the length of a predictor, in units of its scale: the logistic
function of a predictor of length g has poles at the distance pi / g from the real axis, and the
error is about ``exp(-2 pi^2 / (g step))``; that of a normal distribution function is less."""
REACH = 9.0
"""The normal density is below rounding this far from 0. An exponential function of a predictor
shifts its mass by the length of the predictor, which is added."""


class Integral(Protocol):
    """Expectations over covariates of functions f of some linear predictors.

    Attributes
    ----------
    predictors : list of ndarray
        Values of each predictor at the places where f is to be given.
    """

    predictors: list[Float[np.ndarray, " N"]]

    def number(self, values: np.ndarray) -> float:
        """Return ``E f``."""

    def vector(self, values: np.ndarray) -> Vector:
        """Return ``E[x f]``."""

    def matrix(self, values: np.ndarray) -> Matrix:
        """Return ``E[x x' f]``."""

    def cube(self, values: np.ndarray) -> Float[np.ndarray, "p p p"]:
        """Return ``E[x x x f]``."""

    def matrix_beside(self, values: np.ndarray, metric: Matrix) -> Matrix:
        """Return ``E[(x'Gx) x x' f]`` for a symmetric matrix G."""

    def cube_of_square(self, values: np.ndarray, metric: Matrix) -> float:
        """Return ``E[(x'Gx)^3 f]`` for a symmetric matrix G."""


class Span:
    """Integration over some linear predictors of covariates.

    Parameters
    ----------
    root : ndarray, shape (p, p)
        F, a root of the covariance of x.
    vectors : sequence of ndarray, each of shape (p,)
        The predictors are ``x'a`` for each of them.
    scale : float, optional
        The scale on which functions bend as predictors change; infinite if they do not.
    exponential : bool, optional
        Whether functions grow exponentially in the predictors.
    step : float, optional
        Largest step of the rule; defaults to one for functions with a kink.

    Attributes
    ----------
    predictors : list of ndarray
        Values of each predictor at the nodes.
    """

    def __init__(
        self,
        root: Matrix,
        vectors: Sequence[Vector],
        scale: float = 1.0,
        exponential: bool = False,
        step: float | None = None,
    ):
        whitened = np.array([root.T @ a for a in vectors])
        if not np.isfinite(whitened).all():
            raise Inapplicable("parameters are too large for a number")
        left, sizes, basis = np.linalg.svd(whitened, full_matrices=False)
        used = sizes > 1e-12 * max(sizes[0], 1e-300)
        coordinates = (left * sizes)[:, used]  # of each predictor in the basis
        lengths = np.linalg.norm(whitened, axis=1)
        reach = REACH + (lengths.sum() if exponential else 0.0)
        dimensions = int(used.sum())
        longest = STEPS.get(dimensions, 1.0) if step is None else step
        bend = POLES * scale / max(float(lengths.max()), 1e-300)
        if np.isfinite(bend):  # rounded, so that similar predictors share a rule
            longest = min(longest, 2.0 ** (np.floor(4 * np.log2(bend)) / 4))
        self._node, self._weight = _rule(dimensions, float(np.ceil(reach)), longest)
        self._basis, self._root = basis[used].T, root
        self.predictors = [self._node @ at for at in coordinates]

    def number(self, values: np.ndarray) -> float:
        """Return ``E f`` from the values of f at the nodes."""
        return float(self._weight @ values)

    def vector(self, values: np.ndarray) -> Vector:
        """Return ``E[x f]`` from the values of f at the nodes."""
        return self._root @ (self._basis @ (self._node.T @ (self._weight * values)))

    def matrix(self, values: np.ndarray) -> Matrix:
        """Return ``E[x x' f]`` from the values of f at the nodes."""
        mass = self._weight * values
        total = float(mass.sum())
        moments = (self._node.T * mass) @ self._node - total * np.eye(self._node.shape[1])
        white = self._basis @ moments @ self._basis.T + total * np.eye(len(self._basis))
        return self._root @ white @ self._root.T

    def cube(self, values: np.ndarray) -> Float[np.ndarray, "p p p"]:
        """Return ``E[x x x f]`` from the values of f at the nodes."""
        mass = self._weight * values
        inner = np.einsum("n,na,nb,nc->abc", mass, *[self._node] * 3, optimize=True)
        white = np.einsum("abc,ia,jb,kc->ijk", inner, *[self._basis] * 3, optimize=True)
        beside = np.multiply.outer(self._basis @ (mass @ self._node), self._rest)
        white += beside + beside.transpose(1, 0, 2) + beside.transpose(1, 2, 0)
        return np.asarray(np.einsum("ijk,ai,bj,ck->abc", white, *[self._root] * 3, optimize=True))

    def matrix_beside(self, values: np.ndarray, metric: Matrix) -> Matrix:
        """Return ``E[(x'Gx) x x' f]`` for a symmetric matrix G, from the values of f."""
        g, rest = self._root.T @ metric @ self._root, self._rest
        mass, at = self._weight * values, self._node @ self._basis.T
        within = np.einsum("na,ab,nb->n", at, g, at)
        trace = float(np.sum(g * rest))
        moments = (at.T * mass) @ at
        cross = rest @ g @ moments
        white = (trace * mass.sum() + mass @ within) * rest
        white += trace * moments + (at.T * (mass * within)) @ at
        white += 2 * mass.sum() * rest @ g @ rest + 2 * (cross + cross.T)
        return np.asarray(self._root @ white @ self._root.T)

    def cube_of_square(self, values: np.ndarray, metric: Matrix) -> float:
        """Return ``E[(x'Gx)^3 f]`` for a symmetric matrix G, from the values of f.

        Given the predictors, ``x'Gx`` is a quadratic form in the independent rest, whose first
        three cumulants are known.
        """
        g, at = self._root.T @ metric @ self._root, self._node @ self._basis.T
        across = g @ self._rest
        linear = at @ across
        first = np.einsum("na,ab,nb->n", at, g, at) + np.trace(across)
        second = 2 * np.trace(across @ across) + 4 * (linear**2).sum(1)
        third = 8 * np.trace(across @ across @ across)
        third = third + 24 * np.einsum("na,ab,nb->n", linear, g, linear)
        return float(self._weight @ (values * (first**3 + 3 * first * second + third)))

    @property
    def _rest(self) -> np.ndarray:
        """The projection on what is independent of the predictors."""
        return np.eye(len(self._basis)) - self._basis @ self._basis.T


@lru_cache(maxsize=8)
def _rule(dimensions: int, reach: float, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes (N, dimensions) and weights (N,) for the standard normal distribution."""
    if not dimensions:
        return np.zeros((1, 0)), np.ones(1)
    if step < 2 * reach / MOST[dimensions]:
        raise Inapplicable("parameters are too far from 0, or apart, for integrals to be computed")
    line = step * np.arange(-np.ceil(reach / step), np.ceil(reach / step) + 1)
    density = step / np.sqrt(2 * np.pi) * np.exp(-0.5 * line**2)
    nodes = np.stack(np.meshgrid(*[line] * dimensions, indexing="ij"), -1)
    weights = reduce(np.multiply.outer, [density] * dimensions)
    return nodes.reshape(-1, dimensions), weights.ravel()
