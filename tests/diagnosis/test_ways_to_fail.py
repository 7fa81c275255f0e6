"""How models fail: a diagnosis of generated files agrees with the laws' own long run."""

import collections
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from diagnosed import diagnose_file
from generated import cases

import mcjax
from mcjax.diagnosis import diagnose
from mcjax.laws.collapse.anchors import BackwardWalk
from mcjax.network import Source, build_network
from mcjax.study.study import condition

GENERATIONS = 120
SLOW = 0.93
"""Radius from which centres still move after these generations."""


def compare(case, seen):
    """Diagnosis against growth and late centres of the law."""
    growth, limit, half = case.law.growth, case.law.limit, GENERATIONS // 2
    radii = [v.radius for v in case.found.models.values() if v.radius is not None]
    moving = any(SLOW < radius < 1 - 1e-9 for radius in radii)
    for i, (name, verdict) in enumerate(case.found.models.items()):
        where = f"{name} of {case.text}"
        if not np.isnan(growth[i]) or not np.isnan(limit[i]):  # the law knows the long run
            assert verdict.collapses == (not np.isnan(growth[i])), where
            assert verdict.explodes == np.isinf(growth[i]), where
            seen["known"] += 1
        if case.law.mean is None:
            assert not verdict.forgets, where
        elif not moving and len(case.law.mean) > GENERATIONS:
            away = np.abs(case.law.centre_errors[:, i]).max(-1)
            late, before = away[-6:].max(), away[half - 6 : half].max()
            assert verdict.forgets == (late > 1e-9 and late > 0.5 * before), where
        assert verdict.forgets <= bool(verdict.anchors), where
        if verdict.radius is not None:
            assert np.isfinite(verdict.radius), where
            assert verdict.explodes >= (verdict.radius > 1 + 1e-9), where
        seen["models"] += 1
        seen["moving"] += moving
        for kind in ("noise", "forgets", "explodes"):
            seen[kind] += getattr(verdict, kind)


def run(folder, count, seed):
    seen = collections.Counter()
    for case in cases(folder, count, seed, GENERATIONS):
        compare(case, seen)
    assert seen["models"] > 2 * count
    assert seen["known"] > 0.95 * seen["models"]
    assert seen["moving"] < 0.1 * seen["models"]
    assert seen["noise"] > count / 6
    assert seen["forgets"] > count / 6
    assert seen["explodes"] > count / 30


@pytest.mark.system
def test_generated_files(tmp_path):
    run(tmp_path, 30, 3)


@pytest.mark.slow
def test_three_hundred_generated_files(tmp_path):
    run(tmp_path, 300, 0)


def with_far(feeds, models=1, first=(), **sources):
    own = [Source(name, 100, **fields) for name, fields in sources.items()]
    fed = {reader for _, reader, _ in first}
    names = [str(i) for i in range(models)]
    initial = {name: 400 for name in names if name not in fed}
    return build_network(models, feeds, initial, first=first, sources=own)


def shares(net, table):
    """Shares of models, then of `real` and `u`, in each fit; (M, M + 2)."""
    rows = np.zeros((net.size, net.size + 2))
    for i, feeds in enumerate(table):
        for feed in feeds:
            rows[i, [*net.models, "real", "u"].index(feed.origin)] = feed.samples
        if not feeds:
            rows[i, i] = 1
    return rows / rows.sum(1, keepdims=True)


def steps(net):
    return np.split(shares(net, net.feeds_by_reader), [net.size], axis=1)


def test_weights_by_following_the_walk():
    """Also where cyclic classes begin with different sources and take turns."""
    rng, turns = np.random.default_rng(0), collections.Counter()
    for _ in range(300):
        names = [str(i) for i in range(int(rng.integers(1, 6)))]
        feeds, first = (
            [
                (j, i, int(rng.integers(20, 90)))
                for i in names
                for j in (*own, "u", "real")
                if rng.random() < (0.35 if j in names else chance)
            ]
            for own, chance in ((names, 0.08), ((), 0.4))
        )
        net = with_far(feeds, len(names), first, u={"theta": (1.0,)})
        weights = BackwardWalk(net).weights()
        now, walk, ends = shares(net, net.first_by_reader)[:, net.size :], *steps(net)
        rounds = 3000 // len(weights) * len(weights)
        for t in range(rounds + len(weights)):
            if t >= rounds:
                np.testing.assert_allclose(now, weights[t - rounds], atol=1e-9, err_msg=str(net))
            now = walk @ now + ends
        turns[len(weights)] += 1
    assert turns[2] + turns[3] > 3


FAR = [("real", "0", 100), ("u", "0", 100), ("v", "0", 100), ("0", "1", 50), ("real", "1", 150)]


@pytest.mark.parametrize("make", [mcjax.linear, mcjax.logistic, mcjax.poisson])
def test_anchors_and_their_weights(make):
    net = with_far([*FAR, ("1", "1", 100)], 2, u={"theta": (1.0,)}, v={"theta": (0.4,)})
    found = diagnose(condition(net, make(), [0.4])).models
    assert [verdict.forgets for verdict in found.values()] == [True, True]
    assert [verdict.collapses for verdict in found.values()] == [False, False]
    assert found["0"].anchors == (("u", "source", pytest.approx(1 / 3)),)
    # a sixth of model 0, over the 2/3 that are not its own
    assert found["1"].anchors == (("u", "source", pytest.approx(1 / 6 / 3 * 3 / 2)),)
    assert found["0"].radius is None
    assert found["1"].radius == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("make", "truth", "others", "cancels"),
    [
        (mcjax.linear, 0.4, (1.4, -0.6), True),
        (mcjax.linear, 0.4, (1.4, -0.7), False),
        (mcjax.logistic, 0.0, (1.0, -1.0), True),  # by symmetry
        (mcjax.logistic, 0.4, (1.4, -0.6), False),
        (mcjax.huber, 0.0, (1.0, -1.0), True),
        (mcjax.huber, 0.0, (1.0, -0.9), False),
    ],
)
def test_false_anchors_may_cancel(make, truth, others, cancels):
    net = with_far(FAR, 2, **{n: {"theta": (v,)} for n, v in zip("uv", others, strict=True)})
    found = diagnose(condition(net, make(), [truth])).models["1"]
    assert found.forgets is not cancels
    assert [anchor.name for anchor in found.anchors] == ["u", "v"]


def test_a_shift_is_not_forgetting():
    """It vanishes as samples grow."""
    net = with_far(FAR, 2, u={"shift": (3.0,)}, v={})
    for found in (diagnose(net), diagnose(condition(net, mcjax.huber(), [0.4]))):
        assert not any(v.forgets or v.anchors for v in found.models.values())


def test_generation_0_of_frozen_models_and_closed_loops_is_remembered():
    """Other models forget where they began."""
    feeds = [
        ("1", "1", 100),
        ("2", "2", 100),
        ("real", "2", 100),
        ("0", "3", 50),
        ("real", "3", 50),
    ]
    first = [(origin, name, 100) for name in "012" for origin in ("real", "u")]
    net = with_far(feeds, 4, first, u={"theta": (1.0,)})
    found = diagnose(net).models
    assert [verdict.forgets for verdict in found.values()] == [True, True, False, True]
    weights = [v.anchors[0].weight if v.anchors else 0 for v in found.values()]
    assert weights == pytest.approx([1 / 2, 1 / 2, 0, 1 / 4])


def test_where_data_accumulate():
    """Noise fades and false anchors stay; what members of a loop keep of their own is not known."""
    feeds = [("0", "0", 100), ("u", "0", 100), ("1", "2", 100), ("2", "1", 300), ("3", "3", 100)]
    first = [("real", "1", 100), ("u", "2", 100), ("real", "3", 100), ("u", "3", 300)]
    net = replace(with_far(feeds, 4, first, u={"theta": (1.0,)}), memory="accumulate")
    for found in (diagnose(net), diagnose(condition(net, mcjax.logistic(), [0.4]))):
        assert not found.collapses
        assert all(verdict.forgets for verdict in found.models.values())
        assert found.models["1"].anchors == (("u", "source", None),)
        assert found.models["0"].radius == pytest.approx(1 / 2)
    alike = replace(net, first=tuple(feed for feed in net.first if feed.reader != "2"))
    alike = replace(alike, initial=(400, 100, 400, 400))
    weights = [v.anchors[0].weight if v.anchors else 0 for v in diagnose(alike).models.values()]
    assert weights == pytest.approx([1, 0, 0, 3 / 4])


def test_a_penalty_forgets_the_truth_and_holds_the_noise():
    net = with_far([("0", "0", 200), ("0", "1", 100), ("real", "1", 100)], 2)
    plain = diagnose(condition(net, mcjax.logistic(), [1.0]))
    assert [(v.noise, v.forgets) for v in plain.models.values()] == [(True, False)] * 2
    ridge = mcjax.penalised(mcjax.logistic(), ridge=0.05)
    found = diagnose(condition(net, ridge, [1.0]))
    assert [(v.noise, v.forgets) for v in found.models.values()] == [(False, True)] * 2
    assert not found.collapses
    assert found.unstable_sources == found.flips == found.repairs == ()
    assert found.models["0"].anchors == (("penalty", "penalty", None),)
    # J (J + ridge)^-1 at the limit 0, where J = 1/4
    assert found.models["0"].radius == pytest.approx(0.25 / 0.3, abs=1e-6)
    at_zero = diagnose(condition(net, ridge, [0.0]))
    assert not any(v.forgets for v in at_zero.models.values())


KEEP = """
[network]
models = ["a", "b"]
initial = 1000
feeds = [
    {{ from = "a", to = "a", samples = {own}, keep = {{ {keep} }} }},
    {{ from = "real", to = "a", samples = {real} }},
    {{ from = "a", to = "b", samples = 1000 }},
]
[family]
name = "{name}"
theta = {theta}
"""
CLASSES = [0.35, 0.25, 0.15, 0.12, 0.08, 0.05]


@pytest.mark.parametrize(
    ("name", "theta", "keep", "real", "kinds", "radius"),
    [
        ("linear", [0.0], "temperature = 0.8", 0, "N", 1),
        ("linear", [0.0], "temperature = 0.8", 300, "", 0.7),
        ("linear", [0.0], "verifier = [1.0], within = 1.0", 0, "F", 0.29112),
        ("logistic", [1.0], "flip = 0.1", 0, "F", 0.8),
        ("logistic", [1.0], "flip = 0.1", 300, "F", 0.56),
        ("logistic", [1.0], "temperature = 1.25", 0, "F", 0.8),
        ("logistic", [1.0], "temperature = 0.8", 0, "FE", 1.25),
        ("logistic", [1.0], "temperature = 0.8", 500, "F", 0.47523),
        ("logistic", [1.0], "checker = [0.5]", 0, "NFE", 1),
        ("logistic", [1.0], "checker = [0.5]", 300, "F", None),
        ("gaussian", [0.0, 1.0], 'best_of = 2, reward = "label"', 0, "F", 1),  # noise dies out
        ("gaussian", [0.0, 1.0], 'best_of = 2, reward = "label"', 350, "FE", None),
        ("gaussian", [0.0, 1.0], 'best_of = 2, reward = "label"', 370, "F", None),
        ("categorical", CLASSES, "top_p = 0.8", 0, "NF", 1),
        ("categorical", CLASSES, "top_p = 0.8", 300, "F", None),
    ],
)
def test_what_readers_keep(tmp_path, name, theta, keep, real, kinds, radius):
    """Alone and with real data; limits by hand or from closed forms."""
    path = tmp_path / "keep.toml"
    text = KEEP.format(name=name, theta=theta, keep=keep, own=1000 - real, real=real)
    path.write_text(text if real else re.sub('.*from = "real".*', "", text))
    found = diagnose_file(path)
    assert not found.inapplicable
    for verdict in found.models.values():
        assert verdict.noise == ("N" in kinds)
        assert verdict.forgets == ("F" in kinds)
        assert verdict.explodes == ("E" in kinds)
        assert verdict.anchors == (("a -> a", keep.split(" ")[0], None),)
    if radius is not None:
        assert found.models["a"].radius == pytest.approx(radius, abs=1e-5)
    assert [origin.members for origin in found.unstable_sources] == [("a",)] * ("N" in kinds)
    assert [explosion.members for explosion in found.explosions] == [("a",)] * ("E" in kinds)


def selected(feeds, size):
    """A network of feeds (origin, reader, selection or None)."""
    return mcjax.build_network(
        size, [mcjax.Feed(origin, reader, 100, keep=keep) for origin, reader, keep in feeds], 100
    )


def test_noise_is_not_known_without_a_law_of_what_is_kept():
    """Neither without a model, nor where its selection has no law."""
    flip, verifier = mcjax.Flip(0.1), mcjax.Verifier((1.0,), 1.0)
    huber, logistic = mcjax.huber(threshold=1.0), mcjax.logistic()
    unknown = [
        selected([("0", "0", flip)], 1),
        condition(selected([("0", "0", verifier)], 1), huber, [0.0]),
        condition(selected([("0", "0", mcjax.BestOf(2))], 1), logistic, [1.0]),
        condition(
            selected([("0", "0", mcjax.BestOf(2))], 1), mcjax.penalised(logistic, ridge=0.1), [1.0]
        ),
    ]
    for net in unknown:
        found = diagnose(net)
        assert found.collapses is None
        assert found.unstable_sources == found.repairs == ()
        plain = found.to_json()
        own = plain["models"]["0"]
        assert [own[key] for key in ("collapses", "noise", "growth", "limit")] == [None] * 4
        assert plain["collapses"] is None
        assert plain["inapplicable"]
    assert diagnose(condition(unknown[0], logistic, [1.0])).collapses is False


def test_what_stays_known_beside_selections_without_a_law():
    """Raw output carries noise that accumulates elsewhere, and models in no cycle have none."""
    flip = mcjax.Flip(0.5)
    feeds = [
        ("0", "0", None),
        ("1", "1", flip),
        ("real", "1", None),
        ("0", "2", None),
        ("1", "2", None),
        ("0", "3", flip),  # these labels say nothing about model 0
        ("real", "4", flip),
        ("4", "5", None),
        ("5", "5", None),
        ("1", "6", None),
    ]
    found = diagnose(selected(feeds, 7))
    noise = [verdict.noise for verdict in found.models.values()]
    assert noise == [True, None, True, None, False, False, None]
    assert [verdict.collapses for verdict in found.models.values()] == noise
    assert found.collapses is True
    assert found.repairs == (("real", "0"),)
    alone = [("0", "0", None), ("real", "0", None), ("1", "1", flip)]
    assert diagnose(selected(alone, 2)).collapses is None


def test_what_is_not_known_is_said(tmp_path):
    """Without a model, covariates of a source tell nothing about radii."""
    loop = [("0", "0", 100), ("u", "0", 100)]
    net = with_far(loop, u={"covariance": ((1.0, 0.5), (0.5, 1.0))})
    found = diagnose(net)
    assert "[family]" in found.inapplicable
    assert found.to_json()["models"]["0"]["radius"] is None
    assert not found.models["0"].explodes
    known = diagnose(net, 2, covariance=np.eye(2))
    assert known.inapplicable == ""
    # of A = (I + S)^-1, S with eigenvalues 1/2 and 3/2
    assert known.models["0"].radius == pytest.approx(2 / 3)
    alike = with_far(loop, u={"covariance": ((3.0, 0.0), (0.0, 3.0))})
    assert diagnose(alike, 2, covariance=np.eye(2)).models["0"].radius == pytest.approx(1 / 4)


def test_a_file_without_family_needs_no_jax(tmp_path):
    path = tmp_path / "far.toml"
    path.write_text(
        '[network]\nmodels = ["a"]\ninitial = 100\n'
        'feeds = [{ from = "far", to = "a", samples = 50 }, { from = "a", to = "a", samples = 50 }]'
        '\n[[network.sources]]\nname = "far"\ntheta = [1.0]\n'
    )
    found = diagnose_file(path).models["a"]
    assert found.forgets
    assert found.anchors == (("far", "source", 1.0),)
    text = path.read_text()
    for family, forgets in (("theta = [1.0]", False), ("theta = [0.9]", True)):
        path.write_text(f'{text}[family]\nname = "linear"\n{family}\n')
        assert diagnose_file(path).models["a"].forgets is forgets
    code = (
        "import sys; from pathlib import Path; from mcjax.diagnosis import diagnose_pipeline\n"
        "from mcjax.study.pipeline import read_pipeline; path = Path(sys.argv[1])\n"
        "diagnose_pipeline(read_pipeline(path), path)\n"
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
