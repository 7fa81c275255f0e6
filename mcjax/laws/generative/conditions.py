"""Where laws of generative models apply."""

from __future__ import annotations

from mcjax.laws.law import Reason, altered
from mcjax.study.study import Condition


def other_fits(condition: Condition) -> Reason | None:
    """Return why fits are not those that a model usually has, or not of whole samples, or None.

    Other estimators differ from these at finite sample sizes: those that minimise the loss divide a
    sum of squares by n, for example, whether or not the model divides it by n - 1.
    """
    own = condition.model.estimator
    if own is not None and isinstance(condition.chosen_estimator, type(own)):
        return altered(condition)
    return Reason("the law is for the fits that the model usually has, and others are asked for")
