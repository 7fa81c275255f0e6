"""Models whose rows have covariates of their own: laws, chains and studies."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mcjax import api
from mcjax.engine.compiled import compile_study
from mcjax.errors import InputError
from mcjax.laws.first_order.m_estimators import FirstOrder
from mcjax.laws.first_order.path_system import path_of
from mcjax.laws.predict import predict_condition
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.models.penalised import penalised
from mcjax.network import Source, build_network
from mcjax.study.identity import identity
from mcjax.study.ladder import ladder
from mcjax.study.load import load_study
from mcjax.study.study import Study, condition

ROWS = 500
AXES = {"0": [[0.01, 0.0], [0.0, 1.0]], "1": [[1.0, 0.0], [0.0, 0.01]]}
REAL = {"a": ((1.0, 0.3), (0.3, 0.1)), "b": ((0.1, 0.3), (0.3, 1.0))}
RADIUS = 2.36332
"""Largest eigenvalue of the pair below, although half of the data of each fit are real."""


def pair(rows=ROWS, model=None, own=AXES):
    """Two models, each fitted to real data and to what the other generates."""
    half = rows // 2
    net = build_network(
        2,
        [("1", "0", half), ("0", "1", half), ("a", "0", half), ("b", "1", half)],
        rows,
        sources=[Source(name, covariance=cov) for name, cov in REAL.items()],
    )
    return condition(net, model or linear(), [0.0, 0.0], own_covariances=own)


def dense(rows, generations):
    """Covariances of the pair of least squares, block by block."""
    half = rows // 2
    synthetic = np.array([AXES["1"], AXES["0"]])  # as model 0 and model 1 read them
    real = np.array([REAL["a"], REAL["b"]])
    curvature = (synthetic + real) / 2
    a = np.zeros((4, 4))
    a[:2, 2:] = np.linalg.solve(curvature[0], synthetic[0] / 2)
    a[2:, :2] = np.linalg.solve(curvature[1], synthetic[1] / 2)
    noise = np.zeros((4, 4))
    for i in range(2):
        inverse = np.linalg.inv(curvature[i])
        block = slice(2 * i, 2 * i + 2)
        noise[block, block] = inverse @ ((synthetic[i] + real[i]) / 4 / half) @ inverse
    result = [np.eye(4) / rows]
    for _ in range(generations):
        result.append(a @ result[-1] @ a.T + noise)
    return a, np.array(result)


def test_the_law_is_the_recursion_of_its_blocks():
    a, expected = dense(ROWS, 6)
    path = path_of(pair(), 6)
    assert_allclose(path.centres, 0, atol=1e-12)
    assert_allclose(path.covariance, expected, rtol=1e-10, atol=1e-14)
    assert max(abs(np.linalg.eigvals(a))) == pytest.approx(RADIUS, abs=5e-6)


@pytest.mark.statistical
def test_simulated_errors_explode_as_predicted(z_limit):
    """The mean of the error itself grows, because A has an eigenvalue above 1."""
    chains, generations = 4000, 4
    compiled = compile_study(Study((pair(),), generations=generations, chains=chains))
    parts = compiled.trajectories(compiled.programs[0], range(chains))
    theta = np.concatenate([trajectory.theta for _, trajectory in parts])
    squares = (theta**2).sum(-1)
    law = predict_condition(pair(), generations).laws["first_order"]
    assert law.mse_complete
    error = squares.std(0) / np.sqrt(chains)
    off = np.abs(squares.mean(0) - law.mse)
    # second moments at n rows differ from the law by the order of t p / n
    assert (off < z_limit * error + law.allowance * law.mse).all()
    grown = law.mse[4] / law.mse[2]
    assert (grown > 4).all()


@pytest.mark.statistical
def test_verdicts_on_models_with_covariates_of_their_own():
    """The law is verified, and the law that gives all rows one covariance is refuted."""
    own = {"0": [[2.0, 0.0], [0.0, 0.3]]}
    right = pair(2000, logistic(), own)
    wrong = pair(2000, logistic(), None)
    study = Study((right,), generations=2, chains=3000, quantities=("covariance",), tolerance=0.3)
    assert api.verify(study).verdict == "verified"
    study = Study((right,), generations=2, chains=3000, quantities=("covariance",), tolerance=0.1)
    theory = replace(study, conditions=(wrong,))
    assert api.verify(study, theory=theory).verdict == "refuted"


@pytest.mark.statistical
def test_rows_have_the_covariances_of_their_origins(z_limit):
    one = condition(
        build_network(3, [("real", "1", 4000), ("0", "1", 4000), ("2", "1", 4000)], 4000),
        linear(),
        [0.0, 0.0],
        [[1.0, 0.2], [0.2, 0.5]],
        own_covariances={"2": [[0.3, 0.0], [0.0, 2.0]]},
    )
    small = condition(build_network(1, [("real", "0", 10)], 10), linear(), [0.0, 0.0], label="s")
    compiled = compile_study(Study((one, small), generations=1, chains=2))
    *_, found = api.replay_data(compiled, one.name, 0, api.replay(compiled, one.name, 0))
    for origin, expected in {
        "real": [[1.0, 0.2], [0.2, 0.5]],
        "0": [[1.0, 0.2], [0.2, 0.5]],
        "2": [[0.3, 0.0], [0.0, 2.0]],
    }.items():
        x = found[1][origin].x
        assert x.shape[1] == 4000
        moments = x @ x.T / 4000
        spread = np.sqrt((np.outer(*[np.diag(expected)] * 2) + np.square(expected)) / 4000)
        assert (np.abs(moments - expected) < z_limit * spread).all(), origin


def test_rungs_of_a_ladder_keep_the_covariances():
    rungs = ladder(pair(), [1, 2])
    for rung in rungs:
        assert_allclose(rung.own_covariances, [AXES["0"], AXES["1"]])


def test_other_laws_do_not_apply():
    found = predict_condition(pair(), 2)
    assert list(found.laws) == ["first_order"]
    assert "covariates of their own" in found.inapplicable["finite_sample"]


def test_equal_covariances_are_no_setting():
    net = build_network(1, [("real", "0", 100)], 100)
    plain = condition(net, linear(), [0.0], [[2.0]])
    same = condition(net, linear(), [0.0], [[2.0]], own_covariances={"0": [[2.0]]})
    assert same.own_covariances is None
    assert identity(Study((plain,))) == identity(Study((same,)))
    other = condition(net, linear(), [0.0], [[2.0]], own_covariances={"0": [[1.0]]})
    assert identity(Study((plain,))) != identity(Study((other,)))


FILE = """
[network]
models = ["a", "b"]
initial = 200
feeds = [{ from = "a", to = "b", samples = 200 }, { from = "real", to = "a", samples = 200 }]
[family]
name = "linear"
theta = [0.5, -0.5]
[covariates.models]
"""


def test_a_study_file_says_it(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(FILE + "a = [[1.0, 0.2], [0.2, 0.5]]\n")
    [one] = load_study(path).conditions
    assert_allclose(one.own_covariances, [[[1.0, 0.2], [0.2, 0.5]], np.eye(2)])
    assert FirstOrder().applies(one) is None


@pytest.mark.parametrize(
    ("line", "field", "remedy"),
    [
        ("c = [[1.0, 0.0], [0.0, 1.0]]", "covariates.models.c", "unknown model 'c'"),
        ("a = [[1.0]]", "covariates.models.a", "2 rows of 2"),
        ("a = [[1.0, 0.5], [0.2, 1.0]]", "covariates.models.a", "not symmetric"),
        ("a = [[1.0, 0.0], [0.0, -1.0]]", "covariates.models.a", "positive semi-definite"),
        ("a = [[1.0, 0.0], [0.0, 0.0]]", "network.feeds", "determine"),
        ("a = 1.0", "covariates.models.a", "2 rows of 2"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, line, field, remedy):
    path = tmp_path / "study.toml"
    path.write_text(FILE + line + "\n")
    with pytest.raises(InputError) as error:
        load_study(path)
    assert field in str(error.value)
    assert remedy in str(error.value)


def test_models_without_covariates_have_none():
    from mcjax.models.generative import bernoulli

    net = build_network(1, [("0", "0", 100)], 100)
    with pytest.raises(InputError, match="do not exist"):
        condition(net, bernoulli(), [0.4], own_covariances={"0": [[1.0]]})


@pytest.mark.parametrize("huge", [[[10**400]], [[1.0, 0.0], [0.0, 10**400]]])
def test_numbers_beyond_all_floats_are_refused(huge):
    net = build_network(1, [("0", "0", 100)], 100)
    p = len(huge)
    with pytest.raises(InputError, match=r"^covariates\.models\.0: must be"):
        condition(net, linear(), np.zeros(p), own_covariances={"0": huge})
    with pytest.raises(InputError, match=r"^covariates\.covariance: must be"):
        condition(net, linear(), np.zeros(p), huge)
    with pytest.raises(InputError, match=r"^network\.sources \(far\)\.covariance: must be"):
        Source("far", covariance=huge)


def test_a_subsample_has_none():
    """Its rows would have the covariance of the real data without a word."""
    one = {"0": [[2.0]]}
    for memory in ("replace", "accumulate", "subsample"):
        net = build_network(1, [("0", "0", 100)], 100, memory=memory)
        condition(net, linear(), [0.0], own_covariances={"0": [[1.0]]})
        if memory != "subsample":
            condition(net, linear(), [0.0], own_covariances=one)
            continue
        with pytest.raises(InputError, match=r"^covariates\.models: is for memory 'replace' or"):
            condition(net, linear(), [0.0], own_covariances=one)


@pytest.mark.parametrize("given", [np.eye(2), [[1.0]], "ab", 3])
def test_they_are_given_by_model(given):
    net = build_network(1, [("0", "0", 100)], 100)
    with pytest.raises(InputError, match=r"^own_covariances: is .*; give a dictionary"):
        condition(net, linear(), [0.0], own_covariances=given)


@pytest.mark.system
def test_a_ridge_determines_what_covariates_do_not():
    net = build_network(1, [("0", "0", 100)], 100)
    flat = {"0": [[1.0, 0.0], [0.0, 0.0]]}
    with pytest.raises(InputError, match="do not determine every parameter"):
        condition(net, logistic(), [0.5, 0.5], own_covariances=flat)
    with pytest.raises(InputError, match="do not determine every parameter"):
        condition(net, penalised(logistic(), firth=True), [0.5, 0.5], own_covariances=flat)
    one = condition(net, penalised(logistic(), ridge=0.1), [0.5, 0.5], own_covariances=flat)
    study = Study((one,), generations=2, chains=4)
    assert np.isfinite(api.predict(study)[0].laws["first_order"].mse).all()
    assert np.isfinite(api.replay(study, "", 0).theta).all()
