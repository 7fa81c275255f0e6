"""Networks that are drawn at random: which chain has which, and that nothing else changes."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from mcjax.api import replay, replay_data, simulate
from mcjax.draws.streams import chain_keys, condition_word, switching_numbers
from mcjax.engine.compiled import compile_study
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import REAL, Drawn, Feed, Generation, build_network
from mcjax.report.replay import replay_json
from mcjax.study.study import Study, condition

DAY = Generation([Feed("a", "a", 40), Feed("b", "b", 30), Feed(REAL, "b", 30)])
NIGHT = Generation([Feed("b", "a", 50)])
LAST = 3
MODELS = {"linear": linear(), "logistic": logistic()}


def network(paths="own"):
    return build_network("ab", Drawn(DAY, NIGHT, probabilities=[0.7, 0.3], paths=paths), 60)


def compiled(net, model, label="here", **settings):
    made = condition(net, MODELS[model], [0.5, -1.0], label=label)
    study = Study((made,), generations=LAST, chains=64, tolerance=0.3, **settings)
    return compile_study(study)


def estimates(program, chains):
    [shared] = program.programs
    [(_, part)] = program.trajectories(shared, chains)
    return part.theta


def own_sequences(net, chains, label="here"):
    keys = chain_keys(0, condition_word(label), chains)
    return net.later.sequences(switching_numbers(keys, LAST))


ROUTES = [("linear", {}), ("logistic", {"path": "reference"})]


@pytest.mark.system
@pytest.mark.parametrize(("model", "settings"), ROUTES)
def test_chains_have_the_draws_of_their_networks(model, settings):
    """A chain that draws one network again and again is the chain of that network."""
    chains = np.arange(64, dtype=np.uint32)
    net = network()
    drawn = own_sequences(net, chains)
    found = estimates(compiled(net, model, **settings), chains)
    both = 0
    for place, generation in enumerate((DAY, NIGHT)):
        same = (drawn == place).all(1)
        both += same.any()
        alone = estimates(
            compiled(build_network("ab", generation.feeds, 60), model, **settings), chains
        )
        np.testing.assert_allclose(found[same], alone[same], rtol=1e-12)
        assert not np.allclose(found[~same][:, 1:], alone[~same][:, 1:])
    assert both == 2


@pytest.mark.system
def test_a_chain_is_replayed_with_its_own_networks():
    net, chains = network(), np.arange(20, dtype=np.uint32)
    program = compiled(net, "linear", sampling="rows")
    whole = estimates(program, chains)
    drawn = own_sequences(net, chains)
    assert len({tuple(row) for row in drawn.tolist()}) > 4
    for chain in (3, 11, 17):
        alone = replay(program, "here", chain)
        np.testing.assert_array_equal(alone.theta, whole[chain])
        rows = list(replay_data(program, "here", chain, alone))
        told = replay_json(program.study, "here", chain)["generations"]
        for t, place in enumerate(drawn[chain], 1):
            expected = [{"a": 40}, {"b": 30, REAL: 30}] if place == 0 else [{"b": 50}, {}]
            assert [{k: len(v.y) for k, v in read.items()} for read in rows[t]] == expected
            shown = (one["data"] for one in told if one["generation"] == t)
            assert [{d["origin"]: d["rows"] for d in data} for data in shown] == expected


def test_what_is_told_of_a_chain_without_rows():
    net = network()
    drawn = own_sequences(net, np.arange(6, dtype=np.uint32))
    program = compiled(net, "linear")
    for chain in (0, 5):
        told = replay_json(program.study, "here", chain)["generations"]
        rows = [sum(d["rows"] for d in one["data"]) for one in told if one["model"] == "b"]
        assert rows == [60, *np.where(drawn[chain] == 0, 60, 0).tolist()]


def test_common_networks_are_those_of_all_chains():
    study = compiled(network("common"), "linear").study
    [made] = study.conditions
    places = made.network.later.places
    assert len(places) == LAST
    other = compiled(network("common"), "linear", label="there").study.conditions[0]
    later = Study(study.conditions, generations=40, chains=2, tolerance=0.3).conditions[0]
    assert later.network.later.places[:LAST] == places  # more generations change none
    again = Study((other,), generations=40, chains=2, tolerance=0.3).conditions[0]
    assert again.network.later.places != later.network.later.places
    [tally] = simulate(compile_study(study))
    assert tally.outcome.chains == 64


def test_sequences_have_their_law():
    """Frequencies and transitions, by their standard errors."""
    transition = np.array([[0.9, 0.1, 0.0], [0.0, 0.2, 0.8], [0.5, 0.0, 0.5]])
    law = Drawn(DAY, NIGHT, Generation([]), transition=transition.tolist())
    keys = chain_keys(5, 0, np.arange(20_000, dtype=np.uint32))
    drawn = law.sequences(switching_numbers(keys, 6))
    p = law.stationary
    np.testing.assert_allclose(p @ transition, p, atol=1e-15)
    for t in (0, 5):
        share = np.bincount(drawn[:, t], minlength=3) / len(drawn)
        assert (np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / len(drawn))).all()
    for y, z in np.ndindex(3, 3):
        came = drawn[:, 2] == y
        share, q = (drawn[came, 3] == z).mean(), transition[y, z]
        assert abs(share - q) <= 5 * np.sqrt(q * (1 - q) / came.sum())
        again = (drawn[came, 1] == z).mean()
        back = law.reversed[y, z]
        assert abs(again - back) <= 5 * np.sqrt(back * (1 - back) / came.sum())


def test_independent_feeds_are_a_law_of_networks():
    feeds = [Feed("a", "a", 10), Feed(REAL, "a", 20, probability=0.25)]
    feeds += [Feed("a", "a", 5, probability=0.5)]
    later = build_network("a", feeds, 10).later
    found = {
        tuple((f.origin, f.samples) for f in g.feeds): p
        for g, p in zip(later.generations, later.law[0], strict=True)
    }
    expected = {
        (("a", 15), (REAL, 20)): 0.125,
        (("a", 10), (REAL, 20)): 0.125,
        (("a", 15),): 0.375,
        (("a", 10),): 0.375,
    }
    assert found == pytest.approx(expected)
    assert jax.config.read("jax_enable_x64")


def test_the_rungs_of_a_ladder_have_the_same_networks():
    made = [
        replace(
            condition(network("common").scaled(scale), linear(), [0.5, -1.0], label=f"x{scale}"),
            ladder="rungs",
            scale=scale,
        )
        for scale in (1.0, 2.0, 4.0)
    ]
    study = Study(tuple(made), generations=30, chains=2, tolerance=0.3)
    assert len({c.network.later.places for c in study.conditions}) == 1
