"""Random schedules, and powers of the exact recursion of covariances."""

import numpy as np

from mcjax.network import REAL, Feed, Generation, Series, build_network


def influence(net, generation):
    """W, N and the shares of real data of one generation, from its feeds alone."""
    size = len(net.models)
    w, noise = np.zeros((size, size)), np.zeros((size, size))
    feeds = net.at(generation).feeds
    rows = [sum(f.samples for f in feeds if f.reader == name) for name in net.models]
    for i, name in enumerate(net.models):
        if not rows[i]:
            w[i, i] = 1
            continue
        noise[i, i] = 1 / rows[i]
        for f in feeds:
            if f.reader == name and f.origin in net.models:
                w[i, net.models.index(f.origin)] += f.samples / rows[i]
    if net.draws == "shared":
        for i in range(size):
            for k in range(size):
                if i != k and rows[i] and rows[k]:
                    common = sum(
                        f.samples
                        for f in feeds
                        for g in feeds
                        if (f.reader, g.reader) == (net.models[i], net.models[k])
                        and f.origin == g.origin
                        and f.origin in net.models
                    )
                    noise[i, k] = common / rows[i] / rows[k]
    return w, noise


def powers(net, rounds):
    """The diagonals of the covariances in each phase after 2**rounds and twice as many rounds."""
    size, phases = len(net.models), net.later.turns
    before = len(net.later.generations) - phases
    steps = {t: influence(net, t) for t in range(1, before + 1 + phases)}
    c = np.diag([1 / n for n in net.initial])
    for t in range(1, before + 1):
        w, noise = steps[t]
        c = w @ c @ w.T + noise
    k, q = np.eye(size**2), np.zeros(size**2)  # the affine map of the covariance over one round
    for t in range(before + 1, before + 1 + phases):
        w, noise = steps[t]
        step = np.kron(w, w)
        k, q = step @ k, step @ q + noise.ravel()
    for _ in range(rounds):
        k, q = k @ k, k @ q + q
    once = k @ c.ravel() + q
    late = [v.reshape(size, size) for v in (once, k @ once + q)]
    found = {}
    for t in range(before + 1, before + 1 + phases):
        w, noise = steps[t]
        late = [w @ c @ w.T + noise for c in late]
        found[(t - 1) % phases] = (*(c.diagonal() for c in late), 2**rounds * phases)
    return found


def random_schedule(rng):
    size = int(rng.integers(2, 5))
    names = "abcd"[:size]
    turns, before = int(rng.integers(2, 5)), int(rng.integers(0, 3))
    shared = rng.random() < 0.5
    generations = []
    for _ in range(before + turns):
        feeds = []
        for i in names:
            if rng.random() < 0.35:
                continue
            for j in names:
                if rng.random() < 0.4:
                    feeds.append(Feed(j, i, 30 if shared else int(rng.integers(5, 60))))
            if rng.random() < 0.2:
                feeds.append(Feed(REAL, i, int(rng.integers(5, 60))))
        generations.append(Generation(feeds))
    later = Series(*generations, turns=turns)
    draws = "shared" if shared else "private"
    initial = {name: int(rng.integers(10, 60)) for name in names}
    return build_network(names, later, initial, draws=draws)
