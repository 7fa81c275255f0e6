"""Blocks of chains at once: the draws of :mod:`mcjax.chains.reference`, near what a processor can
do.

For models of a linear predictor, fitted by Newton's method to this generation's data
(:func:`reason_against`). Arrays are written out for a block of lanes: all fits of one generation, F
of them (lanes, then models), and last the H pairs of rows of each. Each trick says what it buys; a
test compares estimates with those of the reference.

Results of one stage are packed into one array: every array that is stored is a loop of its own,
and takes 20 ms to compile.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mcjax.chains.dataset import design_streams
from mcjax.chains.layout import feeds_at
from mcjax.chains.program import ConditionArrays, Program, Trajectory
from mcjax.chains.step import shares_of, status_before_fit
from mcjax.draws.samplers import normal_pair
from mcjax.draws.streams import LABEL, row_words
from mcjax.draws.threefry import threefry
from mcjax.estimators.estimator import Estimator, Fit
from mcjax.estimators.newton import Newton
from mcjax.estimators.newton_rows import MOST, Rows, fit_rows, predictor_of
from mcjax.models.model import Model
from mcjax.network.memory import Memory
from mcjax.solvers.once import once
from mcjax.solvers.status import Status

VECTOR, FEW_LEFT = 16, 4
"""Numbers of single precision in the longest vector of a processor; up to so many beyond whole
vectors run one by one as quickly as in one vector more."""
FEW = 8
"""One of up to so many is found by comparisons, which are vector instructions."""
EVEN, ODD, PAIR = 31, 30, np.uint32(2**30 - 1)
"""Two bits say whether the rows of a pair are any of the fit's, the others are its number."""


def reason_against(model: Model, p: int, estimator: Estimator, memory: Memory) -> str:
    """Return why the fast path does not run such chains, or nothing."""
    if model.predictor is None:
        return "the model is not one of a linear predictor"
    if estimator != Newton():
        return "models are not fitted by Newton's method"
    if p > MOST:
        return f"there are more than {MOST} parameters"
    return "" if memory.current_only else "fits are of more than one generation's data"


def padded(pairs: int) -> int:
    """Pairs of rows of a fit, with padding that makes passes over them quick."""
    left = pairs % VECTOR
    return pairs if left <= FEW_LEFT else pairs + VECTOR - left


class _Sources(NamedTuple):
    """What the feeds of F fits give."""

    words: Array  # (5 or 7, F, B): ends among pairs, rows, stream keys, 1 if real
    theta: Array  # (p, F, B), of the origin
    weight: Array  # (F, B), of each observation, as a share of all of the fit


def run_chains(conditions: ConditionArrays, keys: Array, program: Program) -> Trajectory:
    """Run blocks of chains, one after the other.

    Arrays have leading axes of blocks and lanes, as has the result.
    """
    (blocks, lanes, models), p = conditions.network.frozen.shape, conditions.truth.shape[-1]
    span, dtype = np.int32(program.generations + 1), jnp.dtype(program.fit_dtype)
    shape = (blocks, lanes, int(span), models)

    def step(k: Array, carry: tuple[Array, Trajectory]) -> tuple[Array, Trajectory]:
        before, results = carry
        block, t = lax.div(k, span), lax.rem(k, span)
        own, key = jax.tree.map(
            lambda a: lax.dynamic_index_in_dim(a, block, 0, False, allow_negative_indices=False),
            (conditions, keys),
        )
        fit = _generation(own, before, key, t, program)

        def kept(every: Array, found: Array) -> Array:
            zero = np.int32(0)
            place: list[Any] = [block, zero, t, *[zero] * (every.ndim - 3)]
            one = found.reshape(1, lanes, 1, models, *every.shape[4:])
            return lax.dynamic_update_slice(every, one, place, allow_negative_indices=False)

        found = Trajectory(fit.theta.T, fit.status, fit.steps)
        return fit.theta, jax.tree.map(kept, results, found)

    begin = Trajectory(
        jnp.zeros((*shape, p), dtype), jnp.zeros(shape, jnp.int32), jnp.zeros(shape, jnp.int32)
    )
    # one loop over blocks and generations: with another around it all that one writes is copied
    before = jnp.zeros((p, lanes * models), dtype)
    return lax.fori_loop(jnp.int32(0), jnp.int32(blocks * span), step, (before, begin))[1]


def _generation(
    conditions: ConditionArrays, before: Array, key: Array, t: Array, program: Program
) -> Fit:
    """Fit every model of every lane once; frozen ones keep their estimates.

    before: estimates, (p, F), not-a-number where there is none; without meaning at t = 0.
    """
    given, start, status = _sources(conditions, before, key, t)
    models = conditions.network.frozen.shape[-1]
    drawing, fitting = (
        jax.tree.map(lambda leaf, to=to: jnp.repeat(leaf.astype(to), models)[:, None], model)
        for model in (conditions.model,)
        for to in (program.draw_dtype, program.fit_dtype)
    )
    # where a network collapses whole blocks end: nothing more is drawn for them
    count = jnp.where((status == Status.RUNNING).any(), t, -1)
    rows = _draw(drawing, conditions.factor, given, count, program)
    found = fit_rows(fitting, rows, start, status)
    truth = jnp.repeat(conditions.truth[:, 0].astype(before.dtype).T, models, axis=1)
    frozen = jnp.where(t == 0, truth, before)
    theta = jnp.where(found.status == Status.NOT_FITTED, frozen, found.theta)
    return found._replace(theta=theta)


def _sources(
    conditions: ConditionArrays, before: Array, key: Array, t: Array
) -> tuple[_Sources, Array, Array]:
    """And where fits begin, (p, F), and with which status, (F,)."""
    net, dtype = conditions.network, before.dtype
    lanes, _, models, slots = net.feeds.samples.shape
    p, fits = before.shape
    feeds: Any = jax.vmap(feeds_at, (0, None))(net, t)
    feeds = jax.tree.map(lambda entry: entry.reshape(fits, slots), feeds)
    weight = feeds.weight.astype(dtype)
    observation, share = shares_of(feeds.samples, weight, axis=-1)
    truth = jnp.moveaxis(conditions.truth.astype(dtype), 2, 0)
    parents = jnp.concatenate([before.reshape(p, lanes, models), truth], -1)
    theta = _chosen(parents, feeds.origin.reshape(lanes, models * slots)).reshape(p, fits, slots)
    unknown = jnp.isnan(theta[0])
    status = status_before_fit(feeds.samples > 0, ~unknown, axis=-1)
    theta = jnp.where(unknown[None], 0, theta)  # lest it makes others' arithmetic fail
    # the mean of the parents is a fit's best guess: four passes over the rows instead of six
    start = (share[None] * theta).sum(-1)
    stamp = jnp.where(feeds.renewed, t, 0).astype(jnp.uint32)
    own = jnp.repeat(key, models, axis=0)
    keys: tuple[Any, ...] = threefry((own[:, :1], own[:, 1:]), (stamp, feeds.stream))
    if conditions.design is not None:
        design = jnp.repeat(conditions.design, models, axis=0)
        keys += design_streams(design.T[..., None], feeds.stream)
    rows = jnp.where(weight > 0, feeds.samples, 0)  # of no weight: no row of the fit
    ends = ((rows + 1) // 2)[:, None, :] * np.tri(slots, dtype=np.int32)[None]
    words = (ends.sum(-1, dtype=jnp.int32), rows, *keys, feeds.origin >= models)
    packed = jnp.stack([word.astype(jnp.uint32) for word in words])
    return _Sources(packed, theta, observation), start, status


def _chosen(values: Array, place: Array) -> Array:
    """From each row of values, (..., n, S), those at its places, (n, K): (..., n, K)."""
    if values.shape[-1] > FEW:
        at = place.reshape((1,) * (values.ndim - 2) + place.shape)
        return jnp.take_along_axis(values, at, -1, mode="clip")
    found = jnp.broadcast_to(values[..., :1], (*values.shape[:-1], place.shape[-1]))
    for k in range(1, values.shape[-1]):
        found = jnp.where(place == k, values[..., k, None], found)
    return found


def _draw(model: Model, factor: Any, given: _Sources, count: Array, program: Program) -> Rows:
    """The rows of all fits, those of :func:`mcjax.chains.dataset.draw_dataset`: feed after feed.

    factor: (L, p, p). count: negative where no row is needed.
    """
    number = jnp.dtype(program.draw_dtype)
    (p, fits, slots), pairs = given.theta.shape, padded(program.pairs)

    def of_pair(values: Array) -> Array:
        """What each pair of rows has of its feed: (..., F, B) to (..., F, H)."""
        ends, place = given.words[0].astype(jnp.int32), _places(pairs)
        if slots > FEW:
            slot = (place[..., None] >= ends[:, None, :-1]).sum(-1, dtype=jnp.int32)
            return _chosen(values, slot)
        found = jnp.broadcast_to(values[..., :1], (*values.shape[:-1], pairs))
        for b in range(1, slots):
            found = jnp.where(place >= ends[:, b - 1, None], values[..., b, None], found)
        return found

    def streams() -> Array:
        """Stream keys, and numbers of pairs with two bits more."""
        ends, samples = (word.astype(jnp.int32) for word in given.words[:2])
        within = _places(pairs) - of_pair(ends - (samples + 1) // 2)
        left, inside = of_pair(samples) - 2 * within, _places(pairs) < ends[:, -1:]
        pair = within.astype(jnp.uint32) & PAIR
        for odd, bit in enumerate((EVEN, ODD)):
            pair |= ((left > odd) & inside).astype(jnp.uint32) << bit
        row = lax.broadcasted_iota(jnp.int32, (len(given.words) - 2, 1, 1), 0)
        # in the last row, where `real` would be
        return jnp.where(row == len(row) - 1, pair[None], of_pair(given.words[2:]))

    # found once for all covariates; and fits end to end, for vectors then run on over their ends:
    # the rows of one are seldom whole vectors, and what is left over runs one by one
    stream = once(count, streams).reshape(-1, fits * pairs)

    # Two results of one computation go into one complex array: for two arrays the compiler would
    # compute twice. Words first, normals afterwards: together they need more registers than there
    # are, and take half as long again.
    def covariate_words() -> Array:
        role = lax.broadcasted_iota(jnp.uint32, (p, 1), 0)
        words = row_words((stream[-3:-2], stream[-2:-1]), stream[-1:] & PAIR, role)
        return lax.complex(*(lax.bitcast_convert_type(word, jnp.float32) for word in words))

    drawn = once(count, covariate_words)

    def normals() -> Array:
        first, second = (
            lax.bitcast_convert_type(part, jnp.uint32) for part in (drawn.real, drawn.imag)
        )
        valid = ((stream[-1:] >> bit & 1).astype(jnp.int32).astype(number) for bit in (EVEN, ODD))
        normal = normal_pair((first, second), number)
        return lax.complex(*(a * b for a, b in zip(normal, valid, strict=True)))

    z = once(count, normals)
    mixing = jnp.asarray(factor, number)

    def halves(mix: bool) -> Array:
        """Even and odd rows apart, so that rows are contiguous: (2, p, F, H)."""
        found = []
        for half in (z.real, z.imag):
            half = half.reshape(p, fits, pairs)
            if mix:
                each = jnp.repeat(mixing, fits // len(mixing), axis=0)
                columns = [each[:, :, k].T[..., None] * half[k][None] for k in range(p)]
                half = sum(columns[1:], columns[0])
            found.append(half)
        return jnp.stack(found)

    white = jnp.all(mixing == np.eye(p, dtype=number)[None])
    x = lax.cond(white, lambda: halves(mix=False), lambda: halves(mix=True))

    def labels() -> Array:
        theta, real = of_pair(given.theta.astype(number)), of_pair(given.words[-1]) > 0
        one, two, *_, pair = stream.reshape(-1, fits, pairs)
        words = [row_words((one, two), pair & PAIR, jnp.uint32(LABEL + k)) for k in range(2)]
        found = []
        for odd, half in enumerate(x):
            eta = sum((half[i] * theta[i] for i in range(1, p)), half[0] * theta[0])
            own = (words[0][odd], words[1][odd])
            found.append(predictor_of(model).labels(model.params, eta, real, own))
        return lax.complex(*found)

    both = once(count, labels)
    y = once(count, lambda: jnp.stack([both.real, both.imag]))
    size = given.words[1].astype(jnp.int32).sum(-1, dtype=jnp.int32)
    return Rows(x, y, lambda: of_pair(given.weight), size.astype(given.weight.dtype))


def _places(pairs: int) -> Array:
    return lax.broadcasted_iota(jnp.int32, (1, pairs), 1)
