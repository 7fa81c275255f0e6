"""Networks that are drawn at random: the collapse law, against closed forms and powers."""

from itertools import combinations, product

import numpy as np
import optax
import pytest
from click.testing import CliRunner
from drawn_cases import compare, generation, powers, random_drawn, random_turns, recursion

import mcjax
from mcjax.cli.main import cli
from mcjax.diagnosis import diagnose
from mcjax.laws.first_order.drawn_system import drawn_system
from mcjax.models.information import UNIT
from mcjax.network import REAL, Drawn, Feed, Generation, Source, build_network, cycle

V = 0.01  # 1 / 100 rows
SOUND_ALONE = generation("ba rb"), generation("ra ab")


def limits(net, name="a"):
    """The limit of a model in the mean, then in each network, in units of V."""
    verdict = diagnose(net).models[name]
    return [verdict.limit / V, *(phase.limit / V for phase in verdict.phases)]


@pytest.mark.parametrize(("q", "expected"), [(0.5, [2, 1, 3]), (0.1, [38 / 3, 11 / 3, 41 / 3])])
def test_real_data_that_come_with_a_probability(q, expected):
    feeds = [Feed("a", "a", 100), Feed(REAL, "a", 100, probability=q)]
    assert limits(build_network("a", feeds, 100)) == pytest.approx(expected)
    assert expected[0] == pytest.approx((1 - q / 2) / (3 * q / 4))


@pytest.mark.parametrize(
    ("off", "on", "expected"),
    [(0.5, 0.5, [5 / 3, 11 / 3]), (0.1, 0.1, [5 / 3, 35 / 3]), (0.9, 0.9, [5 / 3, 25 / 9])],
)
def test_outages_hurt_by_their_length(off, on, expected):
    later = Drawn(
        generation("aa50 ra50"), generation("aa"), transition=[[1 - off, off], [on, 1 - on]]
    )
    found = limits(build_network("a", later, 100))
    assert found == pytest.approx([np.mean(expected), *expected])


@pytest.mark.parametrize("d", [1, 2, 3])
def test_random_peers(d):
    """Each of M models reads d of them, drawn anew: slope ``v d / (M (d - 1) + d)``."""
    names, rows = "abc", 6
    reads = [
        [Feed(j, i, rows // d) for i, read in zip(names, each, strict=True) for j in read]
        for each in product(combinations(names, d), repeat=3)
    ]
    later = Drawn(*map(Generation, reads), probabilities=[1 / len(reads)] * len(reads))
    for verdict in diagnose(build_network(names, later, rows)).models.values():
        assert verdict.growth * rows == pytest.approx(d / (3 * (d - 1) + d))


def test_chance_saves_what_turns_doom():
    """Two networks collapse in turn and are sound if drawn; a union of feeds cannot tell."""
    drawn = build_network("ab", Drawn(*SOUND_ALONE, probabilities=[0.5, 0.5]), 100)
    assert limits(drawn) == pytest.approx([2, 3, 1])
    turns = Drawn(*SOUND_ALONE, transition=[[0, 1], [1, 0]])
    diagnosis = diagnose(build_network("ab", turns, 100))
    assert diagnosis.models["a"].growth / V == pytest.approx(0.5)  # the mean of 1 and 0
    members = [(m.model, m.phase) for m in diagnosis.unstable_sources[0].members]
    assert members == [("a", 0), ("b", 1)]
    periodic = diagnose(build_network("ab", cycle(*SOUND_ALONE), 100))
    assert diagnosis.unstable_sources == periodic.unstable_sources
    for name, verdict in periodic.models.items():
        assert [p.collapses for p in diagnosis.models[name].phases] == [
            p.collapses for p in verdict.phases
        ]
        assert diagnosis.models[name].phases[1] == pytest.approx(verdict.phases[1])
    # the union of feeds anchors both
    union = build_network("ab", [*SOUND_ALONE[0].feeds, *SOUND_ALONE[1].feeds], 100)
    assert not diagnose(union).collapses


def test_a_model_that_rests_is_no_anchor():
    """Each network alone has a frozen model and is sound; drawn, in any way, both collapse."""
    rests = generation("ba"), generation("ab")
    for one in rests:
        assert not diagnose(build_network("ab", one.feeds, 100)).collapses
    for law in ({"probabilities": [0.9, 0.1]}, {"transition": [[0.2, 0.8], [0.7, 0.3]]}):
        net = build_network("ab", Drawn(*rests, **law), 100)
        assert [v.collapses for v in diagnose(net).models.values()] == [True, True]
        (once, twice), pi = powers(net, 14)
        slope = pi @ (twice - once)[:, 0] / 2**14
        assert diagnose(net).models["a"].growth == pytest.approx(slope, rel=1e-6)


def test_the_square_of_the_mean_is_not_the_mean_of_squares():
    net = build_network("a", [Feed("a", "a", 100), Feed(REAL, "a", 100, probability=0.1)], 100)
    matrix, added, pi = recursion(net)
    exact = pi @ np.linalg.solve(np.eye(2) - matrix, added)
    system = drawn_system(net, UNIT)
    mean = float(system.chances @ system.transitions[:, 0, 0])
    wrong = float(system.chances @ system.noises[:, 0, 0]) / (1 - mean**2)
    assert diagnose(net).models["a"].limit == pytest.approx(exact)
    assert wrong < 0.9 * exact


def test_peeling():
    always = Drawn(generation("aa ra bb rb"), generation("ra ab"), probabilities=[0.5, 0.5])
    assert diagnose(build_network("ab", always, 100)).in_any_order
    sound = diagnose(build_network("ab", Drawn(*SOUND_ALONE, probabilities=[0.5, 0.5]), 100))
    assert not sound.collapses
    assert not sound.in_any_order  # in turns they collapse
    frozen = Drawn(generation("ba"), generation("ra"), probabilities=[0.5, 0.5])
    assert diagnose(build_network("ab", frozen, 100)).in_any_order
    turns = cycle(generation("aa ra"), generation("ra"))
    assert diagnose(build_network("a", turns, 100)).in_any_order


def test_reused_data_and_frozen_models_are_constants():
    """A long chain of generations, averaged by the recursion itself."""
    later = Drawn(generation("aa ra cb"), generation("ca ab"), transition=[[0.7, 0.3], [0.6, 0.4]])
    net = build_network("abc", later, 100, real="reused")
    system = drawn_system(net, UNIT)
    last = system.averages(later.occupancy(400))[-1]
    models = diagnose(net).models
    assert [v.limit for v in models.values()] == pytest.approx(last.diagonal().tolist())
    assert models["c"].frozen
    assert not np.allclose(last[0, 2], 0)


def test_truths_of_sources_are_forgotten_as_in_turns():
    far = Source("far", theta=(9.0,))
    later = Drawn(
        generation("aa ra"), Generation([Feed("far", "a", 100)]), probabilities=[0.9, 0.1]
    )
    diagnosis = diagnose(build_network("a", later, 100, sources=[far]))
    assert [anchor.name for anchor in diagnosis.models["a"].anchors] == ["far"]
    begun = Drawn(generation("ba"), generation("ab"), probabilities=[0.9, 0.1])
    net = build_network("ab", begun, 100, sources=[far], first=[Feed("far", "b", 100)])
    assert [v.forgets for v in diagnose(net).models.values()] == [True, True]


def test_what_is_printed(tmp_path):
    file = tmp_path / "study.toml"
    feeds = '[{ from = "a", to = "a", samples = 20 }, '
    feeds += '{ from = "real", to = "a", samples = 20, probability = 0.5 }]'
    file.write_text(f'[network]\nmodels = ["a"]\ninitial = 20\nfeeds = {feeds}\n')
    text = CliRunner().invoke(cli, ["diagnose", str(file)]).stdout
    assert "stable             0.1 in the limit" in text
    assert "(means over sequences of networks)" in text
    assert "No single new feed" not in text
    assert "in any order" not in text


def test_random_laws_against_powers_of_the_recursion():
    rng = np.random.default_rng(11)
    seen = {True: 0, False: 0}
    partly = 0
    for _ in range(24):
        net = random_drawn(rng)
        verdicts = diagnose(net).models.values()
        for phase, slope, limit in compare(net, verdicts):
            grows = slope > 1e-7
            seen[grows] += 1
            assert phase.collapses == grows, (net.later, phase)
            if grows:
                assert slope == pytest.approx(phase.growth, rel=1e-5)
            else:
                assert limit == pytest.approx(phase.limit, rel=1e-7)
        partly += sum(len({phase.collapses for phase in v.phases}) > 1 for v in verdicts)
    assert min(seen.values()) > 30
    assert partly


def test_starts_that_explode_are_never_called_stable():
    """Steps that overshoot from a model's own estimate explode, though it reads real data alone."""
    later = Drawn(
        Generation([Feed(REAL, "a", 200)]),
        Generation([Feed(REAL, "a", 100)]),
        probabilities=[0.5, 0.5],
    )
    net = build_network("ab", later, 400)  # b has no feeds
    for start in ("own", "base"):
        steps = mcjax.Optax(optax.sgd(2.5), 1, name="steps", start=start)
        given = mcjax.condition(net, mcjax.linear(), [0.5, -0.5], estimator=steps)
        models = diagnose(given).models
        assert models["a"].collapses is None
        assert models["a"].limit is None
        assert [phase.collapses for phase in models["a"].phases] == [None, None]
        assert models["b"].collapses is False
    assert diagnose(net).collapses is False  # refits


def test_random_feeds_that_come_and_go_against_powers_of_the_recursion():
    rng = np.random.default_rng(3)
    seen = {True: 0, False: 0}
    for _ in range(50):
        net = random_turns(rng)
        if not net.later.random or net.later.turns > 24:
            continue
        for phase, slope, limit in compare(net, diagnose(net).models.values(), 14):
            grows = bool(slope > 1e-7)
            assert phase.collapses == grows
            seen[grows] += 1
            if grows:
                assert phase.growth == pytest.approx(slope, rel=1e-6)
            else:
                assert phase.limit == pytest.approx(limit, rel=1e-6)
    assert min(seen.values()) > 200


def test_a_feed_that_hardly_ever_comes_has_no_numbers():
    """Its probability is lost beside 1 in double precision; warnings are errors here."""
    feeds = [Feed("a", "a", 10), Feed(REAL, "a", 10, probability=1e-320)]
    verdict = diagnose(build_network("a", feeds, 10)).models["a"]
    assert verdict.collapses is False
    assert np.isnan(verdict.limit)
