"""Exact laws of families without covariates, at every sample size and on any network.

All follow from the recursion of :mod:`mcjax.laws.drift` for the c of ``E e_i e_k' = c_ik V``, with
private and shared draws, any weights, fresh and reused real data, and data that accumulate.

**Categorical, Bernoulli.** Given its probabilities P, a row has the covariance ``diag(P) - P P'``,
whose expectation is ``(1 - c_jj) V`` with ``V = diag(p) - p p'``: so f = 1 - c. Heterozygosity is
the trace, ``E sum_k P_k (1 - P_k) = (1 - c_ii) sum_k p_k (1 - p_k)``; one model on its own output
loses it by ``1 - 1/n`` a generation, the Wright-Fisher model, and several are one with migration.
A closed synthetic source ends in fixation, ``c_ii = 1``: its error stops growing at ``tr V`` when
all diversity is gone. The law therefore tells no endless growth of whom such a source reaches, and
no limit either, for the first-order law's growth is what is seen until about n generations.

**Poisson mean.** The variance of a row is its rate, whose expectation never changes: f = 1, and the
first-order law is exact.

**Gaussian.** With mean mu and variance s, in units of the true variance, f_j = E s_j = v_j. Of the
rows of a fit with weights w, let R = (sum w)^2 / sum w^2 be what they are worth and q the expected
weighted mean of ``(y - mu*)^2``. Then ``q_i <- sum_j W_ij (v_j + c_jj) + real share``, and since
the weighted mean of y is the new estimate of mu,

    v_i <- (q_i - c_ii) / (1 - u / R_i),     u = 1 (unbiased variances) or 0 (1/N),

with the new c_ii; of data that accumulate q is the weighted mean over all so far. One model on its
own output keeps ``E s`` for ever with u = 1, though s tends to 0 (:mod:`mcjax.laws.lineage`), and
loses it by 1 - 1/n with u = 0 (Shumailov et al. 2024; Kazdan et al. 2024). The covariance of s is
no part of this law.
"""

from __future__ import annotations

import numpy as np

from mcjax.laws.asymptotics import growth
from mcjax.laws.drift import drift_of, limits, moments
from mcjax.laws.prediction import FunctionalPrediction, Prediction
from mcjax.laws.sources import collapsing, data_flow, unstable_sources
from mcjax.models.model import Model
from mcjax.network.network import Network
from mcjax.study.study import Condition

NAME = "generative"
SOURCE = "moments of means over independent rows, derived in mcjax.laws.drift"


def generative(condition: Condition, generations: int) -> Prediction:
    """Moments of categorical, Bernoulli and Poisson estimates; see :class:`Prediction`.

    Raises
    ------
    Inapplicable: for a memory that neither replaces nor accumulates.
    """
    model, theta, net = condition.model, condition.theta, condition.network
    drift, drifts = drift_of(net), _drifts(model)
    variance = _variance(condition)
    c = moments(drift, generations, drifts)
    size = float(np.trace(variance))
    sources = unstable_sources(net)
    stable = ~np.array(collapsing(data_flow(net), sources))
    slopes = np.full(net.size, np.nan)
    if not drifts and net.memory.current_only:
        slopes = np.where(stable, np.nan, growth(drift.system, sources)[:, 0, 0] * size)
    settled = stable | net.memory.adds_up
    return Prediction(
        law=NAME,
        source=SOURCE,
        exact=True,
        covariance=np.kron(c, variance),
        mse=np.diagonal(c, axis1=1, axis2=2) * size,
        standard_error=np.zeros((generations + 1, len(stable))),
        growth=slopes,
        limit=limits(drift, settled, drifts) * size,
        mean=np.zeros((generations + 1, len(stable), len(theta))),
    )


def heterozygosity(condition: Condition, generations: int) -> FunctionalPrediction:
    """Of categorical and Bernoulli estimates.

    Raises
    ------
    Inapplicable: see :func:`generative`.
    """
    c = moments(drift_of(condition.network), generations, 1.0)
    # of two classes, whose variances are those of one
    of_all = np.trace(_variance(condition)) * (2 if len(condition.theta) == 1 else 1)
    left = 1 - np.diagonal(c, axis1=1, axis2=2)
    return FunctionalPrediction(NAME, SOURCE, {"heterozygosity": left * of_all})


def gaussian_moments(condition: Condition, generations: int) -> FunctionalPrediction:
    """Mean variance and mean squared error of the mean, of Gaussian estimates.

    Raises
    ------
    Inapplicable: see :func:`generative`.
    """
    net, unbiased = condition.network, float(condition.model.params["unbiased"])
    drift = drift_of(net)
    a, frozen = drift.system.transition, drift.system.frozen
    c = cross = drift.system.initial
    v = (1 - np.diagonal(c)) / (1 - unbiased * np.diagonal(c))
    pool = np.ones(net.size)
    variances, squares = [v], [np.diagonal(c)]
    for t in range(1, generations + 1):
        q = a @ (v + np.diagonal(c)) + 1 - a.sum(1)
        if drift.system.inertia is not None:
            gain = 1 / (np.diagonal(drift.system.inertia) + t)
            pool = q = pool + gain * (q - pool)
        c, cross = drift.following(c, cross, v, t)
        own = (q - np.diagonal(c)) / (1 - unbiased / _rows(net, t))
        v = np.where(frozen, v, own)
        variances.append(v)
        squares.append(np.diagonal(c))
    s = float(condition.theta[1])
    values = {"variance": s * np.array(variances), "mean_square": s * np.array(squares)}
    return FunctionalPrediction(NAME, SOURCE, values)


def _drifts(model: Model) -> float:
    """How much spread an estimate loses with c; see the top of this file."""
    return 0.0 if model.name == "poisson_mean" else 1.0


def _variance(condition: Condition) -> np.ndarray:
    """V, the covariance of g(y) of one real row, shape (p, p)."""
    model = condition.model
    assert model.information is not None  # of all these families
    information = model.information(model.params, condition.theta, condition.covariance)
    return information.real.score_covariance


def _rows(net: Network, t: int) -> np.ndarray:
    """``(sum w)^2 / sum w^2`` of every fit at generation t, (M,); of a frozen model infinite."""
    found = np.full(net.size, np.inf)
    for i, feeds in enumerate(net.feeds_by_reader):
        if not feeds:
            continue
        largest = max(feed.weight for feed in feeds)  # no product overflows
        mass = sum(feed.weight / largest * feed.samples for feed in feeds)
        squares = sum((feed.weight / largest) ** 2 * feed.samples for feed in feeds)
        if net.memory.adds_up:
            mass = net.initial[i] / largest + t * mass
            squares = net.initial[i] / largest**2 + t * squares
        found[i] = mass**2 / squares
    return found
