"""Errors of smoothed frequencies of pairs, to first order in the number of visits to a symbol.

A text is at symbol c for ``nu_c`` times on average before another symbol follows, and n texts for
``n nu_c`` times. If that number is taken as fixed, the symbols that follow are independent draws of
a class, and the frequencies after c are those of a unigram model with ``n nu_c`` rows: means and
second moments follow from :mod:`mcjax.laws.generative.smoothed_shares`. What is left out is that
the number of visits is random, and drifts with the frequencies of other symbols. The error of a
model is the mean over symbols of the squared error of the frequencies after them, weighted by the
visits of true texts. Derived here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.generative.conditions import not_of_last_data
from mcjax.laws.generative.smoothed_shares import squared_errors
from mcjax.laws.generative.weighted_means import WeightedMeans, weighted_means
from mcjax.laws.law import Reason
from mcjax.models.bigram import SmoothedTransitions, transitions
from mcjax.study.study import Condition


class Pairs:
    """Means of the squared error of frequencies of pairs, to first order in visits."""

    name = "pairs"
    reference = (
        "moments of smoothed frequencies after each symbol, derived in"
        " mcjax.laws.generative.smoothed_transitions"
    )
    exact = False

    def applies(self, condition: Condition) -> Reason | None:
        """Return why estimates are not smoothed frequencies of pairs of the last data, or None."""
        if not isinstance(condition.model.generative, SmoothedTransitions):
            return Reason("estimates are not smoothed frequencies of pairs", obvious=True)
        return not_of_last_data(condition)

    def predict(self, condition: Condition, generations: int) -> FunctionalPrediction:
        """Predict the mean squared error of frequencies at generations 0 to T."""
        known, truth = condition.model.generative, transitions(condition.theta)
        assert isinstance(known, SmoothedTransitions)  # ``applies`` has asked
        net, means = condition.network, weighted_means(condition.network)
        visits = known.visits(condition.theta)
        smoothing = float(condition.model.params["smoothing"]) * len(truth)
        total = np.zeros((generations + 1, net.size))
        for row, often in zip(truth, visits, strict=True):
            if often > 0:
                own = squared_errors(
                    _visited(means, often),
                    net,
                    smoothing / often,
                    row,
                    generations=generations,
                )
                total += often / visits.sum() * own
        return FunctionalPrediction("", "", {"pair_error": total})


def _visited(means: WeightedMeans, often: float) -> WeightedMeans:
    """Return the recursion of frequencies after a symbol that a text visits so often."""
    system = means.system
    return replace(
        means,
        system=replace(system, initial=system.initial / often, noise=system.noise / often),
        roots=means.roots / np.sqrt(often),
        real=means.real / often,
    )
