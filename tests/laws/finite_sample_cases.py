"""Networks for the exact law of least squares, and how far correct means may be off."""

import numpy as np
from scipy.stats import norm

from mcjax.network import REAL, Feed, build_network
from mcjax.network.topologies import complete, ring

ALPHA = 1e-6  # chance that a test rejects a true statement, see tests/conftest.py


def limit(count, budget=ALPHA):
    """How many standard errors ``count`` correct means may be off, all within one budget."""
    return norm.isf(budget / 2 / count)


def random_covariance(rng, p):
    root = rng.standard_normal((p, p))
    return root @ root.T / p + 0.2 * np.eye(p)


def random_network(rng, p):
    """2 to 4 models with fits of p + 8 to 60 rows, in any way from models and real data."""
    size = int(rng.integers(2, 5))
    frozen = rng.random(size) < 0.2
    frozen[rng.integers(size)] = False
    feeds = []
    for i in np.flatnonzero(~frozen):
        origins = [str(j) for j in range(size) if rng.random() < 0.6] or [str(rng.integers(size))]
        origins += [REAL] * int(rng.random() < 0.4)
        rows = int(rng.integers(p + 8, 61))
        counts = 1 + rng.multinomial(rows - len(origins), rng.dirichlet(np.ones(len(origins))))
        feeds += [Feed(j, str(i), int(n)) for j, n in zip(origins, counts, strict=True)]
    initial = {str(i): int(rng.integers(p + 8, 61)) for i in range(size)}
    return build_network(size, feeds, initial)


def unusual():
    """Options that do not matter: one reader a sample, one weight for all, no real data later."""
    shared = ring(3, samples=12, initial=15, real=5, draws="shared")
    feeds = [("0", "0", 9, 2.0), ("1", "0", 5, 2.0), ("0", "1", 15, 0.5), (REAL, "1", 4, 0.5)]
    reused = complete(2, samples=8, initial=15, real_data="reused")
    return {"shared": shared, "weights": build_network(2, feeds, 15), "reused": reused}
