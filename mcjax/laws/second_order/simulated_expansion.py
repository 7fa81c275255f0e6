"""The expansion of the score of a user's model, by simulation.

All that is known of a model of a linear predictor may be its loss ``l(eta, y)`` and a sampler of y.
Write ``r_k`` for the derivatives of l in eta. What labels of any kind can tell are means along the
truth, where labels are generated at the eta of their reader:

    A_k = E r_k    and    B_jk = E r_j r_k ,    functions of eta.

They suffice. A derivative along the truth is the sum of those in the readers and in the parent, and
``A_1 = 0`` at every eta, which is tested. So, with a prime for the derivative in eta,

    d_m d_v E r1 = A_2' - A_3 ,    d_v E r1(m) r1(k) = B_11' - 2 B_12 ,

and so on: no sampler is differentiated, and the loss need not be a likelihood.

**Derivatives.** The law integrates these functions against a normal density of the predictor
``eta = s z`` times powers of z, up to the fourth. A Hermite projection ``E[f(s z) He_m(z)]`` of a
derivative is one of the function, of degree ``m + 1``, over s. So functions are polynomials with
the right projections, and nothing that the law needs is smoothed, interpolated or cut off. Where
predictors vary by less than ``NARROWEST``, projections are those over a wider density, and the
polynomials are approximations, which is tested.

**Error.** Labels come in batches, and versions of the expansion without each of them carry the
error of the simulation through the law.

Derived here.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import jax
import numpy as np
from jaxtyping import Float
from numpy.polynomial import HermiteE
from scipy.stats import t as student

from mcjax.estimators.predictor import LinearPredictor, Params
from mcjax.faults import users_code
from mcjax.laws.first_order.tabulated_scores import tabulated
from mcjax.laws.jackknife import without_each
from mcjax.laws.law import Inapplicable
from mcjax.laws.second_order.label_means import (
    HIGHEST,
    PRODUCTS,
    STEP,
    LabelMeans,
    draw_means,
)
from mcjax.models.model import Model
from mcjax.models.score_expansion import Eta, Expansion, ScoreExpansion
from mcjax.models.scores import ScoreMoments

DEGREE = 8
"""Degree of the polynomials; projections of higher degrees test them."""
NARROWEST = 0.5
"""Smallest standard deviation of predictors in the simulation."""
LEVEL = 1e-6
"""Probability that a test finds fault with a model that is as it should be."""
SEEN = 0.03
"""Share of a derivative that automatic differentiation may miss, and of a function that a
polynomial may miss."""
MOST_OF_ONE = 0.1
"""Largest share of one label in a sum of squares. It is of the order of 1 where the
variance is infinite, however many labels there are."""

Projections = Float[np.ndarray, "11 11"]


def with_simulated_expansion(model: Model, gamma: float) -> list[Model]:
    """Return a model of a linear predictor that states no moments of its score, with expansions.

    Parameters
    ----------
    model : Model
        Its loss and samplers.
    gamma : float
        Standard deviation of the predictors.

    Returns
    -------
    list of Model
        The model with an expansion from all labels that are drawn, then with expansions from all
        but one of the batches each, see :mod:`mcjax.laws.jackknife`.

    Raises
    ------
    Inapplicable
        If the mean score at the truth is not 0, or moments are not finite or not those that
        automatic differentiation finds.
    """
    assert model.predictor is not None, "the law has asked"
    leaves, structure = jax.tree.flatten(model.params)
    scale = max(gamma, NARROWEST)
    kinds = []
    for real in (False, True):
        own = real and model.predictor.label_real is not None  # otherwise one serves both
        numbers = tuple(map(float, leaves))
        means = _means(model.predictor, numbers, structure, scale=scale, real=own)
        wrong = _wrong(means, narrow=gamma < NARROWEST)
        if wrong:
            raise Inapplicable(f"under `{'sample_real' if own else 'sample'}` {wrong}")
        kinds.append([means.products.mean(0), *without_each(means.products)])
    everything, versions = tabulated(model)
    return [
        _with_expansion(one, _expansion(both, scale))
        for one, *both in zip([everything, *versions], *kinds, strict=True)
    ]


@lru_cache(maxsize=16)
def _means(
    predictor: LinearPredictor,
    numbers: tuple[float, ...],
    structure: jax.tree_util.PyTreeDef,
    scale: float,
    real: bool,
) -> LabelMeans:
    params = jax.tree.unflatten(structure, numbers)
    with users_code("loss", predictor.loss):
        return draw_means(predictor, params, scale, real)


def _with_expansion(model: Model, expansion: Expansion) -> Model:
    assert isinstance(model.scores, ScoreMoments), "tabulated has made them"
    return replace(model, scores=replace(model.scores, expansion=expansion))


def _expansion(kinds: list[Projections], scale: float) -> Expansion:
    """Return the expansion from the projections of synthetic and of real data."""

    def expansion(params: Params, eta: Eta, real: bool) -> ScoreExpansion:
        return expanded(kinds[real], eta, scale)

    return expansion


def expanded(projections: Projections, eta: Eta, scale: float) -> ScoreExpansion:
    """Return the expansion that follows from projections of means along the truth.

    Parameters
    ----------
    projections : ndarray, shape (11, 11)
        Means of ``PRODUCTS``, by degree of the polynomial.
    eta : ndarray
        Predictors.
    scale : float
        Standard deviation of the predictors of the projections.
    """
    norms = [math.factorial(m) for m in range(DEGREE + 1)]
    domain = [-scale, scale]

    def mean(*orders: int, slope: int = 0) -> Eta:
        """Return the mean of a product, or a derivative of it along the truth."""
        series = projections[PRODUCTS.index(orders), : DEGREE + 1] / norms
        function = HermiteE(series, domain=domain, window=[-1, 1])
        return np.asarray(function.deriv(slope)(eta) if slope else function(eta))

    second, third, fourth = mean(2), mean(3), mean(4)
    bent, curved, third_bent = mean(2, slope=1), mean(2, slope=2), mean(3, slope=1)
    mixed, sums = mean(1, 2), mean(1, 3) + mean(2, 2)
    mixed_bent = mean(1, 2, slope=1)
    return ScoreExpansion(
        mean={
            (1, 0): second,
            (0, 1): -second,
            (2, 0): third,
            (1, 1): bent - third,
            (0, 2): third - 2 * bent,
            (3, 0): fourth,
            (2, 1): third_bent - fourth,
            (1, 2): curved - 2 * third_bent + fourth,
            (0, 3): 3 * third_bent - 3 * curved - fourth,
        },
        product={
            (0, 0, 0): mean(1, 1),
            (1, 0, 0): mixed,
            (0, 0, 1): mean(1, 1, slope=1) - 2 * mixed,
            (2, 0, 0): mean(1, 3),
            (1, 1, 0): mean(2, 2),
            (1, 0, 1): mixed_bent - sums,
            (0, 0, 2): mean(1, 1, slope=2) - 4 * mixed_bent + 2 * sums,
        },
        cubed_slope=mean(1, 1, 1),
        curved_square=mean(1, 1, 2),
        cubed_curvature=mean(2, 2, 2),
    )


def _wrong(means: LabelMeans, narrow: bool) -> str:
    """Say what is wrong with a model, or return an empty string."""
    if not all(np.isfinite(part).all() for part in means):
        return (
            "derivatives of the loss up to the fourth are not finite for some predictors, and the"
            " second-order law needs them"
        )
    if (means.largest.max(0) > MOST_OF_ONE * means.squares.sum(0)).any():
        return (
            "products of three derivatives of the loss have no finite variance, or none that draws"
            " could show, and the second-order law needs their means"
        )
    return _off_truth(means) or _kinked(means) or (_too_quick(means) if narrow else "")


def _off_truth(means: LabelMeans) -> str:
    """Say that the mean score is not 0 at every predictor."""
    norms = np.sqrt([math.factorial(m) for m in range(HIGHEST + 1)])
    scores = means.products[:, PRODUCTS.index((1,)), : DEGREE + 1] / norms[: DEGREE + 1]
    size = math.sqrt(means.products[:, PRODUCTS.index((1, 1)), 0].mean())
    mean, sure = _seen(scores)
    if not (sure & (np.abs(mean) > 1e-6 * size)).any():
        return ""
    return (
        "the loss is not minimised on average at the predictor that generates the label, as the"
        " second-order law needs: its mean slope is not 0 at every predictor"
    )


def _kinked(means: LabelMeans) -> str:
    """Say that automatic differentiation misses a part of the derivatives of an expectation.

    What it misses at a kink stays as the step of differences becomes shorter. Otherwise differences
    miss a part that falls like the square of the step.
    """
    long, short = means.missed.mean(0)
    _, sure = _seen(means.missed[:, 1])
    told = means.step / STEP
    curvature = np.abs(means.products[:, PRODUCTS.index((2,)), 0].mean())
    spread = math.sqrt(means.products[:, PRODUCTS.index((1, 1)), 0].mean())
    sizes = curvature * np.array([1, 1 / told, 1 / told**2, spread / told])[:, None]
    large = np.abs(short) > np.maximum(0.6 * np.abs(long), SEEN * sizes)
    if not (sure & large).any():
        return ""
    return (
        "the derivatives of the expected loss are not those of the loss, which has kinks, or bends"
        " too sharply; state the moments of its score and their expansion (ScoreMoments)"
    )


def _too_quick(means: LabelMeans) -> str:
    """Say that functions of the predictor are no polynomials of the degree that is used."""
    norms = np.sqrt([math.factorial(m) for m in range(HIGHEST + 1)])
    size = np.sqrt(((means.products.mean(0) / norms) ** 2).sum(-1, keepdims=True))
    further, sure = _seen((means.products / norms)[:, :, DEGREE + 1 :])
    if not (sure & (np.abs(further) > SEEN * size)).any():
        return ""
    return (
        "the score changes too quickly, as a function of the predictor, for an expansion around"
        " predictors that hardly vary"
    )


def _seen(batches: Float[np.ndarray, " K *shape"]) -> tuple[np.ndarray, np.ndarray]:
    """Return means over batches, and whether each is different from 0."""
    mean = batches.mean(0)
    error = batches.std(0, ddof=1) / math.sqrt(len(batches))
    limit = student.isf(LEVEL / 2 / max(mean.size, 1), len(batches) - 1)
    return mean, np.abs(mean) > limit * error
