"""Run the same chains and fits with other libraries, written as their users would.

A ring of four models, each fed by the one before it and by the real source, half and half. Every
peer runs ``generations`` of them for ``chains`` chains and returns the last estimates, (chains, 4,
p). All start at the truth, so that the first generation is fitted to real data alone. Newton steps
end at the tolerance of their precision, and the start is the mean of the parents wherever a peer
takes a start.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax
from jax.sharding import Mesh, PartitionSpec

MODELS = 4
THRESHOLD = 1.345
TOLERANCE = {"float32": 1e-3, "float64": 1e-5}
PARENTS = np.array([[(i - 1) % MODELS, MODELS] for i in range(MODELS)])


def truth(p: int) -> np.ndarray:
    """Parameters of the real source."""
    return np.array([0.7] + [0.0] * (p - 1))


# --- JAX, as a user would write it -----------------------------------------------------------


def residual_and_weight(model: str, eta: Array, y: Array) -> tuple[Array, Array]:
    """First and second derivative of the loss."""
    if model == "logistic":
        mean = jax.nn.sigmoid(eta)
        return mean - y, mean * (1 - mean)
    if model == "poisson":
        mean = jnp.exp(eta)
        return mean - y, mean
    residual = eta - y
    if model == "linear":
        return residual, jnp.ones_like(eta)
    inside = jnp.abs(residual) <= THRESHOLD
    return jnp.clip(residual, -THRESHOLD, THRESHOLD), inside.astype(eta.dtype)


def loss(model: str, theta: Array, x: Array, y: Array) -> Array:
    """Mean loss of one data set, x of shape (N, p)."""
    eta = x @ theta
    if model == "logistic":
        return jnp.mean(jnp.logaddexp(0, eta) - y * eta)
    if model == "poisson":
        return jnp.mean(jnp.exp(eta) - y * eta)
    if model == "linear":
        return jnp.mean(0.5 * (y - eta) ** 2)
    return jnp.mean(optax.losses.huber_loss(eta, y, delta=THRESHOLD))


def newton(model: str) -> Callable[..., Array]:
    """Newton's method on one data set, to be vmapped."""

    def fit(start: Array, x: Array, y: Array) -> Array:
        if model == "linear":
            return jnp.linalg.solve(x.T @ x, x.T @ y)

        def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            theta, _, k = state
            r, w = residual_and_weight(model, x @ theta, y)
            factor = jax.scipy.linalg.cho_factor((x.T * w) @ x, lower=True)
            move = jax.scipy.linalg.cho_solve(factor, x.T @ r)
            return theta - move, jnp.abs(move).max(), k + 1

        far = TOLERANCE[start.dtype.name]
        begin = (start, jnp.asarray(jnp.inf, start.dtype), jnp.asarray(0))
        return lax.while_loop(lambda s: (s[1] > far) & (s[2] < 40), step, begin)[0]

    return fit


def lbfgs(model: str) -> Callable[..., Array]:
    """optax's L-BFGS on one data set, to be vmapped."""
    optimiser = optax.lbfgs()

    def fit(start: Array, x: Array, y: Array) -> Array:
        def objective(theta: Array) -> Array:
            return loss(model, theta, x, y)

        value_and_grad = optax.value_and_grad_from_state(objective)

        def step(state: Any) -> Any:
            theta, memory, _, k = state
            value, gradient = value_and_grad(theta, state=memory)
            updates, memory = optimiser.update(
                gradient, memory, theta, value=value, grad=gradient, value_fn=objective
            )
            theta = optax.apply_updates(theta, updates)
            return theta, memory, optax.tree.get(memory, "grad"), k + 1

        def goes_on(state: Any) -> Array:
            _, _, gradient, k = state
            small = 2e-5 if start.dtype == jnp.float32 else 1e-9
            return (k == 0) | ((k < 100) & (jnp.abs(gradient).max() > small))

        begin = (start, optimiser.init(start), jnp.zeros_like(start), jnp.asarray(0))
        return lax.while_loop(goes_on, step, begin)[0]

    return fit


def bfgs(model: str) -> Callable[..., Array]:
    """optimistix's BFGS on one data set, to be vmapped."""
    import optimistix

    def fit(start: Array, x: Array, y: Array) -> Array:
        small = 1e-5 if start.dtype == jnp.float32 else 1e-9
        found = optimistix.minimise(
            lambda theta, _: loss(model, theta, x, y),
            optimistix.BFGS(rtol=small, atol=small),
            start,
            max_steps=100,
            throw=False,
        )
        return found.value

    return fit


def labels(model: str, key: Array, eta: Array) -> Array:
    """Draw the labels that a model generates."""
    if model == "logistic":
        return jax.random.bernoulli(key, jax.nn.sigmoid(eta)).astype(eta.dtype)
    if model == "poisson":
        return jax.random.poisson(key, jnp.exp(eta)).astype(eta.dtype)
    return eta + jax.random.normal(key, eta.shape, eta.dtype)


def jax_chains(
    model: str, fit: Callable[..., Array], rows: int, p: int, generations: int, dtype: Any
) -> Callable[[Array], Array]:
    """Chains vmapped over keys."""
    real = jnp.asarray(truth(p), dtype)

    def chain(key: Array) -> Array:
        def generation(theta: Array, t: Array) -> tuple[Array, None]:
            everyone = jnp.concatenate([theta, real[None]])

            def next_model(key: Array, parents: Array) -> Array:
                for_x, for_y = jax.random.split(key)
                x = jax.random.normal(for_x, (2, rows // 2, p), dtype)
                eta = jnp.einsum("dnp,dp->dn", x, everyone[parents])
                y = labels(model, for_y, eta)
                return fit(everyone[parents].mean(0), x.reshape(-1, p), y.reshape(-1))

            keys = jax.random.split(jax.random.fold_in(key, t), MODELS)
            return jax.vmap(next_model)(keys, jnp.asarray(PARENTS)), None

        begin = jnp.broadcast_to(real, (MODELS, p))
        return lax.scan(generation, begin, jnp.arange(generations))[0]

    return jax.vmap(chain)


def over_devices(run: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The same with chains spread over all devices."""
    mesh = Mesh(np.array(jax.devices()), "chains")
    spec = PartitionSpec("chains")
    return jax.shard_map(run, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)


# --- NumPy, vectorised by hand ----------------------------------------------------------------


def numpy_slopes(model: str, eta: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivative of the loss."""
    if model == "logistic":
        mean = 1 / (1 + np.exp(-eta))
        return mean - y, mean * (1 - mean)
    if model == "poisson":
        mean = np.exp(eta)
        return mean - y, mean
    residual = eta - y
    return np.clip(residual, -THRESHOLD, THRESHOLD), (np.abs(residual) <= THRESHOLD).astype(y.dtype)


def numpy_newton(model: str, start: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fits of (B, N, p) data sets by batched matrix products."""
    theta = start.copy()
    for _ in range(40):
        r, w = numpy_slopes(model, np.matmul(x, theta[:, :, None])[:, :, 0], y)
        gradient = np.matmul(r[:, None, :], x)[:, 0]
        hessian = np.matmul((x * w[:, :, None]).transpose(0, 2, 1), x)
        move = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        theta -= move
        if np.abs(move).max() <= TOLERANCE[x.dtype.name]:
            break
    return theta


def numpy_newton_last(model: str, start: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fits of (p, N, B) data sets, the batch last."""
    p, _, batch = x.shape
    theta = start.copy()
    gradient, hessian = np.empty((batch, p, 1), x.dtype), np.empty((batch, p, p), x.dtype)
    for _ in range(40):
        eta = x[0] * theta[0]
        for i in range(1, p):
            eta += x[i] * theta[i]
        r, w = numpy_slopes(model, eta, y)
        for i in range(p):
            gradient[:, i, 0] = np.einsum("nb,nb->b", x[i], r)
            weighted = x[i] * w
            for j in range(i + 1):
                product = np.einsum("nb,nb->b", weighted, x[j])
                hessian[:, i, j] = hessian[:, j, i] = product
        move = np.linalg.solve(hessian, gradient)[:, :, 0].T
        theta -= move
        if np.abs(move).max() <= TOLERANCE[x.dtype.name]:
            break
    return theta


def numpy_chains(
    model: str,
    rows: int,
    p: int,
    generations: int,
    dtype: Any,
    chains: int,
    together: int,
    last: bool,
) -> np.ndarray:
    """Chains in blocks of ``together``; ``last``: the batch is the last axis."""
    rng = np.random.Generator(np.random.SFC64(1))
    real = truth(p).astype(dtype)
    half, batch, found = rows // 2, together * MODELS, []
    for _ in range(0, chains, together):
        theta = np.tile(real, (together, MODELS, 1))
        for _ in range(generations):
            everyone = np.concatenate([theta, np.tile(real, (together, 1, 1))], 1)
            parents = everyone[:, PARENTS].reshape(batch, 2, p)
            if last:
                x = rng.standard_normal((p, 2, half, batch), dtype=dtype)
                own = parents.transpose(2, 1, 0)[:, :, None]
                eta = sum(x[i] * own[i] for i in range(p)).reshape(rows, batch)
                x, fit = x.reshape(p, rows, batch), numpy_newton_last
                start = np.ascontiguousarray(parents.mean(1).T)
            else:
                x = rng.standard_normal((batch * 2, half, p), dtype=dtype)
                own = parents.reshape(batch * 2, p, 1)
                eta = np.matmul(x, own)[:, :, 0].reshape(batch, rows)
                x, fit, start = x.reshape(batch, rows, p), numpy_newton, parents.mean(1)
            if model == "logistic":
                y = (rng.random(eta.shape, dtype=dtype) * (1 + np.exp(-eta)) < 1).astype(dtype)
            elif model == "poisson":
                y = rng.poisson(np.exp(eta)).astype(dtype)
            else:
                y = eta + rng.standard_normal(eta.shape, dtype=dtype)
            theta = fit(model, start, x, y)
            theta = (theta.T if last else theta).reshape(together, MODELS, p)
        found.append(theta)
    return np.concatenate(found)


# --- statsmodels and scikit-learn, fit by fit ---------------------------------------------------


def loop_fit(package: str, model: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """One fit of one data set, x of shape (N, p)."""
    if package == "statsmodels":
        import statsmodels.api as sm

        if model == "huber":
            norm = sm.robust.norms.HuberT(t=THRESHOLD)

            def fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
                robust = sm.RLM(y, x, M=norm)
                robust._estimate_scale = lambda *_, **__: 1.0  # as ours: no scale is estimated
                return robust.fit(update_scale=False, tol=1e-8).params

            return fit
        if model == "linear":
            return lambda x, y: sm.OLS(y, x).fit().params
        law = {"logistic": sm.families.Binomial, "poisson": sm.families.Poisson}[model]()
        return lambda x, y: sm.GLM(y, x, family=law).fit().params
    from sklearn import linear_model

    if model == "logistic":
        one = linear_model.LogisticRegression(
            C=np.inf, fit_intercept=False, solver="newton-cholesky", tol=1e-8
        )
    elif model == "poisson":
        one = linear_model.PoissonRegressor(
            alpha=0, fit_intercept=False, solver="newton-cholesky", tol=1e-8
        )
    elif model == "linear":
        one = linear_model.LinearRegression(fit_intercept=False)
    else:
        raise ValueError("scikit-learn's Huber regression estimates a scale too")
    return lambda x, y: np.ravel(one.fit(x, y).coef_)


def loop_chains(
    package: str, model: str, rows: int, p: int, generations: int, chains: int
) -> np.ndarray:
    """Chains fitted one by one."""
    fit, rng, real = loop_fit(package, model), np.random.default_rng(0), truth(p)
    half, found = rows // 2, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(chains):
            theta = np.tile(real, (MODELS, 1))
            for _ in range(generations):
                everyone, now = np.vstack([theta, real]), []
                for parents in PARENTS:
                    x = rng.standard_normal((rows, p))
                    eta = np.concatenate(
                        [x[:half] @ everyone[parents[0]], x[half:] @ everyone[parents[1]]]
                    )
                    if model == "logistic":
                        y = (rng.random(rows) * (1 + np.exp(-eta)) < 1).astype(float)
                    elif model == "poisson":
                        y = rng.poisson(np.exp(eta)).astype(float)
                    else:
                        y = eta + rng.standard_normal(rows)
                    now.append(fit(x, y))
                theta = np.stack(now)
            found.append(theta)
    return np.stack(found)
