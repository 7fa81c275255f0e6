"""Many feeds that are active at random: means of shares by integrals, and what follows."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from click.testing import CliRunner

from mcjax.cli.main import cli
from mcjax.diagnosis import diagnose
from mcjax.errors import InputError
from mcjax.laws.first_order.random_shares import random_shares, reciprocal_moments
from mcjax.network import REAL, Feed, build_network
from mcjax.network.source import Source
from mcjax.network.unlisted import RandomFeeds


def enumerated(sizes, chances):
    """The moments as sums over all subsets of feeds."""
    first, second = np.zeros(len(sizes)), np.zeros((len(sizes),) * 2)
    for active in product((0, 1), repeat=len(sizes)):
        on = np.array(active)
        if on.any():
            chance, total = np.prod(np.where(on, chances, 1 - chances)), on @ sizes
            first += chance * on / total
            second += chance * np.outer(on, on) / total**2
    return first, second


def test_moments_are_the_sums_over_subsets():
    """Also where sizes differ by ten orders of magnitude, or feeds come nearly always or never."""
    rng = np.random.default_rng(0)
    for count in (1, 2, 3, 5, 7, 8, 8, 8):
        sizes = np.exp(rng.uniform(0, rng.choice([2, 8, 23]), count))
        chances = rng.choice([1, 0.999, 0.5, 0.1, 1e-6], count)
        found, exact = reciprocal_moments(sizes, chances), enumerated(sizes, chances)
        for one, other in zip(found, exact, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)


def test_moments_of_twenty_feeds_by_drawing_them(z_limit):
    rng = np.random.default_rng(1)
    sizes, chances = rng.uniform(5, 80, 20), rng.uniform(0.05, 0.6, 20)
    on = rng.random((100_000, 20)) < chances
    shares = on / np.maximum(on @ sizes, 1)[:, None]
    first, second = reciprocal_moments(sizes, chances)
    for mean, drawn in ((first[3], shares[:, 3]), (second[2, 5], shares[:, 2] * shares[:, 5])):
        error = drawn.std() / np.sqrt(len(drawn))
        assert abs(drawn.mean() - mean) < z_limit * error
        assert error < 0.05 * mean


def random_network(rng):
    """Two to four models, most of whose feeds have a probability."""
    names = "abcd"[: rng.integers(2, 5)]
    shared = bool(rng.random() < 0.5)
    feeds = []
    for i in names:
        for j in (*names, REAL):
            if rng.random() < (0.25 if j == REAL else 0.45):
                chance, rows = float(rng.choice([1, 0.7, 0.2])), int(rng.integers(5, 50))
                weight = float(rng.choice([1, 2]))
                rows = 30 if shared else rows
                feeds.append(Feed(j, i, rows, weight, probability=chance))
    initial = {name: int(rng.integers(10, 60)) for name in names}
    return build_network(names, feeds, initial, draws="shared" if shared else "private"), feeds


def test_the_diagnosis_is_that_of_all_networks_that_may_be_drawn():
    rng = np.random.default_rng(2)
    seen = {True: 0, False: 0}
    for _ in range(40):
        net, feeds = random_network(rng)
        if not net.later.random or net.later.turns > 128:
            continue
        listed = diagnose(net)
        many = diagnose(replace(net, later=RandomFeeds(tuple(feeds))))
        assert many.in_any_order == listed.in_any_order
        assert many.repairs == listed.repairs
        assert many.unstable_sources == listed.unstable_sources
        for name, verdict in listed.models.items():
            found = many.models[name]
            seen[verdict.collapses] += 1
            assert (found.collapses, found.path) == (verdict.collapses, verdict.path)
            assert found.frozen == verdict.frozen
            for field in ("growth", "limit", "radius"):
                expected = getattr(verdict, field)
                assert (getattr(found, field) is None) == (expected is None)
                if expected is not None:
                    assert getattr(found, field) == pytest.approx(expected, rel=1e-9)
    assert min(seen.values()) > 20


def many():
    """Three models with fourteen random feeds."""
    feeds = [Feed("a", "a", 40), Feed("b", "b", 20), Feed("c", "c", 15)]
    feeds += [Feed(j, i, 12, probability=0.4) for i in "abc" for j in "abc" if i != j]
    for k in range(8):
        feeds.append(Feed(f"s{k}", "abc"[k % 3], 5 + 3 * k, probability=0.1 + 0.05 * k))
    return feeds


def test_limits_by_sequences_and_a_wrong_law(z_limit):
    """The recursion of covariances along sequences; the mean of shares is not enough."""
    sources = [Source(f"s{k}") for k in range(8)]
    net = build_network("abc", many(), 50, sources=sources)
    verdicts = list(diagnose(net).models.values())
    rng, chains = np.random.default_rng(3), 4000
    c = np.tile(np.eye(3) / 50, (chains, 1, 1))
    for _ in range(60):
        w, noise = np.zeros((chains, 3, 3)), np.zeros((chains, 3))
        rows = np.zeros((chains, 3))
        for feed in many():
            on = feed.samples * (rng.random(chains) < feed.probability)
            i = "abc".index(feed.reader)
            rows[:, i] += on
            if feed.origin in "abc":
                w[:, i, "abc".index(feed.origin)] += on
        w /= rows[:, :, None]
        noise = np.eye(3) / rows[:, :, None]
        c = w @ c @ w.transpose(0, 2, 1) + noise
    shares = random_shares(net)
    wrong = np.zeros((3, 3))
    for _ in range(2000):
        wrong = shares.mean @ wrong @ shares.mean.T + shares.noise
    for i, verdict in enumerate(verdicts):
        error = c[:, i, i].std() / np.sqrt(chains)
        assert abs(c[:, i, i].mean() - verdict.limit) < z_limit * error
        assert c[:, i, i].mean() - wrong[i, i] > z_limit * error


def test_loops_with_real_data_half_of_the_time():
    """In closed form, twelve of them and a reader that collapses through a random feed."""
    names = [f"m{k}" for k in range(12)]
    feeds = [Feed(name, name, 50) for name in names]
    feeds += [Feed(REAL, name, 50, probability=0.5) for name in names]
    feeds += [Feed("loop", "loop", 50), Feed("loop", "r", 25, probability=0.1), Feed(REAL, "r", 25)]
    net = build_network([*names, "loop", "r"], feeds, 50)
    diagnosis = diagnose(net)
    assert [50 * diagnosis.models[name].limit for name in names] == pytest.approx([2] * 12)
    assert diagnosis.models["loop"].growth == pytest.approx(1 / 50)
    assert diagnosis.models["r"].growth == pytest.approx(0.1 / 4 / 50)
    assert "feeds are drawn, these are all" in repr(net)


def test_what_is_refused(tmp_path):
    file = tmp_path / "study.toml"
    feed = '{{ from = "real", to = "m{}", samples = 9, probability = 0.5 }}'
    feeds = ", ".join(map(feed.format, range(12)))
    models = ", ".join(f'"m{k}"' for k in range(12))
    file.write_text(f"[network]\nmodels = [{models}]\ninitial = 9\nfeeds = [{feeds}]\n")
    assert CliRunner().invoke(cli, ["diagnose", str(file)]).exit_code == 0
    names = [f"m{k}" for k in range(11)]
    net = build_network(names, [Feed(REAL, name, 9, probability=0.5) for name in names], 9)
    with pytest.raises(InputError, match="11 times, of which only the diagnosis is known"):
        _ = net.tables
    twice = [Feed(REAL, "a", 9, probability=0.5)] * 11
    with pytest.raises(InputError, match=r"is another feed from 'real' to 'a'") as refused:
        build_network("a", twice, 9)
    assert refused.value.field == "network.feeds[1]"


def test_readers_of_shared_draws_have_equally_many_rows():
    """The moments take one number of rows for all readers of a model."""
    names = [f"m{k}" for k in range(12)]
    feeds = [Feed("m0", name, 9, probability=0.5) for name in names]
    build_network(names, feeds, 9, draws="shared")
    feeds[-1] = replace(feeds[-1], samples=8)
    build_network(names, feeds, 9)
    with pytest.raises(InputError, match="publishes one sample of 9 that all its readers share"):
        build_network(names, feeds, 9, draws="shared")
