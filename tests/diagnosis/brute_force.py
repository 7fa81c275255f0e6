"""The scalar law by long recursion, written from its definition and from no graph theory."""

from __future__ import annotations

import numpy as np

from mcjax.network import REAL, Feed, Network, build_network

ODD, TWOS = 105, 3
"""105 * 2^3 = 840 is a multiple of every cycle length up to 8, the largest network drawn here."""


State = tuple[np.ndarray, np.ndarray, np.ndarray]


def follow(later: State, earlier: State) -> State:
    """What some generations do after others."""
    power, total, reuse = later
    return power @ earlier[0], total + power @ earlier[1] @ power.T, reuse + power @ earlier[2]


class Recursion:
    """``e_t = W e_{t-1} + R e_0 + noise_t``, t generations in closed form."""

    def __init__(self, net: Network):
        size = net.size
        self.size = size
        self.states: dict[int, list[State]] = {}
        self.w = np.zeros((size, size))
        self.r = np.zeros((size, size))
        self.x = np.diag([1 / n for n in net.initial])
        self.noise = np.zeros((size, size))
        for i in range(size):
            mine = [f for f in net.feeds if f.reader == net.models[i]]
            total = sum(f.weight * f.samples for f in mine)
            if not mine:
                self.w[i, i] = 1
            for f in mine:
                share = f.weight * f.samples / total
                if f.origin != REAL:
                    self.w[i, net.models.index(f.origin)] = share
                elif net.real == "reused":
                    self.r[i, i] = share
                else:
                    self.noise[i, i] += share**2 / f.samples
        for f in net.feeds:
            for g in net.feeds:
                same = f == g or (net.draws == "shared" and f.origin == g.origin)
                if f.origin != REAL and same:
                    i, k, j = (net.models.index(n) for n in (f.reader, g.reader, f.origin))
                    self.noise[i, k] += self.w[i, j] * self.w[k, j] / f.samples

    def after(self, start: int, doublings: int) -> State:
        """Powers W^t, sums of W^s N W'^s and of W^s R over s < t, for t = start 2^doublings."""
        states = self.states.setdefault(start, [self.steps(start)])
        while len(states) <= doublings:
            states.append(follow(states[-1], states[-1]))
        return states[doublings]

    def steps(self, count: int) -> State:
        """As many generations as the binary digits of ``count`` say."""
        step, result = (self.w, self.noise, self.r), None
        for digit in reversed(f"{count:b}"):
            if digit == "1":
                result = step if result is None else follow(result, step)
            step = follow(step, step)
        zero = np.zeros_like(self.w)
        return (np.eye(self.size), zero, zero) if result is None else result

    def variances(self, start: int, doublings: int) -> np.ndarray:
        """``c_ii`` after ``start 2^doublings`` generations."""
        power, total, reuse = self.after(start, doublings)
        carried = power + reuse
        return np.diagonal(total + carried @ self.x @ carried.T)

    def diverges(self) -> np.ndarray:
        """Whether each variance still doubles when an enormous time does."""
        ratio = self.variances(ODD, 20) / self.variances(ODD, 19)
        assert np.all((ratio > 1.99) | (ratio < 1 + 1e-6)), ratio
        return ratio > 1.5

    def slopes(self) -> np.ndarray:
        """Increase of ``c_ii`` a generation, averaged over a full period, in the long run."""
        power = self.after(ODD, 14)[0]
        total = self.after(ODD, TWOS)[1]
        return np.diagonal(power @ total @ power.T) / (ODD * 2**TWOS)

    def limits(self) -> np.ndarray:
        """``c_ii`` of those that settle."""
        return self.variances(ODD, 14)


def random_network(rng: np.random.Generator, most: int = 8) -> Network:
    """2 to ``most`` models with every kind of source, anchor, draw and weight."""
    size = int(rng.integers(2, most + 1))
    names = [str(i) for i in range(size)]
    draws = str(rng.choice(["private", "shared"]))
    real = str(rng.choice(["fresh", "reused"]))
    edges = {(j, i) for j in range(size) for i in range(size) if rng.random() < 1.4 / size}
    planted = int(rng.integers(0, min(size, 5) + 1))
    if planted:  # a directed cycle that reads nobody else, at positions in random order
        ring = [int(k) for k in rng.permutation(size)[:planted]]
        edges = {(j, i) for j, i in edges if i not in ring}
        edges |= {(ring[k - 1], ring[k]) for k in range(planted)}
    anchored = {i for i in range(size) if rng.random() < rng.choice([0.0, 0.2, 0.5])}
    if rng.random() < 0.6 and planted:
        anchored -= set(ring)
    published = [int(n) for n in rng.integers(5, 60, size)]
    initial = {name: int(rng.integers(5, 60)) for name in names}

    def weight() -> float:
        return float(rng.choice([1.0, rng.uniform(0.3, 3.0)]))

    feeds = []
    for j, i in sorted(edges):
        samples = published[j] if draws == "shared" else int(rng.integers(5, 60))
        feeds.append(Feed(names[j], names[i], samples, weight()))
    for i in sorted(anchored):
        samples = initial[names[i]] if real == "reused" else int(rng.integers(5, 60))
        feeds.append(Feed(REAL, names[i], samples, weight()))
    order = rng.permutation(len(feeds))
    return build_network(names, [feeds[k] for k in order], initial, draws=draws, real=real)
