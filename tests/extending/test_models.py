"""Models written against the public interface alone, one file each, from study to verdict."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax

pytestmark = pytest.mark.system

HERE = Path(__file__).parent
LOOP = """
[network]
models = ["a"]
initial = {rows}
feeds = [
    {{ from = "a", to = "a", samples = {half} }},
    {{ from = "real", to = "a", samples = {half} }},
]
"""
PROBIT = """
[family]
file = "probit.py"
predictor = "linear"
theta = [0.5, -0.5]

[run]
generations = 2
chains = 1024
tolerance = 0.3
"""
HETEROSKEDASTIC = """
[family]
file = "heteroskedastic.py"
covariates = 2
theta = { mean = [1.0, 0.5], log_scale = [0.2, -0.1] }

[run]
generations = 2
chains = 1024
tolerance = 0.3
"""


def command(name, study, folder, rows=400):
    """Run ``mcjax verify --json`` on a study beside one of the files here."""
    (folder / name).write_text((HERE / name).read_text())
    (folder / "study.toml").write_text(LOOP.format(rows=rows, half=rows // 2) + study)
    done = subprocess.run(
        [sys.executable, "-m", "mcjax", "verify", "study.toml", "--json", "--quiet"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 3), done.stderr
    return json.loads(done.stdout)


def test_a_probit_model_runs_on_the_fast_path(tmp_path):
    found = command("probit.py", PROBIT, tmp_path)
    assert set(found["paths"].values()) == {"fast"}
    assert {cell["law"] for cell in found["cells"]} == {"first_order"}
    assert all(cell["verdict"] == "verified" for cell in found["cells"])


def test_a_model_of_two_blocks_runs_by_the_predictors_that_are_found(tmp_path):
    found = command("heteroskedastic.py", HETEROSKEDASTIC, tmp_path)
    assert set(found["paths"].values()) == {"predictors"}
    assert all(cell["verdict"] == "verified" for cell in found["cells"])


def test_noise_that_depends_on_more_than_the_predictor_is_simulated_as_such(z_limit):
    """The variance of the labels that a model draws is ``exp(2 x'log_scale)``, whatever the path.

    A path that handed ``sample`` the pair ``(x'theta, 1)`` in place of ``(theta, x)`` would draw
    labels of another model in silence.
    """
    model = mcjax.model_from_file(HERE / "heteroskedastic.py", covariates=2)
    theta = {"mean": [1.0, 0.5], "log_scale": [0.4, -0.3]}
    net = mcjax.topologies.self_loop(samples=4000, initial=20_000)
    one = mcjax.condition(net, model, theta)
    study = mcjax.Study((one,), generations=1, chains=2, precision="float64")
    trajectory = mcjax.replay(study, "", 0)
    [first, *_] = mcjax.replay_data(study, "", 0, trajectory)
    data = first[0]["real"]
    mean, log_scale = np.array([1.0, 0.5]) @ data.x, np.array([0.4, -0.3]) @ data.x
    squares = ((data.y - mean) * np.exp(-log_scale)) ** 2
    assert abs(squares.mean() - 1) < z_limit * np.sqrt(2 / len(squares))
    homoskedastic = (data.y - mean) ** 2
    assert abs(homoskedastic.mean() - 1) > z_limit * np.sqrt(2 / len(squares))


@pytest.fixture(scope="module")
def neural():
    model = mcjax.model_from_file(HERE / "neural_regression.py", covariates=2)
    theta = jax.tree.map(np.asarray, model.init(jax.random.key(0)))
    net = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    estimator = mcjax.Optax(mcjax_optimiser(), steps=200)
    return mcjax.condition(net, model, theta, np.eye(2), estimator=estimator)


def mcjax_optimiser():
    import optax

    return optax.adam(1e-2)


def test_a_neural_regression_by_any_optax_optimiser(neural):
    """No law applies to a fit whose 200 steps are not linear, and the verdict says so."""
    study = mcjax.Study((neural,), generations=2, chains=64, precision="float32")
    result = mcjax.verify(study)
    assert result.verdict == "inconclusive"
    assert not result.cells
    assert "no linear law" in result.inapplicable[""]["first_order"]
    assert not result.failures
    errors = result.outcomes[0].moments.squared.mean
    assert errors.shape == (3, 1)
    assert np.isfinite(errors).all()


def test_batches_are_drawn_from_the_key_of_the_fit(neural):
    """A fit is a function of its key; and whole batches are the whole data."""
    model = neural.model
    data = mcjax.Dataset(jnp.ones((2, 6)), jnp.arange(6.0), jnp.asarray([1.0] * 5 + [0.0]))
    start = jax.tree.map(jnp.asarray, model.init(jax.random.key(1)))

    def fit(key, **options):
        estimator = mcjax.Optax(mcjax_optimiser(), steps=7, **options)
        return jax.flatten_util.ravel_pytree(estimator.fit(model, data, start, key).theta)[0]

    one, other = jax.random.key(0), jax.random.key(1)
    np.testing.assert_array_equal(fit(one, batch_size=2), fit(one, batch_size=2))
    assert not np.array_equal(fit(one, batch_size=2), fit(other, batch_size=2))
    np.testing.assert_allclose(fit(one, batch_size=5), fit(other), rtol=1e-10)
