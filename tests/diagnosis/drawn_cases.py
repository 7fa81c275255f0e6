"""Networks that are drawn, and the exact recursion of their second moments by brute force."""

import numpy as np
from schedule_cases import influence

from mcjax.network import REAL, Drawn, Feed, Generation, Series, build_network


def generation(text, rows=100):
    """The generation of feeds such as "ba rb50": 100 rows of b to a, 50 real ones to b."""
    names = {"r": REAL}
    return Generation(
        Feed(names.get(feed[0], feed[0]), feed[1], int(feed[2:] or rows)) for feed in text.split()
    )


def random_drawn(rng):
    """A network of up to four models and four generations, independent or a Markov chain."""
    size, count = int(rng.integers(2, 5)), int(rng.integers(1, 5))
    names = "abcd"[:size]
    shared = rng.random() < 0.5
    generations = []
    for _ in range(count):
        feeds = []
        for i in names:
            if rng.random() < 0.35:
                continue
            for j in names:
                if rng.random() < 0.35:
                    feeds.append(Feed(j, i, 30 if shared else int(rng.integers(5, 60))))
            if rng.random() < 0.2:
                feeds.append(Feed(REAL, i, int(rng.integers(5, 60))))
        generations.append(Generation(feeds))
    if rng.random() < 0.5:
        law = {"probabilities": rng.dirichlet(np.ones(count)).tolist()}
    else:
        chances = rng.dirichlet(np.ones(count), count) * (rng.random((count, count)) < 0.6)
        chances += 0.05 * np.roll(np.eye(count), 1, axis=1)  # a cycle through all
        law = {"transition": (chances / chances.sum(1, keepdims=True)).tolist()}
    initial = {name: int(rng.integers(10, 60)) for name in names}
    draws = "shared" if shared else "private"
    return build_network(names, Drawn(*generations, **law), initial, draws=draws)


def recursion(net):
    """The affine map of the second moments given the network, as a matrix and a vector."""
    law, size = net.later, len(net.models)
    values, vectors = np.linalg.eig(law.transition.T)
    pi = np.real(vectors[:, np.abs(values - 1).argmin()])
    pi /= pi.sum()
    before = (pi[:, None] * law.transition).T / pi[:, None]
    matrix = np.zeros((law.turns, size**2, law.turns, size**2))
    added = np.zeros((law.turns, size**2))
    initial = dict(zip(net.models, net.initial, strict=True))
    for z, one in enumerate(law.generations):
        alone = build_network(net.models, Series(one), initial, draws=net.draws)
        w, noise = influence(alone, 1)
        added[z] = noise.ravel()
        for y in range(law.turns):
            matrix[z, :, y] = before[z, y] * np.kron(w, w)
    side = law.turns * size**2
    return matrix.reshape(side, side), added.ravel(), pi


def powers(net, rounds):
    """Diagonals (K, M) after 2**rounds generations and after twice as many, and the chances.

    Where groups of networks take turns, a generation is one of each.
    """
    once, added, pi = recursion(net)
    k, q = once, added
    for _ in range(len(net.later.groups) - 1):
        k, q = once @ k, once @ q + added
    start = np.tile(np.diag([1 / n for n in net.initial]).ravel(), net.later.turns)
    for _ in range(rounds):
        k, q = k @ k, k @ q + q
    once = k @ start + q
    twice = k @ once + q
    size = len(net.models)
    shape = (net.later.turns, size, size)
    return [np.diagonal(x.reshape(shape), axis1=1, axis2=2) for x in (once, twice)], pi


def compare(net, verdicts, rounds=16):
    """Yield for each network and model: verdict, slope and limit of the recursion."""
    (once, twice), _ = powers(net, rounds)
    slopes = (twice - once) / 2**rounds / len(net.later.groups)
    for i, verdict in enumerate(verdicts):
        for phase in verdict.phases:
            z = phase.phase
            yield phase, slopes[z, i], twice[z, i]


def random_turns(rng):
    """A network whose feeds come and go, of which some are drawn besides."""
    names = "abc"[: rng.integers(2, 4)]
    feeds = []
    for i in names:
        for j in (*names, REAL):
            if rng.random() < (0.3 if j == REAL else 0.45):
                every = int(rng.choice([1, 2, 3], p=[0.4, 0.5, 0.1]))
                first, chance = 1 + int(rng.integers(every)), float(rng.choice([1, 0.5, 0.2]))
                times = {"every": every, "first": first, "probability": chance}
                feeds.append(Feed(j, i, int(rng.integers(5, 50)), **times))
    return build_network(names, feeds, {name: int(rng.integers(10, 60)) for name in names})
