"""Conditions under which laws of generative models apply."""

from __future__ import annotations

from mcjax.estimators.estimator import Estimator
from mcjax.estimators.sufficient_statistics import SufficientStatistics
from mcjax.laws.generative.weighted_means import not_weighted_means
from mcjax.laws.law import Reason, altered
from mcjax.study.study import Condition


def other_fits(condition: Condition, own: type[Estimator] = SufficientStatistics) -> Reason | None:
    """Return why fits are not those of an estimator, or not of whole samples, or None.

    Other estimators differ from these at finite sample sizes: those that minimise the loss divide a
    sum of squares by n, for example, whether or not the model divides it by n - 1.
    """
    if isinstance(condition.chosen_estimator, own):
        return altered(condition)
    return Reason("the law is for the fits that the model usually has, and others are asked for")


def not_of_last_data(condition: Condition) -> Reason | None:
    """Return why estimates are not weighted means of the last data alone, or None."""
    if condition.network.memory.adds_up:
        return Reason("data accumulate, and the law is for fits to the last data")
    return other_fits(condition) or not_weighted_means(condition.network)
