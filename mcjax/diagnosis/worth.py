"""Value of one further sample to the models that are stable."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.diagnosis.cures import Edge
from mcjax.diagnosis.long_run import Facts, alike
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.first_order.sensitivity import sensitivity
from mcjax.models.information import UNIT
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

MOST_MODELS = 200
"""Largest number of models of which this is computed: it costs more than all else beyond."""


class Worth(NamedTuple):
    """Value of one further sample in every generation, relative to the mean error.

    The mean error is the mean of ``c_ii`` in the limit over the stable models.

    Attributes
    ----------
    real : dict of str to float
        Decrease of the mean error per further real row, for each stable model that is fitted.
    harmful : Edge or None
        The feed whose further row increases the mean error most; None if none increases it.
    harm : float
        That increase.
    """

    real: dict[str, float]
    harmful: Edge | None
    harm: float


def worth_of(
    net: Network, facts: Facts, collapses: Bool[np.ndarray, " M"], limit: Float[np.ndarray, " M"]
) -> Worth | None:
    """Return what one sample more is worth; None where that is not known, or nothing is stable.

    Parameters
    ----------
    net : Network
        The network.
    facts : Facts
        What is known of the model.
    collapses : ndarray of bool, shape (M,)
        The models that collapse.
    limit : ndarray, shape (M,)
        The limit of the errors of others.
    """
    fitted = ~collapses & ~np.array(net.frozen)
    applies = net.later.constant and net.memory.current_only and alike(net, facts)
    applies = applies and not (net.shares_draws or net.reuses_real or net.selections)
    if not applies or not fitted.any() or net.size > MOST_MODELS or not net.plain:
        return None
    feeds = net.columns
    if (feeds.weight != 1).any():
        return None
    mean = float(limit[~collapses].mean())
    weights = np.where(collapses, 0.0, 1 / (~collapses).sum())
    rows = np.maximum(feeds.rows(net.size), 1)
    found = sensitivity(linear_system(net, UNIT), rows, ~collapses, weights)
    between = (feeds.origin < net.size) & fitted[feeds.reader]
    ends = feeds.reader[between], feeds.origin[between]
    slopes = found.feeds[ends] / mean
    real = {net.models[i]: -float(found.real[i]) / mean for i in np.flatnonzero(fitted).tolist()}
    if not (slopes > 0).any():
        return Worth(real, None, 0.0)
    most = int(np.nanargmax(slopes))
    edge = (net.models[ends[1][most]], net.models[ends[0][most]])
    return Worth(real, edge, float(slopes[most]))
