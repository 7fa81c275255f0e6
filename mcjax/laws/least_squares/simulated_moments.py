"""Second moments of least squares for weights and shared samples, by simulated designs.

These networks have no closed form.
Given the designs of one generation, errors are linear in the errors before and in the noise,

    e_i = sum_j V_ij e_j + K_i^-1 sum_b w_b X_b' eps_b,    V_ij = sum_{b from j} K_i^-1 w_b S_b,

with ``S_b = X_b'X_b`` and ``K_i = sum_b w_b S_b``. Designs are fresh, so the next generation's are
independent of the errors, and for ``Sigma = I`` second moments stay isotropic, ``m_ik I``:

    m_ik <- sum_{j,l} E[tr(V_ij V_kl')] / p m_jl + q_ik,
    q_ik  = sum var w_b w_c E[tr(K_i^-1 S_b K_k^-1)] / p,

where the second sum is over the batches b of i and c of k that are one sample. Each expectation is
a mean over designs drawn here, so predictions have a Monte Carlo error, given by 32 batches of
draws (:mod:`mcjax.laws.jackknife`). Its variance is finite for fits of more than p + 3 rows. Reused
real data have the design of generation 0 for ever and are not covered. For networks of several real
sources see :mod:`mcjax.laws.least_squares.simulated_designs`.

In every draw, models that agree go on to agree, so a collapse origin has the radius 1 here too, and
growth keeps its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mcjax.chains.layout import network_arrays, shape_of, tables_of
from mcjax.laws.law import GROWING, Reason, changing
from mcjax.laws.least_squares.conditions import (
    FIXED,
    POOLED,
    REUSED,
    few_rows,
    label_variances,
    not_least_squares,
    reuses_plain,
    unusual_feeds,
)
from mcjax.laws.least_squares.explosion import long_run
from mcjax.laws.least_squares.second_moments import (
    SecondMomentMap,
    second_moment_map,
    second_moments,
)
from mcjax.laws.least_squares.simulated_designs import simulated_designs
from mcjax.laws.least_squares.wishart import wishart
from mcjax.laws.prediction import Prediction
from mcjax.network.network import Network
from mcjax.study.study import Condition

BATCHES, DRAWS = 32, 1024
"""Batches, and designs drawn in each."""
SEED = 0xD0E
"""The estimate belongs to the law and not to the simulation, so its draws never change."""
LARGEST = 64
"""Largest M p."""


class SimulatedMoments:
    """Moments of least squares on fresh designs, with expectations over designs by Monte Carlo."""

    name = "finite_sample_monte_carlo"
    reference = (
        "second moments over simulated designs, derived in"
        " mcjax.laws.least_squares.simulated_moments"
    )
    exact = False

    def applies(self, condition: Condition) -> Reason | None:
        """Return why designs cannot be averaged over, or need not be; otherwise None."""
        net, p = condition.network, len(condition.theta)
        if condition.model.least_squares is None:
            return Reason("the law is for least squares", obvious=True)
        if condition.design == "fixed":
            return Reason(FIXED, obvious=True)
        unusual = unusual_feeds(net)
        if not unusual:
            return Reason("the closed form applies", obvious=True)
        if unusual == POOLED:
            return Reason(POOLED, obvious=True)
        reason = not_least_squares(condition)
        if reason is not None:
            return reason
        if reuses_plain(net):
            return Reason(REUSED)
        if net.later.exponent:
            return GROWING
        few = few_rows(net, p, 3)
        if few is None and net.size * p > LARGEST:
            return Reason(f"models times parameters exceed {LARGEST}, too many moments to simulate")
        return few

    def predict(self, condition: Condition, generations: int) -> Prediction:
        """Predict the errors at generations 0 to T.

        For networks with a single real source, also predict their growth and limits.
        """
        net, p = condition.network, len(condition.theta)
        if not net.plain or changing(net) is not None:
            return simulated_designs(condition, generations)
        variance, real_variance = label_variances(condition)
        coefficients, spread = design_batches(net, p, variance, real_variance)
        plain = second_moment_map(net, p, variance, real_variance)
        initial = real_variance / (np.array(net.initial, float) - p - 1)
        start = np.diag(np.repeat(initial, p))

        inverse = np.linalg.inv(condition.covariance)
        size = float(np.trace(inverse))

        def average(kept: np.ndarray) -> SimulatedMap:
            means = {"coefficients": coefficients[kept].mean(0), "spread": spread[kept].mean(0)}
            return SimulatedMap(**vars(plain), **means)

        @np.errstate(over="ignore", invalid="ignore")
        def errors(step: SimulatedMap, **more: Any) -> Prediction:
            scalar = second_moments(step, start, generations)[:, ::p, ::p]
            covariance = np.nan_to_num(np.kron(scalar, inverse), nan=0.0, posinf=np.inf)
            return Prediction.of(covariance, net.size, **more)

        batches = np.arange(BATCHES)
        step = average(batches)
        late = long_run(step, net, initial)
        return errors(
            step,
            versions=[errors(average(batches != b)) for b in batches],
            growth=late.growth * size,
            limit=late.limit * size,
        )


@dataclass(frozen=True)
class SimulatedMap(SecondMomentMap):
    """A map with moments of simulated designs.

    Attributes
    ----------
    coefficients : ndarray, shape (M, M, M, M)
        ``E[tr(V_ij V_kl')] / p`` for (i, j, k, l).
    spread : ndarray, shape (M, M)
        q.
    """

    coefficients: Float[np.ndarray, "M M M M"]
    spread: Float[np.ndarray, "M M"]

    @property
    def added(self) -> Float[np.ndarray, "M M"]:
        """Second moments that noise adds in a generation, shape (M, M)."""
        return self.spread

    def isotropic(self, m: Float[np.ndarray, "M M"]) -> Float[np.ndarray, "M M"]:
        """Apply the linear part to second moments ``m_ik I``; shape (M, M) to (M, M)."""
        return np.einsum("ijkl,jl->ik", self.coefficients, m, optimize=True)

    def restricted(self, models: Int[np.ndarray, " K"]) -> SimulatedMap:
        """Return the map of some models, given by position, among themselves."""
        return replace(
            super().restricted(models),
            coefficients=self.coefficients[np.ix_(models, models, models, models)],
            spread=self.spread[np.ix_(models, models)],
        )


def design_batches(
    net: Network, p: int, variance: float, real_variance: float
) -> tuple[Float[np.ndarray, "batches M M M M"], Float[np.ndarray, "batches M M"]]:
    """Return the coefficients and q of each batch of draws."""
    _, feeds = tables_of(network_arrays(net, shape_of([net])))
    rng = np.random.default_rng(SEED)
    size = net.size
    coefficients = np.empty((BATCHES, *[size] * 4))
    spread = np.zeros((BATCHES, size, size))
    places = [tuple(place) for place in np.argwhere(feeds.samples > 0)]
    streams = {int(feeds.stream[at]): int(feeds.samples[at]) for at in places}
    for batch in range(BATCHES):
        gram = {stream: wishart(rng, DRAWS, p, rows) for stream, rows in streams.items()}
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
