"""What a law says of one condition."""

from __future__ import annotations

from dataclasses import dataclass

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
    normal: whether it says that errors are normal, as limits of M-estimators are.
    limit: of the MSE as t -> infinity, of models that do neither, shape (M,), else nan.
    """

    law: str
    source: str
    exact: bool
    covariance: np.ndarray
    mse: np.ndarray
    standard_error: np.ndarray
    growth: np.ndarray
    limit: np.ndarray
    normal: bool = False


@dataclass(frozen=True)
class Predictions:
    """All laws on one condition: those that apply by name, and why the others do not."""

    laws: dict[str, Prediction]
    inapplicable: dict[str, str]
