"""Large networks have the answers of small ones, of the models that are asked for."""

import numpy as np
import pytest

from mcjax.diagnosis import collapse, diagnose, rates
from mcjax.diagnosis.asked import rank
from mcjax.diagnosis.failure import find_failures
from mcjax.diagnosis.long_run import Facts
from mcjax.diagnosis.ranking import slope_bounds
from mcjax.diagnosis.rates import MOST_MODELS
from mcjax.errors import InputError
from mcjax.laws.collapse.components import data_flow
from mcjax.network import REAL, build_network
from mcjax.network.graphs import read_graph


def random_network(rng, **options):
    size = int(rng.integers(2, 16))
    hit = rng.random((size + 1, size)) < rng.uniform(0.03, 0.25)
    feeds = [
        (REAL if j == size else str(j), str(i), int(rng.integers(1, 300)))
        for j, i in np.argwhere(hit).tolist()
    ]
    return build_network(size, feeds, int(rng.integers(5, 300)), **options)


def plain(verdict):
    numbers = [verdict.growth, verdict.limit, verdict.radius, *verdict.relative]
    known = [np.nan if number is None else number for number in numbers]
    rest = (verdict.collapses, verdict.sources, verdict.path, verdict.frozen, verdict.anchors)
    return rest, (verdict.doubles, verdict.tenfold), known


@pytest.mark.parametrize(("options", "count"), [({}, 25), ({"memory": "accumulate"}, 1)])
def test_rates_of_some_models_are_those_among_all(monkeypatch, options, count):
    rng = np.random.default_rng(3)
    for _ in range(count):
        net = random_network(rng, **options)
        whole = diagnose(net)
        only = [str(i) for i in rng.permutation(net.size)[:3]]
        with monkeypatch.context() as patch:
            patch.setattr(collapse, "MOST_MODELS", 1)
            found, silent = diagnose(net, only=only), diagnose(net)
        assert list(found.models) == only
        for name in only:
            rest, times, known = plain(whole.models[name])
            assert plain(found.models[name])[:2] == (rest, times)
            assert plain(found.models[name])[2] == pytest.approx(known, rel=1e-9, nan_ok=True)
        for name, verdict in silent.models.items():
            assert plain(verdict)[0] == plain(whole.models[name])[0]
            assert np.isnan(verdict.relative).all()
        for part in (found, silent):
            assert part.counts == whole.counts
            assert part.repairs == whole.repairs
            assert part.unstable_sources == whole.unstable_sources
        assert (found.rates, silent.rates, whole.rates) == (True, False, True)


def test_the_worst_model_is_the_one_of_the_largest_slope(monkeypatch):
    """Below one origin without a period the bound of a slope is the slope."""
    rng = np.random.default_rng(5)
    for _ in range(10):
        size = 12
        feeds = [("0", "0", 40)]
        for i in range(1, size):
            feeds += [(str(j), str(i), int(rng.integers(5, 90))) for j in rng.permutation(i)[:2]]
            feeds += [(REAL, str(i), int(rng.integers(5, 90)))]
        net = build_network(size, feeds, 50)
        failures = find_failures(net, Facts())
        bounds = slope_bounds(net, data_flow(net), failures.origins, failures.walk.shares)
        ranked = rank(net, failures, bounds)
        growth = [verdict.growth for verdict in diagnose(net).models.values()]
        assert ranked.tolist() == np.argsort(-np.array(growth), kind="stable").tolist()
        monkeypatch.setattr(collapse, "MOST_MODELS", 1)
        assert set(diagnose(net, worst=3).models) == {str(i) for i in ranked[:3]}
        monkeypatch.undo()


def test_bounds_of_slopes_hold():
    """Forty random networks, and one with two origins and a loop of readers."""
    rng, exact = np.random.default_rng(11), 0
    nets = [random_network(rng) for _ in range(40)]
    feeds = [("0", "0", 40), ("1", "2", 9), ("2", "1", 9), ("0", "3", 20), ("1", "3", 30)]
    nets.append(build_network(5, [*feeds, ("3", "4", 30), ("4", "3", 10), (REAL, "4", 5)], 70))
    for net in nets:
        failures = find_failures(net, Facts())
        bounds = slope_bounds(net, data_flow(net), failures.origins, failures.walk.shares)
        for name, verdict in diagnose(net).models.items():
            slope = (verdict.growth or 0.0) * net.initial[net.index[name]]
            assert bounds[net.index[name]] >= slope * (1 - 1e-3)
            periods = [o.period for o in failures.origins if o.members in verdict.sources]
            if periods == [1]:
                assert bounds[net.index[name]] == pytest.approx(slope, rel=1e-3)
                exact += 1
    assert exact > 10


def test_rates_by_lineages_are_those_of_dense_arrays(monkeypatch):
    rng, settled = np.random.default_rng(7), 0
    for _ in range(30):
        net = random_network(rng)
        whole = diagnose(net)
        only = [str(i) for i in rng.permutation(net.size)[:3]]
        with monkeypatch.context() as patch:
            patch.setattr(collapse, "MOST_MODELS", 1)
            patch.setattr(rates, "MOST_MODELS", 0)
            found = diagnose(net, only=only)
        for name, verdict in found.models.items():
            expected = whole.models[name]
            assert verdict.relative[:3] == pytest.approx(expected.relative[:3], rel=1e-9)
            for time, known in ((verdict.doubles, expected.doubles),):
                assert time == known or (time is None and known > 20)
            for number, known in (
                (verdict.growth, expected.growth),
                (verdict.limit, expected.limit),
            ):
                assert (number is None) == (known is None)
                if number is not None and not np.isnan(number):
                    assert number == pytest.approx(known, rel=1e-8)
                    settled += 1
    assert settled > 60


def chain_of_readers(size):
    rows = [f"m{i},m{i + 1},100" for i in range(size - 1)]
    return "\n".join(["from,to,samples", "m0,m0,100", *rows])


def test_more_models_than_have_rates(monkeypatch):
    net = read_graph(chain_of_readers(MOST_MODELS + 500), "CSV").network
    found = diagnose(net, only=["m5", f"m{MOST_MODELS + 400}"])
    assert found.counts.collapse == MOST_MODELS + 500
    near, far = found.models.values()
    assert near.growth == pytest.approx(1 / 100)
    assert near.relative == pytest.approx((2, 6, 21, np.inf))
    assert np.isnan(far.growth)  # its data were so long on their way that they do not tell
    assert far.relative == pytest.approx((2, 6, 21, np.inf))
    assert (far.doubles, far.tenfold) == (near.doubles, near.tenfold) == (1, 9)
    assert len(far.path) == MOST_MODELS + 401
    assert far.sources == (("m0",),)
    assert found.nearest == (MOST_MODELS + 500,)
    assert not found.flips_sought
    assert "feeds" not in net.later.generations[0].__dict__  # no object was made for a feed


def test_the_worst_of_a_small_network_come_first():
    feeds = [("a", "a", 100), ("a", "b", 50), (REAL, "b", 50), (REAL, "c", 100)]
    net = build_network("cba", feeds, 100)
    assert list(diagnose(net, worst=2).models) == ["a", "b"]
    assert list(diagnose(net, only=["c"], worst=1).models) == ["c", "a"]
    assert list(diagnose(net).models) == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("options", "field", "says"),
    [({"only": ["d"]}, "only", "'d'"), ({"worst": 0}, "worst", "at least 1")],
)
def test_what_cannot_be_asked_for(options, field, says):
    with pytest.raises(InputError, match=says) as caught:
        diagnose(build_network("abc", [], 5), **options)
    assert caught.value.field == field


@pytest.mark.parametrize("memory", ["replace", "accumulate"])
def test_unknown_data_in_a_large_network(memory, monkeypatch):
    feeds = [("unknown", "a", 50), (REAL, "a", 50), ("a", "b", 100), (REAL, "c", 9), ("d", "d", 7)]
    net = build_network("abcd", feeds, 100, memory=memory)
    whole, kept = diagnose(net), memory == "accumulate"
    monkeypatch.setattr(collapse, "MOST_MODELS", 1)
    monkeypatch.setattr("mcjax.diagnosis.unknown.MOST_MODELS", 1)
    found = diagnose(net, only=["b", "d"])
    assert found.counts == whole.counts
    assert found.certain == kept
    assert (found.models["b"].certain, found.models["d"].certain) == (kept, True)
    for name, verdict in found.models.items():
        assert plain(verdict)[:2] == plain(whole.models[name])[:2]
