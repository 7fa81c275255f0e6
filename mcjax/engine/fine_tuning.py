"""Tell chains where fits begin, if not at the mean of their parents."""

from __future__ import annotations

import numpy as np

from mcjax.chains.program import StartArrays
from mcjax.estimators.estimator import Estimator
from mcjax.estimators.lbfgs import LBFGS
from mcjax.estimators.newton import Newton
from mcjax.estimators.starts import MINIMUM
from mcjax.study.study import Condition, Solver

MANY_PARAMETERS = 64
"""Above this p a Hessian in every step costs more than it saves, and L-BFGS is the default."""


def solver_of(p: int, solver: Solver = "auto") -> Estimator:
    """Return the solver of models that have no estimator of their own, for p parameters."""
    few = p <= MANY_PARAMETERS if solver == "auto" else solver == "newton"
    return Newton() if few else LBFGS()


def refit_of(condition: Condition) -> Estimator | None:
    """Return what fits generation 0 where later fits begin at what that leaves, or None.

    It is what would fit the model if the condition had no estimator.
    """
    if condition.starts is None:
        return None
    own = None if condition.estimator is None else condition.model.estimator
    return solver_of(len(condition.theta)) if own is None else own


def start_arrays(condition: Condition, models: int) -> StartArrays | None:
    """Return where fits begin, for a number of models with padding; None if at their parents."""
    starts = condition.starts
    if starts is None:
        return None
    model, size = np.arange(models, dtype=np.int32), len(starts.model)
    refits = np.append(starts.model == MINIMUM, np.zeros(models - size, bool))
    model[:size] = np.where(refits[:size], model[:size], starts.model)
    return StartArrays(model, starts.base, refits if refits.any() else None)
