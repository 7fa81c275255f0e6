"""Several real sources: laws against brute force and simulation, and what a study file may say."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

from mcjax import api
from mcjax.diagnosis import diagnose
from mcjax.errors import InputError
from mcjax.laws.first_order.linear_system import covariances, means
from mcjax.laws.first_order.score_equations import assemble, linear_system
from mcjax.laws.least_squares.fixed_design import design_batches
from mcjax.laws.predict import predict_condition
from mcjax.models.glm import logistic
from mcjax.models.information import UNIT
from mcjax.models.location import linear
from mcjax.network import Source, build_network
from mcjax.study.ladder import ladder
from mcjax.study.load import load_study
from mcjax.study.networks import read_network
from mcjax.study.study import Study, condition

pytestmark = pytest.mark.statistical

ALPHA = 1e-6
COVARIANCE = np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.4], [0.0, -0.4, 1.5]])
FLAT = np.diag([1.0, 1.0, 0.0])
FEEDS = [
    ("0", "0", 8),
    ("1", "0", 6),
    ("real", "0", 9),
    ("biased", "0", None),
    ("0", "1", 8),
    ("web", "1", None),
]
BOTH = [*FEEDS, ("web", "0", None)]


def sources(**own):
    biased = Source("biased", samples=8, theta=(1.5, 1.0, 0.5), **own)
    return [biased, Source("web", samples=10, noise=2.0, public=True)]


FIRST = [("real", "0", 9), ("web", "0", None, 0.5), ("web", "1", None)]
NETWORKS = {
    "own truth": build_network(2, FEEDS, 12, sources=sources()),
    "public, flat": build_network(2, BOTH, 12, sources=sources(covariance=FLAT)),
    "reused": build_network(2, BOTH, real="reused", sources=sources(covariance=FLAT), first=FIRST),
    "one reused": build_network(2, BOTH, 12, sources=sources(real="reused")),
    "generation 0": build_network(
        2, FEEDS, {"1": 9}, sources=sources(), first=[("real", "0", 9), ("biased", "0", 4)]
    ),
}


def conditions(design):
    return tuple(
        condition(net, linear(sigma=0.7), np.ones(3), COVARIANCE, label=name, design=design)
        for name, net in NETWORKS.items()
    )


@cache
def simulated(design):
    study = Study(conditions(design), generations=3, chains=8192)
    return study, [tally.outcome for tally in api.simulate(study)]


def score(one, outcome, name):
    """Largest distance of a mean or second moment from a law's, in standard errors."""
    law = predict_condition(one, len(outcome.largest) - 1).laws[name]
    mean = np.zeros(outcome.moments.error.mean.shape) if law.mean is None else law.mean
    flat = mean.reshape(len(mean), -1)
    second = law.covariance + flat[:, :, None] * flat[:, None, :]
    error, product = outcome.moments.error, outcome.moments.product
    lower = np.tril_indices(flat.shape[1])
    off = [
        np.abs(error.mean - mean) / error.standard_error(),
        (np.abs(product.mean - second) / product.standard_error())[:, *lower],
    ]
    return max(part.max() for part in off)


def bound(design):
    cells = sum(o.moments.product.mean.size for o in simulated(design)[1])
    return norm.isf(ALPHA / 2 / cells)


@pytest.mark.parametrize("name", NETWORKS)
def test_fixed_designs_are_exact(name):
    place = list(NETWORKS).index(name)
    study, outcomes = simulated("fixed")
    assert score(study.conditions[place], outcomes[place], "fixed_design") < bound("fixed")


@pytest.mark.parametrize("name", ["own truth", "generation 0"])
def test_random_designs_are_exact(name):
    place = list(NETWORKS).index(name)
    study, outcomes = simulated("random")
    assert score(study.conditions[place], outcomes[place], "finite_sample") < bound("random")


@pytest.mark.parametrize("name", ["public, flat", "reused", "one reused"])
def test_other_random_designs_are_averaged_over(name):
    """The law's own error is part of the distance; means and MSEs of every generation."""
    place = list(NETWORKS).index(name)
    study, outcomes = simulated("random")
    law = predict_condition(study.conditions[place], 3).laws["finite_sample_monte_carlo"]
    moments = outcomes[place].moments
    error = np.hypot(moments.squared.standard_error(), law.standard_error)
    assert (np.abs(moments.squared.mean - law.mse) / error).max() < bound("random")
    most = np.sqrt(law.mse / 4096)[..., None]  # of the law's own mean over as many paths
    off = np.abs(moments.error.mean - law.mean)
    assert (off / np.hypot(moments.error.standard_error(), most)).max() < bound("random")
    fixed = predict_condition(conditions("fixed")[place], 3).laws["fixed_design"]
    assert (np.abs(moments.squared.mean - fixed.mse) / error).max() > 2 * bound("random")


def changed(net, **own):
    biased, web = net.sources
    return replace(net, sources=(replace(biased, **own), web))


PLANTED = {
    "the truth of all": lambda net: changed(net, theta=None),
    "half as far": lambda net: changed(net, theta=(1.25, 1.0, 0.75)),
    "no noise of its own": lambda net: replace(
        net, sources=(net.sources[0], replace(net.sources[1], noise=None))
    ),
}


@pytest.mark.parametrize("design", ["fixed", "random"])
@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_error_is_refuted(error, design):
    study, outcomes = simulated(design)
    wrong = replace(study.conditions[0], network=PLANTED[error](study.conditions[0].network))
    law = "fixed_design" if design == "fixed" else "finite_sample"
    assert score(wrong, outcomes[0], law) > 2 * bound(design)


def test_public_is_not_private_and_reused_is_not_fresh():
    study, outcomes = simulated("fixed")
    public, reused = study.conditions[1], study.conditions[2]
    private = replace(public.network.sources[1], public=False)
    own = replace(public.network, sources=(public.network.sources[0], private))
    fresh = replace(reused.network, real="fresh")
    assert score(replace(public, network=own), outcomes[1], "fixed_design") > 2 * bound("fixed")
    assert score(replace(reused, network=fresh), outcomes[2], "fixed_design") > 2 * bound("fixed")


@pytest.mark.parametrize("design", ["fixed", "random"])
def test_limits_are_where_moments_go(design):
    names = {"fixed": "fixed_design", "random": "finite_sample"}
    for one in conditions(design)[:: 4 if design == "random" else 1]:
        law = predict_condition(one, 200).laws[names[design]]
        np.testing.assert_allclose(law.limit, law.mse[-1], rtol=1e-8)


@pytest.mark.parametrize(("draws", "real"), [("private", "fresh"), ("shared", "reused")])
def test_a_source_like_the_real_one_changes_nothing(draws, real):
    """The law batch by batch is that of one real source."""
    feeds = [("a", "a", 30, 2.0), ("a", "b", 30), ("b", "a", 10), ("real", "b", 20), ("c", "a", 9)]
    plain = build_network(tuple("abc"), feeds, {"a": 5, "b": 20, "c": 7}, draws=draws, real=real)
    other = replace(plain, sources=(Source("unread"),))
    one, two = linear_system(plain, UNIT), linear_system(other, UNIT)
    np.testing.assert_allclose(covariances(one, 9), covariances(two, 9), rtol=1e-12)
    assert not means(two, 9).any()
    assert diagnose(plain).to_json()["models"].keys() == diagnose(other).to_json()["models"].keys()
    for name, verdict in diagnose(plain).models.items():
        assert diagnose(other).models[name].limit == pytest.approx(verdict.limit, rel=1e-9)


def test_any_real_source_ends_a_collapse():
    feeds = [("0", "0", 10), ("web", "0", 10)]
    net = build_network(1, feeds, 10, sources=[Source("web", theta=(5.0, 0.0))])
    assert not diagnose(net).collapses
    assert diagnose(net.without_feed("web", "0")).collapses


def test_directions_that_real_data_leave_unseen_collapse():
    """Found by the linear system, first order and exact; the law of the graph counts no ranks."""
    feeds = [("0", "0", 20), ("web", "0", 10)]
    net = build_network(1, feeds, 20, sources=[Source("web", covariance=FLAT)])
    one = condition(net, linear(), np.ones(3), design="fixed")
    for law in predict_condition(one, 400).laws.values():
        slope = law.mse[-1, 0] - law.mse[-2, 0]
        assert law.growth[0] == pytest.approx(slope, rel=1e-6)


def test_the_floor_of_a_constant_share_of_biased_labels():
    """``w^2 ||delta||^2`` as n grows: Dohmatob et al. 2025. A ladder verifies it."""
    feeds = [("real", "0", 80), ("biased", "0", None)]
    biased = Source("biased", samples=20, theta=(2.0, 1.0))
    net = build_network(1, feeds, 100, sources=[biased])
    rungs = ladder(condition(net, linear(), [1.0, 1.0]), [1, 2, 4, 8])
    study = Study(rungs, generations=1, chains=8192, tolerance=0.1)
    large = condition(net.scaled(10**6), linear(), [1.0, 1.0])
    for law in predict_condition(large, 1).laws.values():
        assert law.mse[1, 0] == pytest.approx(0.04, rel=1e-5)
    result = api.verify(study)
    assert result.verdict == "verified"
    assert {ladder.law for ladder in result.ladders} == {"first_order"}


def test_bits_of_other_samples_stay(tmp_path):
    """A source more, and a feed from it to another model, leave a model's estimates alone (to the
    last bit on one path; a second source is not for the fast one)."""
    net = build_network(2, [("0", "0", 10), ("real", "0", 10)], 12)
    more = build_network(
        2, [*net.feeds, ("web", "1", 5), ("1", "1", 5)], 12, sources=[Source("web")]
    )
    found = [
        api.replay(
            Study((condition(n, logistic(), [0.5]),), generations=3, chains=2, path="reference"),
            "",
            1,
        )
        for n in (net, more)
    ]
    np.testing.assert_array_equal(found[0].theta[:, 0], found[1].theta[:, 0])
    assert (found[0].theta[:, 1] != found[1].theta[:, 1]).any()


# ---------------------------------------------------------------------------------- the study file

FILE = """
[network]
models = ["a", "b"]
initial = { b = 30 }

[[network.sources]]
name = "web"
samples = 20
theta = [1.0, 0.5]
covariance = [[1.0, 0.0], [0.0, 0.0]]
noise = 0.5
public = true
real = "reused"

[[network.first]]
from = "real"
to = "a"
samples = 25

[[network.first]]
from = "web"
to = "a"
weight = 0.5

[[network.feeds]]
from = "web"
to = "a"

[[network.feeds]]
from = "b"
to = "a"
samples = 20

[[network.feeds]]
from = "web"
to = "b"

[[network.feeds]]
from = "real"
to = "b"
samples = 30

[family]
name = "linear"
theta = [1.0, 1.0]
"""


def test_a_file_with_sources(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(FILE)
    expected = build_network(
        ["a", "b"],
        [("web", "a", 20), ("b", "a", 20), ("web", "b", 20), ("real", "b", 30)],
        {"b": 30},
        sources=[Source("web", 20, (1.0, 0.5), None, ((1, 0), (0, 0)), 0.5, True, "reused")],
        first=[("real", "a", 25), ("web", "a", 20, 0.5)],
    )
    assert read_network(path) == expected
    assert expected.initial == (45, 30)
    assert load_study(path).conditions[0].sources.offsets.tolist() == [[0, 0], [0, -0.5]]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[0.0, 0.0]]", "[0.5, 0.0]]", "(web).covariance: is not symmetric"),
        ("[0.0, 0.0]]", "[0.0, -1.0]]", "(web).covariance: is not positive semi-definite"),
        ("[0.0, 0.0]]", "[0.0]]", "(web).covariance: is not square"),
        ("theta = [1.0, 0.5]", "theta = [1.0]", "(web).theta: has 1 number; give 2"),
        ("theta = [1.0, 0.5]", "theta = [1.0, inf]", "(web).theta: must be finite"),
        ("noise = 0.5", "noise = 0.0", "(web).noise: is 0.0; give a positive number"),
        ("noise = 0.5", "shift = [1, 0]", "(web).shift: and theta exclude each other"),
        ('real = "reused"', 'real = "old"', "(web).real: is 'old'"),
        ('name = "web"', 'name = "a"', "network.sources: names 'a' twice"),
        ('name = "web"', 'name = "wbe"', "is the unknown model 'web' (did you mean 'wbe'?)"),
        ('to = "a"\nweight = 0.5', 'to = "a"\nweight = 0.0', "weight: is 0.0; give a positive"),
        ('to = "a"\nweight = 0.5', 'to = "a"\nsamples = 5', "is public, one sample of 5"),
        ('from = "real"\nto = "a"', 'from = "b"\nto = "a"', "generation 0 has real data alone"),
        (
            'from = "real"\nto = "b"\nsamples = 30',
            'from = "b"\nto = "b"',
            "samples: is missing; give a whole number",
        ),
        ('models = ["a", "b"]', 'models = ["a", "b"]\nmemory = "subsample"', "is 'subsample'"),
        (
            'models = ["a", "b"]',
            'models = ["a", "b"]\nmemory = "accumulate"',
            "(web).real: is 'reused', which is for memory = 'replace'",
        ),
        ('models = ["a", "b"]', 'models = ["a", "b"]\ngrowth = 1.5', "growth: is for one real"),
        (
            'name = "linear"',
            'name = "logistic"',
            "(web).noise: has no meaning in the family 'logistic'",
        ),
    ],
)
def test_malformed_sources(tmp_path, old, new, sentence):
    path = tmp_path / "study.toml"
    assert old in FILE
    path.write_text(FILE.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert sentence in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_covariances_with_a_singular_sum():
    feeds = [("web", "0", 20)]
    net = build_network(1, feeds, 20, sources=[Source("web", covariance=FLAT)])
    with pytest.raises(
        InputError, match="'0' in generation 1 covariates that do not determine every"
    ):
        condition(net, linear(), np.ones(3))


def brute_force(one):
    """Means and covariances by unrolling every draw: dense maps of all noise there is."""
    system = assemble(one.network, design_batches(one), one.sources.offsets)
    size = len(system.transition)
    state = np.eye(*system.reuse.shape)
    mean, found = system.start, []
    spread = [system.initial]
    for _ in range(4):
        maps = [
            state,
            *(np.linalg.matrix_power(system.transition, k) for k in range(len(spread) - 1)),
        ]
        found.append((mean, sum(m @ s @ m.T for m, s in zip(maps, spread, strict=True))))
        state = system.transition @ state + system.reuse
        mean = system.transition @ mean + system.push
        spread.append(system.noise)
    assert size == len(mean)
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_recursions_are_sums_over_all_draws(name):
    one = conditions("fixed")[list(NETWORKS).index(name)]
    law = predict_condition(one, 3).laws["fixed_design"]
    for t, (mean, covariance) in enumerate(brute_force(one)):
        np.testing.assert_allclose(law.mean[t].ravel(), mean, rtol=1e-12)
        np.testing.assert_allclose(law.covariance[t], covariance, rtol=1e-10, atol=1e-15)
