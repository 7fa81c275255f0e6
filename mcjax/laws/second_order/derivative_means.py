"""Simulate rows along the truth, and the derivatives of a loss of theta as a whole there.

Rows are generated at every theta at which the loss is differentiated, with common random words.
Derivatives of the means along the truth are central differences, those in one parameter of two
steps, so that leading errors cancel. No sampler is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from itertools import combinations, product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from mcjax.chains.selected import Drawn
from mcjax.draws.settings import own_settings
from mcjax.draws.streams import chain_keys
from mcjax.laws.first_order.drawn_covariates import DrawnNormals
from mcjax.laws.first_order.simulated_rows import Source, loss_at, rows_of
from mcjax.models.model import Model
from mcjax.ongoing import Advance, long_work

BATCHES, CHUNKS = 16, 2
"""Batches of rows, and in how many pieces each is drawn."""
SEED = 0x2E3
"""The draws belong to the law and not to the simulation, so they never change."""
SMOOTH, DISCRETE = 0.03, 0.15
"""Shorter step of differences along the truth, as a share of what one row tells of a parameter:
where labels follow theta, and where they jump, which is noise that a wide step averages."""
MOVE = 0.15
"""Longer move by which kinks are looked for, as a share of the same."""
NUDGE = 1e-4
"""A share that hardly any label jumps at."""

Means = dict[tuple[int, ...], np.ndarray]
"""Means of products of derivatives of the loss, one for each batch: (1, 2) is the gradient times
the Hessian. Their axes are those of the factors, after that of the batches."""
Products = tuple[tuple[int, ...], ...]
LOW: Products = ((1,), (2,), (1, 1))
MIDDLE: Products = ((1,), (2,), (3,), (1, 1), (1, 2))
HIGH: Products = (*MIDDLE, (4,), (1, 3), (2, 2), (1, 1, 1), (1, 1, 2), (2, 2, 2))
"""Products whose second derivatives along the truth, whose first, and which themselves are
needed."""


At = Callable[[np.ndarray, Products], Means]
"""Means of products along the truth, at a theta of rows and reader."""


class Along(NamedTuple):
    """Means along the truth, and their derivatives, one for each of K batches.

    Attributes
    ----------
    means : dict
        Means of the products ``HIGH``.
    slopes : dict
        First derivatives of those of ``MIDDLE``, with a last axis of parameters.
    curvatures : dict
        Second derivatives of those of ``LOW``, with two last axes of parameters.
    missed : tuple of ndarray
        Differences of lower derivatives of the loss, less its derivatives, along two directions:
        each of shape (K, 2, 2, ...), by step, the longer first, and direction.
    told : ndarray, shape (p,)
        What one row tells of each parameter.
    """

    means: Means
    slopes: Means
    curvatures: Means
    missed: tuple[np.ndarray, ...]
    told: Float[np.ndarray, " p"]


def draw_along(
    model: Model, theta: Float[np.ndarray, " p"], root: Float[np.ndarray, "q q"], real: bool
) -> Along:
    """Return means over rows that models generate, or of real data, and their derivatives.

    They are kept, because conditions of other sample sizes ask for the same.
    """
    leaves, structure = jax.tree.flatten(model)
    arrays = tuple(np.asarray(leaf).tobytes() for leaf in (*leaves, theta, root))
    key = structure, arrays, real
    if key not in _KEPT:
        if len(_KEPT) >= MOST_KEPT:
            _KEPT.pop(next(iter(_KEPT)))
        samples = 1 + 2 * len(theta) * (len(theta) + 1)
        with long_work(samples, "samples of simulated scores") as advance:
            _KEPT[key] = _drawn(model, theta, root, real, advance=advance)
    return _KEPT[key]


_KEPT: dict[Hashable, Along] = {}
MOST_KEPT = 8


def _drawn(
    model: Model,
    theta: Float[np.ndarray, " p"],
    root: Float[np.ndarray, "q q"],
    real: bool,
    *,
    advance: Advance,
) -> Along:
    own = real and model.sample_real is not None  # otherwise one program for both
    keys = chain_keys(SEED, int(real), np.arange(BATCHES * CHUNKS))
    source = Source(model, DrawnNormals(root), keys, None)

    def at(point: np.ndarray, products: Products) -> Means:
        with own_settings():
            where = jnp.asarray(point)
            found = _means(model, rows_of(source, where, real=own), where, products=products)
        result = {key: _of_batches(value) for key, value in found.items()}
        advance(1)
        return result

    means = at(theta, HIGH)
    spread, curvature = (means[k].mean(0).diagonal() for k in ((1, 1), (2,)))
    size = np.maximum(np.abs(theta), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        told = np.minimum(np.sqrt(spread) / np.abs(curvature), size)
    told = np.where(told > 0, told, size)
    with own_settings():
        ends = [
            rows_of(source, jnp.asarray(theta + move), real=own).y for move in (0, NUDGE * told)
        ]
    follow = float(np.mean(np.asarray(ends[0]) != np.asarray(ends[1]))) > 1 / 2
    steps = (SMOOTH if follow else DISCRETE) * told
    slopes: Means = {}
    curvatures: Means = {}
    short, long = (_differences(at, theta, factor * steps, means) for factor in (1, 2))
    for found, place in ((slopes, 0), (curvatures, 1)):
        for key, value in short[place].items():
            found[key] = (4 * value - long[place][key]) / 3
    for key, crossed in _crossed(at, theta, steps).items():
        curvatures[key] += crossed
    with own_settings():
        there = jnp.asarray(theta)
        signs = np.stack([np.ones_like(theta), np.where(np.arange(len(theta)) % 2, -1.0, 1.0)])
        moves = MOVE * np.stack([told * signs, told / 2 * signs])
        found = _missed(model, rows_of(source, there, real=own), there, jnp.asarray(moves))
    gradient, hessian, curved, mixed = map(_of_batches, found)
    curved -= np.einsum("kabcd,ijc,ijd->kijab", means[4,], moves, moves)
    missed = gradient, hessian, curved, mixed
    return Along(means, slopes, curvatures, missed=missed, told=told)


def _differences(at: At, theta: np.ndarray, steps: np.ndarray, means: Means) -> tuple[Means, Means]:
    """Return first derivatives along the truth, and second ones in one parameter each."""
    p = len(theta)
    slopes: Means = {key: np.zeros((*means[key].shape, p)) for key in MIDDLE}
    curvatures: Means = {key: np.zeros((*means[key].shape, p, p)) for key in LOW}
    for i, step in enumerate(steps):
        up, down = (at(theta + side * step * np.eye(p)[i], MIDDLE) for side in (1, -1))
        for key, slope in slopes.items():
            slope[..., i] = (up[key] - down[key]) / (2 * step)
        for key, curvature in curvatures.items():
            curvature[..., i, i] = (up[key] - 2 * means[key] + down[key]) / step**2
    return slopes, curvatures


def _crossed(at: At, theta: np.ndarray, steps: np.ndarray) -> Means:
    """Return second derivatives along the truth in two parameters each, 0 in one."""
    p = len(theta)
    found: Means = {}
    for (i, j), a, b in product(combinations(range(p), 2), (1, -1), (1, -1)):
        move = np.zeros(p)
        move[i], move[j] = a * steps[i], b * steps[j]
        for key, value in at(theta + move, LOW).items():
            into = found.setdefault(key, np.zeros((*value.shape, p, p)))
            share = a * b * value / (4 * steps[i] * steps[j])
            into[..., i, j] += share
            into[..., j, i] += share
    return found


def _of_batches(pieces: Array) -> np.ndarray:
    """Return the means over batches, (K, ...), from those over their pieces."""
    values = np.asarray(pieces, float)
    return np.asarray(values.reshape(BATCHES, CHUNKS, *values.shape[1:]).mean(1))


@partial(jax.jit, static_argnames="products")
def _means(
    model: Model, rows: Drawn, theta: Array, products: Products
) -> dict[tuple[int, ...], Array]:
    orders = sorted({order for wanted in products for order in wanted} - {4})

    def one(rows: Drawn) -> dict[tuple[int, ...], Array]:
        factors = {order: _derivative(model, rows, theta, order) for order in orders}
        found: dict[tuple[int, ...], Array] = {}
        for wanted in products:
            if wanted == (4,):
                found[wanted] = _mean_derivative(model, rows, theta)
                continue
            letters, spec = iter("abcdefgh"), []
            for order in wanted:
                spec.append("n" + "".join(next(letters) for _ in range(order)))
            output = "".join(spec).replace("n", "")
            parts = (factors[order] for order in wanted)
            whole = jnp.einsum(f"{','.join(spec)}->{output}", *parts, optimize="optimal")
            found[wanted] = whole / rows.kept.shape[0]
        return found

    return lax.map(one, rows)


@jax.jit
def _missed(model: Model, rows: Drawn, theta: Array, moves: Array) -> tuple[Array, ...]:
    """Return what derivatives miss, for moves of theta of shape (2, 2, p).

    The third is the second difference of the Hessian as it is.
    """

    def one(rows: Drawn) -> tuple[Array, ...]:
        s, h, t = (_derivative(model, rows, theta, order) for order in (1, 2, 3))

        def along(move: Array) -> tuple[Array, ...]:
            (s1, h1), (s2, h2) = (
                [_derivative(model, rows, theta + side * move, order) for order in (1, 2)]
                for side in (1, -1)
            )
            bent = (h1 - h2) / 2 - t @ move
            return (
                ((s1 - s2) / 2 - h @ move).mean(0),
                bent.mean(0),
                (h1 - 2 * h + h2).mean(0),
                jnp.einsum("na,nbc->abc", s, bent) / len(s),
            )

        flat = lax.map(along, moves.reshape(-1, moves.shape[-1]))
        return tuple(part.reshape(*moves.shape[:2], *part.shape[1:]) for part in flat)

    return lax.map(one, rows)


def _derivative(model: Model, rows: Drawn, theta: Array, order: int) -> Array:
    """Return the derivatives of the loss of each row, (N, p, ...)."""
    function = jax.grad(partial(loss_at, model))
    for _ in range(order - 1):
        function = jax.jacfwd(function)
    return jax.vmap(function, (None, 1, -1))(theta, rows.x, rows.y)


def _mean_derivative(model: Model, rows: Drawn, theta: Array) -> Array:
    """Return the mean fourth derivative of the loss, (p, p, p, p)."""

    def mean(at: Array) -> Array:
        return jax.vmap(partial(loss_at, model, at), (1, -1))(rows.x, rows.y).mean()

    return jax.jacfwd(jax.jacfwd(jax.jacfwd(jax.grad(mean))))(theta)
