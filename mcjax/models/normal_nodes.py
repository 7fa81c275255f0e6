"""Places that stand for normal covariates where integrals have many dimensions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri
from scipy.stats import qmc

POWER = 14
"""Half of the nodes are 2 to this power."""
SEED = 0x1F4


def normal_nodes(root: Float[np.ndarray, "q q"]) -> Float[np.ndarray, "n q"]:
    """Return n nodes for ``x ~ N(0, root root')``; means over them approximate expectations.

    Notes
    -----
    These are scrambled Sobol points (Owen 1997) and their mirror images, mapped to normal numbers
    and transformed linearly such that ``E[x x']`` is exact, as are all odd moments.
    """
    return np.asarray(_standard(len(root)) @ root.T)


@lru_cache(maxsize=4)
def _standard(q: int) -> Float[np.ndarray, "n q"]:
    points = qmc.Sobol(q, rng=np.random.default_rng(SEED)).random_base2(POWER)
    z = ndtri(np.clip(points, 2.0**-40, 1 - 2.0**-40))
    z = np.concatenate([z, -z])
    return np.asarray(np.linalg.solve(np.linalg.cholesky(z.T @ z / len(z)), z.T).T)
