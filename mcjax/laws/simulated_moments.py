"""Second moments of least squares where the closed form is silent: weights, and shared samples.

Given the designs of one generation, errors are linear in the errors before and in the noise,

    e_i = sum_j V_ij e_j + K_i^-1 sum_b w_b X_b' eps_b,    V_ij = sum_{b from j} K_i^-1 w_b S_b,

with ``S_b = X_b'X_b`` and ``K_i = sum_b w_b S_b``. Designs are fresh, so the next generation's are
independent of the errors, and for ``Sigma = I`` second moments stay isotropic, ``m_ik I``:

    m_ik <- sum_{j,l} E[tr(V_ij V_kl')] / p m_jl + q_ik,
    q_ik  = sum var w_b w_c E[tr(K_i^-1 S_b K_k^-1)] / p,

over the batches b of i and c of k that are one sample. Each expectation is a mean over designs
drawn here, Wishart matrices by Bartlett's decomposition, so what follows from them has a Monte
Carlo error, which the jackknife over 32 batches of draws gives. Its variance is finite for fits of
more than p + 3 rows. Reused real data have the design of generation 0 for ever: not covered.

That models which agree go on to agree holds in every draw, so an unstable source has its radius of
1 here too, and growth its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcjax.chains.layout import network_arrays, shape_of
from mcjax.laws.design_moments import (
    REUSED,
    SecondMomentMap,
    few_rows,
    second_moment_map,
    second_moments,
)
from mcjax.laws.estimated import jackknife_error
from mcjax.laws.explosion import fates
from mcjax.laws.finite_sample import check_least_squares
from mcjax.laws.inapplicable import GROWING, Inapplicable
from mcjax.laws.prediction import Prediction
from mcjax.network.network import REAL, Network
from mcjax.study.study import Condition

NAME = "finite_sample_monte_carlo"
SOURCE = "second moments over simulated designs, derived in mcjax.laws.simulated_moments"
BATCHES, DRAWS = 32, 1024
"""Batches, and designs drawn in each."""
SEED = 0xD0E
"""The estimate is part of the law, not of the simulation: its draws never change."""
LARGEST = 64
"""Most models times parameters."""


@dataclass(frozen=True)
class SimulatedMap(SecondMomentMap):
    """A map with moments of simulated designs.

    Attributes
    ----------
    coefficients: ``E[tr(V_ij V_kl')] / p``, shape (M, M, M, M) for (i, j, k, l).
    spread: q, shape (M, M).
    """

    coefficients: np.ndarray
    spread: np.ndarray

    @property
    def added(self) -> np.ndarray:
        return self.spread

    def isotropic(self, m: np.ndarray) -> np.ndarray:
        return np.einsum("ijkl,jl->ik", self.coefficients, m, optimize=True)

    def restricted(self, models: np.ndarray) -> SimulatedMap:
        own = super().restricted(models)
        return SimulatedMap(
            own.shares,
            own.rows,
            own.noise,
            own.frozen,
            own.p,
            self.coefficients[np.ix_(models, models, models, models)],
            self.spread[np.ix_(models, models)],
        )


def finite_sample_monte_carlo(condition: Condition, generations: int) -> Prediction:
    """The law's moments of one condition with random designs; see :class:`Prediction` for shapes.

    Raises
    ------
    Inapplicable: for another family, reused real data, fits of few rows, or very many parameters.
    """
    variance, real_variance = check_least_squares(condition)
    net, p = condition.network, len(condition.theta)
    if net.real == "reused" and any(feed.origin == REAL for feed in net.feeds):
        raise Inapplicable(REUSED)
    if net.growth:
        raise Inapplicable(GROWING)
    reason = few_rows(net, p, 3)
    if reason:
        raise Inapplicable(reason)
    if net.size * p > LARGEST:
        raise Inapplicable(f"M p is above {LARGEST}: too many moments to simulate")

    coefficients, spread = _batches(net, p, variance, real_variance)
    plain = second_moment_map(net, p, variance, real_variance)
    initial = real_variance / (np.array(net.initial, float) - p - 1)
    start = np.diag(np.repeat(initial, p))

    def average(kept: np.ndarray) -> SimulatedMap:
        return SimulatedMap(
            plain.shares,
            plain.rows,
            plain.noise,
            plain.frozen,
            p,
            coefficients[kept].mean(0),
            spread[kept].mean(0),
        )

    def moments(one: SimulatedMap) -> np.ndarray:
        return second_moments(one, start, generations)[:, ::p, ::p]

    places = np.arange(BATCHES)
    one = average(places)
    scalar = moments(one)
    without = [np.diagonal(moments(average(places != b)), axis1=1, axis2=2) for b in places]
    found = fates(one, net, initial)
    inverse = np.linalg.inv(condition.covariance)
    size = float(np.trace(inverse))
    with np.errstate(over="ignore", invalid="ignore"):
        return Prediction(
            law=NAME,
            source=SOURCE,
            exact=False,
            covariance=np.nan_to_num(np.kron(scalar, inverse), nan=0.0, posinf=np.inf),
            mse=np.diagonal(scalar, axis1=1, axis2=2) * size,
            standard_error=jackknife_error(np.stack(without)) * size,
            growth=found.growth * size,
            limit=found.limit * size,
        )


def _batches(
    net: Network, p: int, variance: float, real_variance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and q of each batch of draws, shapes (BATCHES, M, M, M, M), (BATCHES, M, M)."""
    feeds = network_arrays(net, shape_of([net])).feeds
    rng = np.random.default_rng(SEED)
    size = net.size
    coefficients = np.empty((BATCHES, *[size] * 4))
    spread = np.zeros((BATCHES, size, size))
    places = [tuple(place) for place in np.argwhere(feeds.samples > 0)]
    streams = {int(feeds.stream[at]): int(feeds.samples[at]) for at in places}
    for batch in range(BATCHES):
        gram = {stream: _wishart(rng, p, rows) for stream, rows in streams.items()}
        curvature = np.zeros((size, DRAWS, p, p))
        curvature[list(net.frozen)] = np.eye(p)
        for at in places:
            curvature[at[0]] += feeds.weight[at] * gram[int(feeds.stream[at])]
        inverse = np.linalg.inv(curvature)
        reads = np.zeros((size, size, DRAWS, p, p))  # V
        for i, b in places:
            sample = gram[int(feeds.stream[i, b])]
            gain = feeds.weight[i, b] * inverse[i] @ sample
            synthetic = feeds.origin[i, b] < size
            if synthetic:
                reads[i, feeds.origin[i, b]] += gain
            for k, c in places:
                if feeds.stream[k, c] == feeds.stream[i, b]:  # one sample, and so one noise
                    trace = np.einsum("dab,dba->", gain, inverse[k]) * feeds.weight[k, c]
                    own = variance if synthetic else real_variance
                    spread[batch, i, k] += own * trace / (DRAWS * p)
        for i in np.flatnonzero(net.frozen):
            reads[i, i] = np.eye(p)
        flat = reads.reshape(size * size, -1)
        coefficients[batch] = (flat @ flat.T).reshape([size] * 4) / (DRAWS * p)
    return coefficients, spread


def _wishart(rng: np.random.Generator, p: int, rows: int) -> np.ndarray:
    """``X'X`` for so many rows N(0, I), shape (DRAWS, p, p): L L' as Bartlett has it."""
    lower = np.tril(rng.standard_normal((DRAWS, p, p)), -1)
    lower[:, :, rows:] = 0
    for i in range(min(p, rows)):
        lower[:, i, i] = np.sqrt(rng.chisquare(rows - i, DRAWS))
    return lower @ np.swapaxes(lower, 1, 2)
