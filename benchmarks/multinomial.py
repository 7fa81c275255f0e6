"""Microseconds a fit of multinomial logistic regression: mcjax, a plain Newton, scikit-learn.

    python benchmarks/multinomial.py [--out FILE]

Data sets of 500 rows, 10 classes and 11 covariates are fitted one after the other by scikit-learn,
and many at once by mcjax and by Newton's method with ``jax.hessian`` under ``jax.vmap``. Times are
of the processor, user and system, without compilation, with one thread for linear algebra. All
start at 0.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # threads that wait for each other take time as well

import jax
import jax.numpy as jnp
import numpy as np
from machine import keep

import mcjax
from mcjax.models.class_scores import chances

CLASSES, COVARIATES, ROWS, SETS, TURNS = 10, 11, 500, 64, 3
STEPS = 8
"""Newton steps without a criterion to stop, which reach rounding on these data."""
FEW = 4
"""Data sets that the plain Newton fits at once."""


def data_sets() -> tuple[np.ndarray, np.ndarray]:
    """Return covariates (S, N, q) and labels (S, N)."""
    rng = np.random.default_rng(0)
    theta = 0.3 * rng.standard_normal((CLASSES - 1) * COVARIATES)
    x = rng.standard_normal((SETS, ROWS, COVARIATES))
    x[:, :, 0] = 1
    own = np.stack([chances(one, theta, CLASSES - 1) for one in x])
    ends = np.concatenate([1 - own.sum(2, keepdims=True), own], axis=2).cumsum(2)
    return x, (rng.uniform(size=(SETS, ROWS, 1)) > ends).sum(2).astype(float)


def microseconds(run: Any, fits: int) -> float:
    """Return the least processor time of a fit over some turns, after one to compile."""
    run()
    spent = []
    for _ in range(TURNS):
        begin = time.process_time()
        run()
        spent.append(time.process_time() - begin)
    return 1e6 * min(spent) / fits


def measured() -> dict[str, Any]:
    """Return times, and how far estimates are apart."""
    from sklearn.linear_model import LogisticRegression

    x, y = data_sets()
    model, start = mcjax.multinomial(CLASSES), jnp.zeros((CLASSES - 1) * COVARIATES)
    rows = mcjax.Dataset(jnp.asarray(x.transpose(0, 2, 1)), jnp.asarray(y), jnp.ones(y.shape))

    @jax.jit
    def own(rows: mcjax.Dataset) -> mcjax.Fit:
        return jax.vmap(lambda one: mcjax.Newton().fit(model, one, start, jax.random.key(0)))(rows)

    @jax.jit
    def plain(rows: mcjax.Dataset) -> jax.Array:
        def fit(one: mcjax.Dataset) -> jax.Array:
            def objective(theta: jax.Array) -> jax.Array:
                losses = jax.vmap(model.loss, (None, None, 1, 0))({}, theta, one.x, one.y)
                return losses.mean()

            def step(theta: jax.Array, _: Any) -> tuple[jax.Array, None]:
                hessian = jax.hessian(objective)(theta)
                return theta - jnp.linalg.solve(hessian, jax.grad(objective)(theta)), None

            return jax.lax.scan(step, start, None, length=STEPS)[0]

        return jax.vmap(fit)(rows)

    some = jax.tree.map(lambda part: part[:FEW], rows)

    def sklearn(solver: str, tolerance: float) -> np.ndarray:
        found = []
        for one, labels in zip(x[:FEW], y[:FEW], strict=True):
            fit = LogisticRegression(
                C=np.inf, fit_intercept=False, solver=solver, tol=tolerance, max_iter=10_000
            ).fit(one, labels)
            found.append((fit.coef_[1:] - fit.coef_[0]).ravel())
        return np.array(found)

    fits = own(rows)
    assert not np.asarray(fits.status).any()
    theta = np.asarray(fits.theta)[:FEW]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tolerances that no line search reaches
        apart = {
            "plain newton": float(np.abs(np.asarray(plain(some)) - theta).max()),
            "scikit-learn newton-cg": float(np.abs(sklearn("newton-cg", 1e-12) - theta).max()),
        }
        times = {
            "mcjax": microseconds(lambda: own(rows).theta.block_until_ready(), SETS),
            "plain newton": microseconds(lambda: plain(some).block_until_ready(), FEW),
            **{
                f"scikit-learn {solver}, tolerance {tolerance:g}": microseconds(
                    lambda solver=solver, tolerance=tolerance: sklearn(solver, tolerance), FEW
                )
                for solver in ("lbfgs", "newton-cg")
                for tolerance in (1e-4, 1e-8)
            },
        }
    return {
        "classes": CLASSES,
        "covariates": COVARIATES,
        "rows": ROWS,
        "newton_steps": int(np.asarray(fits.steps).max()),
        "microseconds_per_fit": {name: round(value) for name, value in times.items()},
        "largest_difference": apart,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    results = Path(__file__).parent / "results" / "multinomial.json"
    parser.add_argument("--out", type=Path, default=results)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    keep(arguments.out, {"multinomial": measured()})
