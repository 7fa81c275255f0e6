"""Populations of models of a linear predictor, by integrals over normal covariates.

For x ~ N(0, F F') everything is an integral ``E[f(x'a, x'b, x'v)]``, ``E[x f]`` or ``E[x x' f]`` of
a scalar function of at most three linear predictors. With ``x = F z`` only the component of z in
the span of ``F'a, F'b, F'v`` enters f, and the rest is independent of it. With an orthonormal basis
Q of the span and the moments ``e = E f``, ``M = E[u u' f]`` of ``u = Q'z``,

    E[x x' f] = F (Q (M - e I) Q' + e I) F' .

So integrals have as many dimensions as there are independent predictors, whatever p. They are
computed by the trapezoidal rule, which converges geometrically for analytic functions with a
Gaussian weight. Functions with a kink have errors of the order of the squared step: about 1e-5 for
quantiles of Laplace noise, and 1e-4 for two readers of quantiles at different parameters.

Two dimensions always suffice. A location model depends on the differences to v alone. The score of
a canonical model is ``x (f(x'm) - y)``. Hence its mean is a function of m less one of v, and its
second moments are those of single readers and of the differences ``f(x'a) - f(x'b)``, which do not
depend on who generates y:

    2 E[s_a s_b'] = E[s_a s_a'] + E[s_b s_b'] - E[x x' (f(x'a) - f(x'b))^2] .

Each of these is computed once, so that T generations of M models take (T M)^2 integrals even where
every sample of the past is read again.
"""

from __future__ import annotations

from functools import cached_property, lru_cache, reduce

import numpy as np

from mcjax.laws.first_order.population import Matrix, Origin, Population, Score, Vector
from mcjax.laws.law import Inapplicable
from mcjax.models.scores import ScoreMoments

STEPS, MOST = {1: 1 / 64, 2: 1 / 8, 3: 2 / 5}, {1: 8192, 2: 1536, 3: 160}
"""Largest step of the trapezoidal rule, and largest number of steps along an axis, by the number of
dimensions."""
ANALYTIC = 2 / 5
"""Largest step for canonical models: the error for a polynomial is about ``exp(-2 (pi / step)^2)``.
"""
POLES = 0.6
"""Largest product of the step and the length of a predictor, in units of its scale: the logistic
function of a predictor of length g has poles at the distance pi / g from the real axis, and the
error is about ``exp(-2 pi^2 / (g step))``; that of a normal distribution function is less."""
REACH = 9.0
"""The normal density is below rounding this far from 0. An exponential function of a predictor
shifts its mass by the length of the predictor, which is added."""


class PredictorPopulation(Population):
    """Rows of a model of a linear predictor.

    Parameters
    ----------
    origin : Origin
        Whoever generates the rows.
    scores : ScoreMoments
        Moments of the score, given the predictors of readers and of the origin.
    """

    def __init__(self, origin: Origin, scores: ScoreMoments):
        super().__init__(origin)
        self._scores = scores
        self._products: dict[tuple[bytes, bytes], Matrix] = {}  # by two readers
        self._means: dict[bytes, Score] = {}  # by reader; for a canonical model, of a parent at 0
        self._differences: dict[tuple[bytes, bytes], Matrix] = {}  # by two readers

    def generated_at(self, theta: Vector) -> PredictorPopulation:
        """Return the population whose origin is at ``theta``, and all else the same.

        The two share the integrals that do not depend on it.
        """
        other = PredictorPopulation(self.origin._replace(theta=theta), self._scores)
        if self._scores.canonical:
            other._means, other._differences = self._means, self._differences
        return other

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its derivatives, for a reader at ``reader``."""
        canonical, key = self._scores.canonical, reader.tobytes()
        if key not in self._means:
            parent = np.zeros_like(reader) if canonical else self.origin.theta
            self._means[key] = self._score(reader, parent)
        read = self._means[key]
        if not canonical:
            return read
        generated = self._of_parent
        return Score(read.mean + generated.mean, read.by_reader, generated.by_parent)

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        means = (self.score(reader).mean for reader in (first, second))
        return self._product(first, second) - np.outer(*means)

    @cached_property
    def _of_parent(self) -> Score:
        """The mean score of a canonical model that reads at 0."""
        return self._score(np.zeros_like(self.origin.theta), self.origin.theta)

    def _score(self, reader: Vector, parent: Vector) -> Score:
        span = _Span(self._scores, self.origin, [reader, parent])
        m, v = span.predictors
        mean, by_reader, by_parent = self._scores.mean(self.origin.params, m, v, self.origin.real)
        return Score(span.vector(mean), span.matrix(by_reader), span.matrix(by_parent))

    def _product(self, first: Vector, second: Vector) -> Matrix:
        """Return ``E[s_a s_b']`` for two readers a and b of one row, (p, p)."""
        keys = first.tobytes(), second.tobytes()
        pair = min(keys), max(keys)
        if pair not in self._products:
            if self._scores.canonical and keys[0] != keys[1]:
                squares = self._product(first, first) + self._product(second, second)
                self._products[pair] = (squares - self._difference(first, second, pair)) / 2
            else:
                self._products[pair] = self._expected_product(first, second)
        return self._products[pair]

    def _difference(self, first: Vector, second: Vector, pair: tuple[bytes, bytes]) -> Matrix:
        """Return ``E[(s_a - s_b) (s_a - s_b)']`` of a canonical model, (p, p)."""
        if pair not in self._differences:
            span = _Span(self._scores, self.origin, [first, second])
            a, b = span.predictors
            apart = self._scores.mean(self.origin.params, a, b, self.origin.real).mean
            self._differences[pair] = span.matrix(apart**2)
        return self._differences[pair]

    def _expected_product(self, first: Vector, second: Vector) -> Matrix:
        params, real = self.origin.params, self.origin.real
        span = _Span(self._scores, self.origin, [first, second, self.origin.theta])
        a, b, v = span.predictors
        return span.matrix(self._scores.product(params, (a, b), v, real))


class _Span:
    """Integration over the linear predictors of some readers and of a parent.

    Attributes
    ----------
    predictors : list of ndarray
        ``x'a`` of the parameters a of each reader, then of the parent, at the nodes; for a location
        model, less that of the parent.
    """

    def __init__(self, scores: ScoreMoments, origin: Origin, parameters: list[Vector]):
        zero = parameters[-1] if scores.location else 0.0
        whitened = np.array([origin.root.T @ (a - zero) for a in parameters])
        left, sizes, basis = np.linalg.svd(whitened, full_matrices=False)
        used = sizes > 1e-12 * max(sizes[0], 1e-300)
        coordinates = (left * sizes)[:, used]  # of each predictor in the basis
        lengths = np.linalg.norm(whitened, axis=1)
        reach = REACH + (lengths.sum() if scores.exponential else 0.0)
        scale = 1.0 if scores.scale is None else float(origin.params[scores.scale])
        step = POLES * scale / max(float(lengths.max()), 1e-300) if scores.bends else np.inf
        # rounded, so that similar predictors share a rule
        step = 2.0 ** (np.floor(4 * np.log2(step)) / 4)
        dimensions = int(used.sum())
        if dimensions:
            step = min(step, ANALYTIC if scores.canonical else STEPS[dimensions])
        self._node, self._weight = _rule(dimensions, float(np.ceil(reach)), step)
        self._basis, self._root = basis[used].T, origin.root
        self.predictors = [self._node @ at for at in coordinates]

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
