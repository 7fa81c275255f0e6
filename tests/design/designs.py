"""Networks to design, as study files and as random ones."""

import numpy as np

import mcjax
from mcjax.design import design_file
from mcjax.design.response import Response
from mcjax.design.room import Room

LOOP = [(0, 0, 100)]
READER = [*LOOP, (0, 1, 100)]
STAR = [*LOOP, *((0, leaf, 100) for leaf in range(1, 6))]
RING = [(i, (i + 1) % 4, 100) for i in range(4)]
CHAIN = [*LOOP, (0, 1, 100), (1, 2, 100), (2, 3, 100)]
LOOPS = [(0, 0, 100), (1, 1, 25)]


def designed(folder, feeds, design, network="", more=""):
    """Design the network of feeds (origin, reader, samples) by a [design] table."""
    rows = (f'    {{ from = "{j}", to = "{i}", samples = {n} }},' for j, i, n in feeds)
    size = 1 + max(i for _, i, _ in feeds)
    lines = ["[network]", f"models = {size}", "initial = 100", network]
    lines += ["feeds = [", *rows, "]", "[design]", design, more]
    path = folder / "study.toml"
    path.write_text("\n".join(lines))
    return design_file(path)


def rows_of(allocation):
    return [share.after for share in allocation.shares.values()]


def errors_of(allocation):
    return [share.errors[1] for share in allocation.shares.values()]


def random_response(rng, most=5, shared=False, weight=1.0, frozen=0.0):
    """Return the response of a random network in which every other model reads something."""
    size = int(rng.integers(2, most + 1))
    published = rng.integers(10, 60, size)
    reads = rng.random((size, size)) < 0.5
    reads[~reads.any(1), 0] = True
    reads[rng.random(size) < frozen] = False
    feeds = [
        (str(j), str(i), int(published[j] if shared else rng.integers(5, 60)), weight)
        for i, j in np.argwhere(reads)
    ]
    draws = "shared" if shared else "private"
    net = mcjax.build_network(size, feeds, initial=50, draws=draws)
    return Response(net, np.ones(size, bool), np.zeros(size, bool))


def free_room(response, budget, rng):
    """Return a room without bounds, in which rows have costs of their own."""
    size = len(response.given)
    high = np.where(response.fits, np.inf, 0.0)
    return Room(rng.uniform(1, 4, size), np.zeros(size), high, budget)
