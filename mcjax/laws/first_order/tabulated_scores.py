"""Moments of the score of a user's model of a linear predictor, tabulated by simulation.

The loss ``l(eta, y)`` and the sampler of y are all that is known. With the reader's predictor r and
the parent's v, laws ask for ``E_v l'(r, y)``, its derivatives in r and v, and ``E_v l'(a, y) l'(b,
y)``. These are smooth functions of two or three scalars, whatever p. They are estimated on a grid,
and cubic splines carry them, and their derivatives, everywhere else. No sampler is differentiated,
so labels may be discrete.

A loss that aims at the parameters of its data has ``E_v l'(v, y) = 0`` at every v, so what is
tabulated is the mean of ``l'(r, y) - l'(v, y)``: what a label adds to both cancels, and the
derivative in v is found without much noise. Derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float
from numpy.polynomial.polynomial import polyder, polyval
from scipy.interpolate import CubicSpline
from scipy.ndimage import map_coordinates, spline_filter

from mcjax.chains.observations import label_words
from mcjax.draws.settings import own_settings
from mcjax.draws.streams import chain_keys
from mcjax.estimators.predictor import LinearPredictor, Params
from mcjax.faults import users_code
from mcjax.laws.jackknife import without_each
from mcjax.laws.law import Inapplicable
from mcjax.models.model import Model
from mcjax.models.score_expansion import Eta
from mcjax.models.scores import MeanSlope, ScoreMoments

BATCHES, PAIRS = 16, 1 << 7
"""Batches of labels, and pairs of labels in each, at each predictor of the parent."""
SEED = 0x1F1
"""The draws belong to the law and not to the simulation, so they never change."""
NODES = 97
"""Predictors along each axis of a table."""
SMALLEST = 2.0
"""Largest predictor, in the smallest table."""
NEEDED = 0.75
"""Share of the range of integration in which the normal density is above rounding."""
DEVIATIONS = 6.0
"""Standard deviations of a predictor in that share: where tables must be right."""
ROUGHEST = 2e-3
"""Largest error of a spline relative to the score it carries, as estimated from every second node,
whose error is 16 times larger."""


class Table(NamedTuple):
    """Moments on a grid of predictors.

    Attributes
    ----------
    mean : ndarray
        Polynomials that make up the spline of the mean of ``l'(r, y)``: by powers of r and of v
        from the node before them, and by cells of r and v.
    product : ndarray
        Spline coefficients of the mean of ``l'(a, y) l'(b, y)``, of (v, a, b).
    """

    mean: Float[np.ndarray, "4 4 cells"]
    product: Float[np.ndarray, "N N N"]


@dataclass(frozen=True, eq=False)
class TabulatedScores:
    """The moments that :class:`mcjax.models.scores.ScoreMoments` hands out.

    Attributes
    ----------
    predictor : LinearPredictor
        Loss and label of the model.
    version : int
        Number of the batch that is left out, or -1 to use all.
    """

    predictor: LinearPredictor
    version: int

    def mean(self, params: Params, reader: Eta, parent: Eta, real: bool) -> MeanSlope:
        """Return the mean of ``l'(reader, y)`` and its derivatives in reader and parent."""
        edge = _edge(reader, parent)
        pieces = self._table(params, edge, real).mean
        cells = NODES - 1
        width = 2 * edge / cells
        at = [(np.clip(eta, -edge, edge) + edge) / width for eta in (parent, reader)]
        before = [np.minimum(eta.astype(int), cells - 1) for eta in at]
        v, r = ((eta - cell) * width for eta, cell in zip(at, before, strict=True))
        of_both = np.take(pieces, before[1] * cells + before[0], axis=2)
        of_v, sloped = (polyval(r, powers, tensor=False) for powers in (of_both, polyder(of_both)))
        parts = (polyval(v, powers, tensor=False) for powers in (of_v, sloped, polyder(of_v)))
        return MeanSlope(*parts)

    def product(self, params: Params, readers: tuple[Eta, Eta], parent: Eta, real: bool) -> Eta:
        """Return the mean of ``l'(a, y) l'(b, y)`` for two readers a and b."""
        edge = _edge(*readers, parent)
        table = self._table(params, edge, real).product
        scale = (len(table) - 1) / (2 * edge)
        at = [np.clip((eta + edge) * scale, 0, len(table) - 1) for eta in (parent, *readers)]
        result = map_coordinates(table, at, order=3, mode="mirror", prefilter=False)
        return np.asarray(result)

    def _table(self, params: Params, edge: float, real: bool) -> Table:
        leaves, structure = jax.tree.flatten(params)
        own = real and self.predictor.label_real is not None  # otherwise one table serves both
        numbers = tuple(map(float, leaves))
        tables = _tables(self.predictor, numbers, structure, edge=edge, real=own)
        return tables[self.version + 1]


def tabulated(model: Model) -> tuple[Model, list[Model]]:
    """Return a model of a linear predictor that states no moments of its score, with moments.

    Returns
    -------
    model : Model
        With moments from all labels that are drawn.
    versions : list of Model
        With moments from all but one of the batches each, see :mod:`mcjax.laws.jackknife`.
    """
    assert model.predictor is not None, "the law has asked"
    everything, *versions = (
        replace(model, scores=_moments(TabulatedScores(model.predictor, version)))
        for version in range(-1, BATCHES)
    )
    return everything, versions


def _moments(table: TabulatedScores) -> ScoreMoments:
    # nothing is known of the functions, so integrals provide for what exponentials need
    return ScoreMoments(table.mean, table.product, smooth=True, exponential=True)


def _edge(*predictors: Eta) -> float:
    """Return the largest predictor in the smallest table that holds all that matters of these."""
    largest = NEEDED * max(float(np.abs(eta).max()) for eta in predictors)
    return float(SMALLEST * 2.0 ** max(np.ceil(2 * np.log2(max(largest, 1e-9) / SMALLEST)) / 2, 0))


@lru_cache(maxsize=4)  # of 62 MB each
def _tables(
    predictor: LinearPredictor,
    numbers: tuple[float, ...],
    structure: jax.tree_util.PyTreeDef,
    edge: float,
    real: bool,
) -> list[Table]:
    """Return the table of all batches, and those without each of them.

    Raises
    ------
    Inapplicable
        If moments are not finite, or change too quickly for the grid.
    """
    grid = np.linspace(-edge, edge, NODES)
    keys = jnp.asarray(chain_keys(SEED, int(real), np.arange(BATCHES)))
    with own_settings(), users_code("loss", predictor.loss):
        params = jax.tree.unflatten(structure, numbers)
        batches = _simulated(predictor, params, jnp.asarray(grid), keys, real=real)
    mean, product = (np.asarray(leaf, float) for leaf in batches)
    if not (np.isfinite(mean).all() and np.isfinite(product).all()):
        raise Inapplicable(
            f"the score of the loss is not finite for some predictors between {-edge:.3g} and"
            f" {edge:.3g}"
        )
    means = np.array([mean.mean(0), *without_each(mean)])
    products = [product.mean(0), *without_each(product)]
    noise = mean.var(0, ddof=1) / BATCHES
    if max(_roughness(grid, means[0], products[0], noise)) > ROUGHEST:
        raise Inapplicable(
            "the score of the loss changes too quickly, as a function of the predictor, to be"
            f" tabulated between {-edge:.3g} and {edge:.3g}"
        )
    return [
        Table(pieces, spline_filter(moments, 3, np.float32))
        for pieces, moments in zip(_pieces(grid, means), products, strict=True)
    ]


def _pieces(
    grid: Float[np.ndarray, " N"], means: Float[np.ndarray, "K N N"]
) -> Float[np.ndarray, "K 4 4 cells"]:
    """Return the polynomials of the bicubic splines of some tables, by v and r."""
    along_v = CubicSpline(grid, means, axis=1).c  # powers and cells of v, tables, r
    along_both = CubicSpline(grid, along_v, axis=3).c[::-1, :, ::-1]  # ascending powers
    pieces = np.moveaxis(along_both, (4, 0, 2, 1, 3), range(5))
    return pieces.reshape(*pieces.shape[:3], -1)


def _roughness(
    grid: Float[np.ndarray, " N"],
    mean: Float[np.ndarray, "N N"],
    product: Float[np.ndarray, "N N N"],
    noise: Float[np.ndarray, "N N"],
) -> tuple[float, float, float]:
    """Return the errors of splines: of means along r and along v, and of products.

    They are relative to the root mean square of the score or to its square, and weighted with the
    density of the predictors. A spline of every second node is off at the others by 16 times its
    own error. Labels at one v are the same for all readers; along v there is their noise as well,
    whose variances are given.
    """
    few, between = grid[::2], grid[1::2]
    weight = np.exp(-0.5 * (DEVIATIONS * grid / grid[-1]) ** 2)
    square = np.einsum("vaa->va", product)
    size = np.einsum("v,r,vr->", weight, weight, square) / weight.sum() ** 2

    def off(apart: np.ndarray, *weights: np.ndarray) -> float:
        total = np.einsum("v,r,vr->", *weights, apart)
        return float(np.sqrt(max(total, 0.0) / np.prod([w.sum() for w in weights])) / 16)

    rows = CubicSpline(few, mean[:, ::2], axis=1)(between) - mean[:, 1::2]
    columns = CubicSpline(few, mean[::2])(between) - mean[1::2]
    some = product[:: len(product) // 12]
    along = CubicSpline(few, some[:, ::2, ::2], axis=1)(between)
    both = CubicSpline(few, along, axis=2)(between) - some[:, 1::2, 1::2]
    root = np.sqrt(size)
    return (
        off(rows**2, weight, weight[1::2]) / root,
        # the value at a node, and that of the spline, vary independently
        off(columns**2 - 2 * noise[1::2], weight[1::2], weight) / root,
        max(off(table**2, weight[1::2], weight[1::2]) for table in both) / size,
    )


@partial(jax.jit, static_argnames=("predictor", "real"))
def _simulated(
    predictor: LinearPredictor, params: Any, grid: Array, keys: Array, real: bool
) -> tuple[Array, Array]:
    """Return means, (K, N, N) by v and r, and products, (K, N, N, N)."""
    numbers = jax.tree.map(lambda leaf: jnp.asarray(leaf, grid.dtype), params)

    def at(key: Array, node: Array) -> tuple[Array, Array]:
        pairs = node.astype(jnp.uint32) * PAIRS + jnp.arange(PAIRS, dtype=jnp.uint32)
        words = label_words((key[0], key[1]), pairs)
        parent = jnp.full(2 * PAIRS, grid[node])
        y = predictor.labels(numbers, parent, jnp.full(2 * PAIRS, real), words)

        def slope(eta: Array) -> Array:
            return predictor.derivatives(numbers, jnp.full(2 * PAIRS, eta), y)[0]

        slopes = jax.vmap(slope)(grid)  # (N, labels)
        return (slopes - slopes[node][None]).mean(1), slopes @ slopes.T / (2 * PAIRS)

    return lax.map(lambda key: lax.map(partial(at, key), jnp.arange(len(grid))), keys)
