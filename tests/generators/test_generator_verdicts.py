"""Verdicts on generators: growth, drift, flips and equality in law."""

import dataclasses

import numpy as np
import pytest
from generators_of_tests import GAUSSIAN, KDE, network, study
from scipy.stats import norm

import mcjax
from mcjax.generators import chains, growth
from mcjax.generators.contrasts import differs_from_zero, within_share
from mcjax.generators.equality import lines
from mcjax.generators.flip import flip_claims, pairs, reached
from mcjax.generators.judge import judge_generators
from mcjax.generators.simulate import Measured, simulate
from mcjax.verdicts.cells import settle
from mcjax.verdicts.claims import Place

PLACE = Place("", "a", 1, "growth(x)", law="collapse")


def cells_of(verification, quantity):
    return {
        (cell.condition, cell.model): cell.verdict
        for cell in verification.cells
        if cell.quantity == quantity
    }


@pytest.fixture(scope="module")
def judged():
    return mcjax.verify_generators(
        study("zoo", "stable", "flip", generations=10, chains=256, tolerance=0.3)
    )


def test_networks_of_kernel_densities(judged):
    """Everything that holds for them is found to hold."""
    undecided = [cell for cell in judged.cells if cell.verdict != "verified"]
    assert {(c.condition, c.model, c.law, c.verdict) for c in undecided} <= {
        ("zoo", "3", "self-loop", "inconclusive")  # it is on a line in generation 1 alone
    }
    doomed = [("zoo", "0"), ("zoo", "1"), *(("flip", str(i)) for i in range(4))]
    assert list(cells_of(judged, "growth(second)")) == doomed
    sound = [("zoo", "2"), ("zoo", "3"), *(("stable", str(i)) for i in (1, 2, 3))]
    assert list(cells_of(judged, "drift(second)")) == sound
    equal = [("zoo", "3"), ("stable", "1"), ("stable", "2"), *(("flip", str(i)) for i in range(3))]
    assert list(cells_of(judged, "equal(variance)")) == equal


def test_news_arrives_along_the_feeds(judged):
    arrivals = [
        d.arrival for d in judged.differences if (d.condition, d.measure) == ("flip", "second")
    ]
    assert arrivals == [1, 2, 3, 4]
    found = {(c.condition, c.model): c for c in judged.cells if c.quantity == "arrival"}
    assert [found["flip", str(i)].predicted for i in range(4)] == [1, 2, 3, 4]
    assert {c.verdict for c in found.values()} == {"verified"}


def test_news_that_never_arrives():
    """By generation 2 nothing has come to model 3, and no flip is claimed of it."""
    verification = mcjax.verify_generators(study("stable", "flip", generations=2, chains=8))
    [cell] = [c for c in verification.cells if (c.model, c.quantity) == ("3", "arrival")]
    assert (cell.verdict, cell.note) == ("verified", "")
    assert np.isnan([cell.empirical, cell.predicted]).all()
    flips = {c.model for c in verification.cells if c.quantity.startswith("flip")}
    assert flips == {"0", "1"}


def test_a_feed_to_the_wrong_model_is_refuted(monkeypatch):
    """The flip's feed from 2 to 0 goes to 3, so that it has news two generations early."""
    real = chains.readings

    def misled(net, generations):
        found = real(net, generations)
        for reads in found[1:] if net == network("flip") else ():
            reads[3], reads[0] = [*reads[0]], []
        return found

    monkeypatch.setattr(chains, "readings", misled)
    verification = mcjax.verify_generators(study("stable", "flip", chains=8))
    assert verification.verdict == "refuted"
    assert cells_of(verification, "arrival") == {
        ("flip", "0"): "inconclusive",  # the news never arrives; a measure might miss it
        ("flip", "1"): "inconclusive",
        ("flip", "2"): "inconclusive",
        ("flip", "3"): "refuted",
    }


def test_pairs_and_whom_news_reaches():
    made = study("zoo", "stable", "flip")
    assert pairs(made) == [(0, 1), (1, 2)]  # each with the one of the fewest other feeds
    apart = dataclasses.replace(made.conditions[1], label="other")
    assert pairs(mcjax.GeneratorStudy((*made.conditions[:1], apart))) == []
    news = reached(*made.conditions[1:], 5)
    assert news.argmax(0).tolist() == [1, 2, 3, 4]
    assert news.sum(0).tolist() == [5, 4, 3, 2]


def test_news_passes_unless_fits_begin_at_what_was_learned():
    """Model 1 reads another in generation 1 alone, and real data from then on."""
    feeds = [mcjax.Feed("real", "0", 30), mcjax.Feed("real", "1", 30, first=2)]
    once = mcjax.Feed("0", "1", 30, until=1), mcjax.Feed("real", "1", 30, until=1)
    for start, news in (("scratch", [0, 1, 0, 0]), ("base", [0, 1, 0, 0]), ("own", [0, 1, 1, 1])):
        conditions = [
            mcjax.GeneratorCondition(
                mcjax.build_network(2, [*feeds, feed], initial=30),
                GAUSSIAN,
                name=str(k),
                start=start,
            )
            for k, feed in enumerate(once)
        ]
        assert reached(*conditions, 3)[:, 1].tolist() == list(map(bool, news))


def test_transients():
    """Half real: a twentieth is left after five generations. Cycles and teachers do not decay."""
    conditions = {name: mcjax.GeneratorCondition(network(name), KDE) for name in ("zoo", "ring")}
    assert growth.transient(conditions["zoo"]) == 5
    assert growth.first_of_window(conditions["zoo"], 20) == 10
    assert growth.transient(conditions["ring"]) == int(
        np.ceil(np.log(0.05) / np.log(0.7 ** (1 / 3)))
    )
    verification = mcjax.verify_generators(study("zoo", generations=6, chains=4))
    assert [cell for cell in verification.cells if cell.quantity.startswith("growth")] == []
    assert "give at least 7" in verification.notes[0]


def test_transients_begin_when_feeds_stay():
    """A model that reads itself, and from generation 8 on or in every other one real data, half."""
    for times, expected in (({"first": 8}, 7 + 5), ({"every": 2}, 2 * 5)):
        feeds = [mcjax.Feed("0", "0", 30), mcjax.Feed("real", "0", 30, **times)]
        condition = mcjax.GeneratorCondition(mcjax.build_network(1, feeds, initial=30), GAUSSIAN)
        assert growth.transient(condition) == expected
        assert growth.first_of_window(condition, 16) == max(expected, 8)


def test_lines_to_real_data():
    zoo, stable = (mcjax.GeneratorCondition(network(name), KDE) for name in ("zoo", "stable"))
    assert lines(zoo, 2)[2] == [(100, 100, 100), None, None, None]
    assert lines(stable, 3)[3] == [(100,), (100, 100), (100, 100, 100), None]


@pytest.mark.parametrize("turns", [1, 3])
def test_what_never_varies_has_the_slope_zero(turns):
    values = np.random.default_rng(0).random((50, 3, 1, 1))[:, np.arange(11) % turns]
    assert (growth.slopes(values, 2, turns) == 0).all()
    values[0, -1] += 1
    assert growth.slopes(values, 2, turns)[0, 0, 0] > 0.01


def test_slopes():
    times = np.arange(8.0)
    values = (3 - 2 * times)[None, :, None, None]
    assert growth.slopes(values, 3) == pytest.approx(np.full((1, 1, 1), -2))


def test_slopes_where_feeds_take_turns():
    """Phases have levels of their own: a measure that only follows them does not grow."""
    levels = np.tile([0.0, 5.0, 1.0], 4)[:11]
    for slope in (0, -2):
        values = (levels + slope * np.arange(11.0))[None, :, None, None]
        for first in range(4, 8):
            found = growth.slopes(values, first, turns=3)
            assert found == pytest.approx(np.full((1, 1, 1), slope), abs=1e-12)
        assert abs(growth.slopes(values, 4)[0, 0, 0] - slope) > 0.01


def test_turns_take_a_round_and_more():
    """Of three phases, which are compared with themselves alone."""
    feeds = [mcjax.Feed("0", "0", 30), mcjax.Feed("real", "0", 270, every=3)]
    net = mcjax.build_network(1, feeds, initial=30)
    condition = mcjax.GeneratorCondition(net, GAUSSIAN)
    first = growth.transient(condition)
    for generations, judged in ((first + 2, False), (first + 3, True)):
        made = mcjax.GeneratorStudy((condition,), generations=generations, chains=4)
        claims = mcjax.verify_generators(made).cells
        assert bool([cell for cell in claims if cell.quantity.startswith("drift")]) == judged


def test_what_is_not_judged_where_fits_remember():
    """It takes no part of the error budget: paired differences have all of it."""
    averaged = dataclasses.replace(
        GAUSSIAN, fit=lambda key, params, rows: (rows.mean() + params) / 2, name="averaged"
    )
    found = {
        start: mcjax.verify_generators(
            study("stable", "flip", "zoo", generator=averaged, generations=10, start=start)
        )
        for start in ("scratch", "base", "own")
    }
    kinds = {
        start: {(c.quantity.partition("(")[0], bool(c.note)) for c in verification.cells}
        for start, verification in found.items()
    }
    kept = {("arrival", False), ("flip", False)}
    assert {kind for kind, told in kinds["scratch"] if not told} == {
        *("arrival", "flip", "growth", "drift", "equal")
    }
    assert {("equal", True), ("growth", False), ("drift", False)} <= kinds["base"]
    assert kinds["own"] == kept | {("growth", True), ("drift", True), ("equal", True)}
    own = found["own"]
    shown = [cell for cell in own.cells if cell.note]
    assert {cell.verdict for cell in shown} == {"inconclusive"}
    assert all("fits begin at" in cell.note for cell in shown)
    assert all(np.isfinite([cell.empirical, cell.standard_error]).all() for cell in shown)
    flips = [cell for cell in own.cells if cell.quantity == "flip(square)"]
    claims = list(flip_claims(own.study, own.values, own.measures))
    alone = {cell.place: cell for cell in settle(claims, 0.99)}
    assert [alone[cell.place] for cell in flips] == flips


def test_chains_that_are_not_finite_are_lost_and_counted():
    made = study("zoo", generations=8, chains=64)
    values = simulate(made).values[0].copy()
    values[:3, 8, 2, 0] = np.nan
    verification = judge_generators(made, Measured((values,)))
    [cell] = [c for c in verification.cells if (c.model, c.quantity) == ("2", "drift(second)")]
    assert (cell.chains, cell.lost) == (61, 3)
    assert verification.failures == {"not_finite": 3}
    assert np.isfinite(verification.mean(0)).all()
    values[:30, 8, 2, 0] = np.inf
    verification = judge_generators(made, Measured((values,)))
    [cell] = [c for c in verification.cells if (c.model, c.quantity) == ("2", "drift(second)")]
    assert "have no estimate" in cell.note
    assert cell.verdict == "inconclusive"


def test_claims_about_contrasts():
    """What is certain at 64 chains, in all directions of the whole change."""
    noise = np.random.default_rng(0).normal(size=64)
    for sign in (1, -1):
        whole = sign * (10 + noise[::-1])
        claims = {
            "verified": within_share(PLACE, 0.1 * noise, whole, 0.2, drawn=64),
            "refuted": within_share(PLACE, 5 + noise, whole, 0.2, drawn=64),
            "inconclusive": within_share(PLACE, 2 + noise, whole, 0.2, drawn=64),
        }
        for verdict, claim in claims.items():
            assert settle([claim], 0.99)[0].verdict == verdict
    assert settle([differs_from_zero(PLACE, 5 + noise, 64)], 0.99)[0].verdict == "verified"
    weak = settle([differs_from_zero(PLACE, 0.1 + noise, 64)], 0.99)[0]
    assert weak.verdict == "inconclusive"
    assert weak.chains_needed > 64
    assert settle([differs_from_zero(PLACE, np.ones(64), 64)], 0.99)[0].note
    assert settle([differs_from_zero(PLACE, 5 + noise[:3], 3)], 0.99)[0].note


@pytest.mark.parametrize(
    ("slope", "error", "saturated", "verdict"),
    [
        (0.0, 0.001, True, "inconclusive"),  # it has settled
        (0.02, 0.001, False, "verified"),  # within the tolerance, and certainly not still
        (0.02, 0.005, False, "inconclusive"),  # told from 0, were it the only claim
        (0.0, 0.2, False, "inconclusive"),  # so noisy that nothing is known
    ],
)
def test_what_is_called_saturated(slope, error, saturated, verdict):
    """Only a measure that has settled, and that is not seen to move."""
    made = study("zoo", generations=10, chains=16, tolerance=0.3)
    values = np.random.default_rng(0).normal(0, 1e-9, (16, 11, 4, 20))
    off = norm.ppf((np.arange(16) + 0.5) / 16)[:, None, None, None]
    off *= error * 16**0.5 / off.std(ddof=1)
    values[:, 1:] += 1 + (slope + off) * np.arange(-9, 1)[:, None, None]
    names = [f"x{k}" for k in range(20)]
    claims = growth.growth_claims(made, made.conditions[0], values, names)
    found = [cell for cell in settle(list(claims), 0.99) if cell.model == "0"]
    assert {(cell.verdict, "saturated" in cell.note) for cell in found} == {(verdict, saturated)}


def sources_in_order(*order):
    """A loop that begins at the first of two sources, and its reader, who reads that as well."""
    first = order[0]
    at = [mcjax.Feed("a", "a", 20), mcjax.Feed("a", "b", 10), mcjax.Feed(first, "b", 10)]
    begins = [mcjax.Feed(first, "a", 20), mcjax.Feed("real", "b", 20)]
    sources = [mcjax.Source(name) for name in order]
    made = mcjax.build_network(["a", "b"], at, first=begins, sources=sources)
    generator = dataclasses.replace(
        GAUSSIAN, sources={"web": GAUSSIAN.real, "books": lambda key, n: 3 + GAUSSIAN.real(key, n)}
    )
    return made, generator


def test_sources_are_told_by_their_names():
    """Data of a source that stands elsewhere in a list are news from the first generation on."""
    (one, generator), (other, _) = (
        sources_in_order("web", "books"),
        sources_in_order("books", "web"),
    )
    pair = [mcjax.GeneratorCondition(n, generator, name=k) for n, k in ((one, "1"), (other, "2"))]
    news = reached(*pair, 3)
    assert news.tolist() == [[True, False], *[[True, True]] * 3]
    made = mcjax.GeneratorStudy(tuple(pair), generations=3, chains=8)
    cells = [c for c in mcjax.verify_generators(made).cells if c.quantity == "arrival"]
    assert {c.verdict for c in cells} == {"verified"}


def test_a_loop_that_begins_at_another_source_is_compared_with_nothing():
    made, generator = sources_in_order("web", "books")
    alone = mcjax.GeneratorStudy(
        (mcjax.GeneratorCondition(made, generator),), generations=3, chains=8
    )
    assert lines(alone.conditions[0], 3)[-1] == [None, None]
    claims = {cell.law for cell in mcjax.verify_generators(alone).cells}
    assert "self-loop" not in claims
