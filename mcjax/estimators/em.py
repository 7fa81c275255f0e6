"""Mixtures of normal components fitted by the EM algorithm, with extrapolated steps.

A step of EM gives every row its probabilities of the components, and every component the weight,
the mean and the covariance of its share of the rows. Hence *each* of its results has exactly the
mean and the covariance of all rows. Where components overlap, EM converges slowly. Two steps
``theta_1`` and ``theta_2`` from ``theta_0`` give the direction ``r = theta_1 - theta_0``, its
change ``v = theta_2 - theta_1 - r`` and the point ``theta_0 + 2 a r + a^2 v`` with ``a = |r| /
|v|``, at least 1 and at most a limit that grows while it serves (SQUAREM: Varadhan & Roland,
"Simple and globally convergent methods for accelerating the convergence of any EM algorithm",
Scandinavian Journal of Statistics 35, 2008). A step of EM follows from there, unless the likelihood
there is below that of ``theta_1``; then it goes on from ``theta_2``. So the likelihood never falls,
and the estimate is the result of a step of EM.

The likelihood has no maximum where a component shrinks to a point or a line. Such a fit, and one in
which a component has no more rows than dimensions, is ``RANK_DEFICIENT``. A floor keeps components
from shrinking (Hathaway, "A constrained formulation of maximum-likelihood estimation for normal
mixture distributions", Annals of Statistics 13, 1985); then all fits count, and one with a
component that died, with a weight of almost 0, is as good as any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Float, Key

from mcjax.arguments import checked_fields
from mcjax.calls import explained
from mcjax.estimators.estimator import (
    MOST_STEPS,
    Dataset,
    Fit,
    Problem,
    finished,
    first_that_holds,
    rows_of,
)
from mcjax.estimators.normal_components import Components, Shape, cholesky, log_densities
from mcjax.numbers import check_between
from mcjax.solvers.status import Status

TOLERANCE = {"float64": 1e-8, "float32": 1e-4}
"""Largest last step of a converged fit, by the precision of the fit. The parameters of a component
of weight w have the unit ``1 / sqrt(w)`` deviations of the rows, as their standard errors have."""
THINNEST = 1e-5
"""Smallest deviation of a component along an axis of its factor, in deviations of all rows, of fits
without a floor."""
GROWTH = 4.0
"""Factor of the longest extrapolation after one that was as long and good, or one that was not."""
WIDEST = 0.1
"""Largest floor."""


class _Step(NamedTuple):
    """The result of a step of EM.

    Attributes
    ----------
    theta : Array
        Shape (p,).
    likelihood : Array
        Weighted mean log-likelihood of the rows where the step began.
    mass : Array
        Share of the rows of the smallest component.
    thin : Array
        Smallest deviation of a component, in deviations of all rows.
    """

    theta: Float[Array, " p"]
    likelihood: Float[Array, ""]
    mass: Float[Array, ""]
    thin: Float[Array, ""]


class _Loop(NamedTuple):
    theta: Array  # where the next steps begin, (p,)
    result: Array  # of the last step of EM from there, (p,)
    status: Array
    steps: Array
    longest: Array  # limit of a


@explained
@dataclass(frozen=True)
@checked_fields
class EM:
    """Mixtures of normal components, by the EM algorithm.

    Attributes
    ----------
    components, dimensions : int
        Numbers of components and of numbers in a row.
    floor : float
        Smallest deviation of a component along an axis of its Cholesky factor, as a share of the
        deviation of all rows, up to 0.1. Overall variances grow by less than its square. With 0, a
        fit with a component that shrinks to a point or a line has no estimate.
    limit : int
        Largest number of steps of EM.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=500, initial=500)
    >>> truth = {"weights": [0.5, 0.5], "means": [-2.0, 2.0], "covariances": [1.0, 1.0]}
    >>> condition = mcjax.condition(
    ...     network, mcjax.gaussian_mixture(), truth, estimator=mcjax.EM(2, 1, limit=500)
    ... )
    >>> condition.minimises
    True
    """

    components: int
    dimensions: int
    floor: float = 0.0
    limit: int = 5000

    minimises = True

    def __post_init__(self) -> None:
        for name in ("components", "dimensions"):
            check_between(name, getattr(self, name), 1)
        check_between("floor", self.floor, 0, WIDEST)
        check_between("limit", self.limit, 3, MOST_STEPS)

    def fit(self, model: Problem, data: Dataset, start: Any, key: Key[Array, ""]) -> Fit:
        """Fit ``model`` to one data set; see :class:`~mcjax.estimators.estimator.Estimator`."""
        shape = Shape(self.components, self.dimensions)
        empty = data.weight.sum() == 0
        weight = data.weight / jnp.where(empty, 1, data.weight.sum())
        mean = data.y @ weight
        off = data.y - mean[:, None]
        scale = jnp.sqrt(off**2 @ weight)
        scale = jnp.where(scale > 0, scale, 1)
        finite = jnp.isfinite(scale).all()
        rows = 1 / jnp.where(empty, 1, jnp.sum(weight**2))
        tolerance = TOLERANCE[start.dtype.name]

        def em(theta: Array) -> _Step:
            least = jnp.maximum(scale * self.floor, scale * jnp.finfo(scale.dtype).tiny ** 0.5)
            return _em(theta, data.y, weight, scale=scale, least=least, shape=shape)

        def cycle(loop: _Loop) -> _Loop:
            units = shape.units(loop.theta, scale)
            first = em(loop.theta)
            second = em(first.theta)
            r = (first.theta - loop.theta) / units
            v = (second.theta - first.theta) / units - r
            length, change = jnp.linalg.norm(r), jnp.linalg.norm(v)
            ratio = jnp.where(change > 0, length / jnp.where(change > 0, change, 1), 1)
            a = jnp.clip(ratio, 1, loop.longest)
            far = em(loop.theta + units * (2 * a * r + a**2 * v))
            better = (far.likelihood >= first.likelihood) & jnp.isfinite(far.theta).all()
            status = first_that_holds(
                (~jnp.isfinite(first.theta).all(), Status.OVERFLOW),
                (self._is_degenerate(first, rows, 1), Status.RANK_DEFICIENT),
                (jnp.abs(r).max() <= tolerance, Status.CONVERGED),
            )
            following = jnp.where(better, far.theta, second.theta)
            longest = jnp.where(better, loop.longest * GROWTH, jnp.maximum(a / GROWTH, 1))
            longest = jnp.where(better & (a < loop.longest), loop.longest, longest)
            return _Loop(following, first.theta, status, steps=loop.steps + 3, longest=longest)

        begin = first_that_holds(
            (empty, Status.NOT_FITTED),
            (~finite, Status.OVERFLOW),
            (rows_of(data) <= self.dimensions, Status.RANK_DEFICIENT),
        )
        loop = lax.while_loop(
            lambda loop: (loop.status == Status.RUNNING) & (loop.steps + 3 <= self.limit),
            cycle,
            _Loop(
                start,
                start,
                begin,
                steps=jnp.zeros((), jnp.int32),
                longest=jnp.full((), GROWTH, start.dtype),
            ),
        )
        few = self._is_degenerate(em(loop.result), rows, self.dimensions + 1)
        status = first_that_holds(
            (loop.status == Status.RUNNING, Status.STEP_LIMIT),
            ((loop.status == Status.CONVERGED) & few, Status.RANK_DEFICIENT),
        )
        status = jnp.where(status == Status.RUNNING, loop.status, status)
        return finished(loop.result, status, loop.steps)

    def _is_degenerate(self, step: _Step, rows: Float[Array, ""], fewest: int) -> Bool[Array, ""]:
        """Return True if a component has too few rows or shrinks, in fits without a floor."""
        if self.floor:
            return jnp.zeros((), bool)
        return (step.mass * rows < fewest) | ~(step.thin > THINNEST)


def _em(
    theta: Float[Array, " p"],
    y: Float[Array, "d N"],
    weight: Float[Array, " N"],
    *,
    scale: Float[Array, " d"],
    least: Float[Array, " d"],
    shape: Shape,
) -> _Step:
    """Return the result of one step for rows whose weights add up to 1."""
    densities = log_densities(shape.unpacked(theta), y)
    whole = jax.nn.logsumexp(densities, axis=0)
    share = jnp.exp(densities - whole[None]) * weight[None]
    mass = share.sum(1)
    safe = jnp.maximum(mass, jnp.finfo(mass.dtype).tiny)
    means = (share @ y.T) / safe[:, None]
    off = y[None] - means[:, :, None]  # (K, d, N)

    def product(i: int, j: int) -> Array:
        return (share * off[:, i] * off[:, j]).sum(1) / safe

    dimensions = shape.dimensions
    lower = cholesky([[product(i, j) for j in range(i + 1)] for i in range(dimensions)])
    deviations = jnp.stack([lower[i][i] for i in range(dimensions)])
    thin = (deviations / scale[:, None]).min()
    factors = jnp.zeros((shape.components, dimensions, dimensions), y.dtype)
    for i in range(dimensions):
        for j in range(i + 1):
            entry = jnp.maximum(lower[i][i], least[i]) if i == j else lower[i][j]
            factors = factors.at[:, i, j].set(entry)
    following = shape.packed(Components(jnp.log(safe), means, factors))
    likelihood = jnp.sum(jnp.where(weight > 0, weight * whole, 0))
    return _Step(following, likelihood, mass.min(), thin)
