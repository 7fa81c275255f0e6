"""Explosion, growth and limits against the map itself, iterated for a long time."""

import re
from functools import cache

import networkx as nx
import numpy as np
import pytest

from mcjax.laws.collapse.origins import collapse_origins
from mcjax.laws.least_squares import explosion
from mcjax.laws.least_squares.explosion import long_run, spectral_radius
from mcjax.laws.least_squares.second_moments import second_moment_map, second_moments
from mcjax.network import REAL, Feed, build_network
from mcjax.network.topologies import complete, ring, self_loop

CYCLES = 60
"""A multiple of every cycle length up to 6."""
LONG = 60 * 2**10


def the_map(net, p, variance=1.0, real_variance=1.0):
    return second_moment_map(net, p, variance, real_variance)


def matrix(one, kept=None):
    """The map's linear part, written by its effect on each unit matrix; shape (M^2, M^2)."""
    size = len(one.rows)
    units = np.eye(size * size).reshape(-1, size, size)
    whole = np.stack([one.isotropic(unit).ravel() for unit in units], axis=1)
    pairs = np.ones((size, size), bool) if kept is None else np.outer(kept, kept)
    return whole[np.ix_(pairs.ravel(), pairs.ravel())]


def radius_of(square):
    return np.abs(np.linalg.eigvals(square)).max(initial=0.0)


def growth_factor(one, generations=2400):
    """By which factor a generation the map takes the identity along, over its last tenth."""
    m, logs = np.eye(len(one.rows)), []
    for _ in range(generations):
        m = one.isotropic(m)
        logs.append(np.log(np.trace(m)))
        m /= np.trace(m)
    return np.exp(np.mean(logs[-CYCLES * (generations // 10 // CYCLES) :]))


def random_network(rng, p, most=5, rows=(4, 60), frozen=0.2, anchored=0.35):
    """1 to ``most`` models; fits of ``p + rows[0]`` to ``p + rows[1]`` rows, some real."""
    size = int(rng.integers(1, most + 1))
    names = [str(i) for i in range(size)]
    feeds = []
    for i in range(size):
        origins = [j for j in names if rng.random() < 1.6 / size] or [names[i]]
        if rng.random() < frozen:
            continue
        origins += [REAL] * int(rng.random() < anchored)
        feeds += shared_out(rng, origins, names[i], p + int(rng.integers(*rows)))
    initial = {name: p + int(rng.integers(*rows)) for name in names}
    return build_network(names, feeds, initial)


def shared_out(rng, origins, reader, rows):
    """``rows``, or one a feed if that is more, from several origins to one reader."""
    spare = max(rows - len(origins), 0)
    counts = 1 + rng.multinomial(spare, rng.dirichlet(np.full(len(origins), 2.0)))
    return [Feed(j, reader, int(n)) for j, n in zip(origins, counts, strict=True)]


def random_component(rng, p, size, extra, real, rows=(4, 40)):
    """A strongly connected network: a ring in random order and ``extra`` feeds at random."""
    order = [int(k) for k in rng.permutation(size)]
    edges = {(order[k - 1], order[k]) for k in range(size)}
    edges |= {(int(rng.integers(size)), int(rng.integers(size))) for _ in range(extra)}
    feeds = []
    for i in range(size):
        origins = [str(j) for j, k in sorted(edges) if k == i]
        origins += [REAL] * int(real and (i == order[0] or rng.random() < 0.3))
        feeds += shared_out(rng, origins, str(i), p + int(rng.integers(*rows)))
    return build_network(size, feeds, p + 10)


# --------------------------------------------------------------------------------------- the radius


@pytest.mark.parametrize("extra", [0, 3])
@pytest.mark.parametrize("real", [False, True])
def test_radius_is_the_growth_factor_of_the_map(real, extra):
    """Of random components: periodic rings (no feed besides) and others."""
    rng = np.random.default_rng([1, extra, real])
    for size in (1, 2, 3, 4, 5, 6):
        for p in (1, 3, 10):
            one = the_map(random_component(rng, p, size, extra, real), p)
            assert spectral_radius(one) == pytest.approx(growth_factor(one), rel=1e-7), (size, p)


def sparse_and_dense(monkeypatch, one):
    found = spectral_radius(one)
    monkeypatch.setattr(explosion, "DENSE", 10**9)
    return found, spectral_radius(one)


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize(("size", "extra"), [(5, 0), (5, 6), (9, 12), (25, 0), (26, 60)])
def test_sparse_radius_is_the_dense_one(monkeypatch, size, extra, real):
    """25 models are the first of their own accord; fewer by a lower bound."""
    one = the_map(random_component(np.random.default_rng([2, size]), 4, size, extra, real), 4)
    if size < 25:
        monkeypatch.setattr(explosion, "DENSE", 0)
    assert size * (size + 1) // 2 > explosion.DENSE // 5
    found, dense = sparse_and_dense(monkeypatch, one)
    assert found == pytest.approx(dense, rel=1e-8)


@pytest.mark.parametrize("real", [0, 9])
@pytest.mark.parametrize("size", [30, 60])
def test_radius_of_a_long_ring(size, real):
    """A ring of equal models is one model with the same rows, at every length."""
    long, short = (the_map(ring(m, samples=12, initial=12, real=real), 4) for m in (size, 1))
    assert spectral_radius(long) == pytest.approx(spectral_radius(short), rel=1e-8)


def test_no_second_moment_without_p_and_two_rows():
    for rows, finite in ((4, False), (5, False), (6, True)):
        net = self_loop(samples=rows - 1, initial=9, real=1)
        assert np.isfinite(spectral_radius(the_map(net, 4))) == finite


def test_components_suffice():
    """The radius of the whole map is the largest of its components', frozen models left out."""
    above = 0
    for seed in range(100):
        rng = np.random.default_rng([3, seed])
        p = int(rng.integers(2, 12))
        net = random_network(rng, p, rows=(2, 6), anchored=0.6)
        one, moving = the_map(net, p), ~np.array(net.frozen)
        radius = long_run(one, net, np.ones(net.size)).radius
        whole = radius_of(matrix(one, moving))
        # a nilpotent map has the radius 0, which eigenvalues show as a root of the rounding
        assert radius.max() == pytest.approx(whole, rel=1e-6, abs=1e-3), seed
        above += whole > 1.01
    assert 20 < above < 80  # both sides are tested


# --------------------------------------------------------------------------------- growth and limit


def after(one, start, noise, generations):
    """The recursion after many generations, by repeated squaring of its affine map."""
    size = len(one.rows)
    affine = np.eye(size * size + 1)
    affine[:-1, :-1] = matrix(one)
    affine[:-1, -1] = np.diag(noise).ravel()
    state = np.append(np.diag(start).ravel(), 1.0)
    return (np.linalg.matrix_power(affine, generations) @ state)[:-1].reshape(size, size)


def iterated(one, start):
    """Slope, averaged over full cycles, and value of every model's second moment in the end."""
    late, later = (np.diagonal(after(one, start, one.noise, t)) for t in (LONG, LONG + CYCLES))
    return (later - late) / CYCLES, late


def check_long_run(net, start, found, slope, value):
    collapses = ~np.isnan(found.growth)
    np.testing.assert_array_equal(np.isnan(found.limit), collapses)
    np.testing.assert_allclose(found.growth[collapses], slope[collapses], rtol=1e-6)
    np.testing.assert_allclose(found.limit[~collapses], value[~collapses], rtol=1e-6)
    # what does not collapse has stopped, up to the rounding of sixty thousand generations
    assert (np.abs(slope[~collapses]) < 1e-9 * value[~collapses]).all()
    assert (found.limit[list(net.frozen)] == start[list(net.frozen)]).all()


@cache
def calm():
    """200 networks in which nothing explodes, with p and a start for each."""
    found = []
    for seed in range(200):
        rng = np.random.default_rng([4, seed])
        p = int(rng.integers(1, 6))
        net = random_network(rng, p, rows=(100, 400))
        found.append((net, p, rng.uniform(0.01, 0.1, net.size)))
    return found


def test_growth_and_limit_of_random_networks():
    kinds = set()
    for net, p, start in calm():
        one = the_map(net, p, 1.3, 0.8)
        found = long_run(one, net, start)
        assert not found.explodes.any()
        check_long_run(net, start, found, *iterated(one, start))
        sources = collapse_origins(net)
        kinds |= {f"{len(sources)} sources"} | {f"period {s.period}" for s in sources}
        kinds |= {"frozen"} if any(net.frozen) else set()
    assert kinds >= {"0 sources", "1 sources", "2 sources", "period 1", "period 2", "frozen"}


def test_gmres_finds_the_same(monkeypatch):
    for net, p, start in calm()[::4]:
        one = the_map(net, p)
        dense = long_run(one, net, start)
        with monkeypatch.context() as patch:  # radii apart: too few unknowns for ARPACK
            patch.setattr(explosion, "DENSE", 0)
            patch.setattr(
                explosion, "explosion", lambda *_, found=dense: (found.radius, found.explodes)
            )
            krylov = long_run(one, net, start)
        np.testing.assert_allclose(krylov.growth, dense.growth, rtol=1e-8)
        np.testing.assert_allclose(krylov.limit, dense.limit, rtol=1e-8)


NAMED = {
    "ring of 3, a reader of two classes, and its reader": """
        0>1:90 1>2:70 2>0:50 0>3:40 1>3:60 3>4:80 real>4:20 4>4:9 0>5:30 5>5:50""",
    "ring of 2 with unequal classes": "0>1:60 0>2:40 1>0:30 2>0:50 0>3:30 1>3:30 2>3:30",
    "two sources with a common reader": "0>0:50 1>2:70 2>1:60 0>3:20 1>3:50 3>3:30 real>3:10",
    "a source beside a frozen model": "0>0:50 0>2:30 1>2:40 2>3:30 1>3:20",
    "frozen models and real data": "0>2:50 1>2:20 2>3:40 real>3:30 3>2:60",
}


def written(text, initial):
    """A network from feeds written as origin>reader:samples."""
    feeds = [re.fullmatch(r"(\w+)>(\w+):(\d+)", word).groups() for word in text.split()]
    names = sorted({name for feed in feeds for name in feed[:2]} - {REAL})
    return build_network(names, [Feed(j, i, int(n)) for j, i, n in feeds], initial)


@pytest.mark.parametrize("name", NAMED)
def test_growth_and_limit_of(name):
    net = written(NAMED[name], 30)
    start = np.random.default_rng(5).uniform(0.01, 0.3, net.size)
    one = the_map(net, 3, 1.0, 2.0)
    check_long_run(net, start, long_run(one, net, start), *iterated(one, start))


def test_many_models_grow_and_settle_as_few_do():
    """A large ring and its many readers, by GMRES: 60 models have more pairs than DENSE."""
    size = 60
    edges = [(str((i - 1) % 30), str(i), 50) for i in range(30)]
    edges += [("0", str(i), 50) for i in range(30, 45)]
    edges += [(str(i - 1), str(i), 30) for i in range(46, size)]
    edges += [(REAL, str(i), 20) for i in range(45, size)]
    net = build_network(size, edges, 50)
    one = the_map(net, 3)
    found = long_run(one, net, np.full(size, 0.1))
    assert size * (size + 1) // 2 > explosion.DENSE
    np.testing.assert_allclose(found.growth[:45], 1 / 46, rtol=1e-8)  # one fit's variance
    m = np.diag(np.full(size, 0.1))
    for _ in range(200):
        m = one.isotropic(m) + np.diag(one.noise)
    np.testing.assert_allclose(found.limit[45:], np.diagonal(m)[45:], rtol=1e-8)


# ---------------------------------------------------------------------------------------- explosion


def test_few_rows_explode_and_so_does_all_that_they_reach():
    """Model 1 has a radius of about 1.5 at p = 10, its real row notwithstanding."""
    feeds = "0>0:40 real>0:40 0>1:1 1>1:11 real>1:1 1>2:40 2>3:40 3>4:40 real>4:400 5>5:40 6>7:40"
    net = written(feeds, 40)
    start = np.full(8, 0.1)
    one = the_map(net, 10)
    found = long_run(one, net, start)
    expected = [False, True, True, True, True, False, False, False]
    np.testing.assert_array_equal(found.explodes, expected)
    np.testing.assert_array_equal(np.isinf(found.growth), expected)
    assert np.isfinite(found.growth[5])
    assert np.isfinite(found.limit[[0, 6, 7]]).all()
    np.testing.assert_array_equal(np.isnan(found.limit), [*expected[:5], True, False, False])
    late = after(one, start, one.noise, 1200)  # 1.1^1200 is 10^49
    np.testing.assert_array_equal(np.diagonal(late) > 1e30, expected)


def exploding(net, one):
    """Which models a component reaches whose own map, cut out of the whole, has radius above 1."""
    graph = nx.DiGraph((f.origin, f.reader) for f in net.feeds if f.origin != REAL)
    graph.add_nodes_from(net.models)
    result = np.zeros(net.size, bool)
    for component in nx.strongly_connected_components(graph):
        members = np.isin(net.models, sorted(component)) & ~one.frozen
        if radius_of(matrix(one, members)) > 1 + 1e-7:
            reached = component.union(*(nx.descendants(graph, name) for name in component))
            result |= np.isin(net.models, sorted(reached))
    return result


def test_explosion_of_random_networks():
    """It is for those models alone that it reaches; others have a slope or a limit beside it."""
    mixed = 0
    for seed in range(100):
        rng = np.random.default_rng([6, seed])
        p = int(rng.integers(6, 12))
        net = random_network(rng, p, rows=(2, 8), anchored=0.6)
        one = the_map(net, p)
        start = rng.uniform(0.1, 1.0, net.size)
        found = long_run(one, net, start)
        expected = exploding(net, one)
        np.testing.assert_array_equal(found.explodes, expected, str(seed))
        np.testing.assert_array_equal(np.isposinf(found.growth), expected)
        assert np.isnan(found.limit[expected]).all()
        calm = ~expected
        assert (np.isfinite(found.growth[calm]) ^ np.isfinite(found.limit[calm])).all()
        mixed += expected.any() and calm.any()
    assert mixed > 20


def test_radius_falls_to_that_of_topology_as_counts_grow():
    for seed in range(20):
        rng = np.random.default_rng([7, seed])
        size, p = int(rng.integers(1, 6)), int(rng.integers(1, 12))
        net = random_component(rng, p, size, 3, True)
        radii = np.array([spectral_radius(the_map(net.scaled(2**k), p)) for k in range(16)])
        final = radius_of(the_map(net, p).shares) ** 2
        assert final < 1
        assert (np.diff(radii) < 0).all()
        gap = radii - final
        assert (gap > 0).all()
        assert gap[-2] / gap[-1] == pytest.approx(2, rel=0.01)  # of order 1 / n


def test_unstable_sources_have_a_radius_of_at_least_one():
    above = 0
    for seed in range(50):
        rng = np.random.default_rng([8, seed])
        size, p = int(rng.integers(1, 6)), int(rng.integers(1, 12))
        net = random_component(rng, p, size, 3, False, rows=(2, 20))
        few = spectral_radius(the_map(net, p))
        assert few >= 1 - 1e-9
        assert spectral_radius(the_map(net.scaled(10_000), p)) == pytest.approx(1, abs=1e-9)
        above += few > 1 + 1e-6
        (source,) = collapse_origins(net)
        assert len(source.members) == size
    assert above > 5  # few rows make more of it than a random walk


def test_a_source_with_few_rows_has_no_slope():
    net = complete(2, samples=6, initial=20)
    found = long_run(the_map(net, 10), net, np.full(2, 0.1))
    assert found.radius[0] > 1.1
    assert np.isposinf(found.growth).all()


def test_moments_of_an_explosion_end_in_infinity():
    net = build_network(2, [("0", "0", 11), (REAL, "0", 1), ("0", "1", 20)], 20)
    found = second_moments(the_map(net, 10), np.eye(20) * 0.1, 2000)
    mse = np.einsum("taa->ta", found)
    assert np.isposinf(mse[-1]).all()
    assert not np.isnan(mse).any()
    assert (np.diff(mse[:1000, 0]) > 0).all()


def test_infinity_is_for_what_explodes():
    """Where the numbers of one model leave the range, those of another are what they were."""
    net = written("0>0:11 real>0:1 1>1:40 real>1:40", 20)
    one = the_map(net, 10)
    mse = np.einsum("taa->ta", second_moments(one, np.eye(20) * 0.1, 2000))[-1]
    assert np.isposinf(mse[:10]).all()
    np.testing.assert_allclose(mse[10:], long_run(one, net, np.full(2, 0.1)).limit[1], rtol=1e-9)
