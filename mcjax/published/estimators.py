"""Published results on estimators: minimum norm, and any regular M-estimator."""

from __future__ import annotations

import numpy as np

from mcjax.models.glm import logistic
from mcjax.models.location import huber
from mcjax.models.minimum_norm import minimum_norm
from mcjax.models.model import Model
from mcjax.models.quantile import quantile
from mcjax.network import topologies
from mcjax.network.memory import MemoryName
from mcjax.published.entry import ASYMPTOTIC, EXACT, Entry, Row, mean_square, risk_ratio
from mcjax.study.study import Condition, Study, condition

ROWS, PARAMETERS, FITS = 30, 50, 3


def _ridgeless(depth: int) -> Study:
    theta = np.full(PARAMETERS, PARAMETERS**-0.5)
    net = topologies.self_loop(samples=ROWS, initial=ROWS)
    return Study((condition(net, minimum_norm(), theta),), 3, 8192 * depth)


def _loop(model: Model, memory: MemoryName, n: int) -> Condition:
    net = topologies.self_loop(samples=n, initial=n, memory=memory)
    return condition(net, model, [0.5, -0.5, 0.5, -0.5], label=f"{model.name}, {memory}")


def _any_estimator(depth: int) -> Study:
    conditions = (
        _loop(logistic(), "replace", 10_000 * depth),
        _loop(quantile(), "replace", 200 * depth),
        _loop(logistic(), "accumulate", 500 * depth),
        _loop(huber(), "accumulate", 250 * depth),
    )
    return Study(conditions, FITS - 1, 65_536 * depth)


POOLED = 1 + 1 / 4 + 1 / 9
ENTRIES = (
    Entry(
        id="A2",
        group="estimators",
        claim="minimum-norm least squares with fewer rows than parameters, without noise",
        formula="E ||theta_g - theta*||^2 = ||theta*||^2 (1 - (n/p)^g)",
        reference="Dohmatob et al. 2024; derived in mcjax.laws.least_squares.minimum_norm",
        kind=EXACT,
        study=_ridgeless,
        rows=tuple(
            Row(f"n/p = 0.6, g = {g}", *mean_square("minimum_norm", g - 1), 1 - 0.6**g)
            for g in (1, 2, 3, 4)
        ),
    ),
    Entry(
        id="A4",
        group="estimators",
        claim="A1 and A3 for any regular estimator",
        formula="M_T = T (replace);  M_T = sum_{i <= T} 1 / i^2 (accumulate)",
        reference="Dey & Donoho 2024",
        kind=ASYMPTOTIC,
        study=_any_estimator,
        rows=(
            Row("logistic, replace, T = 3", *risk_ratio("first_order", 2, 0), 3.0),
            Row("median, replace, T = 3", *risk_ratio("first_order", 2, 1), 3.0),
            Row("logistic, accumulate, T = 3", *risk_ratio("first_order", 2, 2), POOLED),
            Row("Huber, accumulate, T = 3", *risk_ratio("first_order", 2, 3), POOLED),
        ),
    ),
)
