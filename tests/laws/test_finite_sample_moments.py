"""The ingredients of the exact law of least squares, by hand and by random designs in NumPy."""

import numpy as np
import pytest
from finite_sample_cases import limit, random_network

from mcjax.laws.least_squares.second_moments import second_moment_map, second_moments
from mcjax.network import REAL, build_network

pytestmark = pytest.mark.statistical


def two_batches(m, same, own, other, rows):
    """``E[S^-1 S_b M S_c S^-1]`` as the derivation has it, for n_b = own and n_c = other."""
    p = len(m)
    scale = rows * (rows - 1) * (rows + 2)
    if same:
        plain, mixed = (rows + 1) * own**2 - 2 * own, rows * own - own**2
    else:
        plain, mixed = (rows + 1) * own * other, -own * other
    traced = (rows * np.trace(m) * np.eye(p) - m - m.T) / (rows - p - 1)
    return (plain * m + mixed * m.T + mixed * traced) / scale


@pytest.mark.parametrize("p", [1, 2, 4])
def test_products_of_two_batches(p):
    """The mean over random designs, for an M that is not symmetric, one batch smaller than p."""
    rng = np.random.default_rng(p)
    m = rng.standard_normal((p, p))
    counts, draws = (3, 5, 6), 100_000
    designs = [rng.standard_normal((draws, n, p)) for n in counts]
    grams = [x.transpose(0, 2, 1) @ x for x in designs]
    inverse = np.linalg.inv(sum(grams))
    for b, c in [(0, 0), (1, 1), (0, 1), (2, 0)]:
        values = inverse @ grams[b] @ m @ grams[c] @ inverse
        expected = two_batches(m, b == c, counts[b], counts[c], sum(counts))
        error = values.std(0, ddof=1) / np.sqrt(draws)
        assert (np.abs(values.mean(0) - expected) < limit(4 * p * p) * error).all()
        swapped = two_batches(m.T, b == c, counts[b], counts[c], sum(counts))
        assert p == 1 or (np.abs(values.mean(0) - swapped) > 10 * error).any()


def formula(net, p, variances, m):
    """One generation of the law block by block, as its derivation is written; m: (M, M, p, p)."""
    padded = np.zeros((net.size + 1, net.size + 1, p, p))  # the last: real data, without error
    padded[:-1, :-1] = m
    where = {**net.index, REAL: net.size}
    fits = [[(where[f.origin], f.samples) for f in feeds] for feeds in net.feeds_by_reader]
    fits = [feeds or [(i, None)] for i, feeds in enumerate(fits)]
    result = np.empty_like(m)
    for i, mine in enumerate(fits):
        for k, others in enumerate(fits):
            left, right = (
                [(j, 1.0 if n is None else n / sum(c for _, c in feeds)) for j, n in feeds]
                for feeds in (mine, others)
            )
            result[i, k] = sum(a * b * padded[j, h] for j, a in left for h, b in right)
        if mine[0][1] is None:
            continue
        rows = sum(n for _, n in mine)
        result[i, i] = sum(
            two_batches(padded[j, h], b == c, n, o, rows)
            for b, (j, n) in enumerate(mine)
            for c, (h, o) in enumerate(mine)
        )
        spread = sum(variances[j == net.size] * n for j, n in mine) / rows
        result[i, i] += spread / (rows - p - 1) * np.eye(p)
    return result


@pytest.mark.parametrize("seed", range(20))
def test_moments_are_the_formula_from_any_start(seed):
    rng = np.random.default_rng([7, seed])
    p = 1 + seed % 4
    net = random_network(rng, p)
    root = rng.standard_normal((net.size * p, net.size * p))
    start = root @ root.T
    found = second_moments(second_moment_map(net, p, 1.5, 0.7), start, 4)
    expected = start.reshape(net.size, p, net.size, p).swapaxes(1, 2)
    for t in range(5):
        as_matrix = expected.swapaxes(1, 2).reshape(start.shape)
        np.testing.assert_allclose(found[t], as_matrix, rtol=1e-10, atol=1e-10 * as_matrix.max())
        expected = formula(net, p, (1.5, 0.7), expected)


STARTS = {
    "random": lambda rng, size: rng.standard_normal((size, size)),
    "one vector": lambda rng, size: rng.standard_normal((size, 1)),
}


@pytest.mark.parametrize("start", STARTS)
def test_moments_from_any_start_against_plain_rows(start):
    """Two parents in common, a frozen parent, real feeds; two generations of rows in NumPy."""
    p, draws, variances = 2, 100_000, (1.0, 2.5)
    feeds = [("0", "0", 4), ("1", "0", 7), ("0", "1", 5), ("1", "1", 3), ("2", "1", 4)]
    feeds += [("1", "3", 6), (REAL, "3", 3), ("2", "3", 1), ("3", "3", 1)]
    net = build_network(4, feeds, 10)
    rng = np.random.default_rng(11)
    root = STARTS[start](rng, net.size * p)
    state = rng.standard_normal((draws, root.shape[1])) @ root.T
    errors = [state.reshape(draws, net.size, p)]
    for _ in range(2):
        now = errors[-1].copy()
        for i, mine in enumerate(net.feeds_by_reader):
            rows, labels = [], []
            for feed in mine:
                x = rng.standard_normal((draws, feed.samples, p))
                noise = np.sqrt(variances[feed.origin == REAL])
                y = noise * rng.standard_normal((draws, feed.samples))
                if feed.origin != REAL:
                    y += (x @ errors[-1][:, net.index[feed.origin], :, None])[..., 0]
                rows.append(x)
                labels.append(y)
            if mine:
                x, y = np.concatenate(rows, 1), np.concatenate(labels, 1)[..., None]
                across = x.transpose(0, 2, 1)
                now[:, i] = np.linalg.solve(across @ x, across @ y)[..., 0]
        errors.append(now)
    one = second_moment_map(net, p, *variances)
    found = second_moments(one, root @ root.T, 2)
    entries = np.triu_indices(net.size * p)
    for t, error in enumerate(errors):
        flat = error.reshape(draws, -1)
        products = flat[:, entries[0]] * flat[:, entries[1]]
        se = products.std(0, ddof=1) / np.sqrt(draws)
        off = np.abs(products.mean(0) - found[t][entries])
        assert (off < limit(3 * len(se)) * se).all(), t
