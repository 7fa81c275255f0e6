"""Feeds that come and go, of which some are drawn besides: laws by phase, and wrong ones."""

from itertools import product

import numpy as np
import pytest

from mcjax.api import verify
from mcjax.diagnosis import diagnose
from mcjax.errors import InputError
from mcjax.laws.predict import predict_condition
from mcjax.models.location import linear
from mcjax.network import REAL, Drawn, Feed, build_network
from mcjax.network.drawn import Followed
from mcjax.network.markov import cyclic_classes
from mcjax.study.study import Study, condition

FEEDS = (
    Feed("a", "a", 20),
    Feed(REAL, "a", 20, every=2, probability=0.5),
    Feed("b", "b", 10),
    Feed("a", "b", 15, every=3, first=2, probability=0.6),
)


def of(feeds=FEEDS, **options):
    return condition(build_network("ab", feeds, 40, **options), linear(), [0.5, -1.0])


def test_groups_take_turns_from_the_first_generation_on():
    law = of().network.later
    assert (law.turns, len(law.groups)) == (2 + 2 + 2 + 1 + 4 + 1, 6)
    assert law.groups.sum(1) == pytest.approx(np.ones(6))
    assert law.groups[0, :2].tolist() == pytest.approx([0.5, 0.5])
    assert law.groups[4, 7:11].tolist() == pytest.approx([0.3, 0.2, 0.3, 0.2])
    uniform = np.random.default_rng(0).random((500, 12))
    sequences = law.sequences(uniform)
    groups = law.groups.argmax(0)  # in which each generation is
    member = law.groups > 0
    assert all(member[t % 6, z] for places in sequences for t, z in enumerate(places))
    assert len(groups) == law.turns
    shares = np.bincount(sequences[:, 4] - 7, minlength=4) / 500
    assert abs(shares - [0.3, 0.2, 0.3, 0.2]).max() < 5 * np.sqrt(0.25 / 500)


@pytest.mark.parametrize("name", ["first_order", "finite_sample"])
def test_the_law_is_the_mean_over_sequences(name):
    made, last = of(), 5
    law = made.network.later
    whole = predict_condition(made, last).laws[name]
    total, chance = np.zeros_like(whole.covariance), 0.0
    for places in product(*(np.flatnonzero(group).tolist() for group in law.groups[:last])):
        weight = np.prod([law.groups[t, z] for t, z in enumerate(places)])
        given = predict_condition(of(Followed(law, places)), last).laws[name]
        total += weight * given.covariance
        chance += weight
    assert chance == pytest.approx(1)
    np.testing.assert_allclose(whole.covariance, total, rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("q", [0.2, 0.5, 1.0])
def test_real_data_that_may_come_in_every_second_generation(q):
    """Half real with probability q in odd generations: a linear equation for the mean square."""
    v, rho = 1 / 50, 1 - 0.75 * q
    odd = v * (rho + 1 - q / 2) / (1 - rho)
    feeds = [Feed("a", "a", 50), Feed(REAL, "a", 50, every=2, probability=q)]
    verdict = diagnose(build_network("a", feeds, 50)).models["a"]
    assert verdict.limit == pytest.approx(odd + v)  # of the worst phase
    limits = [phase.limit for phase in verdict.phases]
    chances = [1] if q == 1 else [q, 1 - q]
    assert np.dot(limits[:-1], chances) == pytest.approx(odd)
    assert limits[-1] == pytest.approx(odd + v)


def test_two_that_collapse_in_turn_and_not_if_one_feed_may_stay_away():
    """What is always passed by its real data is not where these may come in another generation."""
    turns = [Feed("b", "a", 10, every=2), Feed(REAL, "b", 10, every=2)]
    turns += [Feed(REAL, "a", 10, every=2, first=2), Feed("a", "b", 10, every=2, first=2)]
    assert diagnose(build_network("ab", turns, 10)).collapses
    less = [*turns[:3], Feed("a", "b", 10, every=2, first=2, probability=0.5)]
    found = diagnose(build_network("ab", less, 10))
    assert not found.collapses  # b rests then, and passes its real data on
    more = [*turns[:3], Feed(REAL, "b", 10, every=2, first=2, probability=0.5), turns[3]]
    assert not diagnose(build_network("ab", more, 10)).collapses


def test_what_is_refused():
    with pytest.raises(InputError, match="leave out until") as refused:
        of([*FEEDS, Feed("b", "a", 5, until=9)])
    assert refused.value.field == "network.feeds[4]"
    with pytest.raises(InputError, match="give first up to every"):
        of([*FEEDS, Feed("b", "a", 5, every=2, first=3)])
    with pytest.raises(InputError, match="of 2,431 phases more than 1,024 networks come"):
        of([Feed(REAL, "a", 5, every=k, probability=0.5) for k in (11, 13, 17)])
    with pytest.raises(InputError, match="give 0 to 1"):
        Drawn(*of().network.later.generations[:2], probabilities=[0.5, 0.5], first=2)


def test_cyclic_classes():
    turns = np.array([[0, 1, 0, 0], [0, 0, 0.5, 0.5], [1, 0, 0, 0], [1, 0, 0, 0]])
    assert cyclic_classes(turns, 1).astype(int).tolist() == [
        [0, 1, 0, 0],
        [0, 0, 1, 1],
        [1, 0, 0, 0],
    ]
    turns[0] = [0.5, 0.5, 0, 0]
    assert cyclic_classes(turns, 2).all()


@pytest.mark.statistical
def test_simulation_verifies_the_law_and_refutes_that_of_mean_shares():
    study = Study((of(),), generations=7, chains=20_000, tolerance=0.15)
    result = verify(study)
    exact = [c for c in result.cells if c.quantity == "mse" and c.law == "finite_sample"]
    assert {cell.verdict for cell in exact} == {"verified"}
    law, last = study.conditions[0].network.later, 7
    covariance = np.diag([1 / 40, 1 / 40])  # by the means of shares and noise, to first order
    for t in range(1, last + 1):
        w, noise = np.zeros((2, 2)), np.zeros((2, 2))
        for z, chance in enumerate(law.groups[(t - 1) % 6]):
            feeds = law.generations[z].feeds
            for i, name in enumerate("ab"):
                rows = sum(f.samples for f in feeds if f.reader == name)
                noise[i, i] += chance / rows
                for f in feeds:
                    if f.reader == name and f.origin != REAL:
                        w[i, "ab".index(f.origin)] += chance * f.samples / rows
        covariance = w @ covariance @ w.T + noise
    wrong = 2 * covariance.diagonal()  # p = 2; exact laws differ by a few percent more
    cells = {cell.model: cell for cell in exact if cell.generation == last}
    first = predict_condition(study.conditions[0], last).laws["first_order"].mse[last]
    for i, name in enumerate("ab"):
        low = (
            cells[name].predicted * wrong[i] / first[i]
        )  # as far from the exact law as to first order
        assert cells[name].empirical - low > 4.892 * cells[name].standard_error
