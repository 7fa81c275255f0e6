"""Ridgeless regression: least squares with any number of rows, however small."""

from __future__ import annotations

from dataclasses import replace

from mcjax.calls import explained
from mcjax.estimators.minimum_norm import MinimumNorm
from mcjax.models.location import linear
from mcjax.models.model import LeastSquares, Model
from mcjax.models.noise import Noise, positive


@explained
def minimum_norm(
    sigma: float = 0.0, noise: Noise = "normal", real_noise: Noise | None = None
) -> Model:
    """Return minimum-norm least squares, ``theta = pinv(X) y``.

    With at most as many rows as parameters, the fit interpolates all labels.

    Parameters
    ----------
    sigma : float
        Noise scale, which may be 0.
    noise, real_noise : optional
        As in :func:`mcjax.linear`.

    Returns
    -------
    Model
        ``theta`` and ``x`` have shape (p,), ``y`` is a scalar.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=6, initial=6)
    >>> condition = mcjax.condition(network, mcjax.minimum_norm(), theta=[1.0] * 10)
    >>> [prediction] = mcjax.predict(mcjax.Study((condition,), generations=2))
    >>> (prediction.laws["minimum_norm"].mse[:, 0] / 10).round(3)
    array([0.4  , 0.64 , 0.784])
    """
    exact = isinstance(sigma, int | float) and sigma == 0
    scale = 0.0 if exact else positive(sigma, "family.sigma")
    base = linear(1.0, noise, real_noise)
    assert base.least_squares is not None
    return replace(
        base,
        params={**base.params, "sigma": scale},
        name="minimum_norm",
        # X'X and X'y do not suffice if there are fewer rows than parameters
        least_squares=LeastSquares(base.least_squares.variances),
        statistics=None,
        estimator=MinimumNorm(),
        least_rows=1,
    )
