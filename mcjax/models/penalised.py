"""Models that are fitted with a penalty."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np

from mcjax.arguments import checked_but
from mcjax.errors import InputError, did_you_mean
from mcjax.estimators.estimator import Estimator
from mcjax.estimators.penalty import Ridge, adds_penalty
from mcjax.models.model import Model

FIELD = "family.penalty"
FORM = "give a table such as { ridge = 0.1 }"


@checked_but("ridge")
def penalised(model: Model, *, ridge: float) -> Model:
    """Return a model whose fits, generation 0 included, minimise the mean loss and a penalty.

    Parameters
    ----------
    model : Model
        Any model that is fitted by minimising its loss.
    ridge : float
        Factor of half the squared norm of theta, which is added to the weighted mean of the loss
        over rows. With 0 the model is returned without a penalty; it regains no sums.

    Returns
    -------
    Model
        The model with ``penalty``. It has neither ``least_squares`` nor ``statistics``, because
        sums over rows, and the exact laws, are for estimates without a penalty.

    Raises
    ------
    InputError
        If ``ridge`` is no finite number of at least 0, or the model's estimator adds no penalty.
    """
    plain = ridge.item() if isinstance(ridge, np.generic) else ridge
    number = isinstance(plain, int | float) and not isinstance(plain, bool)
    if not (number and 0 <= plain <= sys.float_info.max):
        raise InputError(f"{FIELD}.ridge", f"is {ridge!r}; give a finite number of at least 0")
    made = replace(model, least_squares=None, statistics=None, penalty=Ridge(float(plain)))
    check_penalty(made)
    if plain > 0:
        return made
    return model if model.penalty is None else replace(model, penalty=None)


def check_penalty(model: Model, estimator: Estimator | None = None) -> None:
    """Check that the penalty of a model, if it has one, is part of its fits.

    Parameters
    ----------
    model : Model
        The model.
    estimator : Estimator, optional
        Fits the model; defaults to the model's own.

    Raises
    ------
    InputError
        If the estimator adds no penalty, or sums over rows would take its place.
    """
    chosen = model.estimator if estimator is None else estimator
    if model.penalty is None:
        return
    if not adds_penalty(chosen):
        raise InputError(
            FIELD,
            f"is for fits that minimise a loss; {model.name} is fitted by"
            f" {type(chosen).__name__}, which adds no penalty; leave it out",
        )
    if model.least_squares is not None or model.statistics is not None:
        raise InputError(FIELD, "leaves no sums that suffice; set it with mcjax.penalised")


def with_penalty(model: Model, table: Any) -> Model:
    """Return :func:`penalised` with the penalty that ``family.penalty`` of a study file describes.

    Raises
    ------
    InputError
        If it describes none, and as in :func:`penalised`.
    """
    if not isinstance(table, dict):
        raise InputError(FIELD, f"is {table!r}; {FORM}")
    for key in table:
        if key != "ridge":
            raise InputError(
                f"{FIELD}.{key}", f"is no penalty; {FORM}{did_you_mean(key, ['ridge'])}"
            )
    if not table:
        raise InputError(FIELD, f"is empty; {FORM}")
    return penalised(model, **table)
