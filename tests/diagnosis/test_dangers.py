"""The most harmful new feeds, against diagnoses of the networks that have them."""

import numpy as np
import pytest
from brute_force import random_network

from mcjax.diagnosis import collapse, diagnose
from mcjax.diagnosis.dangers import MOST_TOLD, new_rows
from mcjax.network import build_network

TREES = [("loop", "loop", 50), ("alone", "alone", 50), ("real", "alone", 50)]
TREES += [("real", "root", 100), ("root", "leaf", 100), ("root", "twig", 100)]


def random_networks(count):
    """Return networks in which the time to harm is known and some new feed brings collapse."""
    rng = np.random.default_rng(3)
    while count:
        net = random_network(rng, most=5)
        usual = net.draws == "private" and net.real == "fresh" and net.later.constant
        if usual and diagnose(net).flips:
            count -= 1
            yield net


def test_times_and_numbers_are_those_of_the_network_with_the_feed():
    told = 0
    for net in random_networks(30):
        before, rows = diagnose(net), new_rows(net.settled)
        flips = {
            edge: diagnose(net.with_feed(*edge, int(rows[net.index[edge[1]]])))
            for edge in before.flips
        }
        for danger in before.dangers:
            after = flips[danger.edge].models
            assert danger.doubles == after[danger.reader].doubles
            newly = [n for n, v in after.items() if v.collapses and not before.models[n].collapses]
            assert danger.harmed == len(newly)
            told += 1
        times = [danger.doubles or np.inf for danger in before.dangers]
        assert times == sorted(times)
        assert len(before.dangers) == min(len(flips), MOST_TOLD)
        if len(flips) <= MOST_TOLD:
            assert {danger.edge for danger in before.dangers} == set(flips)
    assert told > 100


def test_feeds_of_equal_pace_are_told_apart_by_what_they_reach():
    names = ["loop", "alone", "leaf", "twig", "root"]
    feeds = [*(feed for feed in TREES if feed[1] != "alone"), ("real", "alone", 100)]
    found = [
        d for d in diagnose(build_network(names, feeds, 100)).dangers if d.reader in names[1::3]
    ]
    assert [(d.reader, d.harmed) for d in found] == [("root", 3), ("alone", 1)]
    assert found[0].doubles == found[1].doubles


def test_what_reads_itself_is_harmed_sooner():
    found = diagnose(build_network(["loop", "root", "leaf", "twig", "alone"], TREES, 100)).dangers
    first = {danger.reader: danger for danger in reversed(found) if danger.origin == "loop"}
    assert first["alone"].doubles < first["root"].doubles
    assert found[0].reader == "alone"


@pytest.mark.parametrize("frozen", [False, True])
def test_feeds_of_large_networks_flip_as_well(frozen, monkeypatch):
    feeds = [*TREES, ("still", "twig", 20)] if frozen else TREES
    names = ["loop", "root", "leaf", "twig", "alone", *["still"] * frozen]
    net = build_network(names, feeds, 100)
    small = diagnose(net)
    monkeypatch.setattr(collapse, "MOST_MODELS", 2)
    large = diagnose(net, worst=1)
    assert large.flips == ()
    assert {danger.edge for danger in large.dangers} <= set(small.flips)
    assert {danger.reader for danger in large.dangers} == {i for _, i in small.flips}
    assert large.dangers[0].reader == small.dangers[0].reader
    plain = large.to_json()["dangers"][0]
    assert (plain["from"], plain["to"]) == large.dangers[0].edge
    assert plain["harmed"] == large.dangers[0].harmed


def test_nothing_is_dangerous_where_data_accumulate():
    net = build_network(["loop", "root", "leaf", "twig", "alone"], TREES, 100, memory="accumulate")
    assert diagnose(net).dangers == ()
