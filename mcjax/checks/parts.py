"""Check a user's estimator, memory rule, selections and quantities before chains run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from mcjax.chains.program import Trajectory
from mcjax.checks.case import Case
from mcjax.checks.functions import arrangement
from mcjax.engine.outcome import Outcome
from mcjax.engine.tiles import summarise
from mcjax.errors import InputError
from mcjax.estimators.estimator import Dataset, Fit, check_hash
from mcjax.faults import is_users, users_code, where
from mcjax.laws.prediction import Predictions
from mcjax.solvers.status import Status
from mcjax.study.study import Study
from mcjax.verdicts.claims import Claim
from mcjax.verdicts.quantities.registry import questions

ROWS = 8
REHEARSED = 64
"""Chains of normal errors that quantities are tried on."""


def estimator(case: Case) -> str | None:
    """Check that an estimator returns a fit of the model's parameters."""
    own = case.estimator
    if not is_users(own):
        return None
    for part, words in (("fit", "a method fit(model, data, start, key)"), ("minimises", "a bool")):
        if not hasattr(own, part):
            raise InputError("estimator", f"has no {part!r}; give {type(own).__name__} {words}")
    check_hash(own)
    drawn, (model, theta, x, words) = case.label(case.model.sample)
    y = jax.eval_shape(drawn, model, theta, x, words)
    data = Dataset(
        x=jnp.zeros((len(x), ROWS), theta.dtype),
        y=jnp.zeros((*y.shape, ROWS), theta.dtype),
        weight=jnp.ones(ROWS, theta.dtype),
    )
    start = jax.eval_shape(model.parameters, theta)
    with users_code("estimator", own):
        found = jax.eval_shape(
            lambda model, data, at, key: own.fit(model, data, model.parameters(at), key),
            model,
            data,
            theta,
            jax.random.key(0),
        )
    at = where(own.fit)
    if not isinstance(found, Fit):
        problem = f"returned {described(found)}{at}; return mcjax.Fit(theta, status, steps)"
        raise InputError("estimator", problem)
    if arrangement(found.theta) != arrangement(start):
        problem = f"returned {arrangement(found.theta)} for theta{at}"
        raise InputError("estimator", f"{problem}; return {arrangement(start)}, as start is")
    for part in ("status", "steps"):
        value = getattr(found, part)
        if jnp.shape(value) != () or jnp.result_type(value).kind not in "iu":
            raise InputError("estimator", f"returned a {part} that is no int32 scalar{at}")
    return f"{type(own).__name__} returns a fit"


def memory(case: Case) -> str | None:
    """Check that a memory rule says of each generation whether it is kept."""
    own = case.condition.network.memory
    if not is_users(own):
        return None
    times, now = jnp.arange(4, dtype=jnp.int32), jnp.int32(2)
    with users_code("network.memory", own):
        found = jax.eval_shape(own.keeps, times, now)
        own.keeps(np.arange(4, dtype=np.int32), np.int32(2))  # as layouts ask
    if described(found) != "bool (4,)":
        problem = f"keeps returned {described(found)} for four generations{where(own.keeps)}"
        raise InputError(
            "network.memory", f"{problem}; return an array of bool of the shape of generation"
        )
    return f"{type(own).__name__} says which generations it keeps"


def described(found: object) -> str:
    """Return the type of what a function returned, as JAX traced it."""
    if isinstance(found, jax.ShapeDtypeStruct):
        return f"{found.dtype} {found.shape}"
    return type(found).__name__


def rehearse(study: Study, predictions: Sequence[Predictions]) -> list[str]:
    """Ask a study's own quantities about a few chains of normal errors; return their names.

    Raises
    ------
    InputError
        If one of them fails, or returns something else than claims.
    """
    tried: list[str] = []
    if all(isinstance(quantity, str) for quantity in study.quantities):
        return tried
    for _, comparison, quantity in questions(study, predictions):
        if not is_users(quantity) or quantity.subject != "errors" or quantity.name in tried:
            continue
        law, condition = comparison.prediction, comparison.condition
        outcome = _outcome(law.covariance, law.mean, condition.theta, condition.model.functionals)
        with users_code(f"quantity.{quantity.name}", quantity.claims):
            made = list(quantity.claims(comparison, outcome))
        for claim in made:
            if not isinstance(claim, Claim):
                problem = f"claims yielded {type(claim).__name__}{where(quantity.claims)}"
                raise InputError(
                    f"quantity.{quantity.name}", f"{problem}; yield claims, see mcjax.ratio_claim"
                )
        tried.append(quantity.name)
    return tried


def _outcome(
    covariance: Float[np.ndarray, "T+1 M*p M*p"],
    mean: Float[np.ndarray, "T+1 M p"] | None,
    truth: Float[np.ndarray, " p"],
    functionals: Any,
) -> Outcome:
    """Return the outcome of chains whose errors are normal with a law's moments."""
    steps, p = len(covariance), len(truth)
    finite = np.where(np.isfinite(covariance), covariance, 0.0)
    values, vectors = np.linalg.eigh(finite)
    root = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
    draws = np.random.default_rng(0).standard_normal((REHEARSED, steps, root.shape[-1], 1))
    error = (root @ draws)[..., 0].reshape(REHEARSED, steps, -1, p)
    error = error + (0 if mean is None else np.nan_to_num(mean))
    status = np.full(error.shape[:-1], int(Status.CONVERGED), np.int32)
    tiles = Trajectory((truth + error)[None], status[None], np.ones_like(status)[None])
    return summarise(tiles, truth, functionals)[0]
