"""Moments of the errors of a condition whose model is not symmetric around a direction.

For a model of theta as a whole nothing is known of the tensors of a row, so the recursion runs in
the coordinates of theta, with all p of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from mcjax.laws.law import Inapplicable
from mcjax.laws.second_order.moments import ExpandedMoments, Generations
from mcjax.laws.second_order.radius import carried, corrected, largest_eigenvalue
from mcjax.laws.second_order.recursion import State, advance, before, settled
from mcjax.laws.second_order.row_tensors import noise_axes
from mcjax.laws.second_order.simulated_tensors import SimulatedTensors
from mcjax.laws.second_order.step import Layout, Step, step_of
from mcjax.laws.validity import FullThirdCumulants, Radii
from mcjax.study.study import Condition

TensorsByOrigin = Mapping[int, SimulatedTensors]


def layout_of(condition: Condition, read: Generations) -> Layout:
    """Return the arrangement of the state in the coordinates of theta."""
    p = len(condition.theta)
    return Layout(condition.network.size, p, noise_axes(p), len(read.kept))


def full_moments(
    condition: Condition,
    read: Generations,
    tensors: TensorsByOrigin,
    stable: Bool[np.ndarray, " M"] | None,
) -> ExpandedMoments:
    """Return the moments at generations 0 to T, then their limit if ``stable`` is given.

    Parameters
    ----------
    condition : Condition
        The condition.
    read : Generations
        What it reads.
    tensors : mapping of int to SimulatedTensors
        Moments of a row by origin.
    stable : ndarray of bool, shape (M,), optional
        The models that settle if the last generation's feeds stay. The limit of others is nan.

    Raises
    ------
    Inapplicable
        If an expected Hessian is singular.
    """
    layout = layout_of(condition, read)
    steps = {place: _step(read, place, tensors, layout) for place in dict.fromkeys(read.order)}
    state, states = before(layout, read.kept, tensors, skewed=True), []
    for place in read.order:
        state = advance(steps[place], state)
        states.append(state)
    if stable is None:
        return _seen(states, layout)
    inside = np.ones(layout.size, bool)
    inside[: layout.moving] = np.repeat(stable, layout.p)
    end = settled(steps[read.order[-1]], state, inside)
    shown = _seen([*states, state if end is None else end], layout)
    known = stable if end is not None else np.zeros_like(stable)
    entries = np.repeat(known, layout.p)
    pairs = entries[:, None] & entries
    shown.mean[-1][~known] = np.nan
    for matrix in (shown.leading[-1], shown.following[-1]):
        matrix[~pairs] = np.nan
    return shown


def full_radii(condition: Condition, read: Generations, tensors: TensorsByOrigin) -> Radii | None:
    """Return the radii of a condition's last feeds, None if its feeds go on changing."""
    if condition.network.later.lasting is None:
        return None
    layout = layout_of(condition, read)
    step = _step(read, read.order[-1], tensors, layout)
    inside = np.concatenate([np.zeros(0, int), *(fit.own for fit in step.moved)])
    places = np.ix_(inside, inside)

    def radius(moved: Callable[[Step, np.ndarray], np.ndarray]) -> float:
        def image(vector: np.ndarray) -> np.ndarray:
            covariance = np.zeros((layout.size, layout.size))
            covariance[places] = vector.reshape(len(inside), len(inside))
            covariance = (covariance + covariance.T) / 2
            return np.asarray(moved(step, covariance)[places].ravel())

        return largest_eigenvalue(image, len(inside) ** 2)

    return Radii(radius(carried), radius(corrected))


def full_leverage(
    read: Generations, tensors: TensorsByOrigin, size: int
) -> Float[np.ndarray, "T+1 M"]:
    """Return the largest L of a model's fits so far and of those that it descends from.

    For a loss of theta as a whole the leverage of a row in a fit of n rows is ``tr(J^-1 l_2) / n``.
    """
    result = np.zeros((len(read.order), size))
    for t, place in enumerate(read.order):
        samples = read.samples[place]
        earlier = result[t - 1] if t else np.zeros(size)
        for i in range(size):
            reads = [(sample, sample.shares[i]) for sample in samples if i in sample.shares]
            if not reads:  # a frozen model keeps its estimate
                result[t, i] = earlier[i]
                continue
            slope = sum(share * tensors[sample.origin].mean[1, 0] for sample, share in reads)
            gain = np.linalg.inv(slope)
            own = sum(
                share**3
                / sample.rows**2
                * np.einsum(
                    "abcdef,ab,cd,ef->", tensors[sample.origin].cubed_curvature, *[gain] * 3
                )
                for sample, share in reads
            )
            parents = [earlier[sample.origin] for sample, _ in reads if sample.origin < size]
            result[t, i] = max([float(own), *parents])
    return result


def _step(read: Generations, place: int, tensors: TensorsByOrigin, layout: Layout) -> Step:
    try:
        return step_of(read.samples[place], tensors, layout)
    except np.linalg.LinAlgError as error:
        raise Inapplicable("an expected Hessian is singular") from error


def _seen(states: Sequence[State], layout: Layout) -> ExpandedMoments:
    """Return the moments of the models' errors."""
    size, p, moving = layout.models, layout.p, layout.moving
    mean = np.array([state.mean[:moving].reshape(size, p) for state in states])
    leading = np.array([state.leading[:moving, :moving] for state in states])
    parts = np.array([state.parts[:, :moving, :moving] for state in states])

    def diagonal(matrices: np.ndarray) -> np.ndarray:
        entries = np.diagonal(matrices, axis1=-2, axis2=-1)
        return entries.reshape(*entries.shape[:-1], size, p)

    thirds = []
    for state in states:
        assert state.third is not None, "they were asked for"
        blocks = state.third[:moving, :moving, :moving].reshape([size, p] * 3)
        thirds.append(FullThirdCumulants(np.einsum("iaibic->iabc", blocks)))
    return ExpandedMoments(
        mean=mean,
        leading=leading,
        following=parts.sum(1),
        sources=diagonal(parts).sum(-1),
        directed=np.array([_directed(*now, p=p) for now in zip(mean, leading, parts, strict=True)]),
        thirds=tuple(thirds),
    )


def _directed(
    mean: np.ndarray, leading: np.ndarray, parts: np.ndarray, p: int
) -> Float[np.ndarray, " M"]:
    """Return the absolute sum of the sources over C1, in the direction in which it is largest."""
    result = np.zeros(len(mean))
    for i, own in enumerate(mean):
        at = slice(i * p, (i + 1) * p)
        whiten = np.linalg.inv(np.linalg.cholesky(leading[at, at]))
        total = np.multiply.outer(whiten @ own, whiten @ own)
        for source in parts[:, at, at]:
            values, vectors = np.linalg.eigh(whiten @ source @ whiten.T)
            total += vectors * np.abs(values)[None] @ vectors.T
        result[i] = np.linalg.eigvalsh(total)[-1]
    return result
