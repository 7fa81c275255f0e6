"""Regression quantiles of many data sets at once, batched by hand.

This finds the estimates of :class:`~mcjax.estimators.quantile_lp.QuantileLP`, for which that
module takes steps through the interior, by other means that are ten times as fast: Newton steps on
a loss whose kink is rounded off, in the precision of the draws, then steps from vertex to vertex
(:mod:`mcjax.estimators.quantile_vertices`), of which few are left to take. A test compares the two.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int32

from mcjax.estimators.estimator import Fit, Problem
from mcjax.estimators.newton_rows import newton
from mcjax.estimators.newton_sums import predictor_of
from mcjax.estimators.predictor import Entries, Params
from mcjax.estimators.quantile_lp import QuantileLP
from mcjax.estimators.quantile_vertices import Sizes, Vertices
from mcjax.estimators.rows import Rows, sum_rows
from mcjax.solvers.once import once
from mcjax.solvers.status import Status

WIDTH = 1.0
"""Width of the rounded kink, in typical residuals times ``sqrt(p / rows)``, the error of a fitted
value. A narrower one takes more Newton steps, a wider one leaves more vertices to visit."""
NARROWEST = 1e-15
"""Least width: its square is still a number in single precision."""


def fit_rows(
    model: Problem, rows: Rows, start: Float[Array, "p F"], status: Int32[Array, " F"]
) -> Fit:
    """Return the regression quantile of every data set, for a model without a penalty.

    Parameters and results are those of :func:`mcjax.estimators.newton_rows.fit_rows`.
    """
    level, single, dtype = QuantileLP().level_of(model), rows.dtype, start.dtype
    theta = start.astype(single)
    sizes = _sizes(rows, theta)
    ratio = jnp.sqrt(len(start) / jnp.maximum(rows.size, 1)).astype(single)
    width = jnp.maximum(WIDTH * ratio * sizes.residual, NARROWEST)
    rounded: Problem = replace(
        cast("Any", model),
        predictor=replace(predictor_of(model), slopes=_slopes, separates=None),
        params={"level": level.astype(single), "width": width[:, None]},
    )
    unsuspected = jnp.zeros(status.shape, bool)
    near = newton(rounded, rows, theta, status=status, suspect=unsuspected)
    # whatever else became of these steps, the vertices decide
    status = jnp.where(near.status == Status.OVERFLOW, int(Status.OVERFLOW), status)
    theta = jnp.where(jnp.isfinite(near.theta).all(0)[None], near.theta, theta).astype(dtype)
    vertices = Vertices(
        rows,
        share=once(near.steps, lambda: rows.share().astype(dtype)),
        level=jnp.broadcast_to(level[:, 0], status.shape).astype(dtype),
        sizes=Sizes(*(size.astype(dtype) for size in sizes)),
        width=width.astype(dtype),
    )
    end = vertices.best(theta, status)
    theta = jnp.where((end.status == Status.CONVERGED)[None], end.theta, jnp.nan)
    return Fit(theta, end.status, near.steps + end.steps)


def _sizes(rows: Rows, theta: Array) -> Sizes:
    """Return typical sizes of residuals at ``theta``, of labels and of covariates."""
    dtype = theta.dtype
    share = rows.share().astype(dtype)

    def terms(odd: int) -> list[Array]:
        x, y = rows.columns(odd, dtype), rows.y[odd].astype(dtype)
        # of roots, because residuals may have no mean
        root = jnp.sqrt(jnp.abs(y - rows.eta(odd, theta)))
        return [jnp.where(x[0] != 0, size, 0) for size in (root, jnp.abs(y))] + list(
            map(jnp.abs, x)
        )

    both = zip(terms(0), terms(1), strict=True)
    root, label, *columns = sum_rows([share * (even + odd) for even, odd in both])
    return Sizes(root * root, label, jnp.stack(columns))


def _slopes(params: Params, eta: Entries, y: Entries) -> tuple[Entries, Entries]:
    """Return slope and curvature of ``(1/2) sqrt(r^2 + width^2) + (level - 1/2) r``."""
    r, width = y - eta, params["width"]
    inverse = lax.rsqrt(r * r + width * width)
    cosine = width * inverse
    return 0.5 - params["level"] - 0.5 * r * inverse, 0.5 * cosine * cosine * inverse
