"""Estimates by SciPy and NumPy."""

from functools import cache

import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from problems import PLAIN, PROBLEMS, lane, objective, start_of
from scipy.optimize import linprog, minimize


@cache
def solutions(problem):
    """What scipy and NumPy make of the ordinary data sets."""
    solve = {
        "quantile": by_linear_programming,
        "tall": by_inverse,
        "wide": by_inverse,
        "ridge": by_normal_equations,
        "ridge quantile": by_bounded_variables,
    }
    return [solve.get(problem, by_search)(problem, i) for i in range(PLAIN)]


def by_search(problem, i):
    own, (flat, unravel) = PROBLEMS[problem], ravel_pytree(start_of(problem))

    def value(at):
        found, slope = objective(own.model, lane(problem, i), unravel(jnp.asarray(at)))
        return float(found), np.asarray(ravel_pytree(slope)[0])

    bounds = [(None, None), (1e-3, None)] if problem == "gaussian" else None
    return minimize(value, flat, jac=True, tol=1e-14, bounds=bounds, options={"gtol": 1e-9}).x


def by_inverse(problem, i):
    x, y, w = (np.asarray(leaf) for leaf in lane(problem, i))
    return np.linalg.pinv(x.T * np.sqrt(w)[:, None]) @ (np.sqrt(w) * y)


def by_normal_equations(problem, i):
    x, y, w = (np.asarray(leaf) for leaf in lane(problem, i))
    w = w / w.sum()
    strength = PROBLEMS[problem].model.penalty.strength
    return np.linalg.solve((x * w) @ x.T + strength * np.eye(len(x)), (x * w) @ y)


def by_bounded_variables(problem, i):
    """The dual of a penalised quantile: multipliers of the rows between bounds."""
    x, y, w = (np.asarray(leaf) for leaf in lane(problem, i))
    model = PROBLEMS[problem].model
    level, strength = model.params["level"], model.penalty.strength
    used = w > 0
    x, y, w = x[:, used], y[used], w[used] / w.sum()

    def dual(b):
        theta = x @ b / strength
        return strength * theta @ theta / 2 - y @ b, x.T @ theta - y

    bounds = np.stack([(level - 1) * w, level * w], -1)
    options = {"maxiter": 10**5, "maxfun": 10**6, "ftol": 0, "gtol": 1e-13}
    found = minimize(dual, np.zeros(len(y)), jac=True, bounds=bounds, options=options)
    return x @ found.x / strength


def by_linear_programming(problem, i):
    """``y = x'theta + up - down`` with ``up`` and ``down`` not negative, at the least cost."""
    x, y, w = (np.asarray(leaf) for leaf in lane(problem, i))
    level, (p, rows) = PROBLEMS[problem].model.params["level"], x.shape
    cost = np.concatenate([np.zeros(p), level * w, (1 - level) * w])
    equal = np.hstack([x.T, np.eye(rows), -np.eye(rows)])
    bounds = [(None, None)] * p + [(0, None)] * (2 * rows)
    return linprog(cost, A_eq=equal, b_eq=y, bounds=bounds, method="highs").x[:p]
