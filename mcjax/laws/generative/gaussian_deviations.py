"""The exact law of standard deviations of Gaussian models along a line of descent.

Where every model reads one origin alone, its data have one parent, and the variance of n rows is
the parent's times an independent ``chi^2_(n-1) / (n - u)``, with u = 1 for unbiased variances and 0
for those that divide by n. So, from the true deviation at the start of the line, every fit of n
rows

    multiplies  E sigma      by  alpha = sqrt(2 / (n - u)) Gamma(n/2) / Gamma((n-1)/2) ,
    adds to     E log sigma  the number  (psi((n-1)/2) + log(2 / (n - u))) / 2  <  0 .

Unbiased variances keep their mean, and yet ``log sigma`` drifts to minus infinity: almost every
chain collapses, while the mean of the variances, made by ever fewer chains, shows no change
(Shumailov et al. 2024; derived here from the moments of chi and log chi-squared variates). In a fit
with two parents the shares depend on both, and the line branches.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import digamma, gammaln

from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.generative.conditions import other_fits
from mcjax.laws.law import Reason, not_constant
from mcjax.models.generative import GaussianMoments
from mcjax.network.feed import REAL
from mcjax.network.network import Network
from mcjax.study.study import Condition


class Lineage:
    """Exact means of the standard deviation and of its logarithm, along lines of descent."""

    name = "lineage"
    reference = (
        "products of independent chi variates, derived in mcjax.laws.generative.gaussian_deviations"
    )
    exact = True

    def applies(self, condition: Condition) -> Reason | None:
        """Return why variances are not products along a line of descent, or None."""
        if not isinstance(condition.model.generative, GaussianMoments):
            return Reason("estimates are not those of a normal distribution", obvious=True)
        return other_fits(condition) or several_parents(condition.network)

    def predict(self, condition: Condition, generations: int) -> FunctionalPrediction:
        """Predict the mean deviation and its mean logarithm at generations 0 to T."""
        net, unbiased = condition.network, float(condition.model.params["unbiased"])
        start = math.sqrt(float(condition.theta[1]))
        rows = np.array(net.initial, float)
        shrink, drift = _factors(rows, unbiased)
        deviation, logarithm = start * shrink, math.log(start) + drift
        path = [(deviation.copy(), logarithm.copy())]
        fed = np.array([sum(f.samples for f in feeds) or 2 for feeds in net.feeds_by_reader], float)
        shrink, drift = _factors(fed, unbiased)
        for _ in range(generations):
            before, logs = deviation.copy(), logarithm.copy()
            for i, feeds in enumerate(net.feeds_by_reader):
                if not feeds or (feeds[0].origin == REAL and net.reuses_real):
                    continue
                real = feeds[0].origin == REAL
                j = i if real else net.index[feeds[0].origin]
                deviation[i] = (start if real else before[j]) * shrink[i]
                logarithm[i] = (math.log(start) if real else logs[j]) + drift[i]
            path.append((deviation.copy(), logarithm.copy()))
        values = np.array(path)
        means = {"deviation": values[:, 0], "log_deviation": values[:, 1]}
        return FunctionalPrediction("", "", means)


def several_parents(net: Network) -> Reason | None:
    """Return why lines of descent branch, or None.

    They do not branch if every model reads one origin, and data of the last generation alone.
    """
    if not net.memory.current_only:
        return Reason("fits use data of several generations, so they have more than one parent")
    reason = not_constant(net)
    if reason is not None:
        return reason
    for model, feeds in zip(net.models, net.feeds_by_reader, strict=True):
        if len(feeds) > 1:
            return Reason(f"model {model!r} reads more than one origin")
    return None


def _factors(rows: np.ndarray, unbiased: float) -> tuple[np.ndarray, np.ndarray]:
    """Return alpha, and what is added to ``E log sigma``, for fits of so many rows."""
    half = (rows - 1) / 2
    scale = 2 / (rows - unbiased)
    shrink = np.sqrt(scale) * np.exp(gammaln(half + 0.5) - gammaln(half))
    return shrink, (digamma(half) + np.log(scale)) / 2
