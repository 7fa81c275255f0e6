"""Transfer between models' tasks: losses on own data, on others' and on public data.

A generator tells the tasks of models apart if it has a measure ``loss on NAME`` for each model. All
numbers are changes since generation 0, in the mean over models, chain by chain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mcjax.generators.simulate import Values
from mcjax.network.data_mediated import PUBLIC

LOSS_ON = "loss on "
"""Prefix of the name of a measure that is the loss on the data of a model, or on public data."""
OWN, OTHERS, COMMON = "own data", "others' data", "public data"
"""Names of the data on which a loss is measured."""

Changes = Float[np.ndarray, "C T+1"]


def transfers(models: Sequence[str], names: Sequence[str], values: Values) -> dict[str, Changes]:
    """Return how losses have changed since generation 0, by whose data they are of.

    Parameters
    ----------
    models, names : sequence of str
        Names of the M models and of the K measures.
    values : ndarray
        Measures of all chains, shape (C, T + 1, M, K).

    Returns
    -------
    dict of str to ndarray
        Means over models, shape (C, T + 1); empty if there is not a loss for each model.
    """
    columns = [LOSS_ON + model for model in models]
    if not set(columns) <= set(names):
        return {}
    changes = values - values[:, :1]
    losses = changes[..., [names.index(column) for column in columns]]
    own = np.einsum("ctmm->ct", losses) / len(models)
    found = {OWN: own}
    if len(models) > 1:
        found[OTHERS] = (losses.sum((2, 3)) / len(models) - own) / (len(models) - 1)
    if LOSS_ON + PUBLIC in names:
        found[COMMON] = changes[..., names.index(LOSS_ON + PUBLIC)].mean(2)
    return found
