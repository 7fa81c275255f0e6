"""A network as arrays: every entry is what the network says, and padding is empty."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mcjax.chains.generation import feeds_at
from mcjax.chains.layout import (
    PaddedSizes,
    network_arrays,
    shape_of,
    tables_of,
)
from mcjax.chains.lookup import FEW
from mcjax.draws.streams import private_stream, published_stream, real_stream
from mcjax.network import Feed, Generation, Series, build_network, cycle

FEEDS = [("b", "a", 31), ("real", "a", 40, 0.5), ("a", "b", 7, 2.0)]
INITIAL = {"a": 40, "b": 50, "c": 9}
PADDED = [None, PaddedSizes(5, 4, 80)]
LARGE = PaddedSizes(5, 4, 80)


def network(**options):
    return build_network("abc", FEEDS, INITIAL, **options)


@pytest.mark.parametrize(
    ("feeds", "initial", "shape"),
    [
        ([], 10, (3, 1, 5)),
        ([], 11, (3, 1, 6)),
        ([("a", "a", 4)], 2, (3, 1, 2)),
        ([("a", "a", 3), ("b", "a", 3)], 2, (3, 2, 4)),
        ([("a", "a", 3), ("b", "a", 3), ("c", "b", 9)], 2, (3, 2, 5)),
        ([("a", "a", 3), ("b", "a", 3), ("real", "a", 1)], 2, (3, 3, 5)),
        ([("a", "a", 4), ("a", "b", 4), ("a", "c", 4)], 1, (3, 1, 2)),
    ],
)
def test_shape_of_one(feeds, initial, shape):
    """Slots: the most feeds of a model. Pairs: each feed's rows in twos, an odd one alone."""
    assert shape_of([build_network("abc", feeds, initial)]) == PaddedSizes(*shape)


def test_shape_holds_all_networks():
    wide = build_network(2, [("0", "0", 2), ("1", "0", 2), ("real", "0", 2)], 2)
    many = build_network(7, [], 2)
    tall = build_network(1, [("0", "0", 101)], 2)
    assert shape_of([wide, many, tall]) == PaddedSizes(models=7, slots=3, pairs=51)


def shaped(net, shape):
    shape = shape or shape_of([net])
    arrays = network_arrays(net, shape)
    assert arrays.order.tolist() == [0, 1]
    return (*tables_of(arrays), arrays.frozen), shape


@pytest.mark.parametrize("shape", PADDED)
def test_generation_zero(shape):
    """One fixed real sample a model, whatever it reads later."""
    (first, _, _), shape = shaped(network(), shape)
    for leaf in jax.tree.leaves(first):
        assert leaf.shape == (shape.models, shape.slots)
    assert first.samples[:3, 0].tolist() == [40, 50, 9]
    assert first.weight[:3, 0].tolist() == [1, 1, 1]
    assert first.origin[:3, 0].tolist() == [shape.models] * 3
    assert first.stream[:3, 0].tolist() == [real_stream(i) for i in range(3)]
    assert not first.renewed.any()
    assert (first.samples[:, 1:] == 0).all()
    assert (first.samples[3:] == 0).all()


@pytest.mark.parametrize("shape", PADDED)
def test_later_generations(shape):
    (_, later, frozen), shape = shaped(network(), shape)
    real = shape.models
    assert later.samples[0, :2].tolist() == [31, 40]
    assert later.weight[0, :2].tolist() == [1.0, 0.5]
    assert later.origin[0, :2].tolist() == [1, real]
    assert later.stream[0, :2].tolist() == [private_stream(0, 1), real_stream(0)]
    assert later.renewed[0, :2].all()
    assert later.samples[1, 0] == 7
    assert later.weight[1, 0] == 1.0
    assert later.origin[1, 0] == 0
    assert later.stream[1, 0] == private_stream(1, 0)
    assert frozen.tolist() == [False, False, True] + [True] * (shape.models - 3)


@pytest.mark.parametrize("part", [0, 1])
def test_padding_is_empty(part):
    """No samples, no weight, and an origin that can be looked up."""
    net = network()
    arrays = tables_of(network_arrays(net, LARGE))[part]
    used = arrays.samples > 0
    assert used.sum() == (3, 3)[part]
    assert (arrays.weight[~used] == 0).all()
    assert (arrays.origin[~used] == LARGE.models).all()
    assert not arrays.renewed[~used].any()


def test_types():
    (first, later, frozen), _ = shaped(network(), LARGE)
    for feeds in (first, later):
        assert [leaf.dtype for leaf in jax.tree.leaves(feeds)] == [
            "int32",
            "float64",
            "int32",
            "uint32",
            "bool",
        ]
    assert frozen.dtype == bool


def test_shared_draws_are_published_once():
    net = build_network("ab", [("a", "a", 5), ("a", "b", 5), ("real", "b", 9)], 9, draws="shared")
    (_, later, _), _ = shaped(net, None)
    assert later.stream[:, 0].tolist() == [published_stream(0)] * 2
    assert later.stream[1, 1] == real_stream(1)
    assert later.renewed[1].all()


def test_reused_real_data_are_not_renewed():
    net = build_network("ab", [("a", "b", 5), ("real", "b", 9)], 9, real="reused")
    (first, later, _), _ = shaped(net, None)
    assert later.renewed[1].tolist() == [True, False]
    assert later.stream[1, 1] == first.stream[1, 0]
    assert later.samples[1, 1] == first.samples[1, 0]


def test_streams_name_models_not_slots():
    """Feeds in another order, and more of them: the same streams, and only they, move."""
    net = build_network("abc", [("b", "a", 31), ("c", "a", 8), *FEEDS[1:]], INITIAL)
    turned = build_network("abc", [*FEEDS[1:], ("b", "a", 31)], INITIAL)

    def streams(net):
        (_, later, _), _ = shaped(net, None)
        return {
            (i, f.origin): int(later.stream[i, b])
            for i, feeds in enumerate(net.feeds_by_reader)
            for b, f in enumerate(feeds)
        }

    assert streams(turned) == streams(network())
    assert streams(network()).items() < streams(net).items()
    assert len(set(streams(net).values())) == 4


@pytest.mark.parametrize("largest", [1.0, 3.0, 1e-300, 1e300])
def test_weights_are_relative_to_the_readers_largest(largest):
    """So no reader's weights over- or underflow, in double precision to the last bit."""
    feeds = [("a", "a", 5, largest), ("b", "a", 5, 0.1 * largest), ("b", "b", 5, 0.7)]
    (_, later, _), _ = shaped(build_network("ab", feeds, 5), None)
    np.testing.assert_array_equal(later.weight, [[1.0, 0.1 * largest / largest], [1.0, 0.0]])


PHASES = (
    Generation([Feed("b", "a", 31), Feed("real", "a", 40, 0.5)]),
    Generation([Feed("a", "b", 7, 2.0)]),
)


@pytest.mark.by_default("11")
@pytest.mark.parametrize("padded", [3, 5, FEW + 3])
def test_feeds_of_each_generation(padded):
    """Found by comparisons or, among many, by number; the same for lanes of unlike timelines."""
    nets = [build_network("abc", kind(*PHASES), 9) for kind in (cycle, Series)]
    shape = shape_of(nets, 5)._replace(tables=padded)
    lanes = [network_arrays(net, shape) for net in nets]
    assert [arrays.order.tolist() for arrays in lanes] == [[0, 1, 2, 1, 2, 1], [0, 1, 2, 2, 2, 2]]
    both = jax.tree.map(lambda *leaves: np.stack(leaves, -1), *lanes)
    for t in range(6):
        together = feeds_at(both, t)
        for k, (net, arrays) in enumerate(zip(nets, lanes, strict=True)):
            feeds = feeds_at(arrays, jnp.int32(t))
            samples = [[f.samples for f in read] for read in net.reads(t)]
            assert [[n for n in row if n] for row in feeds.samples.tolist()] == samples
            for alone, lane in zip(*map(jax.tree.leaves, (feeds, together)), strict=True):
                np.testing.assert_array_equal(alone, lane[..., k])


def test_weights_in_a_pool_are_relative_to_the_largest_of_all_generations():
    net = build_network("ab", cycle(*PHASES, PHASES[0]), 9, memory="accumulate")
    first, day, night = tables_of(network_arrays(net, shape_of([net], 3)))
    assert first.weight[:, 0].tolist() == [1.0, 0.5]
    assert day.weight[0].tolist() == [1.0, 0.5]
    assert night.weight[1, 0] == 1.0


def test_rows_of_the_largest_generation():
    net = build_network("ab", cycle(*PHASES), 9)
    assert shape_of([net], 1).pairs == 16 + 20
    assert shape_of([net], 1).tables == 2
    assert shape_of([net], 2) == PaddedSizes(2, 2, 36, 3, 2)
    pooled = build_network("ab", cycle(*PHASES), 9, memory="accumulate")
    assert shape_of([pooled], 4).pairs == 5 + 2 * 36
