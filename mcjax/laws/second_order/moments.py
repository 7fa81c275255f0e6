"""Moments of the errors of a condition, for any number of parameters at the cost of three.

In the coordinates of :mod:`mcjax.laws.second_order.row_tensors` everything is symmetric around the
direction u of the truth. So the mean of an error lies along u, and a covariance between two models
is ``c_along u u' + c_across (I - u u')``. These numbers depend on p only through traces over the
directions across, each of which is a sum of p - 1 equal terms. No term of the recursion has more
than one such sum, so all are affine in p: ``c(p) = c(2) + (p - 2) (c(3) - c(2))``.

Back in the coordinates of theta, with ``cov(x) = L L'`` and ``a = L'^-1 u``, ``u u'`` becomes
``a a'`` and the identity ``cov(x)^-1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from mcjax.chains.layout import Feeds, network_arrays, shape_of, tables_of
from mcjax.estimators.penalty import Firth
from mcjax.laws.law import Inapplicable
from mcjax.laws.second_order.recursion import State, advance, before, settled
from mcjax.laws.second_order.row_tensors import (
    FARTHEST,
    Grid,
    RowTensors,
    grid_for,
    noise_axes,
)
from mcjax.laws.second_order.samples import Sample, kept_streams, samples_of
from mcjax.laws.second_order.step import Layout, Step, step_of
from mcjax.laws.validity import FullThirdCumulants, ThirdCumulants
from mcjax.models.score_expansion import ScoreExpansion
from mcjax.models.scores import ScoreMoments
from mcjax.study.study import Condition


class Axis(NamedTuple):
    """Coordinates in which covariates are standard normal.

    Attributes
    ----------
    gamma : float
        Standard deviation of the predictor; a smaller one where nothing depends on it.
    along, across : ndarray, shape (p, p)
        What ``u u'`` and ``I - u u'`` become in the coordinates of theta.
    direction : ndarray, shape (p,)
        What u becomes.
    """

    gamma: float
    along: Float[np.ndarray, "p p"]
    across: Float[np.ndarray, "p p"]
    direction: Float[np.ndarray, " p"]


@dataclass(frozen=True)
class Generations:
    """The samples that each generation reads.

    Attributes
    ----------
    samples : tuple of lists of Sample
        The samples of the distinct generations, generation 0 first.
    order : tuple of int
        Which of them each generation from 0 to T has.
    kept : dict of int to Sample
        The kept samples, by number.
    """

    samples: tuple[list[Sample], ...]
    order: tuple[int, ...]
    kept: dict[int, Sample]


@dataclass(frozen=True)
class ExpandedMoments:
    """Leading and next terms of the moments at generations 0 to T, perhaps with their limit.

    Attributes
    ----------
    mean : ndarray, shape (T + 1, M, p)
        m.
    leading, following : ndarray, shape (T + 1, M p, M p)
        C1 and C2.
    sources : ndarray, shape (T + 1, 5, M)
        Traces of what each of :data:`~mcjax.laws.second_order.recursion.SOURCES` adds to C2.
    directed : ndarray, shape (T + 1, M)
        Absolute sum of all sources and the squared mean over C1, along or across, whichever is
        larger.
    thirds : tuple of ThirdCumulants or FullThirdCumulants
        Third cumulants of each model's errors, one for each generation.
    """

    mean: Float[np.ndarray, "T+1 M p"]
    leading: Float[np.ndarray, "T+1 M*p M*p"]
    following: Float[np.ndarray, "T+1 M*p M*p"]
    sources: Float[np.ndarray, "T+1 5 M"]
    directed: Float[np.ndarray, "T+1 M"]
    thirds: tuple[ThirdCumulants | FullThirdCumulants, ...]

    def at(self, times: slice) -> ExpandedMoments:
        """Return the moments of some generations."""
        return ExpandedMoments(**{name: part[times] for name, part in vars(self).items()})


class Components(NamedTuple):
    """The same in the coordinates of :class:`Axis`, along and across."""

    mean: np.ndarray  # (T + 1, M)
    leading: np.ndarray  # (T + 1, 2, M, M)
    parts: np.ndarray  # (T + 1, 5, 2, M, M)
    third: np.ndarray  # (T + 1, 2, M): u u u, and u with a pair across


def axis_of(condition: Condition) -> Axis:
    """Return the coordinates of a condition.

    Raises
    ------
    Inapplicable
        If the covariance of the covariates is singular.
    """
    try:
        root = np.linalg.cholesky(condition.covariance)
    except np.linalg.LinAlgError as error:
        raise Inapplicable("the covariance of the covariates is singular") from error
    whitened = root.T @ condition.theta
    gamma = float(np.linalg.norm(whitened))
    unit = whitened / gamma if gamma > 0 else np.eye(len(whitened))[0]
    scores = condition.model.scores
    if isinstance(scores, ScoreMoments) and scores.location:  # moments do not depend on gamma
        gamma = min(gamma, FARTHEST)
    direction = np.linalg.solve(root.T, unit)
    along = np.outer(direction, direction)
    return Axis(gamma, along, np.linalg.inv(condition.covariance) - along, direction)


def generations_of(condition: Condition, generations: int) -> Generations:
    """Return what generations 0 to T read."""
    net = condition.network
    arrays = network_arrays(net, shape_of([net], max(generations, 1)))
    tables: list[Feeds] = tables_of(arrays)
    streams = kept_streams(tables[1:])
    samples = tuple(samples_of(feeds, streams) for feeds in tables)
    kept = {s.kept: s for table in samples for s in table if s.kept is not None}
    return Generations(samples, tuple(arrays.order[: generations + 1].tolist()), kept)


def expansions(condition: Condition, grid: Grid, gamma: float) -> dict[int, ScoreExpansion]:
    """Return the expansion of one row's score by origin: models, then real sources."""
    net, model, sigma = condition.network, condition.model, condition.sources.sigma
    assert isinstance(model.scores, ScoreMoments), "the law has asked"
    assert model.scores.expansion is not None, "the law has asked"
    eta = gamma * grid.z
    generated = model.scores.expansion(model.params, eta, False)
    result = dict.fromkeys(range(net.size), generated)
    for s in range(1 + len(net.sources)):
        params = model.params
        if sigma is not None and model.noise_scale is not None:
            params = params | {model.noise_scale: sigma[s]}
        result[net.size + s] = model.scores.expansion(params, eta, True)
    return result


def moments_of(
    condition: Condition, read: Generations, stable: Bool[np.ndarray, " M"] | None
) -> ExpandedMoments:
    """Return the moments at generations 0 to T, then their limit if ``stable`` is given.

    Parameters
    ----------
    condition : Condition
        A condition whose model states its expansion.
    read : Generations
        What it reads.
    stable : ndarray of bool, shape (M,), optional
        The models that settle if the last generation's feeds stay. The limit of others is nan.

    Raises
    ------
    Inapplicable
        If the information is singular or not finite.
    """
    p, axis = len(condition.theta), axis_of(condition)
    grid = grid_for(axis.gamma)
    rows = expansions(condition, grid, axis.gamma)
    size = condition.network.size
    found = [
        components_of(
            read,
            rows,
            grid,
            layout=Layout(size, q, noise_axes(q), len(read.kept)),
            stable=stable,
            firth=isinstance(condition.model.penalty, Firth),
        )
        for q in ((p,) if p < 3 else (2, 3))
    ]
    if p < 3:
        [components] = found
    else:
        two, three = found
        components = Components(*(a + (p - 2) * (b - a) for a, b in zip(two, three, strict=True)))
    matrices = np.array([axis.along, axis.across])

    def spread_out(parts: np.ndarray) -> np.ndarray:
        blocks = np.einsum("tcij,cab->tiajb", parts, matrices)
        return np.asarray(blocks.reshape(len(parts), size * p, size * p))

    return ExpandedMoments(
        mean=components.mean[:, :, None] * axis.direction,
        leading=spread_out(components.leading),
        following=spread_out(components.parts.sum(1)),
        sources=np.einsum("tscii,caa->tsi", components.parts, matrices),
        directed=_directed(components, p),
        thirds=tuple(
            ThirdCumulants(along, mixed, axis.direction, axis.along + axis.across)
            for along, mixed in components.third
        ),
    )


@np.errstate(invalid="ignore")  # where nothing settles
def _directed(components: Components, p: int) -> Float[np.ndarray, "T+1 M"]:
    """Return the absolute sum of the sources over C1, along or across, whichever is larger."""
    sources = np.abs(np.einsum("tscii->tsci", components.parts)).sum(1)
    sources[:, 0] += components.mean**2
    ratios = sources / np.einsum("tcii->tci", components.leading)
    return np.asarray(ratios[:, 0] if p == 1 else ratios.max(1))


def tensors_of(rows: Mapping[int, ScoreExpansion], grid: Grid, p: int) -> dict[int, RowTensors]:
    """Return the moments of one row by origin, from its expansions.

    Raises
    ------
    Inapplicable
        If they are infinite.
    """
    distinct = {id(row): row for row in rows.values()}
    tensors = {key: RowTensors(row, grid, p) for key, row in distinct.items()}
    for row in tensors.values():
        if not (np.isfinite(row.noise).all() and np.isfinite(row.noise_third).all()):
            raise Inapplicable("moments of the score are infinite")
    return {origin: tensors[id(row)] for origin, row in rows.items()}


def components_of(
    read: Generations,
    rows: dict[int, ScoreExpansion],
    grid: Grid,
    layout: Layout,
    stable: np.ndarray | None,
    firth: bool = False,
) -> Components:
    """Return the moments for one number of coordinates."""
    tensors = tensors_of(rows, grid, layout.p)
    steps: dict[int, Step] = {}
    for place in dict.fromkeys(read.order):
        try:
            steps[place] = step_of(read.samples[place], tensors, layout, firth)
        except np.linalg.LinAlgError as error:
            raise Inapplicable("an expected Hessian is singular") from error
    # they change C2 where targets bend, and tell the shape of the errors otherwise
    skewed = any(np.any(row.cubed_slope) for row in rows.values())
    skewed |= any(step.bends for step in steps.values())
    state = before(layout, read.kept, tensors, skewed)
    states: list[Components] = []
    for place in read.order:
        state = advance(steps[place], state)
        states.append(_seen(state, layout))
    if stable is not None:
        inside = np.ones(layout.size, bool)
        inside[: layout.moving] = np.repeat(stable, layout.p)
        end = settled(steps[read.order[-1]], state, inside)
        states.append(_limit(states[-1], None if end is None else _seen(end, layout), stable))
    return Components(*(np.array(entries) for entries in zip(*states, strict=True)))


def _limit(like: Components, end: Components | None, stable: np.ndarray) -> Components:
    """Return the limit of the models that settle, nan for others."""
    if end is None:
        return Components(*(np.full_like(entry, np.nan) for entry in like))
    pairs = stable[:, None] & stable
    return Components(
        np.where(stable, end.mean, np.nan),
        np.where(pairs, end.leading, np.nan),
        np.where(pairs, end.parts, np.nan),
        np.where(stable, end.third, np.nan),
    )


def _seen(state: State, layout: Layout) -> Components:
    """Return the components along and across of the models' moments."""
    size, p, moving = layout.models, layout.p, layout.moving

    def split(matrix: np.ndarray) -> np.ndarray:
        blocks = matrix[..., :moving, :moving].reshape(*matrix.shape[:-2], size, p, size, p)
        across = blocks[..., :, -1, :, -1] if p > 1 else np.zeros_like(blocks[..., :, 0, :, 0])
        return np.stack([blocks[..., :, 0, :, 0], across], axis=-3)

    third = np.zeros((2, size))
    if state.third is not None:
        along = np.arange(0, moving, p)
        third[0] = state.third[along, along, along]
        if p > 1:
            third[1] = state.third[along, along + p - 1, along + p - 1]
    return Components(state.mean[:moving:p], split(state.leading), split(state.parts), third)
