"""Networks of small samples of two classes, and every outcome that they can have."""

import itertools
from collections import defaultdict

import numpy as np
from scipy.stats import binom

from mcjax.network import build_network


def outcomes(net, truth, generations, smoothing=0):
    """The exact law of all estimates, by going through every sample there can be.

    Every fit adds ``smoothing`` events and as many others. Returns, for each generation, estimates
    (M,) with their probabilities.
    """

    def smoothed(events, rows):
        return (events + smoothing) / (rows + 2 * smoothing)

    index = {name: i for i, name in enumerate(net.models)}
    begin = defaultdict(float)
    counts = [range(n + 1) for n in net.initial]
    for x in itertools.product(*counts):
        chance = np.prod([binom.pmf(k, n, truth) for k, n in zip(x, net.initial, strict=True)])
        theta = tuple(smoothed(k, n) for k, n in zip(x, net.initial, strict=True))
        first = tuple(k / n for k, n in zip(x, net.initial, strict=True))
        begin[theta, first, x, net.initial] += chance
    found, now = [], begin
    for t in range(generations + 1):
        found.append([(state[0], chance) for state, chance in now.items()])
        if t == generations:
            return found
        following = defaultdict(float)
        for (theta, first, sums, masses), chance in now.items():
            samples = {}
            for feed in net.feeds:
                real = feed.origin == "real"
                if real and net.real == "reused":
                    continue
                shared = net.draws == "shared" and not real
                key = feed.origin if shared else (feed.origin, feed.reader)
                samples[key] = feed.samples, truth if real else theta[index[feed.origin]]
            for x in itertools.product(*(range(n + 1) for n, _ in samples.values())):
                drawn = dict(zip(samples, x, strict=True))
                odds = np.prod(
                    [binom.pmf(k, n, p) for k, (n, p) in zip(x, samples.values(), strict=True)]
                )
                if odds == 0:
                    continue
                total, mass = list(sums), list(masses)
                after = list(theta)
                for i, feeds in enumerate(net.feeds_by_reader):
                    if not feeds:
                        continue
                    if net.memory.current_only:
                        total[i] = mass[i] = 0.0
                    for feed in feeds:
                        if feed.origin == "real" and net.real == "reused":
                            events = first[i] * feed.samples
                        elif net.draws == "shared" and feed.origin != "real":
                            events = drawn[feed.origin]
                        else:
                            events = drawn[feed.origin, feed.reader]
                        total[i] += feed.weight * events
                        mass[i] += feed.weight * feed.samples
                    after[i] = smoothed(total[i], mass[i])
                state = tuple(after), first, tuple(total), tuple(mass)
                following[state] += chance * odds
        now = following
    return found


SOME = [("a", "a", 2), ("a", "b", 2), ("b", "a", 1, 3.0), ("real", "b", 1)]
COMMON = [("a", "a", 2), ("a", "b", 2), ("b", "a", 1)]
NETWORKS = {
    "weights and real data": build_network("ab", SOME, 2),
    "shared": build_network("ab", COMMON, 2, draws="shared"),
    "reused": build_network(
        "ab", [("b", "a", 2, 0.5), ("real", "a", 2), ("a", "b", 3)], 2, real="reused"
    ),
    "accumulate": build_network("ab", SOME, 2, memory="accumulate"),
    "shared, accumulate": build_network("ab", COMMON, 2, draws="shared", memory="accumulate"),
    "a frozen model": build_network("abc", [("a", "b", 3), ("c", "b", 2), ("b", "c", 2)], 2),
    "one parent": build_network("abc", [("a", "a", 2), ("a", "b", 3), ("real", "c", 2)], 2),
    "one parent, shared": build_network(
        "abc", [("a", "b", 3), ("b", "c", 2), ("b", "a", 2)], 2, draws="shared"
    ),
}
