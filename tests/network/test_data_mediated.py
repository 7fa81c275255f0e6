"""The builder of data-mediated interaction, and weights by generation."""

from dataclasses import replace

import numpy as np
import pytest

from mcjax import api
from mcjax.diagnosis import diagnose
from mcjax.errors import InputError
from mcjax.models.location import linear
from mcjax.network import build_network, data_mediated
from mcjax.study.load import load_study
from mcjax.study.networks import read_network
from mcjax.study.study import Study, condition

FILE = """
[data_mediated]
entities = 2
private = [20, 30]
public = 50
synthetic = 10
alpha = [0.5, 0.25]
beta = [1.0, 0.5]
theta = [[1.0, 0.0], [0.0, 1.0]]

[family]
name = "linear"
theta = [1.0, 1.0]

[run]
generations = 3
chains = 64
"""


def shares(net, reader, generation):
    """By origin: what the mean loss of a sample weighs, normalised."""
    weights = {f.origin: f.weight * f.samples for f in net.reads(generation)[reader]}
    total = sum(weights.values())
    return {origin: weight / total for origin, weight in weights.items() if weight}


def test_mean_losses_have_the_weights_of_the_definition(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(FILE)
    net = read_network(path)
    assert net == data_mediated(
        2, [0.5, 0.25], [1.0, 0.5], [20, 30], 50, 10, theta=[[1.0, 0.0], [0.0, 1.0]]
    )
    assert load_study(path).conditions[0].network == net
    for k in range(2):
        own = f"private {k}"
        assert shares(net, k, 0) == {own: 1.0}
        assert shares(net, k, 1) == pytest.approx({own: 0.25, "public": 0.25, "0": 0.25, "1": 0.25})
        for later in (2, 3, 9):
            expected = {own: 0.375, "public": 0.375, "0": 0.125, "1": 0.125}
            assert shares(net, k, later) == pytest.approx(expected)


def test_weights_that_vanish_are_no_feeds():
    alone = data_mediated(3, 0.0, 1.0, 20, 50, 10)
    assert {feed.origin for feed in alone.feeds} == {f"private {k}" for k in range(3)}
    closed = data_mediated(3, 1.0, 0.5, 20, 50, 10)
    assert {feed.origin for feed in closed.feeds} == set("012")
    assert not diagnose(alone).collapses
    assert [source.members for source in diagnose(closed).unstable_sources] == [("0", "1", "2")]


def test_the_collapse_law_is_of_the_weights_that_stay():
    """Real data for a while do not save a loop, and one that ends does not doom."""
    for last, collapses in ((1.0, True), (0.5, False)):
        net = data_mediated(2, [0.5, 1.0 - last / 2, last], 0.5, 20, 50, 10)
        assert diagnose(net).collapses == collapses


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("alpha = [0.5, 0.25]", "alpha = 1.5", "data_mediated.alpha: has 1.5; give numbers from 0"),
        ("alpha = [0.5, 0.25]", "alpha = []", "data_mediated.alpha: is empty"),
        ("private = [20, 30]", "private = [20]", "data_mediated.private: has 1 entry; give 2"),
        ("synthetic = 10", "synthetic = 0", "data_mediated.synthetic: "),
        ("[0.0, 1.0]]", "[0.0]]", "(private 1).theta: has 1 number"),
        ("[run]", "[network]\nmodels = 1\ninitial = 9\n[run]", "and [network] exclude each other"),
    ],
)
def test_malformed_tables(tmp_path, old, new, sentence):
    path = tmp_path / "study.toml"
    path.write_text(FILE.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert sentence in str(caught.value)


def test_a_generation_without_any_weight():
    feeds = [("a", "a", 10, [0.0, 0.5]), ("real", "a", 10, [0.0, 0.0])]
    with pytest.raises(InputError, match="'a' all have weight 0 in generation 1"):
        build_network(["a"], feeds, 10)


def test_a_schedule_of_one_weight_is_that_weight():
    """Equal networks have the same chains and laws."""
    feeds = [("0", "0", 20, 2.0), ("real", "0", 10, 1.0)]
    constant = build_network(1, feeds, 30)
    varied = build_network(1, [(*feed[:3], [feed[3]] * 3) for feed in feeds], 30)
    assert varied == constant
    assert varied.later.constant


@pytest.mark.statistical
def test_a_schedule_is_followed():
    """Exact law against simulation; refuted by the law of the last weights."""
    net = data_mediated(
        2, [0.9, 0.1, 0.6], [0.3, 0.8, 0.5], [12, 9], 10, 8, theta=[[2.0, 0.0], [1.0, 1.0]]
    )
    one = condition(net, linear(), [1.0, 1.0], design="fixed")
    study = Study((one,), generations=5, chains=8192)
    [tally] = api.simulate(study)
    off = []
    for used in (net, net.settled):
        law = api.predict(replace(study, conditions=(replace(one, network=used),)))[0].laws
        error, squared = tally.outcome.moments.error, tally.outcome.moments.squared
        exact = law["fixed_design"]
        off.append(
            max(
                np.abs((error.mean - exact.mean) / error.standard_error()).max(),
                np.abs((squared.mean - exact.mse) / squared.standard_error()).max(),
            )
        )
    assert off[0] < 4.9
    assert off[1] > 20
