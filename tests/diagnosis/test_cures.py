"""Repairs and flips against trying every change, with verdicts from long recursions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from brute_force import Recursion, random_network

from mcjax.diagnosis import diagnose
from mcjax.network import REAL, Network, build_network

SAMPLES = 12


@pytest.fixture(scope="module")
def networks() -> list[Network]:
    """Small, private and fresh, so that any feed may be added with any number of samples."""
    rng = np.random.default_rng(7)
    drawn = (random_network(rng, most=5) for _ in range(2000))
    return [net for net in drawn if net.draws == "private" and net.real == "fresh"][:350]


def collapsed(net: Network) -> set[str]:
    diverges = Recursion(net).diverges()
    return {name for name, fails in zip(net.models, diverges, strict=True) if fails}


def new_feeds(net: Network) -> list[tuple[str, str]]:
    existing = {(f.origin, f.reader) for f in net.feeds}
    return [e for e in itertools.product(net.models, net.models) if e not in existing]


@pytest.mark.system
def test_flips_are_exactly_the_feeds_that_flip(networks):
    by_reason = {"from a collapsed model": 0, "onto a frozen reader": 0, "closes": 0, "loop": 0}
    for net in networks:
        before = collapsed(net)
        flipping = [
            edge for edge in new_feeds(net) if collapsed(net.with_feed(*edge, SAMPLES)) - before
        ]
        assert list(diagnose(net).flips) == flipping, net
        frozen = {name for name, still in zip(net.models, net.frozen, strict=True) if still}
        for j, i in flipping:
            by_reason["from a collapsed model"] += j in before
            by_reason["onto a frozen reader"] += j in before and i in frozen
            by_reason["closes"] += j not in before and i != j
            by_reason["loop"] += i == j
    assert all(count >= 20 for count in by_reason.values()), by_reason


@pytest.mark.system
def test_repairs_suffice_and_fewer_do_not(networks):
    counts = np.zeros(3, int)
    for net in networks:
        found = diagnose(net)
        repaired = net
        for origin, reader in found.repairs:
            assert origin == REAL
            repaired = repaired.with_feed(REAL, reader, SAMPLES)
        assert not diagnose(repaired).collapses
        assert not collapsed(repaired)
        counts[min(len(found.repairs), 2)] += 1
        bare = [i for i in net.models if (REAL, i) not in {(f.origin, f.reader) for f in net.feeds}]
        for chosen in itertools.combinations(bare, max(len(found.repairs) - 1, 0)):
            changed = net
            for reader in chosen:
                changed = changed.with_feed(REAL, reader, SAMPLES)
            assert bool(collapsed(changed)) == bool(found.repairs), (net, chosen)
    assert (counts >= 20).all(), counts


@pytest.mark.system
def test_a_feed_from_a_stable_model_repairs_a_source(networks):
    repaired = 0
    for net in networks:
        found = diagnose(net)
        for source in found.unstable_sources:
            for name, verdict in found.models.items():
                if not verdict.collapses:
                    after = diagnose(net.with_feed(name, source.members[0], SAMPLES))
                    assert source.members not in {s.members for s in after.unstable_sources}
                    assert not after.models[source.members[0]].collapses
                    repaired += 1
    assert repaired > 50


def test_frozen_root_of_a_chain():
    """0 -> 1 -> 2 with 0 frozen is stable; any feed back to 0 closes a loop without real data."""
    net = build_network(3, [("0", "1", 5), ("1", "2", 5)], 5)
    found = diagnose(net)
    assert found.models["0"].frozen
    assert found.flips == (("0", "0"), ("1", "0"), ("2", "0"))
    assert found.repairs == ()
    for anchored in ("1", "2"):
        changed = diagnose(net.with_feed(REAL, anchored, 5))
        still = [j for j in ("0", "1", "2") if j < anchored]
        assert changed.flips == tuple((j, "0") for j in still)


def test_second_frozen_model_prevents_the_flip():
    net = build_network(3, [("0", "2", 5), ("1", "2", 5)], 5)
    assert diagnose(net).flips == (("0", "0"), ("1", "1"))
