"""Models of a user's own beside built-in ones, and beside Newton's method under ``jax.vmap``.

    python benchmarks/users_models.py [--only scalar ...] [--out results/users_models.json]

All run on one device, in alternation in one process. What counts is the least time, in seconds of
processors, so that other work on the machine matters little; compilation is not counted.

``scalar``
    Chains of a ring of four models, half real data: the built-in family, and the same family as two
    functions of ``eta``.
``general``
    Fits of the same 256 data sets by a loss of theta as a whole: those of mcjax as its chains make
    them, and Newton's method as one writes it with ``jax.grad`` and ``jax.hessian``, for 64 data
    sets at a time or all at once. Beside them are chains of mcjax, which draw their data.
``many``
    Chains with a loss of theta as a whole and 40 rows for each parameter, by Newton's method and by
    L-BFGS: of a loss whose predictor is found, and of one without predictors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from machine import keep

import mcjax
from mcjax.engine import engine
from mcjax.engine.fine_tuning import predictors_of
from mcjax.engine.platforms import compiler_options, stage_boundary
from mcjax.solvers.once import stages
from mcjax.solvers.status import Status

P, ROWS, MODELS, GENERATIONS, CHAINS, TURNS = 5, 200, 4, 10, 256, 5
SETS, FEW = 256, 64
FOUND, WHOLE = (5, 10, 20, 40, 64, 100), (20, 30, 36, 40, 50, 64)
MANY = [
    *(("logistic", p, "mixed", 0.0) for p in FOUND),
    *(("logistic, sinh", p, k, 0.0) for p in WHOLE for k in ("float32", "mixed")),
    *(("logistic, sinh", p, "mixed", 0.9) for p in (20, 36, 50, 64)),
]
"""Loss, with a predictor that is found or without, number of parameters, precision, and correlation
of neighbouring covariates."""
TOLERANCE = {"float32": 1e-3, "float64": 1e-5}
"""Largest last step of the plain Newton's method."""
THRESHOLD = 1.345
SPAN = 0.1
"""Least seconds that are timed at once."""
Calls = dict[str, Callable[[], Any]]


# --- losses, as users write them --------------------------------------------------------------


def logistic_loss(eta: Array, y: Array) -> Array:
    """Return the loss of logistic regression."""
    return jax.nn.softplus(eta) - y * eta


def logistic_label(key: Array, eta: Array) -> Array:
    """Draw 0 or 1."""
    return jax.random.bernoulli(key, jax.nn.sigmoid(eta))


def huber_loss(eta: Array, y: Array) -> Array:
    """Return Huber's loss."""
    r = jnp.abs(y - eta)
    return jnp.where(r <= THRESHOLD, r**2 / 2, THRESHOLD * (r - THRESHOLD / 2))


def normal_label(key: Array, eta: Array) -> Array:
    """Draw a label with normal noise."""
    return eta + jax.random.normal(key, dtype=eta.dtype)


def plain_logistic_loss(theta: Array, x: Array, y: Array) -> Array:
    """Return the same loss as a function of theta."""
    return logistic_loss(x @ theta, y)


def plain_logistic_label(key: Array, theta: Array, x: Array) -> Array:
    """Draw 0 or 1."""
    return logistic_label(key, x @ theta)


def scale_loss(theta: Array, x: Array, y: Array) -> Array:
    """Return minus the log likelihood of a normal regression with a scale of its own."""
    r = (y - x @ theta[1:]) * jnp.exp(-theta[0])
    return r**2 / 2 + theta[0]


def scale_label(key: Array, theta: Array, x: Array) -> Array:
    """Draw a label with noise of that scale."""
    return x @ theta[1:] + jnp.exp(theta[0]) * jax.random.normal(key, dtype=x.dtype)


def sinh_loss(theta: Array, x: Array, y: Array) -> Array:
    """Return the loss of logistic regression with coefficients sinh(theta)."""
    return logistic_loss(x @ jnp.sinh(theta), y)


def sinh_label(key: Array, theta: Array, x: Array) -> Array:
    """Draw 0 or 1."""
    return logistic_label(key, x @ jnp.sinh(theta))


SCALAR = {
    "logistic": (mcjax.logistic, logistic_loss, logistic_label),
    "huber": (lambda: mcjax.huber(THRESHOLD), huber_loss, normal_label),
}
GENERAL = {
    "logistic": (plain_logistic_loss, plain_logistic_label, 0),
    "normal, with its scale": (scale_loss, scale_label, 1),
    "logistic, sinh": (sinh_loss, sinh_label, 0),
}
"""Loss, sampler, and how many parameters have no covariate."""
RACED = ("logistic", "normal, with its scale")


# --- what is timed ----------------------------------------------------------------------------


def truth(p: int) -> np.ndarray:
    """Return the parameters of the real source."""
    return np.array([0.7] + [0.3] * (p - 1)) / np.sqrt(p / 5)


def least(calls: Calls, turns: int = TURNS) -> dict[str, float]:
    """Return the least seconds of processors of each call, after one that is not counted.

    Short calls are made many times, because the time of other threads is counted with a delay.
    """
    times = {}
    for name, call in calls.items():
        jax.block_until_ready(call())
        began = time.perf_counter()
        jax.block_until_ready(call())
        times[name] = 1 + int(SPAN / (time.perf_counter() - began))
    found = dict.fromkeys(calls, np.inf)
    for _ in range(turns):
        for name, call in calls.items():
            began = time.process_time()
            for _ in range(times[name]):
                jax.block_until_ready(call())
            found[name] = min(found[name], (time.process_time() - began) / times[name])
    return found


def study_of(model: Any, p: int, rows: int, correlation: float = 0, **settings: Any) -> mcjax.Study:
    """Return a study of a ring of four models; neighbouring covariates may be correlated."""
    net = mcjax.topologies.ring(MODELS, samples=rows // 2, real=rows // 2, initial=rows)
    apart = np.abs(np.subtract.outer(np.arange(p), np.arange(p)))
    covariance = correlation**apart if correlation else None
    return mcjax.Study((mcjax.condition(net, model, truth(p), covariance),), **settings)


def chains_of(study: mcjax.Study) -> tuple[Callable[[], Any], Any]:
    """Return a call that runs the chains of a study, and its program."""
    compiled = mcjax.compile_study(study)
    [shared], task = compiled.programs, compiled.task(0, np.arange(study.chains))

    def run() -> Any:
        parts = list(engine.trajectories([task], shared.program, study.chains))
        return [trajectory for part in parts for _, trajectory in part]

    return run, shared


def microseconds(seconds: float, study: mcjax.Study) -> float:
    """Return microseconds a fit."""
    return seconds / (study.chains * MODELS * (study.generations + 1)) * 1e6


def ended(parts: Any) -> dict[str, float]:
    """Return how many fits converged, and in how many passes."""
    return {
        "converged": float(np.mean([(one.status == Status.CONVERGED).mean() for one in parts])),
        "passes": float(np.mean([one.steps.mean() for one in parts])),
    }


def scalar(name: str, precision: str) -> dict[str, Any]:
    """Time chains of a built-in family, and of the same family as a user writes it."""
    built_in, loss, label = SCALAR[name]
    models = {
        "built_in": built_in(),
        "own": mcjax.user_model(loss, label, name="own", predictor="linear"),
    }
    settings: Any = {"precision": precision, "generations": GENERATIONS, "chains": CHAINS}
    studies = {key: study_of(model, P, ROWS, **settings) for key, model in models.items()}
    ran = {key: chains_of(study) for key, study in studies.items()}
    seconds = least({key: run for key, (run, _) in ran.items()})
    found: dict[str, Any] = {"family": name, "precision": precision}
    for key, (run, shared) in ran.items():
        found[key] = {"path": shared.route.path.value} | ended(run())
        found[key]["microseconds"] = microseconds(seconds[key], studies[key])
    return found | {"times_built_in": seconds["own"] / seconds["built_in"]}


def plain_newton(loss: Callable[..., Array]) -> Callable[..., Array]:
    """Return Newton's method for one data set, x of shape (N, p), as one writes it."""

    def fit(start: Array, x: Array, y: Array) -> Array:
        def objective(theta: Array) -> Array:
            return jax.vmap(loss, (None, 0, 0))(theta, x, y).mean()

        def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            theta, _, k = state
            factor = jax.scipy.linalg.cho_factor(jax.hessian(objective)(theta))
            move = jax.scipy.linalg.cho_solve(factor, jax.grad(objective)(theta))
            return theta - move, jnp.abs(move).max(), k + 1

        far = TOLERANCE[start.dtype.name]
        begin = (start, jnp.asarray(jnp.inf, start.dtype), jnp.asarray(0))
        return lax.while_loop(lambda s: (s[1] > far) & (s[2] < 40), step, begin)[0]

    return fit


def general(name: str, precision: str) -> dict[str, Any]:
    """Time fits of the same data sets by mcjax and by Newton's method under ``vmap``."""
    loss, label, others = GENERAL[name]
    model = mcjax.user_model(loss, label, name="own", covariates=P - others)
    study = study_of(
        model, P, ROWS, precision=precision, generations=GENERATIONS, chains=CHAINS // 4
    )
    run, shared = chains_of(study)
    program, dtype = shared.program, shared.program.fit_dtype
    rng, real = np.random.default_rng(0), truth(P)
    x = rng.standard_normal((SETS, ROWS, P - others))
    keys = jax.random.split(jax.random.key(0), (SETS, ROWS))
    draw = jax.vmap(jax.vmap(label, (0, None, 0)), (0, None, 0))
    y = np.asarray(draw(keys, jnp.asarray(real), jnp.asarray(x)), dtype)
    x, start = x.astype(dtype), jnp.asarray(real, dtype)
    last, labels = jax.device_put(x.transpose(0, 2, 1).copy()), jax.device_put(y)
    first = jax.device_put(x)

    def own(x: Array, y: Array) -> Array:
        weight, key = jnp.ones(ROWS, dtype), jax.random.key(0)

        def fit(x: Array, y: Array) -> Array:
            data = mcjax.Dataset(x, y, weight)
            found: Array = program.estimator.fit(model, data, start, key).theta
            return found

        with stages(stage_boundary(program.path, "cpu")):
            return lax.map(
                lambda block: jax.vmap(fit)(*block),
                jax.tree.map(lambda a: a.reshape(-1, FEW, *a.shape[1:]), (x, y)),
            ).reshape(SETS, P)

    options = compiler_options(program.path, "cpu") or None
    mine = jax.jit(own, compiler_options=options)
    plain = jax.jit(jax.vmap(plain_newton(loss), (None, 0, 0)))
    parts = [(first[k : k + FEW], labels[k : k + FEW]) for k in range(0, SETS, FEW)]
    calls: Calls = {
        "own": lambda: mine(last, labels),
        "vmap, 64 at a time": lambda: jnp.concatenate([plain(start, *part) for part in parts]),
        "vmap, all at once": lambda: plain(start, first, labels),
        "chains": run,
    }
    answers = {key: np.asarray(call()) for key, call in calls.items() if key != "chains"}
    seconds = least(calls)
    found: dict[str, Any] = {
        "loss": name,
        "precision": precision,
        "path": shared.route.path.value,
        **ended(run()),
        "chains_microseconds": microseconds(seconds.pop("chains"), study),
    }
    for key, spent in seconds.items():
        found[key] = {
            "microseconds": spent / SETS * 1e6,
            "times_own": spent / seconds["own"],
            "largest_difference": float(np.abs(answers[key] - answers["own"]).max()),
        }
    return found


def many(name: str, p: int, precision: str, correlation: float) -> dict[str, Any]:
    """Time chains of a loss with p parameters by Newton's method and by L-BFGS."""
    loss, label, _ = GENERAL[name]
    model = mcjax.user_model(loss, label, name="own")
    chains = max(4, 320 // p)
    settings: Any = {"precision": precision, "generations": 1, "chains": chains}
    studies = {
        solver: study_of(model, p, 40 * p, correlation, solver=solver, **settings)
        for solver in ("newton", "lbfgs")
    }
    ran = {solver: chains_of(study) for solver, study in studies.items()}
    seconds = least({solver: run for solver, (run, _) in ran.items()}, 3)
    found: dict[str, Any] = {"loss": name, "p": p, "rows": 40 * p, "precision": precision}
    found["correlation"] = correlation
    found["predictors"] = predictors_of(studies["newton"].conditions[0])
    for solver, (run, _) in ran.items():
        found[solver] = {"microseconds": microseconds(seconds[solver], studies[solver])}
        found[solver] |= ended(run())
    return found


def main() -> None:
    """Measure, print and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="*", choices=("scalar", "general", "many"))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", 1)
    precisions = ("float32", "mixed")
    jobs: dict[str, list[Callable[[], dict[str, Any]]]] = {
        "scalar": [lambda n=n, k=k: scalar(n, k) for n in SCALAR for k in precisions],
        "general": [lambda n=n, k=k: general(n, k) for n in RACED for k in precisions],
        "many": [lambda one=one: many(*one) for one in MANY],
    }
    results: dict[str, Any] = {}
    for kind, calls in jobs.items():
        if args.only and kind not in args.only:
            continue
        results[kind] = []
        for call in calls:
            results[kind].append(call())
            print(results[kind][-1], flush=True)
            if args.out is not None:
                keep(args.out, results)


if __name__ == "__main__":
    main()
