"""Errors of linear regressions before and after a design, by the exact law of least squares.

They are in the units of the first-order law: second moments over the noise variance, of errors in
coordinates in which the covariates are uncorrelated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.diagnosis.long_run import Facts
from mcjax.laws.least_squares.conditions import unusual_feeds
from mcjax.laws.least_squares.explosion import long_run
from mcjax.laws.least_squares.second_moments import second_moment_map
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Float

MOST_MODELS = 100
"""Largest number of models to which the exact law is applied."""


class ExactErrors(NamedTuple):
    """Errors in the long run by the exact law, infinite where they grow without bound.

    Attributes
    ----------
    parameters : int
        Number of parameters of the regressions.
    before, rows : ndarray, shape (M,)
        Errors with the real rows of the file, and with the whole rows of the design.
    """

    parameters: int
    before: Float[np.ndarray, " M"]
    rows: Float[np.ndarray, " M"]


def exact_errors(given: Network, after: Network, facts: Facts) -> ExactErrors | None:
    """Return the exact errors of two networks of the same models; None where they are not known."""
    nets = given, after
    large = given.size > MOST_MODELS
    if facts.regression is None or large or any(map(unusual_feeds, nets)):
        return None
    p = facts.regression.parameters
    return ExactErrors(p, *(_errors(net, p) for net in nets))


def _errors(net: Network, p: int) -> Float[np.ndarray, " M"]:
    """Return the limits of the errors of regressions with noise of variance 1."""
    initial = np.array(net.initial, float)
    first = np.where(initial > p + 1, 1 / np.maximum(initial - p - 1, 1), np.inf)
    found = long_run(second_moment_map(net, p, 1.0, 1.0), net, first).limit
    return np.where(np.isnan(found), np.inf, found)
