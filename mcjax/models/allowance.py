"""Allowance for the departure of finite samples from the first-order law."""

from __future__ import annotations

from typing import NamedTuple


class Allowance(NamedTuple):
    """Relative departure of second moments from the first-order law that finite samples may cause.

    It is used where the second-order law does not apply. With p parameters and n effective rows in
    the smallest fit (:mod:`mcjax.laws.first_order.rule_of_thumb`), the departure allowed at
    generation t is ``per_row (p + 1) (t + 1) / (n - p - 1)``, plus ``2 (p + 1) / sqrt(n)`` at a
    kink.

    Attributes
    ----------
    per_row : float
        Factor of the term of order 1/n.
    kink : bool
        Whether a noise density has a kink at the target of the loss, so that the departure from the
        law shrinks like ``1 / sqrt(n)`` and not like ``1 / n``.

    Notes
    -----
    This is a rule of thumb for the terms that the law omits, which add up over generations. In
    simulations with 50 to 1,600 rows and p = 2 and 3, the necessary ``per_row`` was at most 1 for
    linear and Huber regression (2 is used), 2.7 for logistic regression without real data (4 is
    used) and 11 for Poisson regression with theta = (1, 1) at generation 0. There n rows count as
    n / 74, so that 0.15 would do (4 is used). Models that have not been measured have 12. For
    quantile regression it was at most 2 (50 rows per fit, p = 2, levels 0.1, 0.25 and 0.5, normal
    and t noise; 4 is used), and two thirds of the term for a kink were necessary (Laplace median,
    50 to 400 rows).
    """

    per_row: float
    kink: bool = False


UNMEASURED = Allowance(12.0)
"""The allowance of models that have not been measured."""
