"""Chains of very many small networks, reduced on the device to two numbers each.

A study keeps the moments of every generation. A survey keeps only the *slope* and the *level* of
the squared error of each chain and model over the late generations. One compiled program serves all
networks of a survey.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mcjax.chains.layout import NetworkArrays, Shape, network_arrays
from mcjax.chains.program import ConditionArrays, Program
from mcjax.chains.statistics import run_white
from mcjax.draws.streams import chain_keys
from mcjax.engine.moments import Moments, merge_across
from mcjax.estimators.newton import Newton
from mcjax.models.model import Model
from mcjax.solvers.status import FAILURES
from mcjax.study.survey import TILE, Survey

DEVICE_NETWORKS = 256
"""Number of networks in a block on an accelerator; on a CPU a block is one tile of one network."""


class SurveyMoments(NamedTuple):
    """Results of a piece of a survey, for K networks of M models.

    Attributes
    ----------
    late : Moments
        Joint moments of (slope, level) over chains: number (K, M), mean (K, M, 2), centred sums of
        products (K, M, 2, 2).
    failures : ndarray
        Number of fits without an estimate, shape (K, M).
    """

    late: Moments
    failures: np.ndarray


def run_pieces(
    survey: Survey, pieces: Mapping[int, np.ndarray], model: Model
) -> Iterator[tuple[int, SurveyMoments]]:
    """Simulate the pieces of a survey, each a list of codes, and yield them in order.

    On a CPU as many pieces run at a time as there are cores, because a block is too small to be
    divided.
    """
    workers = (os.cpu_count() or 1) if jax.default_backend() == "cpu" else 1
    waiting: deque[tuple[int, Future[SurveyMoments]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for k, codes in pieces.items():
                waiting.append((k, pool.submit(run_survey, survey, codes, model)))
                if len(waiting) > workers:
                    number, done = waiting.popleft()
                    yield number, done.result()
            while waiting:
                number, done = waiting.popleft()
                yield number, done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def run_survey(survey: Survey, codes: np.ndarray, model: Model) -> SurveyMoments:
    """Simulate the networks with these codes; the draws of a network depend on its code alone."""
    shape = Shape(survey.models, survey.models + 1, 0, generations=survey.generations)
    arrays = [network_arrays(survey.network(int(code)), shape) for code in codes]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *arrays)
    tiles = survey.chains // TILE
    together = 1 if jax.default_backend() == "cpu" else min(DEVICE_NETWORKS, len(codes))
    filled = -(-len(codes) // together) * together
    owner = np.minimum(np.arange(filled), len(codes) - 1)  # fill the last block with copies
    keys = np.stack(
        [chain_keys(survey.seed, int(code), np.arange(survey.chains)) for code in codes]
    )
    keys = keys[owner].reshape(-1, together, tiles, TILE, 2).swapaxes(1, 2)
    program = Program(
        generations=survey.generations,
        path="statistics",
        estimator=Newton(),
        draw_dtype="float32",
        fit_dtype="float64",
    )
    blocks = jax.tree.map(lambda leaf: leaf[owner].reshape(-1, together, *leaf.shape[1:]), stacked)
    leaves = _run_blocks(blocks, keys, model, program)
    # (blocks, tiles, networks, ...) to (tiles, networks, ...)
    chains, mean, square, failures = (
        np.moveaxis(np.asarray(leaf), 1, 0).reshape(tiles, filled, *leaf.shape[3:])[:, : len(codes)]
        for leaf in leaves
    )
    late = Moments(chains[0], mean[0], square[0])
    for k in range(1, tiles):
        late = merge_across(late, Moments(chains[k], mean[k], square[k]))
    return SurveyMoments(late, failures.sum(0))


@partial(jax.jit, static_argnames="program")
def _run_blocks(nets: NetworkArrays, keys: Any, model: Model, program: Program) -> Any:
    """Run networks (blocks, networks, ...) with keys (blocks, tiles, networks, TILE, 2)."""

    def block(part: tuple[NetworkArrays, Array]) -> Any:
        networks, tiles = part
        wide = jax.tree.map(lambda leaf: jnp.repeat(leaf, TILE, axis=0), networks)
        lanes = len(wide.frozen)
        unit = jnp.ones((lanes, 1, 1))
        numbers = jax.tree.map(lambda leaf: jnp.full(lanes, leaf), model)
        conditions = ConditionArrays(wide, truth=unit, factor=unit, whitener=unit, model=numbers)

        def tile(key: Array) -> Any:
            white, status = run_white(conditions, key.reshape(lanes, 2), program)
            return _late_moments(white, status)

        return lax.map(tile, tiles)

    return lax.map(block, (nets, keys))


def late_windows(generations: int) -> tuple[slice, slice, slice, float]:
    """Return the windows at both ends of the slope, that of the level, and the ends' distance."""
    width = generations // 8
    begin, last = generations // 4, generations + 1
    first, second = slice(begin, begin + width), slice(last - width, last)
    return first, second, slice(generations // 2, last), float(second.start - first.start)


def _late_moments(white: Array, status: Array) -> tuple[Array, Array, Array, Array]:
    """Return number, mean, square and failures of one tile, with networks as the first axis."""
    squared = (white**2).sum(1)  # (T + 1, M, lanes)
    first, second, late, distance = late_windows(len(squared) - 1)
    slope = (squared[second].mean(0) - squared[first].mean(0)) / distance
    both = jnp.stack([slope, squared[late].mean(0)], axis=1)  # (M, 2, lanes)
    both = jnp.moveaxis(both.reshape(*both.shape[:2], -1, TILE), 2, 0)  # (networks, M, 2, TILE)
    valid = jnp.isfinite(both).all(2, keepdims=True)
    count = valid.sum((2, 3))
    mean = jnp.where(valid, both, 0).sum(-1) / jnp.maximum(count, 1).astype(both.dtype)[..., None]
    centred = jnp.where(valid, both - mean[..., None], 0)
    square = (centred[:, :, :, None] * centred[:, :, None]).sum(-1)
    failed = jnp.isin(status, jnp.array(FAILURES, status.dtype)).astype(jnp.int32)
    failures = jnp.moveaxis(failed.sum(0).reshape(len(both[0]), -1, TILE), 1, 0).sum(-1)
    return count, mean, square, failures
