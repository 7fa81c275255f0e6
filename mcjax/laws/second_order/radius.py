"""Growth of covariances from generation to generation, to second order.

To first order a covariance C of all errors becomes ``P1 C P1'``, plus noise that does not depend on
C. To second order the noise and the bias of a fit depend on its parents' errors, and C becomes

    P1 C P1' + sym[P1 C b1'] + O2:C / 2 ,

with the derivatives of :mod:`mcjax.laws.second_order.recursion`. If the spectral radius of this map
is above 1, errors are multiplied in every generation, which the first-order law does not say of a
network that it calls stable. At sample counts near the number of parameters the radius is too
small: it is a warning, not a law.

Derived here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from mcjax.estimators.penalty import Firth
from mcjax.laws.collapse.components import data_flow
from mcjax.laws.second_order.moments import axis_of, expansions, generations_of, tensors_of
from mcjax.laws.second_order.row_tensors import grid_for, noise_axes
from mcjax.laws.second_order.step import Layout, Step, step_of
from mcjax.laws.validity import Radii
from mcjax.study.study import Condition

LARGEST_DENSE = 200
"""Numbers of components up to which all eigenvalues of a map are computed."""


def radii_of(condition: Condition) -> Radii | None:
    """Return the radii of a condition's last feeds, None if its feeds go on changing.

    The second-order law applies to the condition.
    """
    net, p = condition.network, len(condition.theta)
    if net.later.lasting is None:
        return None
    axis = axis_of(condition)
    grid = grid_for(axis.gamma)
    rows = expansions(condition, grid, axis.gamma)
    read = generations_of(condition, len(net.later.generations))
    steps = []
    for q in (p,) if p < 3 else (2, 3):
        layout = Layout(net.size, q, noise_axes(q), len(read.kept))
        tensors, firth = tensors_of(rows, grid, q), isinstance(condition.model.penalty, Firth)
        steps.append(step_of(read.samples[read.order[-1]], tensors, layout, firth))
    radii = [
        [_radius(steps, p, members, moved) for moved in (carried, corrected)]
        for members in data_flow(net.settled).readers.components
    ]
    return Radii(*np.max(radii, axis=0).tolist())


def _radius(
    steps: Sequence[Step],
    p: int,
    members: Sequence[int],
    moved: Callable[[Step, np.ndarray], np.ndarray],
) -> float:
    """Return the spectral radius of a map of the covariances of models that feed each other.

    Covariances have two components for each pair of models, along the truth and across it. What a
    map makes of them is affine in p.
    """
    fitted = {int(fit.own[0]) // len(fit.own) for fit in steps[0].moved}
    inside = np.array([i for i in members if i in fitted], int)  # others never change
    kinds = np.arange(min(p, 2))
    parts = np.zeros((2, steps[0].layout.models, steps[0].layout.models))
    places = np.ix_(kinds, inside, inside)

    def image(vector: np.ndarray) -> np.ndarray:
        parts[places] = vector.reshape(len(kinds), len(inside), len(inside))
        first, *more = (_components(step, moved(step, _covariance(step, parts))) for step in steps)
        result = first + (p - 2) * (more[0] - first) if more else first
        return np.asarray(result[places].ravel())

    return largest_eigenvalue(image, len(kinds) * len(inside) ** 2)


def largest_eigenvalue(image: Callable[[np.ndarray], np.ndarray], size: int) -> float:
    """Return the largest absolute eigenvalue of a linear map of vectors, nan if it is not found."""
    if size > LARGEST_DENSE:
        operator = LinearOperator((size, size), matvec=image, dtype=float)
        try:
            found = eigs(operator, k=1, v0=np.ones(size), return_eigenvectors=False)
        except ArpackNoConvergence:
            return math.nan
        return float(np.abs(found).max())
    matrix = np.array([image(unit) for unit in np.eye(size)]).reshape(size, size)
    return float(np.abs(np.linalg.eigvals(matrix)).max(initial=0.0))


def _covariance(step: Step, parts: Float[np.ndarray, "2 M M"]) -> Float[np.ndarray, "D D"]:
    """Return the covariance of the state with some components."""
    layout = step.layout
    first = np.zeros((layout.p, layout.p))
    first[0, 0] = 1.0
    result = np.zeros((layout.size, layout.size))
    moving = slice(layout.moving)
    result[moving, moving] = np.kron(parts[0], first) + np.kron(parts[1], np.eye(layout.p) - first)
    return result


def _components(step: Step, covariance: Float[np.ndarray, "D D"]) -> Float[np.ndarray, "2 M M"]:
    """Return the components of a covariance of the state; with one parameter, none is across."""
    p, moving = step.layout.p, step.layout.moving
    along = covariance[:moving:p, :moving:p]
    last = covariance[p - 1 : moving : p, p - 1 : moving : p]
    return np.stack([along, last if p > 1 else np.zeros_like(along)])


def carried(step: Step, covariance: np.ndarray) -> np.ndarray:
    """Return what becomes of the covariance of the state, to first order."""
    return np.asarray(step.first @ covariance @ step.first.T)


def corrected(step: Step, covariance: np.ndarray) -> np.ndarray:
    """Return what becomes of the covariance of the state, to second order."""
    carried = step.first @ covariance
    biased = carried @ step.bias_slope.T
    result = carried @ step.first.T + biased + biased.T
    for pair in step.spreads:
        own = covariance[np.ix_(pair.variables, pair.variables)]
        change = np.tensordot(pair.curvature, own, 2) / 2
        result[np.ix_(pair.first, pair.second)] += change
        if pair.first[0] != pair.second[0]:
            result[np.ix_(pair.second, pair.first)] += change.T
    return np.asarray(result)
