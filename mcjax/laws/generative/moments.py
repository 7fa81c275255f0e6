"""Exact moments of models without covariates, at every sample size and on any network.

All follow from the recursion of :mod:`mcjax.laws.generative.weighted_means` for the c of
``E e_i e_k' = c_ik V``, with private and shared draws, any weights, fresh and reused real data, and
data that accumulate.

**Categorical, Bernoulli.** Given its probabilities P, a row has the covariance ``diag(P) - P P'``,
whose expectation is ``(1 - c_jj) V`` with ``V = diag(p) - p p'``; so f = 1 - c. Heterozygosity is
the trace, ``E sum_k P_k (1 - P_k) = (1 - c_ii) sum_k p_k (1 - p_k)``. One model on its own output
loses it by ``1 - 1/n`` a generation, the Wright-Fisher model, and several models are one with
migration. A closed synthetic origin ends in fixation, ``c_ii = 1``: its error stops growing at
``tr V`` when all diversity is gone. So for models that such an origin reaches the law predicts
neither endless growth nor a limit, since until about n generations one sees the growth of the
first-order law.

**Poisson mean.** The variance of a row is its rate, whose expectation never changes: f = 1, and the
first-order law is exact.

**Gaussian.** With mean mu and variance s, in units of the true variance, f_j = E s_j = v_j. For the
rows of a fit with weights w, let R = (sum w)^2 / sum w^2 be the number of rows they are worth, and
q the expected weighted mean of ``(y - mu*)^2``. Then ``q_i <- sum_j W_ij (v_j + c_jj) + real
share``, and since the weighted mean of y is the new estimate of mu,

    v_i <- (q_i - c_ii) / (1 - u / R_i),     u = 1 (unbiased variances) or 0 (1/N),

with the new c_ii. For data that accumulate q is the weighted mean over all so far. One model on its
own output keeps ``E s`` for ever with u = 1, though s tends to 0
(:mod:`mcjax.laws.generative.gaussian_deviations`), and loses it by 1 - 1/n with u = 0 (Shumailov et
al. 2024; Kazdan et al. 2024). The law does not give the covariance of s.

**Mixtures of normal components.** A mixture fitted by EM has exactly the mean and the covariance of
its rows, so with u = 0 the same holds for its overall moments: ``q_i`` is that of all coordinates
together, and the variance the mean over coordinates. The shape of the mixture does not enter.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mcjax.estimators.em import EM
from mcjax.estimators.sufficient_statistics import SufficientStatistics
from mcjax.laws.collapse.components import data_flow
from mcjax.laws.collapse.origins import collapse_origins, collapsing
from mcjax.laws.first_order.limits import growth
from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.generative.conditions import other_fits
from mcjax.laws.generative.weighted_means import limits, moments, not_weighted_means, weighted_means
from mcjax.laws.law import Reason
from mcjax.laws.prediction import Prediction
from mcjax.models.generative import ClassShares, GaussianMoments, WeightedMean
from mcjax.models.mixture import OverallMoments
from mcjax.network.network import Network
from mcjax.study.study import Condition

KNOWN = (WeightedMean, GaussianMoments, OverallMoments)
"""Estimators whose moments the law knows."""


class Generative:
    """Exact moments of estimates that are means over independent rows."""

    name = "generative"
    reference = (
        "moments of means over independent rows, derived in mcjax.laws.generative.weighted_means"
    )
    exact = True

    def applies(self, condition: Condition) -> Reason | None:
        """Return why estimates are not means over independent rows, or None."""
        if not isinstance(condition.model.generative, KNOWN):
            return Reason("estimates are not means of their rows", obvious=True)
        mixed = isinstance(condition.model.generative, OverallMoments)
        own = EM if mixed else SufficientStatistics
        return other_fits(condition, own) or not_weighted_means(condition.network)

    def predict(self, condition: Condition, generations: int) -> Prediction | FunctionalPrediction:
        """Predict the errors at generations 0 to T.

        For Gaussian models and mixtures, predict the mean variance and the squared error of the
        mean instead.
        """
        known = condition.model.generative
        if isinstance(known, GaussianMoments):
            unbiased, variance = float(condition.model.params["unbiased"]), condition.theta[1:]
            values = _overall(condition.network, variance, unbiased, generations)
            return FunctionalPrediction("", "", values)
        if isinstance(known, OverallMoments):
            variances = np.diagonal(known.moments(condition.theta)[1])
            values = _overall(condition.network, variances, 0.0, generations)
            return FunctionalPrediction("", "", values)
        assert isinstance(known, WeightedMean)  # ``applies`` has asked
        net, loss = condition.network, known.spread_loss
        means = weighted_means(net)
        variance = _variance(condition)
        c = moments(means, generations, loss)
        size = float(np.trace(variance))
        origins = collapse_origins(net)
        stable = ~collapsing(data_flow(net), origins)
        slopes = np.full(net.size, np.nan)
        if not loss and net.memory.current_only:
            slopes = np.where(stable, np.nan, growth(means.system, origins)[:, 0, 0] * size)
        settled = stable | net.memory.adds_up
        functionals = {}
        if isinstance(known, ClassShares):
            shares = known.shares(condition.theta)
            left = 1 - np.diagonal(c, axis1=1, axis2=2)
            functionals["heterozygosity"] = left * (shares * (1 - shares)).sum()
        return Prediction.of(
            np.kron(c, variance),
            net.size,
            np.zeros((generations + 1, net.size, len(condition.theta))),
            growth=slopes,
            limit=limits(means, settled, loss) * size,
            functionals=functionals,
        )


def _overall(
    net: Network, variances: Float[np.ndarray, " d"], unbiased: float, generations: int
) -> dict[str, Float[np.ndarray, "T+1 M"]]:
    """Return the mean variance of a coordinate, and the mean squared error of the mean."""
    means = weighted_means(net)
    a, frozen = means.system.transition, means.system.frozen
    c = cross = means.system.initial
    v = (1 - np.diagonal(c)) / (1 - unbiased * np.diagonal(c))
    pool = np.ones(net.size)
    path, squares = [v], [np.diagonal(c)]
    for t in range(1, generations + 1):
        q = a @ (v + np.diagonal(c)) + 1 - a.sum(1)
        if means.system.inertia is not None:
            gain = 1 / (np.diagonal(means.system.inertia) + t)
            pool = q = pool + gain * (q - pool)
        c, cross = means.following(c, cross, v, t)
        fitted = (q - np.diagonal(c)) / (1 - unbiased / _rows(net, t))
        v = np.where(frozen, v, fitted)
        path.append(v)
        squares.append(np.diagonal(c))
    return {
        "variance": variances.mean() * np.array(path),
        "mean_square": variances.sum() * np.array(squares),
    }


def _variance(condition: Condition) -> np.ndarray:
    """Return V, the covariance of g(y) for one real row, (p, p)."""
    model = condition.model
    assert model.information is not None  # of all these models
    information = model.information(model.params, condition.theta, condition.covariance)
    return information.real.score_covariance


def _rows(net: Network, t: int) -> np.ndarray:
    """Return ``(sum w)^2 / sum w^2`` of every fit at generation t, shape (M,).

    It is infinite for frozen models.
    """
    rows = np.full(net.size, np.inf)
    for i, feeds in enumerate(net.feeds_by_reader):
        if not feeds:
            continue
        largest = max(feed.weight for feed in feeds)  # no product overflows
        mass = sum(feed.weight / largest * feed.samples for feed in feeds)
        squares = sum((feed.weight / largest) ** 2 * feed.samples for feed in feeds)
        if net.memory.adds_up:
            mass = net.initial[i] / largest + t * mass
            squares = net.initial[i] / largest**2 + t * squares
        rows[i] = mass**2 / squares
    return rows
