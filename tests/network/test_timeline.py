"""Networks in time: which feeds each generation has, however they were said."""

import numpy as np
import pytest

from mcjax.errors import InputError
from mcjax.network import REAL, Drawn, Feed, Generation, Growing, Series, build_network, cycle
from mcjax.network.drawn import Followed

DAY = Generation([Feed("a", "b", 30), Feed(REAL, "a", 20)])
NIGHT = Generation([Feed("b", "a", 25)])
REST = Generation([])


def network(later, **options):
    return build_network("ab", later, 40, **options)


def generations(timeline, last):
    return [timeline.at(t) for t in range(1, last + 1)]


@pytest.mark.parametrize(
    ("timeline", "expected"),
    [
        (Series(DAY), [DAY] * 5),
        (Series(DAY, NIGHT), [DAY, NIGHT, NIGHT, NIGHT, NIGHT]),
        (Series(DAY, NIGHT, REST, REST), [DAY, NIGHT, REST, REST, REST]),
        (cycle(DAY, DAY, NIGHT), [DAY, DAY, NIGHT, DAY, DAY]),
        (cycle(NIGHT), [NIGHT] * 5),
        (Series(REST, DAY, NIGHT, turns=2), [REST, DAY, NIGHT, DAY, NIGHT]),
        (Series(NIGHT, DAY, NIGHT, DAY, NIGHT, turns=4), [NIGHT, DAY, NIGHT, DAY, NIGHT]),
    ],
)
def test_which_generation_is_when(timeline, expected):
    assert generations(timeline, 5) == expected
    for last in range(6):
        distinct, order = timeline.order(last)
        assert [distinct[k] for k in order] == expected[:last]
        assert len(set(distinct)) == len(distinct)


def test_generation_0_is_asked_for_like_all_others():
    net = network(cycle(DAY, NIGHT))
    assert net.at(0).feeds == (Feed(REAL, "a", 40), Feed(REAL, "b", 40))
    assert [net.at(t) for t in (1, 2, 3)] == [DAY, NIGHT, DAY]
    assert net.reads(1) == ((DAY.feeds[1],), (DAY.feeds[0],))
    assert net.reads(2) == (NIGHT.feeds, ())
    assert net.frozen == (False, False)
    assert network(cycle(NIGHT, REST)).frozen == (False, True)


def test_tuples_are_feeds():
    assert Generation([("a", "b", 50)]) == Generation([Feed("a", "b", 50)])


def test_a_reused_sample_has_one_size_in_every_generation():
    turns = Series(*(Generation([(REAL, "a", 200, w), ("a", "a", 50)]) for w in (1.0, 2.0)))
    with pytest.raises(InputError, match="is 200, but source 'real' is reused, one sample of 100"):
        build_network("a", turns, 100, real="reused")


def test_what_stays():
    assert Series(DAY, NIGHT).lasting == NIGHT
    assert Series(DAY, NIGHT, NIGHT) == Series(DAY, NIGHT)
    assert Growing(DAY, 0.5).lasting == DAY
    assert cycle(DAY, DAY).lasting == DAY
    assert cycle(DAY, NIGHT).lasting is None
    with pytest.raises(InputError, match="changes for ever"):
        network(cycle(DAY, NIGHT)).feeds  # noqa: B018
    assert Series(NIGHT, DAY, NIGHT, DAY, NIGHT, turns=4) == cycle(NIGHT, DAY)
    with pytest.raises(InputError, match="has 3 turns; give 1 to 2"):
        Series(DAY, NIGHT, turns=3)
    assert network(Series(DAY, NIGHT)).settled == network(Series(NIGHT))


def test_growing_samples_are_rounded():
    timeline = Growing(Generation([Feed("a", "a", 10)]), 0.5)
    counts = [generation.feeds[0].samples for generation in generations(timeline, 4)]
    assert counts == [10, 14, 17, 20]
    distinct, order = timeline.order(4)
    assert [distinct[k].feeds[0].samples for k in order] == counts
    with pytest.raises(InputError, match="makes 9223372036854775808 samples at generation 2"):
        Growing(Generation([Feed("a", "a", 2**62)]), 1.0).order(2)


def test_lists_of_weights_make_a_series():
    feeds = [("a", "b", 30, [0.5, 0.0, 2.0]), ("b", "b", 10, 1.5), (REAL, "b", 7, [3.0, 1.0])]
    net = build_network("ab", feeds, 40)
    weights = [[feed.weight for feed in net.at(t).feeds] for t in (1, 2, 3, 9)]
    assert weights == [[0.5, 1.5, 3.0], [0.0, 1.5, 1.0], [2.0, 1.5, 1.0], [2.0, 1.5, 1.0]]
    described = net.described()["feeds"]
    assert [feed.get("schedule") for feed in described] == [(0.5, 0.0), None, (3.0,)]
    assert [feed["weight"] for feed in described] == [2.0, 1.5, 1.0]


def test_descriptions_tell_timelines_apart():
    timelines = [
        Series(DAY),
        Series(NIGHT),
        Series(DAY, NIGHT),
        Series(NIGHT, DAY),
        cycle(DAY, NIGHT),
        cycle(NIGHT, DAY),
        Series(NIGHT, DAY, NIGHT, DAY, REST, turns=2),
        Series(NIGHT, DAY, NIGHT, DAY, REST, turns=3),
        Growing(DAY, 0.5),
        Growing(DAY, 1.0),
    ]
    described = {repr(network(timeline).described()) for timeline in timelines}
    assert len(described) == len(timelines)


def test_changes_are_of_every_generation():
    net = network(cycle(DAY, NIGHT))
    more = net.with_feed(REAL, "b", 9)
    assert [len(more.at(t).feeds) for t in (1, 2, 3)] == [3, 2, 3]
    assert more.without_feed(REAL, "b") == net
    assert [net.scaled(2).at(t).feeds[0].samples for t in (0, 1, 2)] == [80, 60, 50]


@pytest.mark.parametrize(
    ("later", "options", "sentence"),
    [
        ([], {}, "no generation"),
        ([DAY, Generation([Feed("c", "a", 3)])], {}, r"network.feeds\[0\].from: .*'c'"),
        ([DAY, Generation([Feed("a", "a", 3, 0.0)])], {}, "all have weight 0 in generation 2"),
        ([DAY, NIGHT, Generation([Feed("a", "a", 0)])], {}, r"feeds\[0\].samples"),
        ([DAY], {"growth": 1.0}, "network.growth: is for feeds without a timeline"),
        (
            [DAY, Generation([Feed("a", "b", 30, 0.5)])],
            {"memory": "subsample"},
            "network.memory: is 'subsample', which is for one real source and constant weights",
        ),
        (
            [DAY, Generation([Feed(REAL, "a", 40)])],
            {"real": "reused"},
            "reused real data are the generation-0 sample",
        ),
    ],
)
@pytest.mark.parametrize("kind", [Series, cycle])
def test_every_generation_is_checked(kind, later, options, sentence):
    with pytest.raises(InputError, match=sentence):
        network(kind(*later), **options)


def test_turns_go_on():
    _, order = cycle(DAY, NIGHT).order(7)
    np.testing.assert_array_equal(order, [0, 1, 0, 1, 0, 1, 0])


def test_generations_that_are_drawn_are_not_known():
    drawn = Drawn(DAY, NIGHT, probabilities=[0.25, 0.75])
    for ask in (lambda: drawn.at(1), lambda: drawn.order(3)):
        with pytest.raises(InputError, match="is drawn at random, so no feeds are known"):
            ask()
    net = network(drawn)
    with pytest.raises(InputError, match="changes for ever"):
        _ = net.feeds
    assert net.without_feed("b", "a").later.law == drawn.law
    assert net.without_feed("b", "a").later.generations[1] == REST
    assert net.frozen == (False, False)
    one = Followed(drawn, (1, 0, 0))
    assert generations(one, 3) == [NIGHT, DAY, DAY]
    distinct, places = one.order(3)
    assert [distinct[k] for k in places] == [NIGHT, DAY, DAY]
    with pytest.raises(InputError, match="is drawn at random"):
        one.at(4)
    assert one.described() == drawn.described()  # seed and label say which it is


@pytest.mark.parametrize(
    ("given", "law", "sentence"),
    [
        ([], {"probabilities": []}, "has 0 generations to draw; give 1 to 1,024"),
        ([DAY] * 1025, {"probabilities": []}, "has 1,025 generations to draw"),
        ([DAY], {}, "needs probabilities or a transition; give one"),
        ([DAY], {"probabilities": [1.0], "transition": [[1.0]]}, "give one"),
    ],
)
def test_laws_of_generations_that_are_none(given, law, sentence):
    with pytest.raises(InputError, match=sentence):
        Drawn(*given, **law)
