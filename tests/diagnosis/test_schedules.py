"""Networks whose feeds come and go: the collapse law in phases, against closed forms and powers."""

import math
import time
from itertools import pairwise

import numpy as np
import pytest
from schedule_cases import powers, random_schedule

from mcjax.diagnosis import diagnose
from mcjax.laws.collapse.lift import Lift
from mcjax.laws.collapse.peeling import sound_in_any_order
from mcjax.models.glm import logistic
from mcjax.network import REAL, Accumulate, Feed, Generation, Source, build_network, cycle
from mcjax.selections.flip import Flip
from mcjax.selections.temperature import Temperature
from mcjax.study.study import condition

V = 0.01  # 1 / 100 rows


def rates(net):
    """Growth of the models in each phase that collapses, limit in the others, in units of V."""
    models = diagnose(net).models
    return {
        name: [
            ("slope", pytest.approx(one.growth / V))
            if one.collapses
            else ("limit", pytest.approx(one.limit / V))
            for one in verdict.phases
        ]
        for name, verdict in models.items()
    }


def alternating(even, odd, models="ab"):
    """The network of two generations that take turns, each a string of feeds such as "ab rb"."""
    names = {"r": REAL}
    turns = [
        Generation(
            Feed(names.get(feed[0], feed[0]), feed[1], int(feed[2:] or 100)) for feed in t.split()
        )
        for t in (even, odd)
    ]
    return build_network(models, cycle(*turns), 100)


CASES = {
    # each network of the pair is sound by itself
    "parking": (alternating("ba", "ab"), {"a": [("slope", 1)] * 2, "b": [("slope", 1)] * 2}),
    "in the wrong phase": (
        alternating("ba rb", "ra ab"),
        {"a": [("slope", 1), ("limit", 1)], "b": [("limit", 1), ("slope", 1)]},
    ),
    # each network of the pair has a collapse
    "sound together": (
        alternating("aa bb50 rb50", "aa50 ra50 bb"),
        {"a": [("limit", 8 / 3), ("limit", 5 / 3)], "b": [("limit", 5 / 3), ("limit", 8 / 3)]},
    ),
    "a reader of both": (
        alternating("aa ab", "aa rb"),
        {"a": [("slope", 1)] * 2, "b": [("slope", 1), ("limit", 1)]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_closed_forms(name):
    net, expected = CASES[name]
    assert rates(net) == expected


@pytest.mark.parametrize("every", [2, 3, 5])
def test_real_data_every_few_generations(every):
    """The largest error is exactly k times that of real data in every generation."""
    feeds = [Feed("a", "a", 50), Feed(REAL, "a", 50, every=every, first=every)]
    feeds += [Feed("a", "a", 50, every=every, first=t) for t in range(1, every)]  # 100 rows always
    always = build_network("a", [("a", "a", 50), (REAL, "a", 50)], 100)
    assert diagnose(always).models["a"].limit / V == pytest.approx(4 / 3)
    verdict = diagnose(build_network("a", feeds, 100)).models["a"]
    limits = [phase.limit / V for phase in verdict.phases]
    rises = [(1 + (every - 1) / 4) * 4 / 3 + k for k in range(every)]  # from the real data on
    assert limits == pytest.approx([*rises[1:], rises[0]])
    assert rises[-1] == pytest.approx(every * 4 / 3)
    assert verdict.limit == max(phase.limit for phase in verdict.phases)


@pytest.mark.parametrize(
    ("turns", "slope"),
    [
        (["ca", "ab", "bc"], 1.0),  # in the order of the flow
        (["ca", "bc", "ab"], 0.5),  # against it
    ],
)
def test_a_ring_retrained_in_turn(turns, slope):
    generations = (Generation([Feed(t[0], t[1], 100)]) for t in turns)
    verdicts = diagnose(build_network("abc", cycle(*generations), 100)).models.values()
    assert [v.growth / V for v in verdicts] == pytest.approx([slope] * 3)
    for verdict in verdicts:
        assert [phase.growth / V for phase in verdict.phases] == pytest.approx([slope] * 3)


@pytest.mark.parametrize("every", [2, 4])
def test_a_loop_retrained_every_few_generations(every):
    verdict = diagnose(build_network("a", [Feed("a", "a", 100, every=every)], 100)).models["a"]
    assert verdict.growth / V == pytest.approx(1 / every)


def test_a_cure_is_for_a_phase_that_fits():
    net = build_network("a", [Feed("a", "a", 100, every=2, first=2)], 100)
    ((_, reader),) = diagnose(net).repairs
    assert str(reader) == "a@1"


@pytest.mark.parametrize("last", [5, 40])
def test_what_ends_is_forgotten_however_late(last):
    """Also where the path of centres has not settled before."""
    feeds = [Feed("a", "a", 400, keep=Flip(0.1), until=last), Feed(REAL, "a", 400, first=last + 1)]
    verdict = diagnose(condition(build_network("a", feeds, 400), logistic(), [1.0])).models["a"]
    assert not verdict.forgets


def test_models_that_retire_keep_what_they_have():
    """A pair on half own, half the other's rows retires; its reader sees their covariance."""
    pair = [Feed(j, i, 50, until=10) for i in "ab" for j in "ab"]
    net = build_network("abr", [*pair, Feed("a", "r", 50), Feed("b", "r", 50)], 100)
    verdicts = diagnose(net).models
    assert verdicts["r"].limit / V == pytest.approx(6.5)
    assert [verdicts[name].limit / V for name in "ab"] == pytest.approx([6, 6])
    assert verdicts["a"].frozen
    # in turns, too
    turns = [*pair, *(Feed(name, "r", 50, every=2, first=20) for name in "ab")]
    verdict = diagnose(build_network("abr", turns, 100)).models["r"]
    assert [phase.limit / V for phase in verdict.phases] == pytest.approx([6.5, 6.5])


def test_false_anchors_reach_through_phases():
    """Also where a closed pair began with another truth, and where a frozen model read it."""
    own = Source("other", theta=(1.0,))
    feeds = [Feed("b", "a", 100, every=2), Feed("a", "b", 100, every=2, first=2)]
    feeds += [Feed(REAL, "c", 100, until=3), Feed("c", "d", 50), Feed(REAL, "d", 50, every=3)]
    net = build_network("abcd", feeds, 100, sources=[own], first=[Feed("other", "b", 100)])
    forgets = {name: verdict.forgets for name, verdict in diagnose(net).models.items()}
    # no family is given, so that the truth of the source is another one
    assert forgets == {"a": True, "b": True, "c": False, "d": False}
    late = build_network("abcd", [*feeds, Feed("other", "c", 10, until=2)], 100, sources=[own])
    forgets = {name: verdict.forgets for name, verdict in diagnose(late).models.items()}
    assert forgets == {"a": False, "b": False, "c": False, "d": False}  # it fits real data last


def test_false_anchors_reach_whom_their_lineages_reach():
    """What the first fit read is gone if a lineage begins with another fit."""
    far = [Source(name, theta=(9.0,)) for name in ("one", "two", "unread")]
    feeds = [Feed("b", "a", 100, every=2), Feed("a", "b", 100, every=2, first=2)]
    feeds += [Feed(REAL, "b", 100, every=2)]
    readers = [Feed("one", "c", 50, every=2), Feed(REAL, "c", 50), Feed("two", "d", 50)]
    net = build_network("abcd", [*feeds, *readers], 100, sources=far)
    anchors = {n: [a.name for a in v.anchors] for n, v in diagnose(net).models.items()}
    assert anchors == {"a": [], "b": [], "c": ["one"], "d": ["two"]}
    turns = [Feed("b", "a", 100, every=2), Feed("a", "b", 100, every=2, first=2)]
    begun = build_network("ab", turns, 100, sources=far[:1], first=[Feed("one", "a", 100)])
    # generation 1 fits a to b's first data, and generation 2 fits b to those of a
    assert [v.forgets for v in diagnose(begun).models.values()] == [False, False]


def test_rates_are_not_told_where_data_differ():
    loud = Source("loud", noise=10.0)
    feeds = [Feed("loud", "a", 100), Feed("a", "b", 50, every=2), Feed(REAL, "b", 100)]
    diagnosis = diagnose(build_network("ab", feeds, 100, sources=[loud]), 2)
    assert math.isnan(diagnosis.models["a"].limit)
    assert "of several laws" in diagnosis.inapplicable
    # models that retired, with covariates of a source that differ, and with data that accumulate
    wide = Source("wide", covariance=((1.0, 0.0), (0.0, 1.1)))
    retired = [Feed("a", "a", 100, until=50), Feed("a", "b", 50), Feed("wide", "b", 50)]
    net = build_network("ab", retired, 100, sources=[wide])
    assert math.isnan(diagnose(net, 2, covariance=np.eye(2)).models["a"].limit)
    pooled = build_network("a", [Feed("a", "a", 100, until=5)], 100, memory="accumulate")
    assert math.isnan(diagnose(pooled).models["a"].limit)


class Window(Accumulate):
    """A rule of which no law knows how long it remembers."""

    name = "window"
    vanishing = False


def test_rates_are_not_told_for_a_memory_of_which_nothing_is_known():
    feeds = [Feed("a", "a", 50), Feed(REAL, "a", 50)]
    assert math.isnan(diagnose(build_network("a", feeds, 100, memory=Window())).models["a"].limit)
    turns = [Feed("a", "a", 50), Feed(REAL, "a", 50, every=2)]
    assert diagnose(build_network("a", turns, 100, memory=Window())).models["a"].noise is None


def test_the_order_of_feeds_makes_no_phases():
    feeds = [Feed("a", "b", 50, every=2), Feed(REAL, "b", 50), Feed("a", "b", 50, every=2, first=2)]
    net = build_network("ab", [*feeds, Feed("a", "a", 50)], 100)
    assert net.later.constant


def test_a_long_lineage_of_many_phases():
    names = [str(i) for i in range(500)]
    feeds = [Feed("0", "0", 10)]
    feeds += [Feed(a, b, 10, every=40) for a, b in pairwise(names)]
    assert len(diagnose(build_network(names, feeds, 10)).models["499"].path) > 499


def test_what_readers_keep_leaves_noise_open():
    """A penalty or a selection may hold the noise of a cycle, and what reads it is not known."""
    turns = [Feed("b", "a", 100, every=2), Feed("a", "b", 100, every=2, first=2)]
    kept = [Feed("c", "c", 50, keep=Temperature(0.5)), Feed("c", "d", 50, every=2)]
    diagnosis = diagnose(build_network("abcd", [*turns, *kept], 100))
    noise = {name: verdict.noise for name, verdict in diagnosis.models.items()}
    assert noise == {"a": True, "b": True, "c": None, "d": None}
    assert "data selected" in diagnosis.inapplicable


@pytest.mark.system
def test_ten_thousand_models_in_twelve_phases():
    rng = np.random.default_rng(3)
    names = [str(i) for i in range(10_000)]
    every = rng.choice([1, 2, 3, 4], 10_000).tolist()
    feeds = [Feed(names[i - 1], names[i], 10, every=k) for i, k in enumerate(every)]
    feeds += [Feed(REAL, names[i], 10, every=12) for i in range(5_000, 10_000)]
    diagnosis = diagnose(build_network(names, feeds, 10))
    assert not diagnosis.collapses
    assert len(diagnosis.models["7"].phases) == 12
    assert math.isnan(diagnosis.models["7"].limit)


@pytest.mark.system
def test_ten_thousand_models_that_collapse_in_twelve_phases_take_seconds():
    """Rings of a hundred models, all of which read the first ring as well."""
    rng = np.random.default_rng(4)
    names = [str(i) for i in range(10_000)]
    every = rng.choice([1, 2, 3, 4], 10_000).tolist()
    turn = [i - 1 if i % 100 else i + 99 for i in range(10_000)]
    feeds = [Feed(names[turn[i]], names[i], 10, every=k) for i, k in enumerate(every)]
    feeds += [Feed("0", names[i], 10, every=every[i]) for i in range(100, 10_000)]
    network, began = build_network(names, feeds, 10), time.process_time()
    diagnosis = diagnose(network)
    assert time.process_time() - began < 4  # one second; ten times as long by hashes of members
    assert diagnosis.counts.collapse == 10_000


def test_peeling_follows_a_long_lineage():
    names = [str(i) for i in range(3_000)]
    chain = [Feed(names[i - 1], names[i], 10, every=1 + i % 2) for i in range(1, 3_000)]
    assert sound_in_any_order(Lift(build_network(names, [*chain, Feed(REAL, "0", 10)], 10)))
    loop = build_network(names, [*chain, Feed("0", "0", 10)], 10)
    assert not sound_in_any_order(Lift(loop))


def test_random_schedules_against_powers_of_the_recursion():
    rng = np.random.default_rng(20)
    seen = {True: 0, False: 0}
    partly = 0
    for _ in range(300):
        net = random_schedule(rng)
        if net.later.turns == 1:
            continue
        exact = powers(net, rounds=16)
        for i, verdict in enumerate(diagnose(net).models.values()):
            for phase in verdict.phases:
                once, twice, span = exact[phase.phase]
                slope = (twice[i] - once[i]) / span
                grows = slope > 1e-7
                assert phase.collapses == grows, (net, i, phase)
                seen[grows] += 1
                if grows:
                    assert slope == pytest.approx(phase.growth, rel=1e-6)
                else:
                    assert twice[i] == pytest.approx(phase.limit, rel=1e-8)
            partly += len({phase.collapses for phase in verdict.phases}) > 1
    assert min(seen.values()) > 400
    assert partly > 10
