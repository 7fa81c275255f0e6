"""Conditions whose real data are rows of files: their truth, and what does not go with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.data.data import Data
from mcjax.errors import InputError
from mcjax.network import REAL, Network

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import ArrayLike

    from mcjax.models.model import Model


def population_of_rows(
    data: Data, model: Model, theta: Any, covariance: Any, intercept: bool
) -> tuple[Float[np.ndarray, " q"], Float[np.ndarray, "q q"]]:
    """Return the truth and the second moments of the covariates of rows of data."""
    from mcjax.study.file_fit import fit_to_file  # imports JAX

    if theta is not None:
        raise InputError("family.theta", "is what fits the data; leave it out")
    if covariance is not None:
        raise InputError("covariates.covariance", "is that of the data; leave it out")
    if intercept:
        raise InputError("covariates.intercept", "is that of the data; leave it out")
    return fit_to_file(model, data), data.second_moments


def check_rows_of_data(network: Network, design: str, own: Mapping[str, ArrayLike]) -> None:
    """Raise InputError for what rows of data are not drawn for."""
    if own:
        raise InputError("covariates.models", "are those of the data; leave them out")
    if design != "random":
        raise InputError(
            "covariates.design", "is 'random' where rows of data are drawn; leave it out"
        )
    if network.memory.selects:
        raise InputError(
            "network.memory", "is for models without data; use 'replace' or 'accumulate'"
        )
    drawn = {s.name for s in network.sources if s.data is not None}
    for feed in (*network.first, *network.later.feeds):
        if (
            feed.keep is not None
            and feed.origin in network.source_index
            and (feed.origin == REAL or feed.origin in drawn)
        ):
            raise InputError(
                "network.feeds.keep", "is for rows that models generate; leave it out of real feeds"
            )
