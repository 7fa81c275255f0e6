r"""Growth M_t of the errors of each workflow when one model reads its own output.

To first order, the excess loss of a model after t fits is ``V M_t``, where V is that of its first
fit, which is of n real rows, so that M_1 = 1. Every generation brings n new rows, of which the
share r is real and fresh, and the share w = 1 - r comes from the model. By the score equations of
:mod:`mcjax.laws.first_order.accumulation`, errors in units of one fit obey

``replace``
    e_t = w e_{t-1} + noise, hence M_t = w^2 M_{t-1} + 1. Without real data this is t; with them it
    tends to 1 / (1 - w^2).
``accumulate``
    All t n rows are fitted: e_t = (1 - r / t) e_{t-1} + noise / t, hence
    M_t = (1 - r / t)^2 M_{t-1} + 1 / t^2. Without real data this is the sum of 1 / i^2
    (Gerstgrasser et al. 2024).
``subsample``
    n of the t n rows are fitted. Let P_t be the growth of the fit of the whole pool. The choice of
    rows adds U_t = (t - 1) / t. What the model generates next is centred on its own fit, hence
    P_t = (1 - r / t)^2 P_{t-1} + (1 + w^2 U_{t-1}) / t^2 and M_t = P_t + U_t.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from mcjax.errors import InputError, did_you_mean

Growth = Float[np.ndarray, " T"]
"""M_1 to M_T."""
REPLACE, ACCUMULATE, SUBSAMPLE = "replace", "accumulate", "subsample"


def growth_of(law: str, fits: int) -> Growth:
    """Return the growth of errors by a law.

    Parameters
    ----------
    law : str
        ``replace``, ``accumulate`` or ``subsample``, which may be followed by a colon and the share
        of fresh real rows in a generation, as in ``replace:0.25``.
    fits : int
        The number T of fits.

    Returns
    -------
    ndarray of shape (T,)
        M_1 to M_T.

    Raises
    ------
    InputError
        If there is no such law.
    """
    rule, real = split_law(law)
    return RULES[rule](real, fits)


def split_law(law: str) -> tuple[str, float]:
    """Return the rule and the share of real rows that the name of a law gives.

    Raises
    ------
    InputError
        If there is no such law.
    """
    rule, colon, share = law.partition(":")
    if rule not in RULES:
        hint = did_you_mean(rule, RULES) or f"; give one of {', '.join(RULES)}"
        raise InputError("law", f"{law!r} is not a law{hint}")
    try:
        real = float(share) if colon else 0.0
    except ValueError:
        real = math.nan
    if not 0 <= real < 1:
        problem = f"{law!r} has no share of real rows from 0 to below 1; write {rule}:0.25, say"
        raise InputError("law", problem)
    return rule, real


def _replace(real: float, fits: int) -> Growth:
    kept = (1 - real) ** 2
    return _unrolled(fits, lambda t, before: kept * before + 1)


def _accumulate(real: float, fits: int) -> Growth:
    return _unrolled(fits, lambda t, before: (1 - real / t) ** 2 * before + 1 / t**2)


def _subsample(real: float, fits: int) -> Growth:
    def following(t: int, before: float) -> float:
        chosen = (1 - real) ** 2 * (t - 2) / (t - 1)
        return (1 - real / t) ** 2 * before + (1 + chosen) / t**2

    return _unrolled(fits, following) + 1 - 1 / np.arange(1, fits + 1)


def _unrolled(fits: int, following: Callable[[int, float], float]) -> Growth:
    growth = np.ones(fits)
    for t in range(2, fits + 1):
        growth[t - 1] = following(t, growth[t - 2])
    return growth


RULES: dict[str, Callable[[float, int], Any]] = {
    REPLACE: _replace,
    ACCUMULATE: _accumulate,
    SUBSAMPLE: _subsample,
}
"""Growth by rule, from the share of real rows and the number of fits."""
