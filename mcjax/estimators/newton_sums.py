"""Gradients and Hessians of many data sets, and the Newton steps that follow from them.

Up to ``AT_ONCE`` parameters one pass over the rows computes all, entry by entry. Beyond, the
Hessian is computed in blocks, each in a pass of its own over two panels of the covariates. Blocks
of one shape are the same loop, which is traced and compiled once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, Int32

from mcjax.estimators.estimator import Problem
from mcjax.estimators.predictor import LinearPredictor
from mcjax.estimators.rows import AT_ONCE, Rows, columns_of, sum_rows
from mcjax.solvers.cholesky import solve_entries, solve_swept
from mcjax.solvers.once import hidden, once


class NewtonStep(NamedTuple):
    """Newton steps of F fits, and what tells whether to take them.

    Attributes
    ----------
    step : Array
        The steps, shape (p, F).
    unexplained : Array
        How far Hessians are from singular; see :func:`mcjax.solvers.cholesky.solve_positive`.
    slope, along : Array
        Slopes of the loss along the step, and along the step that led here, shape (F,).
    finite : Array
        Whether gradient and Hessian are finite, shape (F,).
    longest, last, at : Array
        Largest entries of the step, of the step that led here and of theta, in absolute value.
    """

    step: Float[Array, "p F"]
    unexplained: Float[Array, " F"]
    slope: Float[Array, " F"]
    along: Float[Array, " F"]
    finite: Bool[Array, " F"]
    longest: Float[Array, " F"]
    last: Float[Array, " F"]
    at: Float[Array, " F"]


def predictor_of(model: Problem) -> LinearPredictor:
    """Return the linear predictor of a model, which must have one."""
    assert model.predictor is not None, "only models of a linear predictor run on the fast path"
    return model.predictor


def newton_step(
    model: Problem,
    rows: Rows,
    theta: Float[Array, "p F"],
    last: Float[Array, "p F"],
    count: Int32[Array, " F"],
) -> NewtonStep:
    """Return the Newton step at ``theta`` of the weighted mean loss, and of a penalty.

    ``last`` is the step that led here; ``count`` are integers that are not negative.
    """
    if len(theta) <= AT_ONCE:
        return _by_entries(model, rows, theta, last)
    return _by_blocks(model, rows, theta, last=last, count=count)


def _by_entries(model: Problem, rows: Rows, theta: Array, last: Array) -> NewtonStep:
    p, dtype = len(theta), theta.dtype
    share = rows.share().astype(dtype)
    # for even and for odd rows: weighted slope and curvature of the loss in eta, each (F, H)
    terms = []
    for odd in range(2):
        eta, y = rows.eta(odd, theta), rows.y[odd].astype(dtype)
        terms.append([share * d for d in predictor_of(model).derivatives(model.params, eta, y)])
    x = [rows.columns(odd, dtype) for odd in range(2)]
    places = [(i, j) for i in range(p) for j in range(i + 1)]
    gradients = [x[0][i] * terms[0][0] + x[1][i] * terms[1][0] for i in range(p)]
    total = sum_rows(gradients + _products(x, x, [half[1] for half in terms], places))
    gradient, entries = total[:p], dict(zip(places, total[p:], strict=True))
    if model.penalty is not None:
        strength = jnp.ravel(model.penalty.shrinkage)  # one for all fits, or (F,)
        gradient = [gradient[i] + strength * theta[i] for i in range(p)]
        entries |= {(i, i): entries[i, i] + strength for i in range(p)}
    lower = [[entries[i, j] for j in range(i + 1)] for i in range(p)]
    solution, unexplained = solve_entries(lower, gradient)
    step = -solution
    return NewtonStep(
        step,
        unexplained,
        slope=dot(gradient, step),
        along=dot(gradient, last),
        # no entry of a positive semi-definite matrix is larger than the largest on its diagonal
        finite=jnp.isfinite(sum(gradient) + sum(row[-1] for row in lower)),
        longest=_largest(step),
        last=_largest(last),
        at=_largest(theta),
    )


def _by_blocks(model: Problem, rows: Rows, theta: Array, last: Array, count: Array) -> NewtonStep:
    p, dtype = len(theta), theta.dtype

    def derivatives() -> tuple[Array, ...]:
        share = rows.share().astype(dtype)[None]
        eta, y = rows.both_eta(theta), rows.y.astype(dtype)
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], model.params)
        return tuple(share * d for d in predictor_of(model).derivatives(params, eta, y))

    # of even and of odd rows, (2, F, H)
    slope, curvature = once(count, derivatives)
    system, diagonal = _system(rows, slope, curvature, count)
    matrix, gradient = system[:, :p], system[:, p]
    if model.penalty is not None:
        strength = jnp.ravel(model.penalty.shrinkage)  # one for all fits, or (F,)
        matrix = matrix + strength[None, None] * np.eye(p, dtype=dtype)[:, :, None]
        gradient = gradient + strength[None] * theta
    # in stages, or large systems would be solved again for every number computed from them
    solution, unexplained = once(count, lambda: solve_swept(matrix, gradient))

    def summaries() -> list[Array]:
        sums = [-gradient * solution, gradient * last, gradient + diagonal]
        sizes = [jnp.abs(a) for a in (solution, last, theta)]

        def join(a: Sequence[Array], b: Sequence[Array]) -> list[Array]:
            both = list(zip(a, b, strict=True))
            return [x + y for x, y in both[:3]] + [jnp.maximum(x, y) for x, y in both[3:]]

        return list(lax.reduce(sums + sizes, [jnp.zeros((), dtype)] * 6, join, (0,)))

    along_step, along, total, *sizes = once(count, summaries)
    finite = jnp.isfinite(total)
    return NewtonStep(*(-solution, unexplained, along_step, along, finite), *sizes)


def _system(
    rows: Rows, slope: Array, curvature: Array, count: Array
) -> tuple[Float[Array, "p p+1 F"], Float[Array, "p F"]]:
    """Return Hessians and beside them the gradients, and the diagonals of the Hessians.

    ``slope`` and ``curvature`` are weighted derivatives in eta, (2, F, H) each.
    """
    begins = np.cumsum([0, *(panel.shape[1] for panel in rows.x)])
    sums: list[Array] = []
    place: dict[tuple[int, int], int] = {}  # where entries are, the gradient as column p
    p, size = int(begins[-1]), 0

    def add(
        compute: Callable[..., Array], parts: tuple[Array, ...], entries: list[tuple[int, int]]
    ) -> None:
        nonlocal size
        sums.append(once(count, lambda: compute(*hidden(parts))))
        place.update({entry: size + k for k, entry in enumerate(entries)})
        size += len(entries)

    for a, panel in enumerate(rows.x):
        own = range(begins[a], begins[a + 1])
        triangle = [(i, j) for i in own for j in range(begins[a], i + 1)]
        add(_of_panel, (panel, slope, curvature), [(i, p) for i in own] + triangle)
        for b, other in enumerate(rows.x[:a]):
            block = [(i, j) for i in own for j in range(begins[b], begins[b + 1])]
            add(_of_panels, (panel, other, curvature), block)
    lower = [[(max(i, j), min(i, j)) for j in range(p)] + [(i, p)] for i in range(p)]
    whole = np.array([[place[entry] for entry in row] for row in lower])
    found = once(count, lambda: jnp.concatenate(sums))
    return found[whole], found[np.diagonal(whole)]


@jax.jit  # traced once for all panels of one shape
def _of_panel(panel: Array, slope: Array, curvature: Array) -> Array:
    """Return the gradient of a panel, and then the lower triangle of its block of the Hessian."""
    x = [columns_of(panel, odd, slope.dtype) for odd in range(2)]
    gradients = [even * slope[0] + odd * slope[1] for even, odd in zip(*x, strict=True)]
    triangle = [(i, j) for i in range(len(gradients)) for j in range(i + 1)]
    return jnp.stack(sum_rows(gradients + _products(x, x, curvature, triangle)))


@jax.jit  # traced once for all pairs of panels of one shape
def _of_panels(panel: Array, other: Array, curvature: Array) -> Array:
    """Return the block of the Hessian with the rows of one panel and the columns of another."""
    rows, columns = (
        [columns_of(part, odd, curvature.dtype) for odd in range(2)] for part in (panel, other)
    )
    places = [(i, j) for i in range(len(rows[0])) for j in range(len(columns[0]))]
    return jnp.stack(sum_rows(_products(rows, columns, curvature, places)))


def _products(
    rows: Sequence[Sequence[Array]],
    columns: Sequence[Sequence[Array]],
    curvature: Sequence[Array] | Array,
    places: Sequence[tuple[int, int]],
) -> list[Array]:
    """Return what pairs of rows add to entries of the Hessian, (F, H) each."""
    return [
        rows[0][i] * curvature[0] * columns[0][j] + rows[1][i] * curvature[1] * columns[1][j]
        for i, j in places
    ]


def dot(a: Sequence[Array] | Array, b: Array) -> Array:
    """Sum products over the first axis: (p, F), (p, F) to (F,).

    The sum is written out because XLA does not vectorise a reduction over the first axis, and
    repeats it for every number computed from it.
    """
    return sum((a[i] * b[i] for i in range(1, len(a))), a[0] * b[0])


def _largest(a: Array) -> Array:
    """Return the largest absolute value over the first axis, written out as in :func:`dot`."""
    return reduce(jnp.maximum, (jnp.abs(a[i]) for i in range(len(a))))
