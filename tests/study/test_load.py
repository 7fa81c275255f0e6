"""From a study file to the conditions it describes."""

import itertools

import numpy as np
import pytest

from mcjax.errors import InputError
from mcjax.network import Feed, build_network, topologies
from mcjax.study.load import load_study
from mcjax.study.study import Study

FULL = """
[network]
models = ["a", "b"]
initial = { a = 100, b = 200 }
draws = "shared"
real = "reused"

[[network.feeds]]
from = "real"
to = "a"
samples = 100
weight = 0.5

[[network.feeds]]
from = "a"
to = "b"
samples = 150

[family]
name = "huber"
theta = [1, -0.5]
threshold = 2.0
sigma = 1.5
noise = { name = "student_t", df = 3 }
real_noise = "laplace"

[covariates]
covariance = [[2.0, 0.5], [0.5, 1.0]]

[run]
generations = 7
chains = 64
seed = 9
tolerance = 0.2
confidence = 0.9
precision = "float64"
solver = "lbfgs"
chunk = 128
"""

SMALL = """
[network]
models = 1
initial = 100
feeds = [{ from = "0", to = "0", samples = 50 }]

[family]
name = "linear"
theta = [0.5]
"""

USER = """
def loss(theta, x, y, scale=1.0):
    return scale * (y - x @ theta) ** 2

def sample(key, theta, x, scale=1.0):
    return x @ theta
"""


@pytest.fixture
def load(tmp_path):
    def run(text):
        path = tmp_path / "study.toml"
        path.write_text(text)
        return load_study(path)

    return run


@pytest.fixture
def refused(load, tmp_path):
    """Loading fails, naming file and field."""

    def run(text, field, says=""):
        with pytest.raises(InputError) as caught:
            load(text)
        assert caught.value.file == str(tmp_path / "study.toml")
        assert caught.value.field == field
        assert says in caught.value.message
        assert "\n" not in str(caught.value)

    return run


def test_a_full_file(load):
    study = load(FULL)
    assert (study.generations, study.chains, study.chunk) == (7, 64, 128)
    assert (study.tolerance, study.confidence) == (0.2, 0.9)
    assert (study.precision, study.solver) == ("float64", "lbfgs")
    [only] = study.conditions
    assert (only.name, only.label, only.seed) == ("", "", 9)
    feeds = [Feed("real", "a", 100, 0.5), Feed("a", "b", 150)]
    initial = {"a": 100, "b": 200}
    assert only.network == build_network("ab", feeds, initial, draws="shared", real="reused")
    assert only.model.name == "huber"
    assert only.model.variant == "noise=student_t, real_noise=laplace"
    assert only.model.params == {
        "threshold": 2.0,
        "sigma": 1.5,
        "noise": {"df": 3.0},
        "real_noise": {},
    }
    np.testing.assert_array_equal(only.theta, [1.0, -0.5])
    assert only.theta.dtype == np.float64
    np.testing.assert_array_equal(only.covariance, [[2.0, 0.5], [0.5, 1.0]])


def test_defaults(load):
    study = load(SMALL)
    assert study == Study(study.conditions)
    assert (study.generations, study.chains, study.chunk) == (10, 4096, 1024)
    assert (study.tolerance, study.confidence) == (0.05, 0.99)
    assert (study.precision, study.solver) == ("mixed", "auto")
    [only] = study.conditions
    assert (only.seed, only.network.draws, only.network.real) == (0, "private", "fresh")
    np.testing.assert_array_equal(only.covariance, [[1.0]])
    assert only.model.params["sigma"] == 1.0


def test_grid_makes_every_combination(load, tmp_path):
    (tmp_path / "nets").mkdir()
    (tmp_path / "ring.toml").write_text(
        '[network]\ntopology = "ring"\nmodels = 3\ninitial = 40\nsamples = 20\n'
    )
    (tmp_path / "nets" / "pair.json").write_text(
        '{"directed": true, "nodes": [{"id": "a"}, {"id": "b"}],'
        ' "edges": [{"source": "a", "target": "b", "samples": 30}]}'
    )
    study = load("""
[family]
name = "logistic"
theta = [0.5, 0.5]
[grid]
network = ["ring.toml", "nets/pair.json"]
family = ["logistic", "poisson"]
scale = [1, 0.5, 2]
seed = [3, 5]
""")
    networks = {
        "ring": topologies.ring(3, samples=20, initial=40),
        "nets/pair": build_network("ab", [("a", "b", 30)], {"a": 100, "b": 30}),
    }
    wanted = list(itertools.product(networks, ("logistic", "poisson"), (1, 0.5, 2), (3, 5)))
    assert len(study.conditions) == len(wanted)
    for found, (net, model, scale, seed) in zip(study.conditions, wanted, strict=True):
        assert found.label == f"network={net}, family={model}, scale={scale}"
        assert found.name == f"{found.label}, seed={seed}"
        assert found.network == networks[net].scaled(scale)
        assert found.model.name == model
        assert found.seed == seed


def test_one_sweep_alone_labels_by_it(load):
    scales = load(SMALL + "[grid]\nscale = [1, 2.5]").conditions
    assert [(c.label, c.name) for c in scales] == [("scale=1",) * 2, ("scale=2.5",) * 2]
    assert [c.network.initial for c in scales] == [(100,), (250,)]
    assert [c.network.feeds[0].samples for c in scales] == [50, 125]
    seeds = load(SMALL + "[grid]\nseed = [0, 7]").conditions
    assert [(c.label, c.name, c.seed) for c in seeds] == [("", "seed=0", 0), ("", "seed=7", 7)]


def test_families_by_name_and_by_table(load):
    """[family] describes the entry that is its name alone; theta serves all that have none."""
    base = SMALL.replace('"linear"', '"huber"\nthreshold = 0.7\nsigma = 3.0')
    grid = """
[grid]
family = [
  "huber", "linear", { name = "huber", threshold = 2.0 }, { name = "poisson", theta = [1.5] }
]
"""
    found = load(base + grid).conditions
    assert [c.name for c in found] == [
        "family=huber",
        "family=linear",
        "family=huber, threshold=2.0",
        "family=poisson, theta=[1.5]",
    ]
    assert [c.model.params.get("threshold") for c in found] == [0.7, None, 2.0, None]
    assert [c.model.params.get("sigma") for c in found] == [3.0, 1.0, 1.0, None]
    assert [c.theta.tolist() for c in found] == [[0.5], [0.5], [0.5], [1.5]]


def test_user_model_file_lies_beside_the_study(load, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "square.py").write_text(USER)
    monkeypatch.chdir("/")
    text = SMALL.replace('name = "linear"', 'file = "mine/square.py"\nscale = 2.0')
    [only] = load(text).conditions
    assert only.model.name == "square"
    assert only.model.params == {"scale": 2.0}
    grid = '[grid]\nfamily = ["linear", { file = "mine/square.py", scale = 3.0 }]'
    found = load(SMALL + grid).conditions
    assert [c.name for c in found] == ["family=linear", "family=mine/square.py, scale=3.0"]
    assert found[1].model.params == {"scale": 3.0}


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        pytest.param(SMALL + "[grid]\nscale = [0.001]", "grid.scale", "0.001", id="scale"),
        pytest.param(SMALL + "[grid]\nscale = []", "grid.scale", "1", id="no scale"),
        pytest.param(SMALL + "[grid]\nseed = [1, -1]", "grid.seed[1]", "0", id="seed"),
        pytest.param(SMALL + "[grid]\nscale = [1, 1]", "grid", "'scale=1' twice", id="twice"),
        pytest.param(SMALL + "[grid]\nseed = [2, 2]", "grid", "'seed=2' twice", id="seed twice"),
        pytest.param(
            SMALL + '[grid]\nfamily = ["linear", "linear"]', "grid", "twice", id="family twice"
        ),
        pytest.param(
            SMALL + '[grid]\nfamily = ["linaer"]', "family.name", "'linear'", id="family name"
        ),
        pytest.param(SMALL + "[grid]\nfamily = [{}]", "family.name", "not one of", id="no name"),
        pytest.param(
            SMALL + '[grid]\nfamily = [{ name = "huber", treshold = 1.0 }]',
            "family.treshold",
            "'threshold'",
            id="family parameter",
        ),
        pytest.param(
            SMALL + '[grid]\nfamily = [{ name = ["huber"] }]', "family.name", "", id="name a list"
        ),
        pytest.param(
            SMALL.replace('"linear"', '["linear"]'), "family.name", "", id="[family] name a list"
        ),
        pytest.param(
            SMALL + '[grid]\nnetwork = ["a.toml"]', "grid.network", "exclude", id="two networks"
        ),
        pytest.param('[family]\nname = "linear"\ntheta = [1]', "network", "missing", id="none"),
        pytest.param("[network]\nmodels = 1\ninitial = 9", "family", "missing", id="no family"),
        pytest.param(SMALL.replace("[0.5]", "[]"), "family.theta", "list", id="theta empty"),
        pytest.param(SMALL.replace("[0.5]", "[true]"), "family.theta", "list", id="theta bool"),
        pytest.param(SMALL.replace("[0.5]", "[[1]]"), "family.theta", "list", id="theta nested"),
        pytest.param(SMALL.replace("[0.5]", "[inf]"), "family.theta", "finite", id="theta inf"),
        pytest.param(
            SMALL.replace("[0.5]", "[1" + "0" * 400 + "]"), "family.theta", "", id="theta huge"
        ),
        pytest.param(
            SMALL + "sigma = 1" + "0" * 400, "family.sigma", "positive number", id="sigma huge"
        ),
        pytest.param(
            SMALL.replace("samples = 50", "samples = 1"), "network.feeds", "1 param", id="few rows"
        ),
        pytest.param(SMALL + "[run]\nprecision = 'half'", "run.precision", "", id="precision"),
        pytest.param(SMALL + "[run]\nsolver = 'newtn'", "run.solver", "'newton'", id="solver"),
        pytest.param(SMALL + "[run]\ntolerance = nan", "run.tolerance", "", id="tolerance nan"),
    ],
)
def test_refused(text, field, says, refused):
    refused(text, field, says)


def test_errors_in_a_network_file_name_that_file(load, tmp_path):
    text = '[family]\nname = "linear"\ntheta = [1]\n[grid]\nnetwork = ["net.toml"]'
    for content, says in (
        ("[network]\nmodels = 1\ninitial = 0", "network.initial"),
        ("[network]\nmodels = ['real']\ninitial = 9", "network.models"),
        ("[run]\nchains = 9", "network: is missing"),
    ):
        (tmp_path / "net.toml").write_text(content)
        with pytest.raises(InputError, match=says) as caught:
            load(text)
        assert caught.value.file == str(tmp_path / "net.toml")


def test_covariance_errors_name_the_file(refused):
    refused(SMALL + "[covariates]\ncovariance = [[1.0, 2.0]]", "covariates.covariance", "1 row of")
    refused(SMALL + "[covariates]\ncovariance = 1.0", "covariates.covariance", "a list")


def test_common_draws(tmp_path):
    """Conditions share their draws, and then a list of scales is no ladder."""
    text = STUDY_WITH_SCALES
    path = tmp_path / "study.toml"
    path.write_text(text)
    apart = load_study(path)
    assert len({c.label for c in apart.conditions}) == 2
    assert {c.ladder for c in apart.conditions} == {""}
    path.write_text(text + "common_draws = true\n")
    common = load_study(path)
    assert [c.name for c in common.conditions] == [c.name for c in apart.conditions]
    assert {c.label for c in common.conditions} == {""}
    assert {c.ladder for c in common.conditions} == {None}


STUDY_WITH_SCALES = """
[network]
models = 1
initial = 40
feeds = [{ from = "0", to = "0", samples = 20 }]
[family]
name = "linear"
theta = [1.0]
[grid]
scale = [1, 2]
"""
