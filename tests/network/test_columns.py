"""Feeds as arrays say the same as feeds as objects."""

import networkx as nx
import numpy as np
import pytest

from mcjax.errors import InputError
from mcjax.network import REAL, Feed, Generation, Network, Series, build_network, from_networkx
from mcjax.network.columns import FeedColumns
from mcjax.network.formats import read_format
from mcjax.network.graphs import read_graph

NAMES = ("a", "b", REAL)


def columns(rows):
    origin, reader, samples, weight = zip(*rows, strict=True)
    return FeedColumns(
        NAMES, np.array(origin), np.array(reader), np.array(samples), np.array(weight, float)
    )


def test_generations_of_arrays_are_those_of_objects():
    arrays = Generation(columns([(0, 1, 5, 1.0), (2, 0, 7, 0.5)]))
    objects = Generation([Feed("a", "b", 5), Feed(REAL, "a", 7, 0.5)])
    assert arrays == objects
    assert hash(arrays) == hash(objects)
    assert repr(arrays) == repr(objects)
    assert len(arrays) == len(objects) == 2
    fresh = Generation(columns([(0, 1, 5, 1.0), (2, 0, 7, 0.5)]))
    net = Network(("a", "b"), Series(fresh), (9, 9))
    assert "feeds" not in fresh.__dict__  # no object was made for a check
    assert net == build_network(["a", "b"], objects.feeds, 9)
    assert net.frozen == (False, False)
    assert net.columns.rows(2).tolist() == [7, 5]


def test_feeds_of_one_origin_and_reader_add_up_in_order_of_appearance():
    total = columns([(0, 1, 5, 1.0), (2, 0, 7, 1.0), (2, 0, 3, 1.0)]).added_up()
    assert total.feeds() == (Feed("a", "b", 5), Feed(REAL, "a", 10))
    assert columns([(2, 0, 7, 1.0), (2, 0, 3, 2.0)]).added_up() is None
    assert columns([(2, 0, 2**62, 1.0), (2, 0, 2**62, 1.0)]).added_up() is None


def test_rows_of_one_reader_may_exceed_64_bits():
    assert columns([(0, 1, 2**62, 1.0), (2, 1, 2**63 - 1, 1.0)]).rows(2).tolist() == [
        0,
        1.5 * 2**63,
    ]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([(0, 2, 5, 1.0)], "nothing can feed"),
        ([(0, 1, 0, 1.0)], "whole number"),
        ([(0, 1, 5, 0.0)], "positive number"),
        ([(0, 1, 5, 1.0), (0, 1, 5, 1.0)], "repeats"),
    ],
)
def test_arrays_that_make_no_network_are_refused_like_objects(rows, says):
    with pytest.raises(InputError, match=says):
        Network(("a", "b"), Series(Generation(columns(rows))), (9, 9))


def test_edge_lists_have_the_order_of_networkx():
    rng = np.random.default_rng(0)
    ends = rng.integers(0, 9, (40, 2)).tolist()
    text = "from,to,samples\n" + "".join(f"m{a},m{b},{k + 1}\n" for k, (a, b) in enumerate(ends))
    graph = nx.MultiDiGraph()
    for k, (a, b) in enumerate(ends):
        graph.add_edge(f"m{a}", f"m{b}", samples=str(k + 1))
    edges = read_format(text, "CSV")
    assert list(edges.edges(data=True)) == list(graph.edges(data=True))
    assert list(edges.nodes(data=True)) == list(graph.nodes(data=True))
    net = read_graph(text, "CSV").network
    assert net == from_networkx(graph)
    assert net.later.generations[0].given is not None
