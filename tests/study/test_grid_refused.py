"""What ``[grid]`` cannot vary is refused with file, field and remedy."""

import pytest
from grid_study import LONE, POOL, STUDY

from mcjax.errors import InputError
from mcjax.study.load import load_survey

REFUSED = {
    "no list": ('"estimator.steps" = 4', "grid.estimator.steps", "is 4; give a list"),
    "a table of values": ("estimator = { steps = 4 }", "grid.estimator.steps", "give a list"),
    "no value": ('"estimator.steps" = []', "grid.estimator.steps", "is empty; give a list"),
    "nothing named": ("[grid.estimator]", "grid.estimator", "is empty; give a list"),
    "no network": ("network = {}", "grid.network", "is empty; give a list"),
    "value twice": (
        '"family.theta" = [[1.0, 2.0], [3.0, 4.0], [1, 2]]',
        "grid.family.theta",
        "gives the value [1, 2] twice; drop one",
    ),
    "field twice": (
        '"estimator.steps" = [1, 2]\nestimator.steps = [3]',
        "grid.estimator.steps",
        "is given twice; keep one",
    ),
    "part of another": (
        '"family.theta" = [[1.0, 2.0]]\n"family.theta.0" = [3.0]',
        "grid.family.theta.0",
        "is part of grid.family.theta; keep one",
    ),
    "wrong value": (
        '"family.sigma" = [1.0]\n"estimator.steps" = [1, 0]',
        "estimator.steps",
        "is 0; give a whole number from 1 to 2**31 - 1 (in the condition"
        " 'estimator.steps=0, family.sigma=1.0' of [grid])",
    ),
    "wrong type": (
        '"network.feeds.1.samples" = [30, "x"]',
        "network.feeds[1].samples",
        "is a text",
    ),
    "too small": (
        '"network.feeds.1.samples" = [0]',
        "network.feeds[1].samples",
        "give a whole number >= 1",
    ),
    "wrong only together": (
        '"family.theta" = [[1.0], [1.0, 2.0]]\n"covariates.covariance" = [[[1.0]]]',
        "covariates.covariance",
        "(in the condition 'covariates.covariance=[[1.0]], family.theta=[1.0, 2.0]' of [grid])",
    ),
    "scaled": ('scale = [0.001]\n"family.sigma" = [1.0]', "grid.scale", "'family.sigma=1.0'"),
    "unknown table": ('"estmator.steps" = [1]', "estmator", "did you mean 'estimator'?"),
    "unknown table, as a table": ("estmator.steps = [1]", "estmator", "mean 'estimator'?"),
    "unknown field": ('"network.memry" = ["replace"]', "network.memry", "mean 'memory'?"),
    "unknown field of a feed": ('"network.feeds.1.x" = [1]', "network.feeds[1].x", "known are"),
    "unknown parameter": ('"family.treshold" = [1]', "family.treshold", "mean 'threshold'?"),
    "unknown setting": ('"estimator.stps" = [1]', "estimator.stps", "mean 'steps'?"),
    "unknown without a dot": ("scales = [1]", "grid.scales", "mean 'scale'?"),
    "index too large": (
        '"network.feeds.2.samples" = [1]',
        "grid.network.feeds.2.samples",
        "asks for item '2' of network.feeds, which has 2; give a number from 0 to 1",
    ),
    "index below 0": ('"network.feeds.-1.samples" = [1]', "grid.network.feeds.-1.samples", "0 to"),
    "no index": ('"network.feeds.samples" = [1]', "grid.network.feeds.samples", "item 'samples'"),
    "two spellings of an index": ('"network.feeds.01.to" = ["a"]', "grid.network.feeds.01.to", ""),
    "no such list": (
        '"network.first.0.samples" = [1]',
        "grid.network.first.0.samples",
        "which has 0; leave it out",
    ),
    "part of a number": (
        '"network.feeds.0.samples.x" = [1]',
        "grid.network.feeds.0.samples.x",
        "has no place, because network.feeds.0.samples is 30",
    ),
    "part of a name": ('"family.name.x" = [1]', "grid.family.name.x", "family.name is huber"),
    "run": ('"run.chains" = [64, 128]', "grid.run.chains", "cannot vary"),
    "run, as a table": ("run.chains = [64, 128]", "grid.run.chains", "make a study for each"),
    "run.seed": ('"run.seed" = [1, 2]', "grid.run.seed", "use `seed` of [grid]"),
    "grid": ('"grid.scale" = [[1, 2]]', "grid.grid.scale", "leave it out"),
    "survey": ('"survey.models" = [2, 3]', "grid.survey.models", "leave it out"),
    "scale with a part": ('"scale.x" = [1]', "scale", "is not a field of a study file"),
    "name of listed families": (
        'family = ["linear"]\n"family.name" = ["huber"]',
        "grid.family.name",
        "exclude each other",
    ),
    "parameter of a listed family": (
        'family = ["linear"]\n"family.threshold" = [1.0]',
        "family.threshold",
        "is not a parameter of 'linear'",
    ),
    "field that an entry gives": (
        'family = ["huber", { name = "huber", theta = [1.0, 1.0] }]\n"family.theta.1" = [2.0]',
        "grid.family.theta.1",
        "and 'family=huber, theta=[1.0, 1.0]' in grid.family exclude each other; keep one",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case, load_grid, tmp_path):
    grid, field, says = REFUSED[case]
    with pytest.raises(InputError) as caught:
        load_grid(grid)
    assert (caught.value.file, caught.value.field) == (str(tmp_path / "study.toml"), field)
    assert says in caught.value.message
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("grid", "study", "field", "says"),
    [
        ('"network.growth" = [0.0, 1.0]', LONE, "grid.network.growth", "needs a [network] table"),
        (
            '"network.growth" = [0.0, 1.0]',
            POOL + LONE,
            "grid.network.growth",
            "needs a [network] table; add one",
        ),
        (
            'network = ["x.toml"]\n"network.growth" = [0.0]',
            LONE,
            "grid.network.growth",
            "and the files of grid.network exclude each other",
        ),
        ('"data_mediated.public" = [9]', STUDY, "grid.data_mediated.public", "[data_mediated]"),
        ('"family.theta" = [[1.0]]', STUDY.split("[family]")[0], "family.name", "not one of"),
        ('"run.chains" = [9]', "[survey]\nmodels = 2", "grid.run.chains", "cannot vary"),
        (
            '"estimator.name" = ["newton", "lbfgs"]',
            STUDY.split("[estimator]")[0] + '[run]\nsolver = "newton"',
            "run.solver",
            "exclude each other",
        ),
    ],
)
def test_refused_in_other_files(grid, study, field, says, load_grid):
    with pytest.raises(InputError) as caught:
        load_grid(grid, study)
    assert caught.value.field == field
    assert says in caught.value.message


def test_a_survey_has_no_grid_of_fields(tmp_path):
    path = tmp_path / "survey.toml"
    path.write_text('[survey]\nmodels = 2\n[grid]\n"estimator.steps" = [1, 2]\n')
    with pytest.raises(InputError, match=r"grid: and \[survey\] exclude each other"):
        load_survey(path)
