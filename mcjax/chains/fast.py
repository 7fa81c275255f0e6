"""Blocks of chains at once, with the draws of :mod:`mcjax.chains.reference`, close to full speed.

This path is for models of a linear predictor that are fitted by Newton's method to the data of one
generation (:func:`reason_against`). Arrays hold a block of lanes: the F fits of one generation
(lanes, then models), and last the H pairs of rows of each fit. Each optimisation states what it
gains; a test compares estimates with those of the reference path.

Results of one stage are packed into one array, because every stored array is a separate loop, which
takes 20 ms to compile.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import UInt32

from mcjax.chains.dataset import design_streams, sample_keys
from mcjax.chains.generation import feeds_at
from mcjax.chains.lookup import FEW, lookup
from mcjax.chains.program import ConditionArrays, Program, Trajectory
from mcjax.chains.step import shares_of, status_before_fit
from mcjax.draws.samplers import normal_pair
from mcjax.draws.streams import LABEL, SPARE, row_words
from mcjax.draws.threefry import threefry
from mcjax.estimators.estimator import Estimator, Fit
from mcjax.estimators.newton import Newton
from mcjax.estimators.newton_rows import MOST, Rows, fit_rows, predictor_of
from mcjax.estimators.predictor import Params
from mcjax.models.model import Model
from mcjax.network.memory import Memory
from mcjax.solvers.once import once
from mcjax.solvers.status import Status

VECTOR, FEW_LEFT = 16, 4
"""Single-precision numbers in the longest vector register; and how many numbers beyond whole
vectors run one by one as quickly as in a further vector."""
EVEN, ODD, PAIR = 31, 30, np.uint32(2**30 - 1)
"""Two bits tell whether the even and the odd row of a pair are rows of the fit; the mask gives the
other bits, which are the number of the pair."""


def reason_against(
    model: Model, p: int, estimator: Estimator, memory: Memory, selections: tuple[Any, ...] = ()
) -> str:
    """Return why the fast path cannot run such chains, or an empty string."""
    if model.predictor is None:
        return "the model is not one of a linear predictor"
    if estimator != Newton():
        return "models are not fitted by Newton's method"
    if p > MOST:
        return f"there are more than {MOST} parameters"
    if not all(selection.relabels for selection in selections):
        return "readers keep only some rows of their feeds"
    return "" if memory.current_only else "fits are of more than one generation's data"


def padded(pairs: int) -> int:
    """Return the number of pairs of rows of a fit after padding to whole vectors."""
    left = pairs % VECTOR
    return pairs if left <= FEW_LEFT else pairs + VECTOR - left


class _Sources(NamedTuple):
    """The feeds of F fits."""

    words: Array  # (5 or 7, F, B): end among the pairs, rows, 2 or 4 words of stream keys, is real
    theta: Array  # (p, F, B), parameters of the origin
    weight: Array  # (F, B), of each observation, as a share of the fit's total weight
    selection: Array | None  # (F, B), number of what the reader keeps, 0 for everything


def run_chains(
    conditions: ConditionArrays, keys: UInt32[Array, "blocks lanes 2"], program: Program
) -> Trajectory:
    """Run blocks of chains, one after the other.

    All arrays, and those of the result, have leading axes (blocks, lanes).
    """
    (blocks, lanes, models), p = conditions.network.frozen.shape, conditions.truth.shape[-1]
    span, dtype = np.int32(program.generations + 1), jnp.dtype(program.fit_dtype)
    shape = (blocks, lanes, int(span), models)

    def step(k: Array, carry: tuple[Array, Trajectory]) -> tuple[Array, Trajectory]:
        before, results = carry
        block, t = lax.div(k, span), lax.rem(k, span)
        condition, key = jax.tree.map(
            lambda a: lax.dynamic_index_in_dim(a, block, 0, False, allow_negative_indices=False),
            (conditions, keys),
        )
        fit = _generation(condition, before, key=key, t=t, program=program)

        def written(table: Array, values: Array) -> Array:
            # (F, ...) into (blocks, lanes, T + 1, models, ...) at this block and generation
            zero = np.int32(0)
            place: list[Any] = [block, zero, t, *[zero] * (table.ndim - 3)]
            entry = values.reshape(1, lanes, 1, models, *table.shape[4:])
            return lax.dynamic_update_slice(table, entry, place, allow_negative_indices=False)

        now = Trajectory(fit.theta.T, fit.status, fit.steps)
        return fit.theta, jax.tree.map(written, results, now)

    begin = Trajectory(
        jnp.zeros((*shape, p), dtype), jnp.zeros(shape, jnp.int32), jnp.zeros(shape, jnp.int32)
    )
    # a single loop over blocks and generations: nested loops would copy all results each time
    before = jnp.zeros((p, lanes * models), dtype)
    return lax.fori_loop(jnp.int32(0), jnp.int32(blocks * span), step, (before, begin))[1]


def _generation(
    conditions: ConditionArrays, before: Array, key: Array, t: Array, program: Program
) -> Fit:
    """Fit every model of every lane once; frozen models keep their estimates.

    ``before`` holds the estimates of the previous generation, (p, F), NaN where there is none; it
    is not used at t = 0.
    """
    sources, start, status = _sources(conditions, before, key, t)
    models = conditions.network.frozen.shape[-1]
    # the numbers of each lane's model, (F, 1), in the precisions of draws and of fits
    drawing, fitting = (
        jax.tree.map(lambda leaf, to=to: jnp.repeat(leaf.astype(to), models)[:, None], model)
        for model in (conditions.model,)
        for to in (program.draw_dtype, program.fit_dtype)
    )
    # nothing is drawn for a block in which no model is left to fit, as happens after explosions
    count = jnp.where((status == Status.RUNNING).any(), t, -1)
    selections: tuple[Any, ...] = jax.tree.map(
        lambda leaf: jnp.repeat(leaf.astype(program.draw_dtype), models), conditions.selections
    )
    rows = _draw(
        drawing,
        conditions.factor,
        sources,
        selections=selections,
        count=count,
        program=program,
    )
    fit = fit_rows(fitting, rows, start, status)
    truth = jnp.repeat(conditions.truth[:, 0].astype(before.dtype).T, models, axis=1)
    frozen = jnp.where(t == 0, truth, before)
    theta = jnp.where(fit.status == Status.NOT_FITTED, frozen, fit.theta)
    return fit._replace(theta=theta)


def _sources(
    conditions: ConditionArrays, before: Array, key: Array, t: Array
) -> tuple[_Sources, Array, Array]:
    """Gather each fit's feeds, its Newton start (p, F) and its initial status (F,)."""
    net, dtype = conditions.network, before.dtype
    lanes, _, models, slots = net.feeds.samples.shape
    p, fits = before.shape
    # as a stage of its own, or the compiler selects them again in each loop over the rows
    feeds: Any = once(t, lambda: jax.vmap(feeds_at, (0, None))(net, t))
    feeds = jax.tree.map(lambda entry: entry.reshape(fits, slots), feeds)
    weight = feeds.weight.astype(dtype)
    observation, share = shares_of(feeds.samples, weight, axis=-1)
    truth = jnp.moveaxis(conditions.truth.astype(dtype), 2, 0)
    parents = jnp.concatenate([before.reshape(p, lanes, models), truth], -1)
    theta = lookup(parents, feeds.origin.reshape(lanes, models * slots), -1).reshape(p, fits, slots)
    unknown = jnp.isnan(theta[0])
    status = status_before_fit(feeds.samples > 0, ~unknown, axis=-1)
    theta = jnp.where(unknown[None], 0, theta)  # NaN would spread to the start of the fit
    # start from the weighted mean of the parents: four passes over the rows instead of six
    start = (share[None] * theta).sum(-1)
    stamp = jnp.where(feeds.renewed, t, 0).astype(jnp.uint32)
    chain = jnp.repeat(key, models, axis=0)  # (F, 2)
    own = sample_keys((chain[:, :1], chain[:, 1:]), feeds)
    keys: tuple[Any, ...] = threefry(own, (stamp, feeds.stream))
    if conditions.design is not None:
        design = jnp.repeat(conditions.design, models, axis=0)
        keys += design_streams(design.T[..., None], feeds.stream)
    rows = jnp.where(weight > 0, feeds.samples, 0)  # rows of weight 0 are not drawn
    # (F, B): cumulative sum of pairs over the slots, as a product with a lower triangle of ones
    ends = ((rows + 1) // 2)[:, None, :] * np.tri(slots, dtype=np.int32)[None]
    words = (ends.sum(-1, dtype=jnp.int32), rows, *keys, feeds.origin >= models)
    packed = jnp.stack([word.astype(jnp.uint32) for word in words])
    return _Sources(packed, theta, observation, feeds.selection), start, status


def _draw(
    model: Model,
    factor: Any,
    sources: _Sources,
    selections: tuple[Any, ...],
    count: Array,
    program: Program,
) -> Rows:
    """Draw the rows of all fits, the same as :func:`mcjax.chains.dataset.draw_dataset` draws.

    ``factor`` has shape (lanes, p, p); ``count`` is negative if no row is needed.
    """
    number = jnp.dtype(program.draw_dtype)
    (p, fits, slots), pairs = sources.theta.shape, padded(program.pairs)

    def of_pair(values: Array) -> Array:
        """Return for each pair of rows the value of its feed: (..., F, B) to (..., F, H)."""
        ends, place = sources.words[0].astype(jnp.int32), _places(pairs)
        if slots > FEW:
            slot = (place[..., None] >= ends[:, None, :-1]).sum(-1, dtype=jnp.int32)
            return lookup(values, slot, -1)
        chosen = jnp.broadcast_to(values[..., :1], (*values.shape[:-1], pairs))
        for b in range(1, slots):
            chosen = jnp.where(place >= ends[:, b - 1, None], values[..., b, None], chosen)
        return chosen

    def streams() -> Array:
        """Return words of stream keys and, last, pairs with two flags: (3 or 5, F, H)."""
        ends, samples = (word.astype(jnp.int32) for word in sources.words[:2])
        # (F, H): number of each pair in its sample, and how many rows that leaves in the sample
        within = _places(pairs) - of_pair(ends - (samples + 1) // 2)
        left, inside = of_pair(samples) - 2 * within, _places(pairs) < ends[:, -1:]
        pair = within.astype(jnp.uint32) & PAIR
        for odd, bit in enumerate((EVEN, ODD)):
            pair |= ((left > odd) & inside).astype(jnp.uint32) << bit
        row = lax.broadcasted_iota(jnp.int32, (len(sources.words) - 2, 1, 1), 0)
        # the last row holds the pairs, in place of `real`
        return jnp.where(row == len(row) - 1, pair[None], of_pair(sources.words[2:]))

    # Computed once for all covariates, with fits laid end to end so that vectors run on across
    # their ends: the rows of one fit seldom fill whole vectors, and the rest would run one by one.
    # (3 or 5, F H)
    stream = once(count, streams).reshape(-1, fits * pairs)

    # Two results of one computation are packed into one complex array; for two arrays the compiler
    # would run the computation twice. Words and normals are separate stages: together they need
    # more registers than there are, and take half as long again.
    def covariate_words() -> Array:
        # (p, F H): the words before the pairs are the key of the design, or of the stream without
        role = lax.broadcasted_iota(jnp.uint32, (p, 1), 0)
        words = row_words((stream[-3:-2], stream[-2:-1]), stream[-1:] & PAIR, role)
        return lax.complex(*(lax.bitcast_convert_type(word, jnp.float32) for word in words))

    drawn = once(count, covariate_words)

    def normals() -> Array:
        first, second = (
            lax.bitcast_convert_type(part, jnp.uint32) for part in (drawn.real, drawn.imag)
        )
        # zeros in place of rows that are padding
        valid = ((stream[-1:] >> bit & 1).astype(jnp.int32).astype(number) for bit in (EVEN, ODD))
        normal = normal_pair((first, second), number)
        return lax.complex(*(a * b for a, b in zip(normal, valid, strict=True)))

    z = once(count, normals)
    mixing = jnp.asarray(factor, number)

    def halves(mix: bool) -> Array:
        """Return x, (2, p, F, H): even and odd rows apart, so that rows are contiguous."""
        split = []
        for half in (z.real, z.imag):
            half = half.reshape(p, fits, pairs)
            if mix:
                # factor times normals, summed over columns of the factor
                roots = jnp.repeat(mixing, fits // len(mixing), axis=0)  # (F, p, p)
                columns = [roots[:, :, k].T[..., None] * half[k][None] for k in range(p)]
                half = sum(columns[1:], columns[0])
            split.append(half)
        return jnp.stack(split)

    white = jnp.all(mixing == np.eye(p, dtype=number)[None])
    x = lax.cond(white, lambda: halves(mix=False), lambda: halves(mix=True))

    def labels() -> Array:
        theta, real = of_pair(sources.theta.astype(number)), of_pair(sources.words[-1]) > 0
        first, second, *_, pair = stream.reshape(-1, fits, pairs)
        words = [row_words((first, second), pair & PAIR, jnp.uint32(LABEL + k)) for k in range(2)]

        def label(odd: int, params: Params, theta: Array) -> Array:
            half = x[odd]
            eta = sum((half[i] * theta[i] for i in range(1, p)), half[0] * theta[0])
            row = (words[0][odd], words[1][odd])
            return predictor_of(model).labels(params, eta, real, row)

        drawn = [label(odd, model.params, theta) for odd in range(2)]
        for k, selection in enumerate(selections, 1):
            assert sources.selection is not None, "a network with selections has their numbers"
            chosen = of_pair(sources.selection) == k
            spare = [row_words((first, second), pair & PAIR, jnp.uint32(role)) for role in SPARE]
            numbers = jax.tree.map(lambda leaf: leaf[:, 0], model.params)  # one for each fit
            params, moved = jax.vmap(
                lambda one, params, theta: one.parameters(model, params, theta), (0, 0, 1), (0, 1)
            )(selection, numbers, theta)
            params = jax.tree.map(lambda leaf: leaf[:, None], params)
            for odd in range(2):
                kept = jax.vmap(lambda one, *row: one.changed(row[0], row[1:]))(
                    selection, label(odd, params, moved), spare[0][odd], spare[1][odd]
                )
                drawn[odd] = jnp.where(chosen, kept, drawn[odd])
        return lax.complex(*drawn)

    both = once(count, labels)
    y = once(count, lambda: jnp.stack([both.real, both.imag]))
    size = sources.words[1].astype(jnp.int32).sum(-1, dtype=jnp.int32)
    return Rows(x, y, lambda: of_pair(sources.weight), size.astype(sources.weight.dtype))


def _places(pairs: int) -> Array:
    return lax.broadcasted_iota(jnp.int32, (1, pairs), 1)
