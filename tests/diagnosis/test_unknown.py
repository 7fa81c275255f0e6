"""Data of unknown origin: which verdicts rest on them, by brute force over their origins."""

from itertools import product

import networkx as nx
import numpy as np
import pytest

from mcjax.diagnosis import diagnose
from mcjax.errors import InputError
from mcjax.network import Feed, Generation, Series, Source, build_network, from_networkx

ROWS = 60


def networks(count, size=4):
    """Random networks with up to three feeds of unknown data, of several sizes."""
    rng = np.random.default_rng(20)
    for _ in range(count):
        models = [f"m{i}" for i in range(size)]
        feeds = [
            (j, i, int(rng.integers(1, 5)) * ROWS)
            for i in models
            for j in [*models, "real"]
            if rng.random() < (0.3 if j != "real" else 0.15)
        ]
        unsure = rng.choice(size, int(rng.integers(1, 4)), replace=False)
        yield models, feeds, [("unknown", f"m{i}", int(rng.integers(1, 5)) * 17) for i in unsure]


def collapsing(models, feeds, initial=ROWS):
    """The models that collapse, where nothing is unknown."""
    found = diagnose(build_network(models, feeds, initial)).models
    return {name for name in models if found[name].collapses}


def test_certain_verdicts_hold_wherever_data_are_from():
    """Each unknown feed is real, of a closed loop, or of any model; verdicts hold or do not."""
    doubtful = 0
    for models, known, unknown in networks(8, size=3):
        verdicts = diagnose(build_network(models, [*known, *unknown], ROWS)).models
        loop = ("loop", "loop", ROWS)
        outcomes = [
            collapsing(
                [*models, "loop"],
                [*known, loop, *((a, i, n) for a, (_, i, n) in zip(new, unknown, strict=True))],
            )
            for new in product(["real", "loop", *models], repeat=len(unknown))
        ]
        for name in models:
            possible = {name in outcome for outcome in outcomes}
            if verdicts[name].certain:
                assert possible == {verdicts[name].collapses}
            else:
                doubtful += 1
                assert possible == {True, False}
                assert verdicts[name].collapses is None
    assert doubtful > 5


def test_the_smallest_share_that_decides():
    """Of single feeds that come from a closed loop, while all others are real."""
    checked = 0
    for models, known, unknown in networks(12):
        verdicts = diagnose(build_network(models, [*known, *unknown], ROWS)).models
        rows = {i: sum(n for _, k, n in (*known, *unknown) if k == i) for i in models}
        least = {}
        for k, (_, i, n) in enumerate(unknown):
            origins = ["loop" if other == k else "real" for other in range(len(unknown))]
            new = [(a, i, n) for a, (_, i, n) in zip(origins, unknown, strict=True)]
            feeds = [*known, *new, ("loop", "loop", ROWS)]
            for name in collapsing([*models, "loop"], feeds):
                least[name] = min(least.get(name, np.inf), n / rows[i])
        for name in models:
            if not verdicts[name].certain:
                checked += 1
                assert verdicts[name].deciding.share == pytest.approx(least[name], rel=1e-12)
                share = dict((i, n / rows[i]) for _, i, n in unknown)
                assert share[verdicts[name].deciding.reader] == verdicts[name].deciding.share
    assert checked > 10


def test_both_cases_are_networks_of_their_own():
    """Real data of another source, and a loop of as many rows as the largest feed."""
    feeds = [("a", "a", 90), ("real", "a", 10), ("unknown", "a", 20), ("unknown", "b", 50)]
    found = diagnose(build_network(["a", "b"], feeds, 100))
    new = [(o.replace("unknown", "other"), i, n) for o, i, n in feeds]
    real = diagnose(build_network(["a", "b"], new, 100, sources=[Source("other")]))
    loop = diagnose(
        build_network(
            ["a", "b", "other"],
            [*new, ("other", "other", 50)],
            {"a": 100} | dict.fromkeys(("b", "other"), 100),
        )
    )
    for name in ("a", "b"):
        assert found.best_case.models[name] == real.models[name]
        assert found.worst_case.models[name].growth == loop.models[name].growth
        assert found.models[name].path == ("unknown", name)
    assert found.collapses is None
    assert not found.certain
    assert "of 2 it depends on unknown data" in repr(found)


def test_what_accumulates_does_not_depend():
    feeds = [("a", "a", 90), ("unknown", "a", 20)]
    found = diagnose(build_network(["a"], feeds, 100, memory="accumulate"))
    assert found.certain
    assert found.collapses is False
    assert found.models["a"].limit == found.worst_case.models["a"].limit
    assert found.models["a"].limit >= found.best_case.models["a"].limit


def test_feeds_that_come_and_go():
    """One phase reads a closed loop, the other data of unknown origin."""
    feeds = [
        Feed("a", "a", 50, every=2),
        Feed("unknown", "b", 10, every=2),
        Feed("real", "b", 30, every=2),
        Feed("b", "c", 50, every=2, first=2),
        Feed("real", "d", 50),
    ]
    found = diagnose(build_network(["a", "b", "c", "d"], feeds, 100)).models
    assert [found[name].collapses for name in "abcd"] == [True, None, None, False]
    assert found["c"].deciding == ("b", 0.25)
    assert [phase.collapses for phase in found["b"].phases] == [None, None]
    assert [phase.collapses for phase in found["d"].phases] == [False, False]


def test_feeds_as_arrays_and_as_objects():
    """A graph with unknown data is the network of its feeds, in one form or the other."""
    graph = nx.DiGraph()
    graph.add_edge("unknown", "a", samples=10)
    graph.add_edge("a", "a", samples=10)
    graph.add_edge("real", "b", samples=10)
    graph.add_edge("a", "b", samples=10)
    net = from_networkx(graph)
    assert net.models == ("a", "b")
    assert net.reads_unknown
    given = build_network(net.models, [(f.origin, f.reader, f.samples) for f in net.feeds], 20)
    timeline = build_network(net.models, Series(Generation(net.feeds)), 20)
    assert net == given == timeline
    assert diagnose(net).to_json() == diagnose(given).to_json()


@pytest.mark.parametrize(
    ("models", "feeds", "options", "says"),
    [
        (["unknown"], [("unknown", "unknown", 9)], {}, "names 'unknown', which stands for data"),
        (["a"], [("a", "unknown", 9)], {}, "nothing can feed data of unknown origin"),
        (["Unknown"], [("real", "Unknown", 9)], {}, "has 'Unknown', but data of unknown origin"),
        (["a"], [("real", "a", 9)], {"sources": [Source("unknown")]}, "names 'unknown', which st"),
        (["a"], [], {"first": [("unknown", "a", 9)]}, "generation 0 has real data alone"),
        (["a"], [("unknown", "a", 9)], {"memory": "subsample"}, "is for one real source"),
    ],
)
def test_refused(models, feeds, options, says):
    with pytest.raises(InputError, match=says):
        build_network(models, feeds, 10, **options)
