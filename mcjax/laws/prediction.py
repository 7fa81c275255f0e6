"""What a law says of one condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Prediction:
    """A law's moments, for M models, generations 0 to T and p parameters.

    Attributes
    ----------
    law: its name. source: where it comes from. exact: whether it holds at every sample size.
    covariance: of the stacked errors, shape (T + 1, Mp, Mp).
    mse: ``E ||e||^2``, shape (T + 1, M); standard_error: of ``mse``, the same shape, 0 where the
        law is in closed form.
    growth: slope of the MSE per generation, of models that collapse, shape (M,), else nan; infinite
        where the second moment explodes, growing by a factor every generation.
    mean: of each model's error, shape (T + 1, M, p); None for a law without bias, whose second
        moments are its covariances.
    asymptotic: whether it is a limit as sample counts grow, in which errors are normal.
    allowance: of an asymptotic law, relative departures of second moments that are no evidence
        against it at these sample counts, to be broadcast to (T + 1, M); 0 of any other.
    limit: of the MSE as t -> infinity, of models that do neither, shape (M,), else nan. A user's
        law has neither, and so has one that tells of a model neither endless growth nor a limit.
    """

    law: str
    source: str
    exact: bool
    covariance: np.ndarray
    mse: np.ndarray
    standard_error: np.ndarray
    growth: np.ndarray
    limit: np.ndarray
    mean: np.ndarray | None = None
    asymptotic: bool = False
    allowance: np.ndarray | float = 0.0


@dataclass(frozen=True)
class FunctionalPrediction:
    """What a law, exact at every sample size, says of a family's functionals.

    Attributes
    ----------
    law: its name. source: where it comes from.
    values: expectations by the functional's name, shape (T + 1, M).
    """

    law: str
    source: str
    values: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Predictions:
    """All laws on one condition: those of errors and those of functionals that apply, by name, and
    why the others do not."""

    laws: dict[str, Prediction]
    inapplicable: dict[str, str]
    functionals: dict[str, FunctionalPrediction] = field(default_factory=dict)
