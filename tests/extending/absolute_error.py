"""A quantity of one's own: the mean absolute error of the first parameter.

For normal errors with mean 0 and variance v it is ``sqrt(2 v / pi)``, and the standard deviation of
``|e|`` is ``sqrt(pi / 2 - 1)`` times its mean.
"""

import math

import numpy as np

import mcjax


class MeanAbsoluteError(mcjax.Quantity):
    """``E |e_1|`` of every model at the last generation, as a ratio to a law's."""

    name = "absolute"
    unit = "observed / predicted"

    def speaks(self, prediction):
        """Whether a law predicts it: errors have mean 0."""
        return prediction.mean is None

    def claims(self, comparison, outcome):
        """Claim that each model's mean over chains is the law's."""
        p = len(comparison.condition.theta)
        variances = np.diagonal(comparison.prediction.covariance[-1])[::p]
        for i in range(comparison.condition.network.size):
            values = np.abs(outcome.sample[:, i, 0].astype(float))
            values = values[np.isfinite(values)]
            yield comparison.ratio_claim(
                self.name,
                comparison.last,
                i,
                observed=mcjax.estimate_mean(values),
                predicted=mcjax.Estimate(math.sqrt(2 / math.pi * variances[i]), 0.0),
                count=mcjax.count_chains(len(values), len(outcome.sample), comparison.tolerance),
            )

    def planned(self, comparison):
        """Return the same cells with the spread of a ratio from one chain."""
        size = comparison.condition.network.size
        spread = np.full(size, math.sqrt(math.pi / 2 - 1))
        return [mcjax.RatioCells(self.name, spread, np.zeros(size), comparison.allowance[-1])]
