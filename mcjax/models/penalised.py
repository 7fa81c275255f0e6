"""Models that are fitted with a penalty."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np

from mcjax.arguments import checked_but
from mcjax.errors import InputError, did_you_mean
from mcjax.estimators.estimator import Estimator
from mcjax.estimators.penalty import Firth, Penalty, Ridge, adds_penalty
from mcjax.models.model import Model

FIELD = "family.penalty"
TABLE = "a table such as { ridge = 0.1 }"
FORM = f"give 'firth' or {TABLE}"


@checked_but("ridge")
def penalised(model: Model, *, ridge: float | None = None, firth: bool = False) -> Model:
    """Return a model whose fits, generation 0 included, minimise the mean loss and a penalty.

    Parameters
    ----------
    model : Model
        Any model that is fitted by minimising its loss.
    ridge : float, optional
        Factor of half the squared norm of theta, which is added to the weighted mean of the loss
        over rows. With 0 the model is returned without a penalty; it regains no sums.
    firth : bool
        Whether fits have Firth's penalty in place of a ridge,
        :class:`~mcjax.estimators.penalty.Firth`. It is for logistic and Poisson regression; for
        linear regression it is a constant, and the model is returned without a penalty.

    Returns
    -------
    Model
        The model with ``penalty``. It has neither ``least_squares`` nor ``statistics``, because
        sums over rows, and the exact laws, are for estimates without a penalty.

    Raises
    ------
    InputError
        If ``ridge`` is no finite number of at least 0, not exactly one penalty is given, or the
        model or its estimator does not take it.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.penalised(mcjax.logistic(), ridge=0.05).shrinkage
    0.05
    """
    if firth == (ridge is not None):
        raise InputError(FIELD, "takes one penalty; give ridge=0.1, for example, or firth=True")
    if firth:
        made = _with(model, Firth())
        constant = model.least_squares is not None
        return model if constant else made
    plain: Any = ridge.item() if isinstance(ridge, np.generic) else ridge
    number = isinstance(plain, int | float) and not isinstance(plain, bool)
    if not (number and 0 <= plain <= sys.float_info.max):
        raise InputError(f"{FIELD}.ridge", f"is {ridge!r}; give a finite number of at least 0")
    made = _with(model, Ridge(float(plain)))
    if plain > 0:
        return made
    return model if model.penalty is None else replace(model, penalty=None)


def _with(model: Model, penalty: Penalty) -> Model:
    made = replace(model, least_squares=None, statistics=None, penalty=penalty)
    check_penalty(made)
    return made


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
        If the model does not take the penalty, the estimator adds none, or sums over rows would
        take its place.
    """
    chosen = model.estimator if estimator is None else estimator
    if model.penalty is None:
        return
    against = model.penalty.reason_against(model)
    if against:
        raise InputError(FIELD, f"{against}, and not for {model.name}; leave it out")
    if not adds_penalty(chosen):
        raise InputError(
            FIELD,
            f"is for fits that minimise a loss; {model.name} is fitted by"
            f" {type(chosen).__name__}, which adds no penalty; leave it out",
        )
    if model.least_squares is not None or model.statistics is not None:
        raise InputError(FIELD, "leaves no sums that suffice; set it with mcjax.penalised")


def with_penalty(model: Model, given: Any) -> Model:
    """Return :func:`penalised` with the penalty that ``family.penalty`` of a study file describes.

    Raises
    ------
    InputError
        If it describes none, and as in :func:`penalised`.
    """
    if given == "firth":
        return penalised(model, firth=True)
    if not isinstance(given, dict):
        hint = did_you_mean(given, ["firth"]) if isinstance(given, str) else ""
        raise InputError(FIELD, f"is {given!r}; {FORM}{hint}")
    for key in given:
        if key != "ridge":
            raise InputError(
                f"{FIELD}.{key}", f"is no penalty; {FORM}{did_you_mean(key, ['ridge'])}"
            )
    if not given:
        raise InputError(FIELD, f"is empty; {FORM}")
    return penalised(model, **given)
