"""The best weights of rows: values derived by hand, gradients, and a bound that is never above."""

import math

import numpy as np
import pytest
from designs import LOOP, READER, RING, designed
from scipy.optimize import approx_fprime

import mcjax
from mcjax.design.weights import Counts, best_weights, weight_bound
from mcjax.errors import InputError

PAIR = [[0, 100, 100], [100, 0, 0]]
KNOWN = {
    "loop": ([[100, 100]], 0.61803),
    "loop, twice as many synthetic rows": ([[50, 100]], 0.73205),
    "loop, a quarter of real rows": ([[100, 25]], 4 * 0.3903882),
    "loop and reader": ([[100, 0, 100], [100, 0, 100]], 0.61803),
    "ring of two, both real": ([[0, 100, 100], [100, 0, 100]], 0.61803),
    "ring of two, one real": (PAIR, 1.23205),
    "complete graph of two": ([[50, 50, 100]] * 2, 0.567593),
    "complete graph of four": ([[25] * 4 + [100]] * 4, 0.536940),
}


def even(rows):
    rows = np.array(rows, float)
    return Counts(rows, np.full(len(rows), 1 / len(rows)))


def random_counts(rng, wild=1.0):
    """Return the counts of a random network that is sound, in orders of magnitude."""
    size = int(rng.integers(2, 6))
    counts = np.exp(rng.uniform(4 - wild, 4 + wild, (size, size + 1)))
    reads = rng.random((size, size + 1)) < 0.5
    reads[0, -1] = True
    reads[~reads.any(1), 0] = True
    found = even(np.where(reads, counts, 0.0))
    return found if found.at(found.pooled).value < math.inf else random_counts(rng, wild)


@pytest.mark.parametrize("case", KNOWN)
def test_the_best_weights_are_the_known_ones(case):
    rows, value = KNOWN[case]
    counts = even(rows)
    best, spread = best_weights(counts)
    assert 100 * best.value == pytest.approx(value, abs=6e-6)
    assert spread < 1e-9
    bound = weight_bound(counts)
    assert bound <= best.value * (1 + 1e-9)
    if all(sum(n > 0 for n in row[:-1]) == 1 for row in rows):  # one lineage
        assert bound == pytest.approx(best.value, rel=1e-7)


def test_shares_of_real_data_are_the_known_ones():
    assert best_weights(even([[100, 100]]))[0].shares[0, -1] == pytest.approx(0.61803, abs=1e-5)
    assert best_weights(even(PAIR))[0].shares[0, -1] == pytest.approx(0.73205, abs=1e-5)
    four = best_weights(even([[25] * 4 + [100]] * 4))[0].shares[:, -1]
    assert four == pytest.approx([0.54311] * 4, abs=1e-5)


def test_the_gradient_is_that_of_differences():
    rng = np.random.default_rng(1)
    for _ in range(10):
        counts = random_counts(rng)
        shares = counts.pooled
        reads = counts.rows > 0

        def value(free, counts=counts, shares=shares, reads=reads):
            changed = shares.copy()
            changed[reads] = free
            return counts.at(changed).value

        found = approx_fprime(shares[reads], value, 1e-7)
        assert counts.gradient(shares)[reads] == pytest.approx(found, rel=1e-4, abs=1e-7)
        assert not counts.gradient(shares)[~reads].any()


def test_the_nearest_shares_are_valid_and_no_others_are_nearer():
    rng = np.random.default_rng(2)
    for _ in range(50):
        counts = random_counts(rng)
        reads, unit = counts.rows > 0, np.where(counts.rows > 0, counts.rows, 1.0)
        wanted = np.where(reads, rng.normal(0.3, 1.0, reads.shape), 0.0)
        found = counts.nearest(wanted)
        assert (found >= 0).all()
        assert not found[~reads].any()
        assert found.sum(1) == pytest.approx(1.0)
        away = np.where(reads, (found - wanted) / unit, np.inf)  # equal where shares are positive
        low = away.min(1, keepdims=True)
        assert np.where(found > 0, away - low, 0.0) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("wild", [1.0, 3.0])
def test_searches_agree_and_the_bound_is_below(wild):
    rng = np.random.default_rng(3)
    ratios = []
    for _ in range(10):
        counts = random_counts(rng, wild)
        best, spread = best_weights(counts)
        assert spread < 1e-6
        assert best.value <= counts.at(counts.pooled).value * (1 + 1e-12)
        ratios.append(best.value / weight_bound(counts))
    assert min(ratios) > 1 - 1e-9
    assert np.median(ratios) < 1.02


@pytest.mark.parametrize("feeds", [LOOP, READER, RING])
def test_a_diagnosis_shows_the_errors_of_the_weights(tmp_path, feeds):
    allocation = designed(tmp_path, feeds, "budget = 90\nweights = true")
    weighted = allocation.weighted
    assert weighted.bound <= weighted.after < weighted.pooled
    assert weighted.pooled == pytest.approx(allocation.objective.rows)
    limits = {n: v.limit for n, v in mcjax.diagnose(allocation.network).models.items()}
    assert limits == pytest.approx(weighted.errors)
    assert np.mean(list(limits.values())) == pytest.approx(weighted.after)
    assert allocation.to_json()["weights"]["objective"]["after"] == weighted.after


def test_models_that_do_not_matter_keep_their_weights(tmp_path):
    allocation = designed(tmp_path, READER, 'budget = 9\nobjective = { "0" = 1 }\nweights = true')
    assert {feed.reader for feed in allocation.weighted.feeds} == {"0"}
    assert list(allocation.weighted.errors) == ["0"]


@pytest.mark.parametrize(
    ("feeds", "design", "network", "words"),
    [
        (LOOP, 'budget = 9\nobjective = "max"', "", "this is the largest error; leave it out"),
        (LOOP, "targets = 0.1", "", "this is the cost"),
        (LOOP, "budget = 9", 'draws = "shared"', "every reader gets its own"),
        ([*LOOP, (1, 0, 10), (0, 2, 9)], "budget = 9", "", "'1' reads nothing"),
    ],
)
def test_weights_that_are_not_known_are_refused(tmp_path, feeds, design, network, words):
    with pytest.raises(InputError, match=words):
        designed(tmp_path, feeds, f"{design}\nweights = true", network)
