"""Fits against an independent solver, and every way a fit can end."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import minimize

from mcjax.errors import InputError
from mcjax.estimators.estimator import Dataset
from mcjax.estimators.lbfgs import LBFGS
from mcjax.estimators.minimum_norm import MinimumNorm
from mcjax.estimators.newton import Newton, damped_newton
from mcjax.estimators.objective import gradient_and_hessian, mean_loss
from mcjax.estimators.quantile_lp import QuantileLP
from mcjax.estimators.sufficient_statistics import SufficientStatistics
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.user import user_model
from mcjax.solvers.cholesky import singular_share, solve_positive
from mcjax.solvers.status import Status

FAMILIES = {"linear": linear(), "logistic": logistic(), "poisson": poisson(), "huber": huber()}
LANES = 16
SOLVERS = {"newton": Newton(), "lbfgs": LBFGS()}


def data_sets(name, rows=120, p=3, lanes=LANES, seed=0):
    """Random data sets with weights, some rows of weight 0."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(lanes, p)) * 0.5
    x = rng.normal(size=(lanes, p, rows))
    eta = np.einsum("lp,lpn->ln", theta, x)
    y = {
        "linear": lambda: eta + rng.normal(size=eta.shape),
        "logistic": lambda: (rng.random(eta.shape) < 1 / (1 + np.exp(-eta))).astype(float),
        "poisson": lambda: rng.poisson(np.exp(eta)).astype(float),
        "huber": lambda: eta + rng.standard_t(2, size=eta.shape),
    }[name]()
    weight = np.where(rng.random(eta.shape) < 0.1, 0.0, rng.uniform(0.5, 2, eta.shape))
    return Dataset(jnp.asarray(x), jnp.asarray(y), jnp.asarray(weight))


def batch_fit(model, data, solver="newton", start=None):
    lanes, p = data.x.shape[:2]
    start = jnp.zeros((lanes, p), data.x.dtype) if start is None else start

    def one(d, s):
        return SOLVERS[solver].fit(model, d, s, jax.random.key(0))

    return jax.jit(jax.vmap(one))(data, start)


def scipy_objective(model, data):
    loss = jax.jit(jax.value_and_grad(lambda theta: mean_loss(model, data, theta)))
    return lambda theta: [np.asarray(value) for value in loss(theta)]


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("name", FAMILIES)
def test_against_scipy(name, solver):
    model, data = FAMILIES[name], data_sets(name)
    with jax.numpy_dtype_promotion("standard"):  # optax's L-BFGS mixes dtypes
        found = batch_fit(model, data, solver)
    assert (found.status == Status.CONVERGED).all()
    for lane in range(LANES):
        own = jax.tree.map(lambda a, i=lane: a[i], data)
        peer = minimize(scipy_objective(model, own), np.zeros(3), jac=True, tol=1e-13)
        np.testing.assert_allclose(found.theta[lane], peer.x, atol=2e-6)
        gradient, _ = gradient_and_hessian(model, own, found.theta[lane])
        assert np.abs(gradient).max() < 1e-7


@pytest.mark.parametrize("threshold", [0.3, 1.345])
@pytest.mark.parametrize("p", [2, 9, 20])
def test_huber_from_a_cold_start_with_few_rows(p, threshold):
    """Undamped Newton cycles here, and the true curvature is often singular."""
    data = data_sets("huber", rows=4 * p, p=p, lanes=64, seed=3)
    found = batch_fit(huber(threshold=threshold), data)
    assert (found.status == Status.CONVERGED).all()


def test_retreat_matters():
    """The companion: without it some of the same fits do not converge."""
    data = data_sets("huber", rows=80, p=20, lanes=64, seed=3)
    model = huber(threshold=0.3)

    def undamped(d):
        def step(theta, _):
            gradient, hessian = gradient_and_hessian(model, d, theta)
            return theta - solve_positive(hessian, gradient)[0], jnp.abs(gradient).max()

        return jax.lax.scan(step, jnp.zeros(20), None, length=60)[1][-1]

    left = jax.jit(jax.vmap(undamped))(data)
    assert (left > 1e-6).any()


def test_damped_newton_is_an_optax_optimiser():
    """Two parts chained, used like any other transformation: Rosenbrock's valley, convexified."""
    optimiser = damped_newton()

    def loss(t):
        return jnp.sum(jnp.cosh(t - jnp.asarray([3.0, -2.0]))) + 0.1 * jnp.sum(t) ** 2

    theta = jnp.zeros(2)
    state = optimiser.init(theta)
    for _ in range(30):
        gradient, hessian = jax.grad(loss)(theta), jax.hessian(loss)(theta)
        updates, state = optimiser.update(
            gradient, state, theta, gradient=gradient, hessian=hessian
        )
        theta = optax.apply_updates(theta, updates)
    assert jnp.abs(jax.grad(loss)(theta)).max() < 1e-12


def test_user_model_agrees_with_the_built_in_one():
    def loss(theta, x, y, threshold):
        size = jnp.abs(y - jnp.dot(x, theta))
        return jnp.where(size <= threshold, 0.5 * size**2, threshold * size - 0.5 * threshold**2)

    def sample(key, theta, x, threshold):
        return jnp.dot(x, theta) + jax.random.normal(key)

    data = data_sets("huber")
    own = batch_fit(user_model(loss, sample, threshold=1.345), data)
    np.testing.assert_allclose(own.theta, batch_fit(huber(), data).theta, atol=1e-7)


def spoil(name):
    """Five data sets, of which number 2 cannot be fitted."""
    kind = {"separated": "logistic", "overflow": "poisson", "rank_deficient": "linear"}[name]
    data = data_sets(kind, rows=60, p=2, lanes=5)
    x, y, weight = (np.array(leaf) for leaf in data)
    if name == "separated":
        y[2] = (x[2, 0] + 2 * x[2, 1] > 0).astype(float)
    elif name == "overflow":
        y[2, 7] = np.inf
        weight[2, 7] = 1.0
    else:
        x[2, 1] = -0.5 * x[2, 0]
    return kind, Dataset(*(jnp.asarray(leaf) for leaf in (x, y, weight))), data


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("name", ["separated", "overflow", "rank_deficient"])
def test_a_bad_fit_is_named_and_harms_no_other(name, solver):
    kind, spoilt, whole = spoil(name)
    with jax.numpy_dtype_promotion("standard"):
        bad = batch_fit(FAMILIES[kind], spoilt, solver)
        good = batch_fit(FAMILIES[kind], whole, solver)
    assert Status(int(bad.status[2])).reason == name
    assert np.isnan(bad.theta[2]).all()
    others = np.array([0, 1, 3, 4])
    assert (good.status == Status.CONVERGED).all()
    np.testing.assert_array_equal(bad.theta[others], good.theta[others])
    assert bad.steps[2] < 100  # it did not stall either


def test_step_limit():
    """A loss that falls for ever without a certificate runs into the limit."""
    model = user_model(
        lambda theta, x, y: jnp.exp(-jnp.sum(theta)), lambda key, theta, x: jnp.float64(0)
    )
    data = data_sets("linear", p=1, lanes=1)
    found = batch_fit(model, data)
    assert Status(int(found.status[0])) in (Status.STEP_LIMIT, Status.OVERFLOW)
    assert np.isnan(found.theta).all()


def test_no_rows_no_fit():
    data = jax.tree.map(lambda a: a[0], data_sets("linear"))
    empty = data._replace(weight=jnp.zeros_like(data.weight))
    found = Newton().fit(linear(), empty, jnp.zeros(3), jax.random.key(0))
    assert found.status == Status.NOT_FITTED
    assert found.steps == 0


@pytest.mark.parametrize("name", FAMILIES)
def test_float32(name):
    """Same data, single precision: the same estimate within a fraction of a standard error."""
    data = data_sets(name)
    single = jax.tree.map(lambda a: a.astype(jnp.float32), data)
    model = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), FAMILIES[name])
    found = batch_fit(model, single)
    assert found.theta.dtype == jnp.float32
    assert (found.status == Status.CONVERGED).all()
    exact = batch_fit(FAMILIES[name], data)
    assert np.abs(np.asarray(found.theta) - np.asarray(exact.theta)).max() < 5e-4


@pytest.mark.parametrize("p", [1, 3, 8, 9, 30])
def test_solve_positive(p):
    rng = np.random.default_rng(p)
    root = rng.normal(size=(p, 2 * p))
    matrix, right = jnp.asarray(root @ root.T), jnp.asarray(rng.normal(size=p))
    x, unexplained = solve_positive(matrix, right)
    np.testing.assert_allclose(matrix @ x, right, atol=1e-9 * np.abs(matrix).max())
    inflation = np.diagonal(np.linalg.inv(matrix)) * np.diagonal(matrix)
    assert unexplained == pytest.approx(1 / inflation.max(), rel=1e-9)


@pytest.mark.parametrize("p", [2, 3, 8, 9, 30])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_singular_matrix_is_seen(p, dtype):
    """Of every rank; with as many rows as p - 1 the last variable is often a large combination of
    the others, which its pivot alone would not tell from a regular matrix."""
    rng = np.random.default_rng(p)
    for rank in sorted({1, p // 2, p - 1}):
        root = rng.normal(size=(200, p, rank))
        matrix = jnp.asarray(root @ np.swapaxes(root, 1, 2), dtype)
        x, unexplained = jax.vmap(solve_positive)(matrix, jnp.ones((200, p), dtype))
        assert jnp.isfinite(x).all()
        assert (unexplained < singular_share(matrix[0])).all()


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (MinimumNorm(), "is for least squares"),
        (QuantileLP(), "is for quantile regression"),
        (SufficientStatistics(), "is for other models"),
    ],
)
def test_an_estimator_of_one_model_refuses_others(estimator, words):
    data = jax.tree.map(lambda a: a[0], data_sets("logistic"))
    with pytest.raises(InputError, match=words):
        estimator.fit(logistic(), data, jnp.zeros(3), jax.random.key(0))
