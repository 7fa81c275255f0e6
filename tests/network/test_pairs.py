"""Pairs of networks that switch: their codes, their names and samples of them."""

import numpy as np
import pytest

from mcjax import Survey
from mcjax.errors import InputError
from mcjax.network.enumeration import feeds_of
from mcjax.network.pairs import PAIRS, pair_of


@pytest.mark.parametrize("switching", ["periodic", "random"])
def test_a_pair_has_the_feeds_of_both_networks(switching):
    for code in (0b000001 * 64 + 0b100010, 0, 17 * 64 + 17):
        first, second = pair_of(code, 2)
        assert first * 64 + second == code
        later = PAIRS[switching].network(code, 2, 500).later
        found = [{(f.origin, f.reader) for f in g.feeds} for g in later.generations]
        expected = [set(feeds_of(c, 2)) for c in (first, second)]
        assert found == expected[: len(found)]
        assert len(found) == (1 if switching == "periodic" and first == second else 2)
        assert later.random == (switching == "random")
        assert {feed.samples for feed in later.feeds} <= {500}


def test_feeds_of_both_networks_are_in_one_order():
    """That of the first, so that a feed has one number in both."""
    for kind in PAIRS.values():
        net = kind.network(0b000010 * 64 + 0b000011, 2, 500)
        assert net.initial == (500, 500)
        first, second = ([f.origin for f in g.feeds] for g in net.later.generations)
        assert (first, second) == (["1"], ["1", "0"])


def test_names():
    code = 0b001000 * 64 + 0b100000
    names = {name: kind.name(code, 2) for name, kind in PAIRS.items()}
    assert names == {"periodic": "0->1 then real->1", "random": "0->1 or real->1"}
    told = {name: (kind.noun, kind.does) for name, kind in PAIRS.items()}
    assert told == {"periodic": ("pair", "take turns"), "random": ("pair", "are drawn")}
    assert Survey(models=2, switching="periodic").vertices() == ["0@0", "1@0", "0@1", "1@1"]
    assert Survey(models=2, switching="random").vertices() == ["0", "1"]


def test_the_order_of_networks_that_are_drawn_has_no_meaning():
    codes, sizes = Survey(models=2, switching="random").codes()
    assert (len(codes), sizes.sum()) == (64 * 65 // 2, 64**2)
    some = np.array([3 * 64 + 5, 5 * 64 + 3, 9 * 64 + 1])
    codes, sizes = PAIRS["random"].distinct(some, 2)
    assert codes.tolist() == [1 * 64 + 9, 3 * 64 + 5]
    assert sizes.tolist() == [1, 2]


def test_samples_are_of_all_pairs_and_depend_on_the_seed():
    survey = Survey(models=3, switching="periodic", sample=4000)
    codes, _ = survey.codes()
    assert len(set(codes.tolist())) == 4000
    assert codes.tolist() == sorted(codes.tolist())
    parts = np.bincount((codes / 4096**2 * 8).astype(int), minlength=8)  # 500 expected in each
    assert (abs(parts - 500) < 5 * np.sqrt(500)).all()
    other = Survey(models=3, switching="periodic", sample=4000, seed=1).codes()[0]
    assert len(set(other.tolist()) & set(codes.tolist())) < 40
    few = Survey(models=3, switching="periodic", sample=100).codes()[0]
    assert set(few.tolist()) <= set(codes.tolist())


def test_samples_stay_the_same():
    survey = Survey(models=3, switching="periodic", sample=3, seed=4)
    assert survey.codes()[0].tolist() == [999459, 3563012, 13330687]


def test_each_code_is_as_likely_as_any_other():
    """Where more numbers are drawn than are wanted, since some are drawn twice."""
    late = [
        (Survey(models=1, switching="periodic", sample=8, seed=seed).codes()[0] >= 8).sum()
        for seed in range(100)
    ]
    assert abs(np.mean(late) - 4) < 5 * np.sqrt(8 * 8 / 16 * 8 / 15 / 4) / 10  # hypergeometric


def test_a_sample_of_all_is_all():
    assert Survey(models=1, sample=4).codes()[0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"models": 2, "switching": "turns"}, "survey.switching"),
        ({"models": 2, "switching": "periodic", "labelled": False}, "survey.labelled"),
        ({"models": 3, "switching": "periodic"}, "survey.sample"),
        ({"models": 2, "sample": 65}, "survey.sample"),
        ({"models": 4, "sample": 9, "labelled": False}, "survey.labelled"),
    ],
)
def test_refused(settings, field):
    with pytest.raises(InputError) as refused:
        Survey(**settings)
    assert refused.value.field == field
