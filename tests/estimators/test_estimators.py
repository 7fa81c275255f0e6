"""Newton's method where it is hard, its step limit, and the linear systems it solves."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mcjax.estimators.estimator import Dataset
from mcjax.estimators.lbfgs import LBFGS
from mcjax.estimators.newton import Newton, damped_newton
from mcjax.estimators.objective import gradient_and_hessian
from mcjax.models.glm import poisson
from mcjax.models.location import huber
from mcjax.models.user import user_model
from mcjax.solvers.cholesky import invert_swept, singular_share, solve_positive
from mcjax.solvers.status import Status


def data_sets(rows, p, lanes, seed=0):
    """Random data sets with heavy tails and with weights, some rows of weight 0."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(lanes, p)) * 0.5
    x = rng.normal(size=(lanes, p, rows))
    eta = np.einsum("lp,lpn->ln", theta, x)
    y = eta + rng.standard_t(2, size=eta.shape)
    weight = np.where(rng.random(eta.shape) < 0.1, 0.0, rng.uniform(0.5, 2, eta.shape))
    return Dataset(jnp.asarray(x), jnp.asarray(y), jnp.asarray(weight))


@jax.jit
def batch_fit(model, data):
    start = jnp.zeros(data.x.shape[1])
    return jax.vmap(lambda one: Newton().fit(model, one, start, jax.random.key(0)))(data)


@pytest.mark.by_default("2-0.3", "2-1.345")
@pytest.mark.parametrize("threshold", [0.3, 1.345])
@pytest.mark.parametrize("p", [2, 9, 20])
def test_huber_from_a_cold_start_with_few_rows(p, threshold):
    """Undamped Newton cycles here, and the true curvature is often singular."""
    data = data_sets(rows=4 * p, p=p, lanes=64, seed=3)
    found = batch_fit(huber(threshold=threshold), data)
    assert (found.status == Status.CONVERGED).all()


def test_retreat_matters():
    """The companion: without it some of the same fits do not converge."""
    data = data_sets(rows=80, p=20, lanes=64, seed=3)
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

    @jax.jit
    def step(theta, state):
        gradient, hessian = jax.grad(loss)(theta), jax.hessian(loss)(theta)
        updates, state = optimiser.update(
            gradient, state, theta, gradient=gradient, hessian=hessian
        )
        return optax.apply_updates(theta, updates), state

    theta = jnp.zeros(2)
    state = optimiser.init(theta)
    for _ in range(30):
        theta, state = step(theta, state)
    assert jnp.abs(jax.grad(loss)(theta)).max() < 1e-12


def test_a_loss_that_falls_for_ever_has_no_estimate():
    """Its gradient vanishes, but the steps do not."""
    model = user_model(
        lambda theta, x, y: jnp.exp(-jnp.sum(theta)), lambda key, theta, x: jnp.float64(0)
    )
    data = data_sets(rows=120, p=1, lanes=1)
    found = batch_fit(model, data)
    assert Status(int(found.status[0])) == Status.SEPARATED
    assert np.isnan(found.theta).all()


@pytest.mark.by_default("estimator0")
@pytest.mark.parametrize("estimator", [Newton(), LBFGS()])
def test_a_cell_without_events_has_no_estimate(estimator):
    """Quasi-separation: counts of two cells, one of which has none."""

    def loss(theta, x, y):
        eta = jnp.where(x[0] > 0, theta[0], theta[1])
        return jnp.exp(eta) - y * eta

    model = user_model(loss, lambda key, theta, x: x[0])
    x = jnp.asarray(np.random.default_rng(1).normal(size=(2, 80)))
    y = jnp.where(x[0] > 0, jnp.where(x[1] > 0, 1.0, 0.0), 0.0)
    data = Dataset(x, y, jnp.ones(80))
    fit = jax.jit(estimator.fit)(model, data, jnp.zeros(2), jax.random.key(0))
    assert Status(int(fit.status)) == Status.SEPARATED


@pytest.mark.by_default("2")
@pytest.mark.parametrize("p", [2, 9])
def test_counts_that_are_all_zero_have_no_estimate(p):
    """Rows on one side of a plane: the loss has no minimum. Rows around 0: it has one."""
    rng = np.random.default_rng(p)
    x = rng.normal(size=(p, 40))
    for rows, expected in ((x + 5, Status.SEPARATED), (x, Status.CONVERGED)):
        data = Dataset(jnp.asarray(rows), jnp.zeros(40), jnp.ones(40))
        fit = jax.jit(Newton().fit)(poisson(), data, jnp.zeros(p), jax.random.key(0))
        assert Status(int(fit.status)) == expected


@pytest.mark.parametrize("p", [1, 3, 8, 9, 30])
def test_solve_positive(p):
    rng = np.random.default_rng(p)
    root = rng.normal(size=(p, 2 * p))
    matrix, right = jnp.asarray(root @ root.T), jnp.asarray(rng.normal(size=p))
    x, unexplained = jax.jit(solve_positive)(matrix, right)
    np.testing.assert_allclose(matrix @ x, right, atol=1e-9 * np.abs(matrix).max())
    inflation = np.diagonal(np.linalg.inv(matrix)) * np.diagonal(matrix)
    assert unexplained == pytest.approx(1 / inflation.max(), rel=1e-9)


def test_invert_swept():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(30, 60))
    matrix = root @ root.T
    inverse, unexplained = jax.jit(invert_swept)(jnp.asarray(matrix))
    expected = np.linalg.inv(matrix)
    np.testing.assert_allclose(inverse, expected, atol=1e-11 * np.abs(expected).max())
    inflation = np.diagonal(expected) * np.diagonal(matrix)
    assert unexplained == pytest.approx(1 / inflation.max(), rel=1e-9)


@pytest.mark.by_default("float64-3", "float32-8")
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
