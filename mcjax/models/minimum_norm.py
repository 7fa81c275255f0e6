"""Ridgeless regression: least squares with as few rows as one likes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mcjax.models.location import linear
from mcjax.models.model import Model
from mcjax.models.noise import positive
from mcjax.solvers.minimum_norm import solve_minimum_norm


def minimum_norm(sigma: float = 0.0, noise: Any = "normal", real_noise: Any = None) -> Model:
    """Least squares of minimum norm, ``theta = pinv(X) y``: with no more rows than parameters it
    passes through all labels.

    sigma: noise scale, which may be 0. noise, real_noise: as in linear.
    """
    scale = 0.0 if sigma == 0 else positive(sigma, "family.sigma")
    base = linear(1.0, noise, real_noise)
    return replace(
        base,
        params={**base.params, "sigma": scale},
        name="minimum_norm",
        gaussian=False,
        solve=solve_minimum_norm,
        least_rows=1,
        interpolates=True,
    )
