"""Standard deviations of Gaussian estimates along a line of descent, exactly.

Where every model reads one origin alone, its data have one parent, and the variance of n rows is
the parent's times an independent ``chi^2_(n-1) / (n - u)``, u = 1 for unbiased variances and 0 for
those by 1/N. So, with the true deviation at the start of the line,

    E sigma      is multiplied by  alpha = sqrt(2 / (n - u)) Gamma(n/2) / Gamma((n-1)/2) ,
    E log sigma  grows by          (psi((n-1)/2) + log(2 / (n - u))) / 2  <  0

with every fit of n rows. Unbiased variances keep their mean, and yet ``log sigma`` drifts to minus
infinity: almost every chain collapses, while the mean of the variances, made by ever fewer chains,
says that nothing happens (Shumailov et al. 2024; derived here from the moments of chi and log
chi-squared variates). The shares of a fit with two parents depend on both, and the line branches.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import digamma, gammaln

from mcjax.laws.inapplicable import GROWING, Inapplicable
from mcjax.laws.prediction import FunctionalPrediction
from mcjax.network.network import REAL, Network
from mcjax.study.study import Condition

NAME = "lineage"
SOURCE = "products of independent chi variates, derived in mcjax.laws.lineage"


def lineage(condition: Condition, generations: int) -> FunctionalPrediction:
    """Mean standard deviation and its mean logarithm.

    Raises
    ------
    Inapplicable: see :func:`one_parent`.
    """
    net, unbiased = condition.network, float(condition.model.params["unbiased"])
    one_parent(net)
    start = math.sqrt(float(condition.theta[1]))
    rows = np.array(net.initial, float)
    shrink, drift = _factors(rows, unbiased)
    deviation, logarithm = start * shrink, math.log(start) + drift
    found = [(deviation.copy(), logarithm.copy())]
    fed = np.array([sum(f.samples for f in own) or 2 for own in net.feeds_by_reader], float)
    shrink, drift = _factors(fed, unbiased)
    for _ in range(generations):
        before, logs = deviation.copy(), logarithm.copy()
        for i, own in enumerate(net.feeds_by_reader):
            if not own or (own[0].origin == REAL and net.real == "reused"):
                continue
            real = own[0].origin == REAL
            j = i if real else net.index[own[0].origin]
            deviation[i] = (start if real else before[j]) * shrink[i]
            logarithm[i] = (math.log(start) if real else logs[j]) + drift[i]
        found.append((deviation.copy(), logarithm.copy()))
    values = np.array(found)
    return FunctionalPrediction(
        NAME, SOURCE, {"deviation": values[:, 0], "log_deviation": values[:, 1]}
    )


def one_parent(net: Network) -> None:
    """That every model reads one origin alone, and this generation's data alone.

    Raises
    ------
    Inapplicable: if not.
    """
    if not net.memory.current_only:
        raise Inapplicable("a fit is not of one generation's data, so it has more than one parent")
    if net.growth:
        raise Inapplicable(GROWING)
    for model, own in zip(net.models, net.feeds_by_reader, strict=True):
        if len(own) > 1:
            raise Inapplicable(f"model {model!r} reads more than one origin")


def _factors(rows: np.ndarray, unbiased: float) -> tuple[np.ndarray, np.ndarray]:
    """alpha, and the growth of ``E log sigma``, of fits with so many rows."""
    half = (rows - 1) / 2
    scale = 2 / (rows - unbiased)
    shrink = np.sqrt(scale) * np.exp(gammaln(half + 0.5) - gammaln(half))
    return shrink, (digamma(half) + np.log(scale)) / 2
