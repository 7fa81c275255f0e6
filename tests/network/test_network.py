"""A network says what it was given, and refuses in a sentence what makes no network."""

import dataclasses
import math
import time

import numpy as np
import pytest

import mcjax
from mcjax.errors import InputError
from mcjax.network import REAL, Feed, Generation, Network, Series, build_network
from mcjax.network.checks import MOST_MODELS, MOST_SIMULATED
from mcjax.network.memory import Replace

FEEDS = [("real", "a", 100), ("a", "b", 200, 0.5)]


@pytest.fixture
def net():
    return build_network(["a", "b", "c"], FEEDS, 100)


def refused(field, *arguments, says="", build=build_network, **options):
    """The sentence names the field and says what is wrong."""
    with pytest.raises(InputError) as caught:
        build(*arguments, **options)
    assert caught.value.field == field
    assert says in caught.value.message
    assert str(caught.value) == f"{field}: {caught.value.message}"
    assert "\n" not in str(caught.value)


def test_a_count_stands_for_numbered_names():
    assert build_network(3, [], 5) == build_network(["0", "1", "2"], [], 5)


def test_names_may_come_from_any_iterable():
    assert build_network((c for c in "xyz"), [], 5).models == ("x", "y", "z")


def test_tuples_are_feeds():
    feeds = [Feed("real", "a", 100), Feed("a", "b", 200, weight=0.5)]
    assert build_network("ab", FEEDS, 1) == build_network("ab", feeds, 1)
    assert build_network("ab", FEEDS, 1).feeds[0].weight == 1.0


def test_initial_by_name_or_for_all():
    by_name = build_network("ab", [], {"b": 7, "a": 9})
    assert by_name.initial == (9, 7)
    assert build_network("ab", [], 9).initial == (9, 9)


def test_defaults_and_options(net):
    assert (net.draws, net.real, net.memory) == ("private", "fresh", Replace())
    other = build_network("ab", [("real", "a", 50)], 50, draws="shared", real="reused")
    assert (other.draws, other.real) == ("shared", "reused")


def test_size_index_and_order(net):
    assert net.size == 3
    assert net.index == {"a": 0, "b": 1, "c": 2}
    assert REAL not in net.index


def test_feeds_by_reader_keeps_models_and_feeds_in_order():
    net = build_network("ab", [("b", "b", 1), ("a", "a", 2), ("a", "b", 3), ("real", "b", 4)], 9)
    samples = [[f.samples for f in feeds] for feeds in net.feeds_by_reader]
    assert samples == [[2], [1, 3, 4]]


def test_frozen_are_those_that_read_nothing(net):
    assert net.frozen == (False, False, True)
    assert build_network(2, [("0", "1", 5)], 5).frozen == (True, False)


def test_equal_content_is_equal_and_hashes(net):
    same = build_network(("a", "b", "c"), FEEDS, {"a": 100, "b": 100, "c": 100})
    assert same == net
    assert hash(same) == hash(net)
    assert net.with_feed("c", "c", 1) != net


def test_nothing_can_be_changed_in_place(net):
    with pytest.raises(dataclasses.FrozenInstanceError):
        net.draws = "shared"


def test_with_feed_adds_one_at_the_end(net):
    more = net.with_feed("b", "c", 30, weight=2.0)
    assert more.feeds == (*net.feeds, Feed("b", "c", 30, 2.0))
    assert len(net.feeds) == 2
    assert net.with_feed("b", "c", 30).feeds[-1].weight == 1.0


def test_without_feed_removes_that_one(net):
    assert net.without_feed("real", "a").feeds == (Feed("a", "b", 200, 0.5),)
    assert net.with_feed("c", "c", 9).without_feed("c", "c") == net


def test_without_a_feed_that_is_not_there(net):
    refused("network.feeds", "b", "a", says="'b' to 'a'", build=net.without_feed)


def test_with_feed_checks(net):
    refused("network.feeds[2]", "a", "b", 5, says="add up", build=net.with_feed)
    refused("network.feeds[2].to", "a", "d", 5, says="unknown", build=net.with_feed)


@pytest.mark.parametrize("factor", [2, 0.5, 1.5, 0.07])
def test_scaled_multiplies_every_count(net, factor):
    scaled = net.scaled(factor)
    assert scaled.initial == tuple(round(n * factor) for n in net.initial)
    assert [f.samples for f in scaled.feeds] == [round(100 * factor), round(200 * factor)]
    assert all(isinstance(n, int) for n in scaled.initial)
    assert [f.weight for f in scaled.feeds] == [1.0, 0.5]
    assert scaled.scaled(1 / factor) == net


def test_scaled_forgives_rounding():
    """0.1 x 30 is 3.0000000000000004 in floating point."""
    assert build_network(1, [], 30).scaled(0.1).initial == (3,)


@pytest.mark.parametrize("factor", [0.001, 0.015, 0, -1, math.nan, math.inf, 1 / 3])
def test_scaled_refuses_fractions_of_samples(net, factor):
    refused("grid.scale", factor, says="100 samples", build=net.scaled)


def test_scaled_refuses_more_than_fits(net):
    refused("network.initial (a)", 1e18, says="9223372036854775807", build=net.scaled)


@pytest.mark.parametrize(
    ("models", "says"),
    [
        ([], "empty"),
        (["a", ""], "non-empty"),
        (["a", 1], "non-empty strings"),
        (["a", "b\0"], "NUL"),
        (["a", "real"], "the real source"),
        (["a", "b", "a"], "'a' twice"),
        (0, "whole number"),
        (-1, "whole number"),
        (True, "True"),
        (MOST_MODELS + 1, f"{MOST_MODELS:,}"),
    ],
)
def test_models_refused(models, says):
    refused("network.models", models, [], 5, says=says)


def test_more_models_than_a_label_holds_make_a_network_but_no_condition():
    several = build_network(MOST_SIMULATED + 1, [], 5)
    assert several.size == MOST_SIMULATED + 1
    model = mcjax.linear(sigma=1.0)
    condition = mcjax.condition
    refused("network.models", several, model, [1.0], says=f"{MOST_SIMULATED:,}", build=condition)


@pytest.mark.parametrize("count", [0, -1, 1.5, "5", True, None, 2**63])
def test_counts_refused(count):
    says = "is missing" if count is None else repr(count)
    refused("network.initial (a)", "ab", [], count, says=says)
    refused("network.initial (b)", "ab", [], {"a": 5, "b": count}, says=says)
    refused("network.feeds[1].samples", "ab", [("a", "a", 5), ("a", "b", count)], 5, says="whole")


def test_the_largest_count_is_accepted():
    assert build_network(1, [], 2**63 - 1).initial == (2**63 - 1,)


@pytest.mark.parametrize("number", [30, 30.0, np.int64(30), np.uint8(30), np.float32(30)])
def test_whole_numbers_of_every_type(number):
    """They become Python's, so that results can be written."""
    net = build_network(["a"], [("real", "a", number, np.float32(0.5))], number)
    assert [type(n) for n in (*net.initial, net.feeds[0].samples)] == [int, int]
    assert net == build_network(["a"], [("real", "a", 30, 0.5)], 30)
    assert build_network(number, [], number).size == 30


@pytest.mark.parametrize("weight", [0, 0.0, -1.0, math.nan, math.inf, "1", None])
def test_weights_refused(weight):
    feeds = [("a", "b", 5, weight)]
    refused("network.feeds[0].weight", "ab", feeds, 5, says="positive number")


@pytest.mark.parametrize(
    ("initial", "says"),
    [({"a": 5, "alpha": 5}, "'alpha'"), ({"a": 5, "betta": 5}, "'beta'"), ({"a": 5}, "'beta'")],
)
def test_initial_by_name_refused(initial, says):
    refused("network.initial", ["a", "beta"], [], initial, says=says)


def test_initial_by_a_name_that_is_no_text():
    refused("network.initial", 2, [], {0: 5, 1: 5}, says="unknown model 0")


def test_initial_of_another_length():
    refused(
        "network.initial",
        ("a", "b"),
        Series(Generation(())),
        (5,),
        says="each model",
        build=Network,
    )


@pytest.mark.parametrize(
    ("feed", "field", "says"),
    [
        (("a", "beat", 5), "feeds[0].to", "did you mean 'beta'"),
        (("beat", "a", 5), "feeds[0].from", "did you mean 'beta'"),
        (("rael", "a", 5), "feeds[0].from", "did you mean 'real'"),
        (("a", "real", 5), "feeds[0].to", "nothing can feed"),
        ((0, "a", 5), "feeds[0].from", "unknown model 0"),
    ],
)
def test_ends_refused(feed, field, says):
    refused(f"network.{field}", ["a", "beta"], [feed], 5, says=says)


def test_feeds_of_one_origin_to_one_reader_add_up():
    feeds = [("a", "b", 5), ("b", "a", 5), ("a", "b", 7)]
    net = build_network("ab", feeds, 5, first=[("real", "a", 3), ("real", "a", 2)])
    assert net.feeds == (Feed("a", "b", 12), Feed("b", "a", 5))
    assert net.first == (Feed("real", "a", 5),)


def test_they_have_one_weight():
    feeds = [("a", "b", 5), ("b", "a", 5), ("a", "b", 7, 2.0)]
    refused("network.feeds[2].weight", "ab", feeds, 5, says="'a' to 'b'")


@pytest.mark.parametrize(
    ("feed", "end", "says"),
    [
        (("a", "c", 5), "to", "unknown model 'c'"),
        (("a", "a", 0), "samples", "is 0"),
        (("a", "a", 5, -1.0), "weight", "is -1.0"),
        (("b", "a", -1), "samples", "is -1"),  # not the sum, which would be a number
    ],
)
def test_errors_name_feeds_by_the_place_that_was_given(feed, end, says):
    feeds = [("a", "b", 5), ("a", "b", 7), ("b", "a", 5), feed]
    refused(f"network.feeds[3].{end}", "ab", feeds, 5, says=says)
    first = [("real", "b", 5), ("real", "b", 7), ("rael", "a", 5)]
    refused("network.first[2].from", "ab", feeds[:3], 5, says="'real'", first=first)


def test_a_generation_has_each_feed_once():
    with pytest.raises(InputError, match="repeats the feed"):
        build_network("ab", Series(Generation([("a", "b", 5), ("a", "b", 7)])), 5)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("draws", "shard", "did you mean 'shared'"),
        ("real", "reuse", "did you mean 'reused'"),
        ("real", None, "None"),
        ("memory", "replaced", "did you mean 'replace'"),
        ("growth", -1, "from 0 to 10"),
        ("growth", "fast", "give a number"),
    ],
)
def test_options_refused(option, value, says):
    refused(f"network.{option}", "ab", [], 5, says=says, **{option: value})


def test_shared_feeds_of_one_model_ask_for_one_count():
    """Feeds of other models, and real ones, may differ."""
    good = [("a", "a", 5), ("a", "b", 5), ("b", "a", 7), ("real", "a", 9), ("real", "b", 11)]
    build_network("ab", good, 20, draws="shared")
    bad = [*good[:1], ("a", "b", 6)]
    refused("network.feeds[1].samples", "ab", bad, 20, says="sample of 5", draws="shared")
    build_network("ab", bad, 20)


def test_reused_real_data_are_the_initial_sample():
    feeds = [("a", "b", 5), ("real", "b", 30)]
    build_network("ab", feeds, {"a": 20, "b": 30}, real="reused")
    refused("network.feeds[1].samples", "ab", feeds, 20, says="has 20", real="reused")
    build_network("ab", feeds, 20)


@pytest.mark.system
def test_time_to_check_a_network_is_linear_in_its_models():
    """With 20,000 models, anything quadratic takes minutes; this takes less than a second."""
    count = 20_000
    feeds = [(str(i), str((i + 1) % count), 10) for i in range(count)]
    real = [(REAL, str(i), 20) for i in range(count)]
    start = time.process_time()
    build_network(count, feeds + real, {str(i): 20 for i in range(count)}, real="reused")
    assert time.process_time() - start < 10
