"""Generators whose laws are known, and the networks on which they run."""

import jax
import jax.numpy as jnp
import numpy as np

import mcjax

N, HALF, H = 100, 50, 0.5

FEEDS = {
    "zoo": [(0, 0, N), (0, 1, HALF), ("real", 1, HALF), (2, 2, HALF), ("real", 2, HALF), (2, 3, N)],
    "stable": [(0, 1, N), (1, 2, N), (2, 3, HALF), ("real", 3, HALF)],
    "flip": [(0, 1, N), (1, 2, N), (2, 3, HALF), ("real", 3, HALF), (2, 0, N)],
    "line": [(0, 0, N), (0, 1, N), (1, 2, N), (2, 3, N)],
    "ring": [(2, 0, 70), ("real", 0, 30), (0, 1, N), (1, 2, N), (0, 3, HALF), (1, 3, HALF)],
}
"""The zoo: a self-loop, its reader, an anchored loop and its reader. Stable: a frozen teacher."""


def network(name, **options):
    feeds = [mcjax.Feed(str(a), str(b), rows) for a, b, rows in FEEDS[name]]
    return mcjax.build_network(4, feeds, initial=N, **options)


def shares(name):
    """The shares W, real shares r and frozen models of a network."""
    w, real = np.zeros((4, 4)), np.zeros(4)
    for origin, reader, rows in FEEDS[name]:
        if origin == "real":
            real[reader] = rows / N
        else:
            w[reader, origin] = rows / N
    frozen = w.sum(1) + real == 0
    return w + np.diag(frozen.astype(float)), real, frozen


def kernel_density(width=H):
    """A kernel density estimate: a model is the rows that it was fitted to."""

    def sample(key, params, n):
        which, noise = jax.random.split(key)
        centres = params[jax.random.randint(which, (n,), 0, len(params))]
        return centres + width * jax.random.normal(noise, (n,))

    return mcjax.Generator(
        init=lambda key: (),
        fit=lambda key, params, rows: rows,
        sample=sample,
        measure=lambda key, params, rows: {"second": (rows**2).mean(), "variance": rows.var()},
        real=lambda key, n: jax.random.normal(key, (n,)),
        name="kde",
    )


def gaussian(scale=1.0):
    """A normal law with fitted mean; the scale is known."""
    return mcjax.Generator(
        init=lambda key: jnp.zeros(()),
        fit=lambda key, params, rows: rows.mean(),
        sample=lambda key, params, n: params + scale * jax.random.normal(key, (n,)),
        measure=lambda key, params, rows: {"mean": params, "square": params**2},
        real=lambda key, n: scale * jax.random.normal(key, (n,)),
        name="gaussian",
    )


KDE, GAUSSIAN = kernel_density(), gaussian()


def study(*names, generator=KDE, generations=5, chains=64, start="scratch", **settings):
    """Networks with common draws."""
    conditions = tuple(
        mcjax.GeneratorCondition(network(name), generator, name=name, start=start) for name in names
    )
    return mcjax.GeneratorStudy(conditions, generations, chains, **settings)
