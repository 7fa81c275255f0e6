"""Networks whose parts have periods of their own: each is lifted by these alone."""

import math
from dataclasses import replace

import numpy as np
import pytest
from schedule_cases import powers

from mcjax.diagnosis import diagnose, schedules
from mcjax.errors import InputError
from mcjax.laws.collapse import periods
from mcjax.network import REAL, Feed, build_network
from mcjax.network.source import Source
from mcjax.network.unlisted import Scheduled

PARTS, NAMES = ("ab", "cd", "e"), "abcde"
"""Models that may be in a cycle; a part may read the parts before it."""


def random_parts(rng, all_every=(2, 3, 5)):
    """Feeds of three parts, each with a period of its own, which may be idle."""
    feeds = []
    for k, (part, period) in enumerate(
        zip(PARTS, rng.permutation(all_every).tolist(), strict=True)
    ):
        before = "".join(PARTS[:k])
        for i in part:
            for j in (*part, *before, REAL):
                if rng.random() < (0.4 if j in part else 0.25):
                    every = period if rng.random() < 0.7 else 1
                    first = 1 + int(rng.integers(every))
                    feeds.append(Feed(j, i, int(rng.integers(5, 60)), every=every, first=first))
    return feeds


def compared(names, feeds, monkeypatch, sources=()):
    """The network, its diagnosis by the whole lift and that by the periods of parts; no rates."""
    initial = {name: 10 + k for k, name in enumerate(names)}
    net = build_network(names, feeds, initial, sources=sources)
    later = Scheduled(tuple(f for f in feeds if f.reader in names))
    with monkeypatch.context() as patch:
        patch.setattr(schedules, "MOST_RATES", 0)
        whole = diagnose(net)
        patch.setattr(schedules, "MOST_COMMON", 0)
        return net, whole, diagnose(replace(net, later=later))


def test_parts_of_coprime_periods_against_the_whole_lift_and_powers(monkeypatch):
    rng = np.random.default_rng(7)
    fewer = raised = partly = 0
    for _ in range(400):
        net, whole, apart = compared(NAMES, random_parts(rng), monkeypatch)
        length = net.later.turns
        if length == 1:
            continue
        exact = powers(net, rounds=14)
        for i, name in enumerate(net.models):
            found = apart.models[name].phases
            told = [found[z % len(found)].collapses for z in range(length)]
            assert told == [phase.collapses for phase in whole.models[name].phases]
            fewer += len(found) < length
            raised += len(found) in (6, 10, 15, 30)
            partly += len(set(told)) > 1
            for z, grows in enumerate(told):
                once, twice, span = exact[z]
                assert ((twice[i] - once[i]) / span > 1e-7) == grows
        assert (len(apart.repairs) == 0) == (len(whole.repairs) == 0)
        assert apart.in_any_order == whole.in_any_order
    assert fewer > 500
    assert min(raised, partly) >= 5


def test_what_reaches_a_part_in_some_phases_raises_its_period(monkeypatch):
    """A pair that collapses in either phase; c reads it every third generation, else real data."""
    feeds = [Feed("b", "a", 10, every=2), Feed(REAL, "b", 10, every=2), Feed(REAL, "c", 10)]
    feeds += [Feed(REAL, "a", 10, every=2, first=2), Feed("a", "b", 10, every=2, first=2)]
    feeds += [Feed("a", "c", 10, every=3)]
    _, whole, apart = compared("abc", feeds, monkeypatch)
    assert len(whole.models["c"].phases) == 6
    told = [phase.collapses for phase in apart.models["c"].phases]
    assert told == [False, False, False, True, False, False]
    monkeypatch.setattr(periods, "_period", lambda states: 1)  # a wrong law
    _, _, wrong = compared("abc", feeds, monkeypatch)
    assert [phase.collapses for phase in wrong.models["c"].phases] == [True, False, False]


def test_false_anchors_reach_the_same_models(monkeypatch):
    rng = np.random.default_rng(8)
    reached = 0
    for _ in range(60):
        feeds = [
            replace(f, origin="other") if f.origin == REAL and f.reader in "ab" else f
            for f in random_parts(rng)
        ]
        sources = [Source("other", theta=(2.0,))]
        net, whole, apart = compared(NAMES, feeds, monkeypatch, sources)
        for name in net.models:
            assert apart.models[name].forgets == whole.models[name].forgets
            reached += apart.models[name].forgets
    assert reached > 30


PRIMES = (7, 11, 13, 17, 19, 23, 29, 31)


def test_a_period_of_billions_of_generations():
    """Loops with real data every few generations, and a cycle of two that takes turns."""
    loops = [f"l{p}" for p in PRIMES]
    feeds = [Feed(name, name, 50) for name in loops]
    feeds += [Feed(REAL, name, 50, every=p) for name, p in zip(loops, PRIMES, strict=True)]
    feeds += [Feed("a", "b", 10, every=2), Feed("b", "a", 10, every=2, first=2)]
    feeds += [Feed("a", "c", 10, every=37), Feed("l31", "c", 10), Feed("l7", "d", 5, every=41)]
    net = build_network([*loops, *"abcd"], feeds, 10)
    assert net.later.turns == 2 * 37 * 41 * math.prod(PRIMES)
    diagnosis = diagnose(net)
    found = {name: verdict.collapses for name, verdict in diagnosis.models.items()}
    assert found == dict.fromkeys(loops, False) | {"a": True, "b": True, "c": True, "d": False}
    counts = {name: len(verdict.phases) for name, verdict in diagnosis.models.items()}
    assert counts == dict(zip(loops, PRIMES, strict=True)) | {"a": 2, "b": 2, "c": 37, "d": 41}
    assert [p.phase for p in diagnosis.models["c"].phases if p.collapses] == [0]
    assert [m.model for m in diagnosis.models["c"].path] == ["a", "c"]
    assert "no rates" in diagnosis.inapplicable


def test_only_the_largest_lifts_are_refused():
    primes = (41, 43, 47, 53, 59)
    feeds = [Feed("a", "a", 10), *(Feed(REAL, "a", p, every=p) for p in primes)]
    with pytest.raises(InputError, match="give `every` common factors") as refused:
        diagnose(build_network("a", feeds, 10))
    assert refused.value.field == "network.feeds"
    assert f"{math.prod(primes):,} phases of models" in str(refused.value)
    assert not diagnose(build_network("abc", feeds[:-2], 10)).collapses  # 248,583 together


def test_laws_and_simulations_say_that_they_do_not_follow():
    feeds = [Feed("a", "a", 10), *(Feed(REAL, "a", 9, every=p) for p in (97, 101, 103))]
    net = build_network("a", feeds, 10)
    assert net.at(97 * 101 + 1) != net.at(2)
    assert "1 model, 2 feeds; feeds change with time" in repr(net)
    with pytest.raises(InputError, match="only the verdicts of a diagnosis"):
        _ = net.later.generations
