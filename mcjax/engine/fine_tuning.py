"""Tell chains how models are fitted, and where fits begin, if not at the mean of their parents."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mcjax.chains.program import Fitting, StartArrays
from mcjax.errors import InputError
from mcjax.estimators.chord import fits_by_chords
from mcjax.estimators.estimator import Estimator
from mcjax.estimators.found_predictors import predictors_found
from mcjax.estimators.gradient_steps import Optax
from mcjax.estimators.lbfgs import LBFGS
from mcjax.estimators.newton import Newton
from mcjax.estimators.starts import BEHIND, MINIMUM
from mcjax.faults import is_users
from mcjax.models.model import Model
from mcjax.study.settings import Solver
from mcjax.study.study import Condition

MANY_PARAMETERS = 64
"""Above this p, where every step has a Hessian, it costs more than it saves, and L-BFGS is the
default."""
MANY_WITH_PREDICTORS = 100
"""The same where predictors are found, in which derivatives cost less."""


def solver_of(condition: Condition, solver: Solver = "auto") -> Estimator:
    """Return the solver of models that have no estimator of their own."""
    if solver == "auto":
        most = MANY_WITH_PREDICTORS if predictors_of(condition) else MANY_PARAMETERS
        few = len(condition.theta) <= most or fits_by_chords(condition.model)
        return Newton() if few else LBFGS()
    return Newton() if solver == "newton" else LBFGS()


def predictors_of(condition: Condition) -> int:
    """Return how many linear predictors are found in a user's loss of theta; 0 if none are."""
    model, p = condition.model, len(condition.theta)
    if model.predictor is not None or model.predictors is not None or not is_users(model.loss):
        return 0
    return _found(jax.tree.structure(model), p, model.covariates_for(p))


@lru_cache(maxsize=256)
def _found(model: Any, p: int, covariates: int) -> int:
    """Return how many predictors are found in the loss of a model without its numbers."""
    numbers = [jnp.zeros(()) for _ in range(model.num_leaves)]
    built: Model = jax.tree.unflatten(model, numbers)
    theta, x = built.parameters(jnp.zeros(p)), jnp.zeros(covariates)
    words = (jnp.uint32(1), jnp.uint32(2))
    try:
        y = jax.eval_shape(lambda t: built.sample(built.params, t, x, words), theta)
        found = predictors_found(built, theta, x, jnp.zeros(y.shape, y.dtype))
    except InputError:  # the checks of users' functions tell
        return 0
    return 0 if found is None else len(found.parameters)


def fittings_of(condition: Condition) -> tuple[Fitting, ...]:
    """Return how the models of a condition with estimators of its own are fitted.

    The first way is that of most models, and has no numbers. Generation 0 is fitted to the minimum
    where later fits begin at what that leaves: as the model would be without an estimator.
    """
    starts = condition.starts
    own = None if condition.estimator is None else condition.model.estimator
    whole = solver_of(condition) if own is None else own
    ways: list[tuple[tuple[Estimator, Estimator], list[int]]] = []
    for i, chosen in enumerate(condition.estimators):
        later, first = (whole if chosen is None else chosen,) * 2
        if starts is not None and starts.model[i] == MINIMUM:
            later = later if later.minimises else whole
            first = later
        elif isinstance(later, Optax):
            first = later.first or whole
        elif starts is not None and starts.model[i] != BEHIND:
            first = whole
        # compared and not hashed: an estimator that has no hash is told so by the checks
        known = next((members for way, members in ways if way == (later, first)), None)
        if known is None:
            ways.append(((later, first), [i]))
        else:
            known.append(i)
    main, *others = sorted(ways, key=lambda way: -len(way[1]))
    return (Fitting(*main[0]), *(Fitting(*way, tuple(models)) for way, models in others))


def start_arrays(condition: Condition, models: int) -> StartArrays | None:
    """Return where fits begin, for a number of models with padding; None if at their parents."""
    starts = condition.starts
    if starts is None:
        return None
    model, size = np.arange(models, dtype=np.int32), len(starts.model)
    model[:size] = np.where(starts.model == MINIMUM, np.int32(BEHIND), starts.model)
    if starts.base is None:
        return StartArrays(model)
    padding = np.zeros((models - size, len(condition.theta)))
    return StartArrays(model, np.concatenate([starts.base, padding]))
