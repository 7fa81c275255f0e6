"""Fields that ``[grid]`` varies by their dotted names."""

import cProfile
import itertools
import json
import pstats

import pytest
from grid_study import LONE, POOL, SGD, STUDY

import mcjax
from mcjax.study.identity import describe
from mcjax.study.networks import read_network


def described(condition):
    """Everything that numbers depend on but the label, as text."""
    [plain] = describe(mcjax.Study((condition,)))["conditions"]
    return json.dumps({key: value for key, value in plain.items() if key != "label"})


# Each field with two values, and the text of STUDY to replace by the text that gives a value there.
FIELDS = {
    "network.feeds.1.samples": (["100", "200"], "samples = 40", "samples = {}"),
    "network.feeds.0.weight": (["0.5", "3.0"], "samples = 30", "samples = 30, weight = {}"),
    "network.initial.a": (["70", "75"], "a = 60", "a = {}"),
    "network.initial.b.1": (["70", "75"], '"b.1" = 80', '"b.1" = {}'),
    "network.initial": (["70", "{a = 9, 'b.1' = 8}"], '{ a = 60, "b.1" = 80 }', "{}"),
    "network.memory": (['"replace"', '"subsample"'], "models =", "memory = {}\nmodels ="),
    "family.theta": (["[0.5, -0.5]", "[1.0, 1.0]"], "[0.5, -0.5]", "{}"),
    "family.theta.1": (["0.25", "4.0"], "-0.5", "{}"),
    "family.threshold": (["0.5", "2.5"], "1.5", "{}"),
    "family.noise.df": (["4", "9"], "df = 5", "df = {}"),
    "family.real_noise.name": (["'laplace'", "'normal'"], "noise", "real_noise.name = {}\nnoise"),
    "family.penalty.ridge": (["0.25", "0.75"], "noise", "penalty.ridge = {}\nnoise"),
    "covariates.covariance": (
        ["[[1.0, 0.5], [0.5, 1.0]]", "[[2.0, 0.0], [0.0, 2.0]]"],
        "design",
        "covariance = {}\ndesign",
    ),
    "estimator.steps": (["1", "4"], "steps = 3", "steps = {}"),
    "estimator.momentum": (["0.5", "0.75"], "steps", "momentum = {}\nsteps"),
    "estimator.learning_rate": (["0.2", "0.4"], "learning_rate = 0.1", "learning_rate = {}"),
    "estimator.start": (["'own'", "{a = 'base'}"], "steps", "start = {}\nsteps"),
}


@pytest.mark.parametrize("spelling", ["quoted", "tables"])
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_varied_as_if_written_in_its_place(field, spelling, load_grid):
    """Quoted or not, a condition is that of a file with its value."""
    values, old, new = FIELDS[field]
    name = f'"{field}"' if spelling == "quoted" else field
    found = load_grid(f"{name} = [{', '.join(values)}]").conditions
    for condition, value in zip(found, values, strict=True):
        assert STUDY.count(old) == 1
        [expected] = load_grid(study=STUDY.replace(old, new.format(value))).conditions
        assert described(condition) == described(expected)
        assert condition.name == condition.label
    assert len(set(map(described, found))) == 2


def test_every_combination_has_a_readable_name(load_grid):
    grid = """
seed = [3, 5]
scale = [1, 2]
network.feeds.1.samples = [40, 80]
"family.theta" = [[0.5, -0.5], [1.0, 1.0]]
network.memory = ["replace", "subsample"]
"estimator.nesterov" = [true, false]
"""
    found = load_grid(grid).conditions
    wanted = itertools.product(
        ("estimator.nesterov=true", "estimator.nesterov=false"),
        ("family.theta=[0.5, -0.5]", "family.theta=[1.0, 1.0]"),
        ("network.feeds.1.samples=40", "network.feeds.1.samples=80"),
        ("network.memory=replace", "network.memory=subsample"),
        ("scale=1", "scale=2"),
        ("seed=3", "seed=5"),
    )
    assert [c.name for c in found] == list(map(", ".join, wanted))
    assert [c.label for c in found] == [c.name.rpartition(", seed")[0] for c in found]
    assert len({(c.label, c.seed) for c in found}) == 64


def test_common_draws(load_grid):
    found = load_grid('"estimator.steps" = [1, 4]\ncommon_draws = true').conditions
    assert [c.name for c in found] == ["estimator.steps=1", "estimator.steps=4"]
    assert [c.label for c in found] == ["", ""]


def test_conditions_do_not_depend_on_how_the_grid_is_written(load_grid):
    one = load_grid('"family.threshold" = [1.0, 2.0]\n"estimator.steps" = [1, 4]')
    other = load_grid("estimator.steps = [1, 4]\n[grid.family]\nthreshold = [1.0, 2.0]")
    assert describe(one) == describe(other)
    assert [c.name for c in one.conditions] == [c.name for c in other.conditions]


def test_long_values_are_numbered(load_grid):
    matrices = [[[1.0, r], [r, 1.0]] for r in (0.123456789012345, 0.2)]
    found = load_grid(f"covariates.covariance = {matrices}").conditions
    assert [c.name for c in found] == ["covariates.covariance=#1", "covariates.covariance=#2"]
    assert [c.covariance.tolist() for c in found] == matrices


def test_tables_that_the_file_does_not_have(load_grid):
    study = STUDY.split("[estimator]")[0]
    grid = '"estimator.name" = ["newton", "lbfgs"]\n"covariates.design" = ["random", "fixed"]'
    found = load_grid(grid, study).conditions
    assert [(c.design, c.estimator) for c in found] == [
        ("random", mcjax.Newton()),
        ("random", mcjax.LBFGS()),
        ("fixed", mcjax.Newton()),
        ("fixed", mcjax.LBFGS()),
    ]


def test_what_the_file_lacks_may_come_from_the_grid(load_grid):
    study = STUDY.replace('initial = { a = 60, "b.1" = 80 }', "").replace("theta =", "sigma = 1\n#")
    found = load_grid('"network.initial" = [50, 60]\n"family.theta" = [[1.0]]', study).conditions
    assert [c.network.initial for c in found] == [(50, 50), (60, 60)]


def test_whole_tables(load_grid):
    grid = 'estimator = [{ name = "newton" }, { name = "sgd", steps = 1, learning_rate = 0.5 }]'
    newton, sgd = load_grid(grid).conditions
    assert newton.estimator == mcjax.Newton()
    assert (sgd.estimator.steps, sgd.estimator.name) == (1, "sgd(learning_rate=0.5)")
    assert [newton.name, sgd.name] == ["estimator=#1", "estimator=#2"]


def test_each_combination_has_its_own_ladder(load_grid):
    grid = 'scale = [1, 2, 4]\n"family.threshold" = [1.0, 2.0]\nseed = [0, 1]'
    found = load_grid(grid).conditions
    ladders = {}
    for c in found:
        ladders.setdefault(c.ladder, []).append((c.model.params["threshold"], c.seed, c.scale))
    assert ladders == {
        f"family.threshold={threshold}, seed={seed}": [(threshold, seed, k) for k in (1, 2, 4)]
        for threshold, seed in itertools.product((1.0, 2.0), (0, 1))
    }


def test_fields_of_listed_families(load_grid):
    """A dotted field is that of every entry, whatever the [family] table says."""
    study = STUDY.split("[estimator]")[0]
    grid = """
family = ["huber", "linear", { name = "huber", threshold = 9.0 }]
"family.sigma" = [1.0, 2.0]
"family.theta" = [[0.5, 0.5], [1.0, 0.0]]
"""
    found = load_grid(grid, study).conditions
    wanted = itertools.product(
        ("family=huber", "family=linear", "family=huber, threshold=9.0"),
        ("family.sigma=1.0", "family.sigma=2.0"),
        ("family.theta=[0.5, 0.5]", "family.theta=[1.0, 0.0]"),
    )
    assert [c.name for c in found] == list(map(", ".join, wanted))
    assert [c.model.params["sigma"] for c in found] == [1.0, 1.0, 2.0, 2.0] * 3
    assert [c.model.params.get("threshold") for c in found] == [1.5] * 4 + [None] * 4 + [9.0] * 4
    assert [c.theta.tolist() for c in found] == [[0.5, 0.5], [1.0, 0.0]] * 6


def test_fields_together_with_networks_in_files(load_grid, tmp_path):
    for name, samples in (("few", 20), ("many", 90)):
        (tmp_path / f"{name}.toml").write_text(
            f'[network]\ntopology = "ring"\nmodels = 2\ninitial = 50\nsamples = {samples}\n'
        )
    found = load_grid('network = ["few.toml", "many.toml"]\n"estimator.steps" = [1, 2]', LONE)
    assert [(c.name, c.network.feeds[0].samples, c.estimator.steps) for c in found.conditions] == [
        ("network=few, estimator.steps=1", 20, 1),
        ("network=few, estimator.steps=2", 20, 2),
        ("network=many, estimator.steps=1", 90, 1),
        ("network=many, estimator.steps=2", 90, 2),
    ]


def test_only_a_study_has_the_grid(load_grid, tmp_path):
    """A file's own network is the one without the grid's values."""
    load_grid('"network.feeds.1.samples" = [100, 200]')
    assert read_network(tmp_path / "study.toml").feeds[1].samples == 40


def test_the_pool_of_entities(load_grid):
    found = load_grid('"data_mediated.public" = [60, 80]', POOL + LONE.split("[estimator]")[0])
    shares = [{f.samples for f in c.network.feeds} for c in found.conditions]
    assert shares[0] != shares[1]


def test_equal_tables_are_made_once(load_grid, tmp_path):
    """Conditions that differ in another field share estimators and a user's functions."""
    (tmp_path / "mine.py").write_text(
        "def loss(theta, x, y, scale): return scale * (y - x @ theta) ** 2\n"
        "def sample(key, theta, x, scale): return x @ theta\n"
    )
    study = STUDY.split("[family]")[0] + '[family]\nfile = "mine.py"\ntheta = [0.5, -0.5]\n' + SGD
    grid = '"family.scale" = [1.0, 2.0, 3.0]\n"estimator.steps" = [1, 2]'
    found = load_grid(grid, study).conditions
    assert len({c.model.loss for c in found}) == 1
    assert len({c.estimator for c in found}) == 2


def test_work_grows_linearly_with_combinations(load_grid):
    """Counted in calls of functions, which depend on no other load of the machine."""

    def calls(combinations):
        sizes, degrees = list(range(50, 50 + combinations // 20)), [3 + k / 2 for k in range(20)]
        profile = cProfile.Profile()
        fields = f'"network.feeds.1.samples" = {sizes}\n"family.noise.df" = {degrees}'
        study = profile.runcall(load_grid, fields)
        assert len(study.conditions) == combinations
        return pstats.Stats(profile).total_calls

    calls(20)  # what is done once
    assert calls(1000) < 6 * calls(200)
