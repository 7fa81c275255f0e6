"""The linear program of quantile regression, solved from vertex to vertex, for many data sets.

A vertex is a theta that fits p rows exactly, its basis. From a vertex that is not the best, one
row of the basis is let go, and theta moves along an edge, on which the other p - 1 remain fitted,
past all rows up to the last at which the loss still falls (Barrodale & Roberts, SIAM Journal on
Numerical Analysis 10, 1973). That row enters the basis.

Arrays hold F fits last, or F fits and the H pairs of rows of each. Pairs of numbers that belong to
an even and an odd row are packed into one complex number, because for two arrays the compiler would
compute everything twice. Stages are stored (:func:`~mcjax.solvers.once.once_from_stored`), because
sums written out entry by entry would otherwise be written out again in each entry of the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Float, Int32

from mcjax.estimators.estimator import TOLERANCE, first_that_holds
from mcjax.estimators.newton_sums import dot
from mcjax.estimators.rows import Rows, columns_of, sum_rows
from mcjax.solvers.once import once_from_stored
from mcjax.solvers.status import Status

MOST_VERTICES = 200
GUESSES = 6
"""Number of step lengths that a pass over the rows tries at once; there are two such passes."""
SHORTEST = -3
"""Logarithm to base 4 of the first guess, in steps that move residuals by ``width``."""


class Sizes(NamedTuple):
    """Typical absolute sizes in each data set, which put rounding errors into proportion.

    Attributes
    ----------
    residual, label : Array
        Of residuals and labels, shape (F,).
    column : Array
        Of covariates, shape (p, F).
    """

    residual: Float[Array, " F"]
    label: Float[Array, " F"]
    column: Float[Array, "p F"]


class _Vertex(NamedTuple):
    """The vertex of each fit."""

    theta: Array  # (p, F)
    # (p, p, F): [j, k] is entry j of the edge on which the fitted value of row k rises by 1
    edges: Array
    basis: Array  # (p + 2, p, F): covariates, label and weight of the rows of the basis
    place: Array  # (p, F): their places among the even, then the odd rows; -1 for none as yet
    status: Array  # (F,)
    steps: Array  # (F,)


class _Edge(NamedTuple):
    """The edge along which each fit leaves its vertex."""

    direction: Array  # (p, F)
    slope: Array  # (F,): of the loss along it, negative
    size: Array  # (F,): by how much it changes typical fitted values
    leaves: Array  # (p, F): marks the row of the basis that is let go
    best: Array  # (F,): whether there is no such edge


@dataclass(frozen=True)
class Vertices:
    """The vertices of F linear programs.

    Attributes
    ----------
    rows : Rows
        The data.
    share : Array
        Weight of a row as a share of the total, the same for both rows of a pair, shape (F, H).
    level : Array
        Level of the quantile, shape (F,).
    sizes : Sizes
        Typical sizes of the data.
    width : Array
        How far fitted values at the start may be from those at the best vertex, shape (F,).
    """

    rows: Rows
    share: Float[Array, "F H"]
    level: Float[Array, " F"]
    sizes: Sizes
    width: Float[Array, " F"]

    def best(self, theta: Float[Array, "p F"], status: Int32[Array, " F"]) -> _Vertex:
        """Return the vertex of the smallest loss, starting at the rows nearest to ``theta``.

        Fits that are not ``RUNNING`` are left unchanged.
        """
        begin = self._nearest_vertex(theta, status)
        return lax.while_loop(
            lambda at: (at.status == Status.RUNNING).any(), self._next_vertex, begin
        )

    def _nearest_vertex(self, theta: Array, status: Array) -> _Vertex:
        """Return the vertex at the p rows nearest to ``theta`` that determine all parameters.

        The basis begins as p rows that do not exist, each with one covariate.
        """
        (p, fits), dtype = theta.shape, theta.dtype
        smallest = 1e3 * float(jnp.finfo(dtype).eps)

        def distances() -> Array:
            real = (
                columns_of(self.rows.x[0], odd, dtype)[0] != 0 for odd in range(2)
            )  # no padding
            far = zip(real, self._residuals(theta), strict=True)
            return lax.complex(*(jnp.where(exists, jnp.abs(r), jnp.inf) for exists, r in far))

        distance = once_from_stored(status, distances)

        def enter(state: tuple[_Vertex, Array, Array]) -> tuple[_Vertex, Array, Array]:
            at, last, seen = state

            def beyond() -> Array:
                left = []
                for odd, far in enumerate((distance.real, distance.imag)):
                    tied = (far == last[:, None]) & (self._places(odd) > seen[:, None])
                    left.append(jnp.where((far > last[:, None]) | tied, far, jnp.inf))
                return lax.complex(*left)

            least, place = self._smallest(once_from_stored(at.steps, beyond))
            row = self._row(place)
            turned = once_from_stored(at.steps, lambda: dot(row[:p, None], at.edges))
            free = jnp.where(at.place < 0, jnp.abs(turned), -1)
            running = at.status == Status.RUNNING
            enters = running & (free.max(0) > smallest)
            after = self._exchanged(at, row, place, leaves=_mark(free), turned=turned, moves=enters)
            status = first_that_holds(
                (~jnp.isfinite(least), Status.RANK_DEFICIENT),
                ((after.place >= 0).all(0), Status.CONVERGED),
            )
            after = after._replace(status=jnp.where(running, status, at.status))
            return after, least, place

        begin = _Vertex(
            theta,
            edges=jnp.eye(p, dtype=dtype)[:, :, None] / self.sizes.column[None],
            basis=jnp.zeros((p + 2, p, fits), dtype),
            place=jnp.full((p, fits), -1, jnp.int32),
            status=status,
            steps=jnp.zeros_like(status),
        )
        end, *_ = lax.while_loop(
            lambda state: (state[0].status == Status.RUNNING).any(),
            enter,
            (begin, jnp.full(fits, -1, dtype), jnp.full(fits, -1, jnp.int32)),
        )
        found = (status == Status.RUNNING) & (end.status == Status.CONVERGED)
        running = jnp.where(found, int(Status.RUNNING), end.status)
        return end._replace(theta=_fitted(end, found), status=running)

    def _next_vertex(self, at: _Vertex) -> _Vertex:
        """Return the vertex at the end of the steepest edge, or ``at`` if no edge falls."""
        p, dtype = len(at.theta), at.theta.dtype
        tolerance, eps = TOLERANCE["float64"], float(jnp.finfo(dtype).eps)
        r = once_from_stored(at.steps, lambda: lax.complex(*self._off_basis(at)))
        edge, loss = self._edge(at, (r.real, r.imag))

        def along() -> Array:
            """Change of fitted values, where residuals shrink on the way; 0 elsewhere."""
            change = (self.rows.eta(odd, edge.direction) for odd in range(2))
            halves = zip(change, (r.real, r.imag), strict=True)
            return lax.complex(*(jnp.where(q * left > 0, q, 0) for q, left in halves))

        q = once_from_stored(at.steps, along)
        speed, left = ([jnp.abs(part) for part in (a.real, a.imag)] for a in (q, r))
        short = self._short_of_the_lowest(at, edge, speed, left)

        def lengths() -> Array:
            halves = zip(left, speed, strict=True)
            return lax.complex(
                *(jnp.where(a > short[:, None] * b, a / b, jnp.inf) for a, b in halves)
            )

        length, place = self._smallest(once_from_stored(at.steps, lengths))
        # A fit has converged if no edge falls, or if the step is as short as rounding errors, or
        # lowers the loss by no more than the interior-point method allows in double precision.
        rounding = length * edge.size <= 16 * eps * self.sizes.label
        still = rounding | (-edge.slope * length <= tolerance**2 * loss / self.rows.size)
        running = at.status == Status.RUNNING
        status = first_that_holds(
            (edge.best | still, Status.CONVERGED),
            (~jnp.isfinite(length), Status.OVERFLOW),
            (at.steps + 1 >= MOST_VERTICES, Status.STEP_LIMIT),
        )
        moves = running & (status == Status.RUNNING)
        row = self._row(place)
        turned = once_from_stored(at.steps, lambda: dot(row[:p, None], at.edges))
        after = self._exchanged(at, row, place, leaves=edge.leaves, turned=turned, moves=moves)
        theta = jnp.where(moves[None], at.theta + length[None] * edge.direction, at.theta)
        return after._replace(
            theta=_fitted(after._replace(theta=theta), moves),
            status=jnp.where(running, status, at.status),
            steps=at.steps + running.astype(at.steps.dtype),
        )

    def _edge(self, at: _Vertex, r: tuple[Array, Array]) -> tuple[_Edge, Array]:
        """Return the steepest edge of each vertex, and the mean absolute residual there.

        ``r`` are the residuals, 0 in the basis. The dual variables of the basis are those for which
        the gradient vanishes; an edge falls if one is out of range.
        """
        p, dtype, level = len(at.theta), at.theta.dtype, self.level[None]
        slope = [
            self.share * jnp.where(half == 0, 0, self.level[:, None] - (half < 0).astype(dtype))
            for half in r
        ]
        x = [self.rows.columns(odd, dtype) for odd in range(2)]
        *sums, loss = sum_rows(
            [even * slope[0] + odd * slope[1] for even, odd in zip(*x, strict=True)]
            + [self.share * (jnp.abs(r[0]) + jnp.abs(r[1]))]
        )
        descent = once_from_stored(at.steps, lambda: jnp.stack(sums))
        column, eps = self.sizes.column[:, None], float(jnp.finfo(dtype).eps)

        def duals() -> Array:
            rounding = 8 * eps * dot(column, jnp.abs(at.edges)) / jnp.sqrt(self.rows.size)[None]
            size = jnp.sqrt(dot(column**2, at.edges**2))
            return jnp.stack([-dot(descent[:, None], at.edges), rounding, size])

        dual, rounding, size = once_from_stored(at.steps, duals)  # (p, F)
        weight = at.basis[p + 1]
        above, below = dual - weight * level, weight * (level - 1) - dual
        out = jnp.maximum(above, below)
        steep = jnp.where(out > rounding, out / size, 0)

        def steepest() -> Array:
            leaves = _mark(steep)
            sign = jnp.where(_of(leaves, above) > _of(leaves, below), -1, 1).astype(dtype)
            others = jnp.stack([-_of(leaves, out), _of(leaves, size)])
            return jnp.concatenate([sign[None] * _along(at, leaves), others, leaves.astype(dtype)])

        chosen = once_from_stored(at.steps, steepest)
        leaves, best = chosen[p + 2 :] > 0, (steep <= 0).all(0)
        edge = _Edge(chosen[:p], chosen[p], size=chosen[p + 1], leaves=leaves, best=best)
        return edge, loss

    def _short_of_the_lowest(
        self, at: _Vertex, edge: _Edge, speed: list[Array], left: list[Array]
    ) -> Array:
        """Return a length at which the loss still falls; the next row beyond is close to the last.

        ``speed`` and ``left``, (F, H) for even and odd rows, are how fast residuals shrink, and
        what is left of them at the vertex.
        """

        def narrowed(guesses: list[Array], low: Array, high: Array) -> Array:
            def passed(guess: Array) -> Array:
                halves = zip(left, speed, strict=True)
                gone = (jnp.where(a <= guess[:, None] * b, b, 0) for a, b in halves)
                return self.share * sum(gone)

            for guess, total in zip(guesses, sum_rows(list(map(passed, guesses))), strict=True):
                falls = edge.slope + total < 0
                low = jnp.where(falls, jnp.maximum(low, guess), low)
                high = jnp.where(falls, high, jnp.minimum(high, guess))
            return jnp.stack([low, high])

        def guessed(first: Callable[[int], Array], low: Array, high: Array) -> Array:
            guesses = [first(i) for i in range(GUESSES)]
            return once_from_stored(at.steps, lambda: narrowed(guesses, low, high))

        unit, none = self.width / edge.size, jnp.zeros_like(edge.slope)
        low, high = guessed(lambda i: unit * 4.0 ** (SHORTEST + i), none, none + jnp.inf)
        part = jnp.where(jnp.isfinite(high), (high - low) / (GUESSES + 1), low)
        return guessed(lambda i: low + part * (i + 1), low, high)[0]

    def _residuals(self, theta: Array) -> list[Array]:
        """Return the residuals of even and odd rows, (F, H) each."""
        y = self.rows.y.astype(theta.dtype)
        return [y[odd] - self.rows.eta(odd, theta) for odd in range(2)]

    def _off_basis(self, at: _Vertex) -> list[Array]:
        """Return the residuals, with exact zeros in the basis."""

        def fitted(odd: int) -> Bool[Array, "F H"]:
            hits = (self._places(odd) == place[:, None] for place in at.place)
            found: Array = reduce(or_, hits)
            return found

        halves = enumerate(self._residuals(at.theta))
        return [jnp.where(fitted(odd), 0, r) for odd, r in halves]

    def _places(self, odd: int) -> Array:
        half = self.rows.y.shape[-1]
        return lax.broadcasted_iota(jnp.int32, (1, half), 1) + odd * half

    def _smallest(self, values: Array) -> tuple[Array, Array]:
        """Return the smallest of positive values, (F, H) complex, and its place, (F,) each.

        These are two passes, because one that carries the place along is not vectorised.
        """
        halves, count = (values.real, values.imag), 2 * values.shape[-1]

        def least(a: Array, b: Array, limit: Array) -> Array:
            found: Array = lax.reduce(jnp.minimum(a, b), limit, lax.min, (1,))
            return found

        smallest = least(*halves, jnp.asarray(jnp.inf, halves[0].dtype))
        hits = (half == smallest[:, None] for half in halves)
        even, odd = (jnp.where(hit, self._places(i), count - 1) for i, hit in enumerate(hits))
        return smallest, least(even, odd, jnp.asarray(count - 1, jnp.int32))

    def _row(self, place: Array) -> Array:
        """Return covariates, label and weight of one row of each fit, (p + 2, F)."""
        half, dtype = jnp.int32(self.rows.y.shape[-1]), self.share.dtype
        odd, pair = lax.div(place, half), lax.rem(place, half)
        fit = jnp.arange(len(place), dtype=jnp.int32)

        def gathered() -> Array:
            x = [panel[odd, :, fit, pair].T.astype(dtype) for panel in self.rows.x]
            y = self.rows.y[odd, fit, pair].astype(dtype)
            return jnp.concatenate([*x, jnp.stack([y, self.share[fit, pair]])])

        return once_from_stored(place, gathered)

    def _exchanged(
        self, at: _Vertex, row: Array, place: Array, *, leaves: Array, turned: Array, moves: Array
    ) -> _Vertex:
        """Return the vertices with a row in place of one of the basis, where ``moves`` is true.

        ``turned``, (p, F), is the change of the row's fitted value along each edge. Theta stays.
        """
        here = (moves[None] & leaves)[None]

        def entering() -> Array:
            return _along(at, leaves) / _of(leaves, turned)[None]

        edge = once_from_stored(at.steps, entering)

        def edges() -> Array:
            others = jnp.where(moves[None, None], at.edges - turned[None] * edge[:, None], at.edges)
            return jnp.where(here, edge[:, None], others)

        return at._replace(
            edges=once_from_stored(at.steps, edges),
            basis=once_from_stored(at.steps, lambda: jnp.where(here, row[:, None], at.basis)),
            place=jnp.where(here[0], place[None], at.place),
        )


def _fitted(at: _Vertex, moves: Array) -> Array:
    """Return theta after it has been moved, where ``moves`` is true, to fit its basis exactly.

    The second round removes the rounding errors of the first.
    """
    p = len(at.theta)

    def left(theta: Array) -> Array:
        return at.basis[p] - dot(at.basis[:p], theta[:, None])

    def step(r: Array) -> Array:
        return dot(jnp.moveaxis(at.edges, 1, 0), r[:, None])

    theta = at.theta
    for _ in range(2):
        r = once_from_stored(at.steps, partial(left, theta))
        theta = jnp.where(moves[None], theta + once_from_stored(at.steps, partial(step, r)), theta)
    return theta


def _mark(values: Array) -> Array:
    """Mark the largest along the first axis, (p, F)."""
    largest = jnp.argmax(values, 0)
    return lax.broadcasted_iota(largest.dtype, values.shape, 0) == largest[None]


def _along(at: _Vertex, marked: Array) -> Array:
    """Return the edges of the marked rows of the basis, (p, F)."""
    marks = marked.astype(at.edges.dtype)
    return dot(marks[:, None], jnp.moveaxis(at.edges, 1, 0))


def _of(marked: Array, values: Array) -> Array:
    """Return the marked entries along the first axis, (p, F) to (F,)."""
    return dot(marked.astype(values.dtype), values)
