"""Moments of one row of a user's model of theta as a whole, by simulation.

All that is known of a model may be its loss ``l(theta, x, y)`` and a sampler of y. Write ``l_k``
for the k-th derivative of the loss, a tensor with k axes. What rows can tell are means along the
truth, where rows are generated at the theta of their reader:

    A_k = E l_k    and    B_jk = E l_j (x) l_k ,    functions of theta.

They suffice, as they do for a scalar predictor
(:mod:`mcjax.laws.second_order.simulated_expansion`). A derivative along the truth is the sum of
those in the readers and in the parent, and ``A_1 = 0`` at every theta, which is tested. So, with b
and c for axes of the reader and of the parent, and ``A_2;c`` for a derivative along the truth,

    d_b d_c E l_1 = A_2;c - A_3 ,    d_c E l_1 l_1' = B_11;c - B_21 - B_12 ,

and so on: no sampler is differentiated, and the loss need not be a likelihood. The derivatives
along the truth are differences with common random words
(:mod:`mcjax.laws.second_order.derivative_means`).

Derived here.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import t as student

from mcjax.faults import users_code
from mcjax.laws.first_order.simulated_population import check_precision
from mcjax.laws.law import Inapplicable
from mcjax.laws.second_order.derivative_means import BATCHES, MOVE, Along, Means, draw_along
from mcjax.laws.second_order.row_tensors import Tensors, noise_axes
from mcjax.models.model import Model
from mcjax.models.score_expansion import Orders

LEVEL = 1e-6
"""Probability that a test finds fault with a model that is as it should be."""
SEEN = 0.03
"""Share of a derivative that automatic differentiation may miss."""
MOST_OF_ONE = 0.3
"""Largest share of one batch in the sum of squared means of products of three derivatives. It is of
the order of 1 where these have no finite variance, however many rows there are."""


class SimulatedTensors(Tensors):
    """Moments of one row at the truth, in the coordinates of theta.

    Parameters
    ----------
    along : Along
        Means along the truth.
    keep : ndarray of bool, shape (K,)
        The batches that count.

    Attributes
    ----------
    cubed_curvature : ndarray
        ``E l_2 (x) l_2 (x) l_2``.
    """

    def __init__(self, along: Along, keep: Bool[np.ndarray, " K"]):
        mean, slope, curvature = (
            {key: value[keep].mean(0) for key, value in part.items()}
            for part in (along.means, along.slopes, along.curvatures)
        )
        hessian, spread = mean[2,], mean[1, 1]
        self.mean = _means(mean, slope, curvature)
        self.product = _products(mean, slope, curvature)
        own = np.einsum("cabi->abci", mean[1, 3]) + mean[2, 2]
        self.mixed = {
            (0, 0): np.einsum("cab->abc", mean[1, 2]),
            (1, 0): own,
            (0, 1): np.einsum("cabi->abci", slope[1, 2]) - own,
        }
        axes = noise_axes(len(hessian))
        self.noise = axes.covariance(
            score=spread,
            mixed=self.mixed[0, 0],
            hessian=mean[2, 2] - np.multiply.outer(hessian, hessian),
            third=np.moveaxis(mean[1, 3], 0, 3),
        )
        self.noise_third = axes.third_cumulants(
            score=mean[1, 1, 1], mixed=mean[1, 1, 2] - np.multiply.outer(spread, hessian)
        )
        self.cubed_curvature = mean[2, 2, 2]


def simulated_tensors(
    model: Model, theta: Float[np.ndarray, " p"], root: Float[np.ndarray, "q q"]
) -> tuple[list[SimulatedTensors], list[SimulatedTensors]]:
    """Return the moments of a row that models generate, and of a real one.

    Parameters
    ----------
    model : Model
        Its loss and samplers.
    theta : ndarray, shape (p,)
        The truth.
    root : ndarray, shape (q, q)
        A root of the covariance of the covariates.

    Returns
    -------
    generated, real : list of SimulatedTensors
        From all batches of rows, then from all but one of them each, see
        :mod:`mcjax.laws.jackknife`.

    Raises
    ------
    Inapplicable
        If the mean score is not 0 along the truth, or moments are not finite or not those that
        automatic differentiation finds, or JAX has 64-bit numbers switched off.
    """
    check_precision()
    kinds: list[list[SimulatedTensors]] = []
    for real in (False, True):
        if real and model.sample_real is None:
            kinds.append(kinds[0])
            continue
        with users_code("loss", model.loss):
            along = draw_along(model, theta, root, real)
        wrong = _wrong(along)
        if wrong:
            raise Inapplicable(f"under `{'sample_real' if real else 'sample'}` {wrong}")
        every = np.arange(BATCHES)
        kinds.append(
            [SimulatedTensors(along, every >= 0)]
            + [SimulatedTensors(along, every != b) for b in range(BATCHES)]
        )
    generated, of_real = kinds
    return generated, of_real


def _means(mean: Means, slope: Means, curvature: Means) -> dict[Orders, np.ndarray]:
    """Return the derivatives of the mean score in reader and parent."""
    second, third, fourth = mean[2,], mean[3,], mean[4,]
    once = slope[2,] - third
    far = slope[3,] - fourth
    twice = curvature[2,] - fourth - far - np.einsum("abdc->abcd", far)
    return {
        (1, 0): second,
        (0, 1): -second,
        (2, 0): third,
        (1, 1): once,
        (0, 2): -third - once - np.einsum("acb->abc", once),
        (3, 0): fourth,
        (2, 1): far,
        (1, 2): twice,
        (0, 3): -fourth - _turned(far) - _turned(twice),
    }


def _products(mean: Means, slope: Means, curvature: Means) -> dict[Orders, np.ndarray]:
    """Return the derivatives of ``E s s'`` in two readers and the parent."""
    first, second = np.einsum("yxi->xyi", mean[1, 2]), mean[1, 2]
    twice, other = np.einsum("yxij->xyij", mean[1, 3]), mean[1, 3]
    both = np.einsum("xiyj->xyij", mean[2, 2])
    by_first = np.einsum("yxij->xyij", slope[1, 2]) - twice - both
    by_second = slope[1, 2] - other - np.einsum("xyij->xyji", both)
    rest = both + by_first + by_second
    return {
        (0, 0, 0): mean[1, 1],
        (1, 0, 0): first,
        (0, 1, 0): second,
        (0, 0, 1): slope[1, 1] - first - second,
        (2, 0, 0): twice,
        (0, 2, 0): other,
        (1, 1, 0): both,
        (1, 0, 1): by_first,
        (0, 1, 1): by_second,
        (0, 0, 2): curvature[1, 1] - twice - other - rest - np.einsum("xyij->xyji", rest),
    }


def _turned(tensor: np.ndarray) -> np.ndarray:
    """Return the sum over the three rotations of the last three axes."""
    rotations = tensor + np.einsum("acdb->abcd", tensor) + np.einsum("adbc->abcd", tensor)
    return np.asarray(rotations)


def _wrong(along: Along) -> str:
    """Say what is wrong with a model, or return an empty string."""
    parts = (*along.means.values(), *along.slopes.values(), *along.curvatures.values())
    if not all(np.isfinite(part).all() for part in parts):
        return (
            "derivatives of the loss up to the fourth are not finite near the truth, and the"
            " second-order law needs them"
        )
    for product in ((1, 1, 1), (1, 1, 2), (2, 2, 2)):
        squares = along.means[product] ** 2
        if (squares.max(0) > MOST_OF_ONE * squares.sum(0)).all() and squares.any():
            return (
                "products of three derivatives of the loss have no finite variance, or none that"
                " draws could show, and the second-order law needs their means"
            )
    return _off_truth(along) or _kinked(along)


def _off_truth(along: Along) -> str:
    """Say that the mean score is not 0 at the truth, or does not stay so as it moves."""
    told = along.told
    spread = np.sqrt(np.einsum("kpp->p", along.means[1, 1]) / BATCHES)
    changes = [along.slopes[1,] * told, along.curvatures[1,] * told[:, None] * told[None]]
    for change in (along.means[1,], *changes):
        mean, sure = _seen(change)
        size = spread.reshape(-1, *(1,) * (mean.ndim - 1))
        if (sure & (np.abs(mean) > 1e-6 * size)).any():
            return (
                "the loss is not minimised on average at the theta that generates the rows, as the"
                " second-order law needs: its mean slope is not 0 there, or not as theta moves"
            )
    return ""


def _kinked(along: Along) -> str:
    """Say that automatic differentiation misses a part of the derivatives of an expectation.

    What it misses at a kink stays as the step of differences becomes shorter. Otherwise differences
    miss a part that falls like the square of the step.
    """
    spread = np.sqrt(np.einsum("kpp->p", along.means[1, 1]) / BATCHES)
    gradient, hessian, curved, product = along.missed
    pairs = spread[:, None] / along.told[None]
    of_steps = [
        (gradient, spread * MOVE, 1),
        (hessian, pairs * MOVE, 1),
        (curved, pairs * MOVE**2, 2),
        (product, spread[:, None, None] * pairs[None] * MOVE, 1),
    ]
    for missed, size, power in of_steps:
        _, sure = _seen(missed[:, 1])
        long, short = np.abs(missed.mean(0))
        # relative to the step, which is half as long
        scaled = 2**power * short
        if (sure & (scaled > np.maximum(0.6 * long, SEEN * size))).any():
            return (
                "the derivatives of the expected loss are not those of the loss, which has kinks,"
                " or bends too sharply"
            )
    return ""


def _seen(batches: Float[np.ndarray, " K *shape"]) -> tuple[np.ndarray, np.ndarray]:
    """Return means over batches, and whether each is different from 0."""
    mean = batches.mean(0)
    error = batches.std(0, ddof=1) / math.sqrt(len(batches))
    limit = student.isf(LEVEL / 2 / max(mean.size, 1), len(batches) - 1)
    return mean, np.abs(mean) > limit * error
