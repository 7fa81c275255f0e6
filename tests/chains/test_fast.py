"""The fast path against the reference: the same draws, the same chains, the same estimates."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from mcjax.chains.fast import reason_against
from mcjax.chains.program import Path
from mcjax.engine import engine
from mcjax.engine.compiled import compile_study
from mcjax.engine.platforms import compiler_options
from mcjax.engine.routes import route_of
from mcjax.estimators.lbfgs import LBFGS
from mcjax.estimators.newton import Newton
from mcjax.estimators.quantile_lp import QuantileLP
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.penalised import penalised
from mcjax.models.quantile import quantile
from mcjax.models.user import user_model
from mcjax.network import Feed, build_network, topologies
from mcjax.network.memory import Replace, Subsample
from mcjax.selections.checker import Checker
from mcjax.selections.flip import Flip
from mcjax.selections.temperature import Temperature
from mcjax.selections.verifier import Verifier
from mcjax.solvers.once import fused
from mcjax.solvers.status import Status
from mcjax.study.study import Study, condition

FAMILIES = {
    "linear": linear(noise="laplace"),
    "logistic": logistic(),
    "poisson": poisson(),
    "huber": huber(noise="normal", real_noise={"name": "student_t", "df": 4}),
    "quantile": quantile(0.3, noise="laplace", real_noise="normal"),
    "ridge": penalised(linear(), ridge=0.3),
    "ridge logistic": penalised(logistic(), ridge=0.05),
}
SLOW = pytest.mark.slow
SHARE = {"mixed": 1e-4, "float64": 1e-4, "float32": 4e-2}
"""How far two estimates may be apart, in standard errors of one: both end within the tolerance of
the Newton step (1e-5 or 2e-3), squared, and single precision adds the rounding of sums."""


def feeds_of_all_kinds():
    """Unequal, odd and weighted feeds, a frozen model, data that several read, reused real data."""
    feeds = [
        ("a", "a", 41),
        ("real", "a", 60, 2.0),
        ("a", "b", 41),
        ("f", "b", 37, 0.5),
        ("b", "c", 75),
        ("real", "c", 75),
    ]
    return build_network(
        ["a", "b", "c", "f"],
        feeds,
        {"a": 60, "b": 150, "c": 75, "f": 150},
        draws="shared",
        real="reused",
    )


NETWORKS = {
    "loop": lambda n: topologies.self_loop(samples=n // 2, real=n // 2, initial=n),
    "ring": lambda n: topologies.ring(4, samples=n // 2, real=n // 2, initial=2 * n),
    "complete": lambda n: topologies.complete(3, samples=n // 2, real=n, initial=n),
    "kinds": lambda n: feeds_of_all_kinds(),
}


def run(study, chains=None):
    """Trajectories of the first condition's chains, and the path that ran them."""
    compiled = compile_study(study)
    shared = compiled.by_condition[0]
    parts = [part for _, part in compiled.trajectories(shared, np.arange(chains or study.chains))]
    return [np.concatenate(leaf) for leaf in zip(*parts, strict=True)], shared.route.path


def compare(model, network, p, precision, generations=2, chains=24, **options):
    truth = [0.5] + [0.2] * (p - 1) if p < 8 else [0.3] + [0.0] * (p - 1)
    own = condition(network, model, truth, **options)
    study = Study((own,), generations=generations, chains=chains, precision=precision)
    (theta, status, _), path = run(study)
    (ours, codes, _), other = run(replace(study, path="reference"))
    assert (path, other) == ("fast", "reference")
    np.testing.assert_array_equal(np.isnan(theta), np.isnan(ours))
    # a label whose uniform lies within rounding of its edge may fall to the other side, once in
    # ten million labels, and with it every later estimate of its chain
    apart = (status != codes).any((1, 2))
    spread = np.nanstd(ours, axis=0, keepdims=True) + 1e-12
    apart |= np.nan_to_num(np.abs(theta - ours) / spread).max((1, 2, 3)) > SHARE[precision]
    assert apart.sum() <= 1
    return status


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "precision", "p"),
    [
        ("poisson", "float32", 2),
        ("logistic", "float32", 12),
        ("quantile", "mixed", 3),
        ("ridge", "mixed", 1),
        ("ridge logistic", "mixed", 9),
    ],
)
def test_families_and_precisions(name, precision, p):
    status = compare(FAMILIES[name], NETWORKS["ring"](30 * p), p, precision)
    assert (status == Status.CONVERGED).mean() > 0.99


@pytest.mark.system
def test_every_kind_of_feed_at_once():
    covariance = [[1, 0.4, 0], [0.4, 2, 0], [0, 0, 1]]
    compare(FAMILIES["huber"], feeds_of_all_kinds(), 3, "mixed", covariance=covariance)


def keeping(first, second):
    """Two models, whose feeds keep different selections, some of them on one edge."""
    return build_network(
        "ab",
        [
            ("real", "a", 30),
            Feed("a", "a", 41, keep=first),
            Feed("b", "a", 33, 0.5),
            Feed("a", "b", 50, keep=second),
            Feed("b", "b", 20),
            Feed("b", "b", 21, keep=first),
        ],
        60,
    )


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "selections"),
    [
        ("logistic", (Temperature(0.8), Flip(0.1))),
        pytest.param("logistic", (Checker((0.5, 1.0, -0.2)), Temperature(1.5)), marks=SLOW),
        pytest.param("linear", (Temperature(2.0), Temperature(0.5)), marks=SLOW),
        pytest.param(
            "linear", (Verifier((0.5, 0.0, 0.3), 1.2), Verifier((0.0, 0.3, 0.1), 2.5)), marks=SLOW
        ),
    ],
)
def test_selections(name, selections):
    covariance = [[1, 0.4, 0], [0.4, 2, 0], [0, 0, 1]]
    net = keeping(*selections)
    status = compare(FAMILIES[name], net, 3, "mixed", chains=64, covariance=covariance)
    assert (status == Status.CONVERGED).mean() > 0.99


@pytest.mark.system
def test_a_fit_that_lacks_rows_does_not_hold_up_others():
    """A verifier that accepts nothing of one model's data; chains of the other run on."""
    net = build_network(
        "ab", [Feed("a", "a", 30, keep=Verifier((0.0,), 1e-12)), ("b", "b", 30)], 30
    )
    study = Study((condition(net, linear(), [0.5]),), generations=2, chains=4, sampling="rows")
    for path in ("auto", "reference"):
        (_, status, _), _ = run(replace(study, path=path))
        assert (status[:, 1, 0] == Status.NOTHING_KEPT).all(), path
        assert (status[:, 2, 0] == Status.PARENT_FAILED).all(), path
        assert (status[:, :, 1] == Status.CONVERGED).all(), path


def test_raw_rows_run_on_the_reference_path():
    own = condition(keeping(Verifier((0.5,), 1.2, "raw"), Verifier((0.5,), 1.0)), linear(), [0.5])
    assert route_of(own, Study((own,))).path == "reference"


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("p", [1, 3, 8, 12, 20])
@pytest.mark.parametrize("precision", ["mixed", "float64", "float32"])
@pytest.mark.parametrize("name", FAMILIES)
def test_all(name, precision, p, network):
    rows = 100 if p < 8 else 12 * p
    compare(FAMILIES[name], NETWORKS[network](rows), p, precision)


@pytest.mark.slow
@pytest.mark.parametrize("design", ["fixed", "random"])
def test_designs_and_growing_samples(design):
    net = topologies.ring(3, samples=30, real=30, initial=40, growth=0.5)
    compare(FAMILIES["logistic"], net, 2, "mixed", design=design)


@pytest.mark.system
@pytest.mark.parametrize("ridge", [1e-4, 0.1])
def test_penalised_fits_of_separable_labels(ridge):
    """Few rows of one loop, most of which lose their estimate without a penalty."""
    net = topologies.self_loop(samples=8, initial=8)
    model = penalised(logistic(), ridge=ridge)
    status = compare(model, net, 2, "mixed", generations=6, chains=128)
    assert (status == Status.CONVERGED).all()


@pytest.mark.system
def test_statuses():
    """Few rows of one loop: separation, and all that follows from it."""
    net = topologies.self_loop(samples=8, initial=8)
    status = compare(logistic(), net, 2, "mixed", generations=6, chains=128)
    seen = set(np.unique(status))
    assert {Status.CONVERGED, Status.SEPARATED, Status.PARENT_FAILED} <= seen


@pytest.mark.slow
def test_settings_of_another_platform(monkeypatch):
    """Where devices are no CPUs, stages are left to the compiler, and no option is set."""
    own = condition(NETWORKS["ring"](60), logistic(), [0.5, -0.5])
    study = Study((own,), generations=2, chains=24, precision="float64")
    (theta, status, _), _ = run(study)
    jax.clear_caches()
    engine._compiled.cache_clear()
    monkeypatch.setattr(engine, "stage_boundary", lambda path, platform: fused)
    monkeypatch.setattr(engine, "compiler_options", lambda path, platform: {})
    (ours, codes, _), path = run(study)
    engine._compiled.cache_clear()
    assert path == "fast"
    np.testing.assert_array_equal(status, codes)
    np.testing.assert_allclose(theta, ours, atol=1e-7)


def test_what_the_fast_path_knows():
    own = user_model(lambda t, x, y: (y - x @ t) ** 2, lambda key, t, x: x @ t)
    scalar = user_model(lambda eta, y: (y - eta) ** 2, lambda key, eta: eta, predictor="linear")
    for model in (*FAMILIES.values(), scalar):
        assert not reason_against(model, 5, Newton(), Replace())
        assert not reason_against(penalised(model, ridge=0.1), 5, Newton(), Replace())
    assert "linear predictor" in reason_against(own, 5, Newton(), Replace())
    corrected = penalised(logistic(), firth=True)
    assert "the rows of a fit" in reason_against(corrected, 5, Newton(), Replace())
    assert "20 parameters" in reason_against(logistic(), 21, Newton(), Replace())
    assert "Newton" in reason_against(logistic(), 5, LBFGS(), Replace())
    assert not reason_against(quantile(), 5, QuantileLP(), Replace())
    ridge = penalised(quantile(), ridge=0.1)
    assert "with a penalty" in reason_against(ridge, 5, QuantileLP(), Replace())
    assert "one generation" in reason_against(logistic(), 5, Newton(), Subsample())
    plain = condition(NETWORKS["loop"](60), linear(), [0.5])
    assert route_of(plain, Study((plain,))) == ("statistics", "")
    assert route_of(plain, Study((plain,), sampling="rows")).path == "fast"
    assert route_of(plain, Study((plain,), sampling="rows", path="reference")).path == "reference"


def test_options_are_per_platform():
    assert compiler_options(Path.FAST, "cpu")["xla_cpu_prefer_vector_width"] == 512
    assert not compiler_options(Path.FAST, "gpu")
    assert not compiler_options(Path.REFERENCE, "cpu")
