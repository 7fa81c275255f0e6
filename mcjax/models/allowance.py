"""How far finite samples may take a model from the first-order law without being evidence against
it."""

from __future__ import annotations

from typing import NamedTuple


class Allowance(NamedTuple):
    """Relative departures of second moments from the first-order law at finite sample sizes.

    With p parameters and n rows in the smallest fit, the departure allowed at generation t is
    ``per_row (p + 1) (t + 1) / (n - p - 1)``, plus ``2 (p + 1) / sqrt(n)`` at a kink.

    Attributes
    ----------
    per_row : float
        Factor of the term of order 1/n.
    kink : bool
        Whether the density of some noise has a kink where the loss aims, so that the law is
        approached like ``1 / sqrt(n)`` and not like ``1 / n``.

    Notes
    -----
    A rule of thumb for the terms that the law leaves out and that add up over generations. In
    simulations of 50 to 1,600 rows with p = 2 and 3, ``per_row`` needed to be at most 1 for linear
    and Huber regression (2 is used), 2.7 for logistic regression without real data (4) and 11 for
    Poisson regression with theta = (1, 1) at generation 0 (12, as for models that nobody has
    measured). For quantile regression at most 2 was needed (50 rows a fit, p = 2, levels 0.1, 0.25
    and 0.5, normal and t noise; 4 is used), and two thirds of the term for a kink (Laplace median,
    50 to 400 rows).
    """

    per_row: float
    kink: bool = False


UNMEASURED = Allowance(12.0)
"""For models whose departures have not been measured: the largest of those that have."""
