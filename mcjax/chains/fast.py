"""A block of chains at once: the law and the draws of :mod:`mcjax.chains.chain`, near what a
processor can do.

For losses and labels that depend on ``x'theta`` alone, fitted by Newton steps on this generation's
data (:func:`knows`). Arrays are written out for a block of lanes: all fits of one generation, F of
them (lanes, then models), and last the H pairs of rows of each. Each trick says what it buys; a
test compares estimates with those of the reference.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from mcjax.chains.chain import ConditionArrays, Program, Trajectory
from mcjax.chains.dataset import design_streams, grown
from mcjax.draws.samplers import normal_pair
from mcjax.draws.streams import LABEL, row_words
from mcjax.draws.threefry import threefry
from mcjax.families.family import Family
from mcjax.fits.fit import Fit
from mcjax.fits.rows import MOST, Rows, fit_rows
from mcjax.solvers.once import once
from mcjax.solvers.status import Status

VECTOR, FEW_LEFT = 16, 4
"""Numbers of single precision in the longest vector of a processor; up to so many beyond whole
vectors run one by one as quickly as in one vector more."""
FEW = 8
"""Up to so many feeds a row finds its own by comparisons, which are vector instructions."""


def knows(family: Family, p: int, solver: str, memory: str) -> bool:
    """Whether the fast path runs such chains: for all else there is the reference. A family with
    ``slopes`` draws its labels from ``x'theta`` alone, too."""
    ordinary = family.slopes is not None and family.covariates
    return (
        ordinary
        and family.solve is None
        and p <= MOST
        and solver == "newton"
        and memory == "replace"
    )


def padded(pairs: int) -> int:
    """Pairs of rows of a fit, with padding that makes passes over them quick."""
    left = pairs % VECTOR
    return pairs if left <= FEW_LEFT else pairs + VECTOR - left


class _State(NamedTuple):
    theta: Array  # (p, L, M), finite even where not known
    known: Array  # (L, M)


class _Sources(NamedTuple):
    """What the feeds of F fits give, (F, B) each."""

    label: tuple[Array, Array]  # stream keys
    covariate: tuple[Array, ...]  # none: those of labels
    theta: Array  # (p, F, B), of the origin
    real: Array
    samples: Array
    weight: Array  # of each observation, as a share of all of the fit


def run_block(conditions: ConditionArrays, keys: Array, program: Program) -> Trajectory:
    """Run a block of chains; arrays have a leading axis of lanes, as has the result."""
    net = conditions.network
    truth = jnp.moveaxis(jnp.asarray(conditions.truth, program.fit_dtype), 2, 0)  # (p, L, S)
    begin = _State(
        jnp.broadcast_to(truth[..., :1], (*truth.shape[:2], net.frozen.shape[1])),
        jnp.ones(net.frozen.shape, bool),
    )

    def step(state: _State, t: Array) -> tuple[_State, Trajectory]:
        result = _generation(conditions, state, truth, keys, t, program)
        kept = result.status == Status.NOT_FITTED
        theta = jnp.where(kept[None], state.theta, result.theta)
        known = jnp.where(kept, state.known, result.status == Status.CONVERGED)
        seen = Trajectory(jnp.where(known[None], theta, jnp.nan), result.status, result.steps)
        return _State(jnp.where(known[None], theta, truth[..., :1]), known), seen

    _, found = lax.scan(step, begin, jnp.arange(program.generations + 1, dtype=jnp.int32))
    return Trajectory(
        jnp.transpose(found.theta, (2, 0, 3, 1)),
        jnp.swapaxes(found.status, 0, 1),
        jnp.swapaxes(found.steps, 0, 1),
    )


def _generation(
    conditions: ConditionArrays,
    state: _State,
    truth: Array,
    keys: Array,
    t: Array,
    program: Program,
) -> Fit:
    """Fit every model of every lane once; shapes (p, L, M) and (L, M)."""
    net, dtype = conditions.network, state.theta.dtype
    lanes, models, slots = net.feeds.samples.shape
    fits = lanes * models

    def sources() -> tuple[_Sources, Array, Array, Array]:
        """And where fits begin, (p, F), whether they are to be, and whether a parent is lost."""
        counts: Any = grown(jnp.asarray(net.feeds.samples), t, program.generations, program.growth)
        later = net.feeds._replace(samples=counts)
        feeds = jax.tree.map(lambda a, b: jnp.where(t == 0, a, b), net.initial, later)
        flat = jax.tree.map(lambda leaf: leaf.reshape(fits, slots), feeds)
        mass = flat.samples.astype(dtype) * flat.weight.astype(dtype)
        total = jnp.maximum(mass.sum(-1, keepdims=True), 1)
        origin = feeds.origin.reshape(lanes, models * slots)
        parents = jnp.concatenate([state.theta, truth], -1)
        known = jnp.concatenate([state.known, jnp.ones(truth.shape[1:], bool)], -1)
        stamp = jnp.where(flat.renewed, t, 0).astype(jnp.uint32)
        key = jnp.repeat(keys, models, axis=0)
        label = threefry((key[:, :1], key[:, 1:]), (stamp, flat.stream))
        covariate: tuple[Array, ...] = ()
        if conditions.design is not None:
            design = jnp.repeat(conditions.design, models, axis=0)
            covariate = design_streams(design.T[..., None], flat.stream)
        theta = jnp.take_along_axis(parents, origin[None], -1).reshape(-1, fits, slots)
        given = _Sources(
            label,
            covariate,
            theta,
            flat.origin >= models,
            jnp.where(flat.weight > 0, flat.samples, 0),  # of no weight: no row of the fit
            flat.weight.astype(dtype) / total,
        )
        reads = flat.samples > 0
        known = jnp.take_along_axis(known, origin, -1).reshape(fits, slots)
        lost = jnp.any(reads & ~known, -1)
        # the mean of the parents is a fit's best guess: four passes over the rows instead of six
        start = ((mass / total)[None] * theta).sum(-1)
        return given, start, reads.any(-1) & ~lost, lost

    given, start, active, lost = once(t, sources)
    drawing, fitting = (
        jax.tree.map(lambda leaf, to=to: jnp.repeat(jnp.asarray(leaf, to), models)[:, None], family)
        for family in (conditions.family,)
        for to in (program.draw_dtype, program.fit_dtype)
    )
    factor = jnp.repeat(jnp.asarray(conditions.factor, program.draw_dtype), models, axis=0)
    # where a network collapses whole blocks end: nothing more is drawn for them
    rows = _draw(drawing, factor, given, jnp.where(active.any(), t, -1), program)
    found = fit_rows(fitting, rows, start, active)
    status = jnp.where(lost, int(Status.PARENT_FAILED), found.status)
    return Fit(
        *(leaf.reshape(*leaf.shape[:-1], lanes, models) for leaf in found._replace(status=status))
    )


def _draw(family: Family, factor: Array, given: _Sources, count: Array, program: Program) -> Rows:
    """The rows of all fits, those of :func:`mcjax.chains.dataset.draw_dataset`: feed after feed.

    factor: (F, p, p). count: negative where no row is needed.
    """
    number = jnp.dtype(program.draw_dtype)
    p, fits, pairs = len(given.theta), len(given.samples), padded(program.pairs)
    taken = (given.samples + 1) // 2
    ends = jnp.cumsum(taken, -1, dtype=jnp.int32)
    place = lax.broadcasted_iota(jnp.int32, (1, pairs), 1)

    def of_pair(values: Array) -> Array:
        """What each pair of rows has of its feed: (..., F, B) to (..., F, H)."""
        leading = (1,) * (values.ndim - 2)
        if values.shape[-1] > FEW:
            slot = (place[..., None] >= ends[:, None, :-1]).sum(-1, dtype=jnp.int32)
            return jnp.take_along_axis(values, slot.reshape(*leading, *slot.shape), -1)
        found = values[..., :1]
        for b in range(1, values.shape[-1]):
            past = place >= ends[:, b - 1, None]
            found = jnp.where(past.reshape(*leading, *past.shape), values[..., b, None], found)
        return jnp.broadcast_to(found, (*values.shape[:-1], pairs))

    def streams() -> tuple[Array, ...]:
        """Stream keys and places of pairs; 1 for even and for odd rows, 0 where padding is."""
        within = place - of_pair(ends - taken)
        samples, inside = of_pair(given.samples), place < ends[:, -1:]
        rows = (jnp.where((2 * within + odd < samples) & inside, 1, 0) for odd in range(2))
        keys = (of_pair(word) for word in (*given.label, *given.covariate))
        return *keys, within.astype(jnp.uint32), *(row.astype(number) for row in rows)

    # found once for all covariates; and fits end to end, for vectors then run on over their ends:
    # the rows of one are seldom whole vectors, and what is left over runs one by one
    *keys, pair, even, odd = once(count, streams)
    label, covariate = keys[:2], keys[-2:]

    # Two results of one computation go into one complex array: for two arrays the compiler would
    # compute twice. Words first, normals afterwards: together they need more registers than there
    # are, and take half as long again.
    def covariate_words() -> Array:
        role = lax.broadcasted_iota(jnp.uint32, (p, 1), 0)
        key = (covariate[0].reshape(1, -1), covariate[1].reshape(1, -1))
        words = row_words(key, pair.reshape(1, -1), role)
        return lax.complex(*(lax.bitcast_convert_type(word, jnp.float32) for word in words))

    drawn = once(count, covariate_words)

    def normals() -> Array:
        first, second = (
            lax.bitcast_convert_type(part, jnp.uint32) for part in (drawn.real, drawn.imag)
        )
        return lax.complex(*normal_pair((first, second), number))

    z = once(count, normals)

    def halves(mix: bool) -> tuple[Array, Array]:
        """Even and odd rows apart, so that rows are contiguous; padding is zero."""
        found = []
        for half, row in ((z.real, even), (z.imag, odd)):
            if mix:
                half = half.reshape(p, fits, pairs)
                columns = [factor[:, :, k].T[..., None] * half[k][None] for k in range(p)]
                half = sum(columns[1:], columns[0]).reshape(p, -1)
            found.append(half * row.reshape(1, -1))
        return found[0], found[1]

    white = jnp.all(factor == jnp.eye(p, dtype=number)[None])
    flat = lax.cond(white, lambda: halves(mix=False), lambda: halves(mix=True))
    x = (flat[0].reshape(p, fits, pairs), flat[1].reshape(p, fits, pairs))

    def labels() -> Array:
        theta = of_pair(given.theta.astype(number))
        words = [row_words((label[0], label[1]), pair, jnp.uint32(LABEL + k)) for k in range(2)]
        found = []
        for odd, half in enumerate(x):
            # to a family whose labels depend on eta alone, (eta,) and 1 are theta and x
            eta = sum(half[i] * theta[i] for i in range(p))[None]
            own = tuple(word[odd] for word in words)
            y = family.sample(family.params, eta, jnp.ones_like(eta), own)
            if family.sample_real is not family.sample:
                real = family.sample_real(family.params, eta, jnp.ones_like(eta), own)
                y = jnp.where(of_pair(given.real), real, y)
            found.append(y)
        return lax.complex(*found)

    both = once(count, labels)
    y = once(count, lambda: (both.real, both.imag))
    return Rows(x, y, lambda: of_pair(given.weight), given.samples.sum(-1))
