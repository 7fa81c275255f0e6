"""Words at random: frequencies that are smoothed, so that no class dies out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp
from jax import Array

from mcjax.arguments import checked
from mcjax.errors import InputError
from mcjax.estimators.predictor import Params
from mcjax.estimators.sufficient_statistics import Statistics, SufficientStatistics, Sums
from mcjax.models.generative import SmoothedShares, categorical
from mcjax.models.model import Model

LARGEST = 1e6
"""Largest number of rows that smoothing adds to every class."""


@dataclass(frozen=True)
class SmoothedStatistics(SufficientStatistics):
    """Estimates from sums, drawn away from what minimises the loss."""

    minimises = False


@checked
def unigram(smoothing: float = 0.5) -> Model:
    """Return the unigram model: K classes with smoothed frequencies, of probabilities theta.

    Parameters
    ----------
    smoothing : float
        Rows that every fit adds to every class, alpha > 0. Counts c of n rows give the estimate
        ``(c + alpha) / (n + alpha K)``; with weights, c and n are sums of weights.

    Returns
    -------
    Model
        The model, with one class ``y = 0, ..., K - 1`` per row and no x.

    Raises
    ------
    InputError
        If the smoothing is not a positive number.

    Notes
    -----
    Smoothing draws every fit to equal probabilities by the share ``alpha K / (n + alpha K)``. A
    model that reads its own output keeps its variance bounded, and forgets the truth all the same.
    Without smoothing the model is :func:`mcjax.categorical`.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=50, initial=50)
    >>> condition = mcjax.condition(network, mcjax.unigram(smoothing=1.0), theta=[0.7, 0.2, 0.1])
    >>> [prediction] = mcjax.predict(mcjax.Study((condition,), generations=100))
    >>> (condition.theta + prediction.laws["smoothed"].bias[-1, 0]).round(2).tolist()
    [0.33, 0.33, 0.33]
    """
    if not 0 < smoothing <= LARGEST:
        raise InputError(
            "family.smoothing",
            f"is {smoothing!r}; give a number above 0, at most {LARGEST:g}, or take the family"
            " 'categorical', without smoothing",
        )
    plain = categorical()
    assert plain.statistics is not None
    return replace(
        plain,
        name="unigram",
        params={"smoothing": float(smoothing)},
        estimator=SmoothedStatistics(),
        statistics=Statistics(plain.statistics.summary, _estimate),
        generative=SmoothedShares(),
        functionals=tuple(f for f in plain.functionals if f.name == "heterozygosity"),
    )


def _estimate(params: Params, pivot: Array, sums: Sums) -> tuple[Array, Array]:
    counts = sums.total + params["smoothing"]
    return counts / counts.sum(), jnp.asarray(True)
