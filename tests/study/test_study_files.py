"""From files to studies: defaults, grids, labels, families and covariances."""

import numpy as np
import pytest

from mcjax.diagnosis import diagnose
from mcjax.errors import InputError
from mcjax.study.load import builtin_study, load_study
from mcjax.study.networks import read_network
from mcjax.study.study import covariance_root

NETWORK = """
[network]
models = ["a"]
initial = 100
feeds = [{ from = "a", to = "a", samples = 50 }, { from = "real", to = "a", samples = 50 }]
"""
FAMILY = '[family]\nname = "linear"\nsigma = 2.0\ntheta = [1.0, 2.0]\n'


@pytest.fixture
def load(tmp_path):
    def write_and_load(text, **others):
        for name, content in others.items():
            (tmp_path / name.replace("_", ".")).write_text(content)
        path = tmp_path / "study.toml"
        path.write_text(text)
        return load_study(path)

    return write_and_load


def test_defaults(load):
    study = load(NETWORK + FAMILY)
    (only,) = study.conditions
    assert (only.name, only.label, only.seed) == ("", "", 0)
    assert (study.generations, study.chains, study.precision) == (10, 4096, "mixed")
    assert (study.tolerance, study.confidence, study.solver) == (0.05, 0.99, "auto")
    np.testing.assert_array_equal(only.covariance, np.eye(2))
    assert only.family.params["sigma"] == 2.0


def test_grid_is_every_combination(load):
    grid = '[grid]\nscale = [1, 2]\nfamily = ["linear", "logistic"]\nseed = [0, 7]\n'
    study = load(NETWORK + FAMILY + grid)
    assert len(study.conditions) == 8
    assert len({c.name for c in study.conditions}) == 8
    assert {c.label for c in study.conditions} == {
        f"family={f}, scale={s}" for f in ("linear", "logistic") for s in (1, 2)
    }
    for c in study.conditions:
        assert c.network.initial == ((200,) if "scale=2" in c.label else (100,))
        assert c.name == f"{c.label}, seed={c.seed}"
        # [family] describes the linear family; the logistic one takes only theta from it
        assert c.family.params == ({} if "logistic" in c.label else c.family.params)
        assert ("linear" in c.label) == (c.family.params.get("sigma") == 2.0)
        np.testing.assert_array_equal(c.theta, [1.0, 2.0])


def test_grid_of_family_tables(load):
    one, two = (
        '{ name = "huber", threshold = 1 }',
        '{ name = "huber", threshold = 2, theta = [0.5] }',
    )
    grid = f"[grid]\nfamily = [{one}, {two}]"
    study = load(NETWORK + FAMILY + grid)
    assert [c.family.params["threshold"] for c in study.conditions] == [1.0, 2.0]
    assert [len(c.theta) for c in study.conditions] == [2, 1]


def test_grid_of_networks(load):
    study = load(
        FAMILY + '[grid]\nnetwork = ["one.toml", "two.toml"]',
        one_toml=NETWORK,
        two_toml=NETWORK.replace("100", "400"),
    )
    assert [c.label for c in study.conditions] == ["network=one", "network=two"]
    assert [c.network.initial for c in study.conditions] == [(100,), (400,)]
    with pytest.raises(InputError, match=r"none\.toml.*does not exist"):
        load(FAMILY + '[grid]\nnetwork = ["none.toml"]')


def test_labels_choose_the_draws_so_a_grown_grid_keeps_them(load):
    small = load(NETWORK + FAMILY + "[grid]\nscale = [2]")
    large = load(NETWORK + FAMILY + "[grid]\nscale = [1, 2, 3]")
    assert small.conditions[0].label == large.conditions[1].label


def test_family_file_beside_the_study(load):
    code = "def loss(theta, x, y, k): return k * (y - x @ theta) ** 2\n"
    code += "def sample(key, theta, x, k): return x @ theta\n"
    study = load(NETWORK + '[family]\nfile = "own.py"\nk = 3\ntheta = [1.0]', own_py=code)
    assert study.conditions[0].family.params == {"k": 3.0}
    assert study.conditions[0].family.name == "own"


@pytest.mark.parametrize(
    "cov", [np.eye(3), np.diag([1.0, 4.0, 0.0]), [[2, 1, 0], [1, 2, 1], [0, 1, 2]], np.ones((3, 3))]
)
def test_covariance_root(cov):
    root = covariance_root(np.asarray(cov, float))
    np.testing.assert_allclose(root @ root.T, cov, atol=1e-12)


def topology(text):
    return f"[network]\ninitial = 20\n{text}\n"


def test_topologies_by_name(tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(
        topology('topology = "ring"\nmodels = 3\nsamples = 10\nreal_samples = 5\ndraws = "shared"')
    )
    net = read_network(path)
    assert (net.size, len(net.feeds), net.draws) == (3, 6, "shared")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('topology = "rng"\nmodels = 3\nsamples = 10', "did you mean 'ring'"),
        ('topology = "ring"\nsamples = 10', "network.models"),
        ('topology = "ring"\nmodels = 3', "network.samples"),
        ('topology = "self_loop"\nmodels = 3\nsamples = 10', "network.models"),
        ('topology = "ring"\nmodels = 3\nsamples = 10\nprobability = 0.1', "network.probability"),
        ("models = 3\nsamples = 10", "network.samples"),
        (
            'topology = "random_directed"\nmodels = 3\nsamples = 10\nprobability = 2.0\nseed = 0',
            "between 0 and 1",
        ),
    ],
)
def test_topology_errors(text, field, tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(topology(text))
    with pytest.raises(InputError) as caught:
        read_network(path)
    assert field in str(caught.value)
    assert str(path) in str(caught.value)


def test_the_built_in_study_shows_what_it_says():
    study = builtin_study()
    assert len(study.conditions) == 12
    fates = {c.label.split(",")[0]: diagnose(c.network).stable.tolist() for c in study.conditions}
    assert fates == {
        "network=collapsing": [False, False, True],
        "network=stable": [True, True, True],
        "network=flipped": [False, False, False],
    }
    stable, flipped = (
        set(next(c.network.feeds for c in study.conditions if name in c.label))
        for name in ("stable", "flipped")
    )
    assert len(flipped - stable) == 1
    assert stable < flipped
