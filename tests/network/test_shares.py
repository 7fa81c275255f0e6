"""Shares of the rows that a model fits, in Python, study files, edge lists and graphs."""

import json
from fractions import Fraction

import networkx as nx
import pytest

from mcjax.diagnosis import diagnose
from mcjax.errors import InputError
from mcjax.network import Feed, build_network, from_networkx
from mcjax.network.graphs import read_graph
from mcjax.network.shares import largest_remainder
from mcjax.study.networks import read_content

HUGE = 15_000_000_000_000


def shares(*ends, **options):
    """Feeds from origins to readers, with shares."""
    return [Feed(origin, reader, None, share=share, **options) for origin, reader, share in ends]


def samples(net):
    """The samples of each feed."""
    return {(feed.origin, feed.reader): feed.samples for feed in net.feeds}


@pytest.mark.parametrize(
    ("parts", "total", "counts"),
    [
        ([1, 1, 1], 10, [4, 3, 3]),
        ([47, 16, 15.9, 12, 6, 3.1], 10, [5, 2, 1, 1, 1, 0]),
        ([0.1, 0.9], 2**62 + 1, [461168601842738791, 4150517416584649114]),  # a tie
    ],
)
def test_largest_remainder(parts, total, counts):
    """The method of Hamilton, at the numbers of a textbook and beyond double precision."""
    exact = [Fraction(str(part)) for part in parts]
    found = largest_remainder([part / sum(exact) for part in exact], total)
    assert found == counts
    assert sum(found) == total


def test_counts_of_64_bits():
    feeds = [*shares(("a", "b", 1 / 3), ("real", "b", 2 / 3)), ("real", "a", HUGE)]
    net = build_network(["a", "b"], feeds, initial=HUGE, rows={"b": HUGE})
    third = HUGE // 3
    assert samples(net) == {("a", "b"): third, ("real", "b"): 2 * third, ("real", "a"): HUGE}
    verdict = diagnose(net).models["b"]
    expected = (1 / HUGE) * (1 + (1 / 3) ** 2)  # own noise, and that of a ninth of a's
    assert verdict.limit == pytest.approx(expected, rel=1e-12)


def test_feeds_of_one_origin_have_shares_that_add_up():
    feeds = shares(("a", "a", 0.25), ("real", "a", 0.5), ("a", "a", 0.25))
    assert samples(build_network(["a"], feeds, initial=4, rows=4)) == {
        ("a", "a"): 2,
        ("real", "a"): 2,
    }


def test_shares_of_feeds_that_take_turns():
    """Shares add up to 1 in every generation in which the reader fits."""
    always = shares(("a", "a", 0.5))
    odd, even = shares(("real", "a", 0.5), every=2), shares(("a", "a", 0.5), every=2, first=2)
    net = build_network(["a"], [*always, *odd, *even], initial=10, rows=11)
    assert [[f.samples for f in g.feeds] for g in net.later.generations] == [[6, 5], [11]]
    with pytest.raises(InputError, match=r"'a' in generation 2 add up to 0.5; make them 1"):
        build_network(["a"], [*always, *odd], initial=10, rows=11)


REFUSED = {
    "sum": ([("a", "b", 0.5)], 10, "network.feeds[0].share", "add up to 0.5; make them 1"),
    "rows": ([("a", "b", 1.0)], None, "network.rows", "says nothing of 'b'"),
    "none": ([("a", "b", 0.99), ("real", "b", 0.01)], 9, "network.feeds[1].share", "is no row"),
    "zero": ([("a", "b", 0.0)], 9, "network.feeds[0].share", "is 0.0; give a number above 0"),
    "word": ([("a", "b", "half")], 9, "network.feeds[0].share", "is 'half'; give a number"),
    "object": ([("a", "b", 1.0)], [9], "network.rows (b)", "is [9]; give a whole number"),
    "model": ([("a", "b", 1.0)], {"c": 9}, "network.rows", "names the unknown model 'c'"),
    "count": ([("a", "b", 1.0)], {"b": 0.5}, "network.rows (b)", "is 0.5; give a whole number"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    ends, rows, field, says = REFUSED[case]
    with pytest.raises(InputError) as caught:
        build_network(["a", "b"], shares(*ends), initial=10, rows=rows)
    assert caught.value.field == field
    assert says in caught.value.message


def test_shares_beside_samples_are_refused():
    with pytest.raises(InputError, match="exclude each other"):
        build_network(["a"], [Feed("a", "a", 5, share=1.0)], initial=10, rows=5)
    with pytest.raises(InputError, match="other feeds of 'a' have shares; give all one of them"):
        build_network(["a"], [*shares(("a", "a", 1.0)), ("real", "a", 5)], initial=10, rows=5)
    with pytest.raises(InputError, match="give such feeds to build_network, with rows"):
        build_network(["a"], [("a", "a", 5)], initial=10).with_feeds(shares(("a", "a", 1.0)))
    with pytest.raises(InputError, match="drawn with a probability; give samples"):
        build_network(["a"], shares(("a", "a", 1.0), probability=0.5), initial=10, rows=5)


STUDY = """
[network]
models = ["a"]
initial = 400
rows = 400
feeds = [{ from = "a", to = "a", share = 0.905 }, { from = "real", to = "a", share = 0.095 }]
"""


def test_study_file(tmp_path):
    (tmp_path / "a.toml").write_text(STUDY)
    net = read_content(tmp_path / "a.toml").network
    assert samples(net) == {("a", "a"): 362, ("real", "a"): 38}
    (tmp_path / "b.toml").write_text(STUDY.replace("share = 0.905", "samples = 1"))
    with pytest.raises(InputError, match="give all one of them"):
        read_content(tmp_path / "b.toml")
    text = 'feeds = [{ from = "real", to = "a", samples = 9 }]'
    (tmp_path / "c.toml").write_text(STUDY.partition("feeds")[0] + text)
    with pytest.raises(InputError, match=r"network\.rows: is for feeds with a share"):
        read_content(tmp_path / "c.toml")


def test_edge_list():
    lines = ("from,to,share,rows", "a,a,0.9,1000", "real,a,0.1,", "a,b,1,15000000000000")
    found = read_graph("\n".join(lines), "CSV")
    assert found.told == ("initial from feeds",)
    net = found.network
    assert samples(net) == {("a", "a"): 900, ("real", "a"): 100, ("a", "b"): HUGE}
    assert net.initial == (1000, HUGE)
    with pytest.raises(InputError, match=r"line 3: has 9 rows for 'a', and an earlier line others"):
        read_graph("from,to,share,rows\na,a,.5,8\nreal,a,.5,9", "CSV")


def test_rows_that_are_made_up_are_told():
    found = read_graph("from,to,share\na,a,0.9999\nreal,a,0.0001", "CSV")
    assert found.told == ("initial from feeds", "10,000 rows assumed for 1 model")
    assert samples(found.network) == {("a", "a"): 9999, ("real", "a"): 1}


@pytest.mark.parametrize("scale", [1, 7.5])
def test_a_weight_alone_is_a_share(scale):
    """It is no weight of a loss beside samples that nobody gave."""
    graph = nx.DiGraph()
    graph.add_edge("a", "a", weight=0.9 * scale)
    graph.add_edge("real", "a", weight=0.1 * scale)
    graph.add_edge("a", "b", samples=50, weight=0.5)
    net = from_networkx(graph)
    weighed = {(f.origin, f.reader): (f.samples, f.weight) for f in net.feeds}
    assert weighed == {("a", "a"): (900, 1.0), ("real", "a"): (100, 1.0), ("a", "b"): (50, 0.5)}
    found = read_graph(json.dumps(nx.node_link_data(graph, edges="edges")), "JSON")
    assert found.network.feeds == net.feeds
    assert found.told == (
        "initial from feeds",
        "weights of 2 feeds read as shares",
        "1,000 rows assumed for 1 model",
    )
    graph.nodes["a"]["rows"] = 40
    assert from_networkx(graph).feeds[0].samples == 36


@pytest.mark.parametrize("other", [{}, {"samples": 5}, {"share": 0.5}])
def test_a_weight_alone_among_others(other):
    graph = nx.DiGraph()
    graph.add_edge("a", "b", weight=0.9)
    graph.add_edge("real", "b", **other)
    says = "'real' -> 'b': has no weight alone, as another edge to 'b' has; give all edges"
    with pytest.raises(InputError, match=says):
        from_networkx(graph)


def test_attributes_that_look_like_a_share():
    graph = nx.DiGraph()
    graph.add_edge("real", "b", shape="box", samples=4)
    assert from_networkx(graph).feeds == (Feed("real", "b", 4),)
    graph.add_edge("a", "b", Share=0.9)
    with pytest.raises(InputError, match=r"Share: is not read, and the edge has no `samples`"):
        from_networkx(graph)
    graph.add_edge("a", "b", share=9)
    with pytest.raises(InputError, match=r"share: is 9; give a number above 0, up to 1"):
        from_networkx(graph)
