"""What chains run on, what they are compiled for and what they report."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from mcjax.chains.dataset import SourceArrays
from mcjax.chains.layout import NetworkArrays
from mcjax.estimators.estimator import Estimator
from mcjax.models.model import Model
from mcjax.network.memory import Memory, Replace

REPLACE = Replace()

Path = Literal["reference", "fast", "statistics"]
"""How chains are run: row by row with any estimator (:mod:`mcjax.chains.reference`), many fits at
once (:mod:`mcjax.chains.fast`), or without rows (:mod:`mcjax.chains.statistics`)."""


class ConditionArrays(NamedTuple):
    """All that one chain's law depends on, as data.

    Attributes
    ----------
    network : NetworkArrays
        Who feeds whom.
    truth : array
        Parameters of the real sources, shape (S, p).
    factor : array
        A root F of the covariance of x, shape (q, q).
    whitener : array
        ``F^-T``, shape (q, q), or zero where F is singular.
    model : Model
        What is fitted, with its numbers.
    design : array, optional
        The key of fixed designs, shape (2,); None where designs are random.
    sources : SourceArrays, optional
        Laws of their own of real sources.
    """

    network: NetworkArrays
    truth: Any
    factor: Any
    whitener: Any
    model: Model
    design: Any = None
    sources: SourceArrays | None = None


class Program(NamedTuple):
    """What a program is compiled for; everything else is data.

    Attributes
    ----------
    generations : int
        T.
    path : {"reference", "fast", "statistics"}
        How chains are run.
    estimator : Estimator
        What fits the models.
    draw_dtype, fit_dtype : str
        Precision of covariates and labels, and of the fits.
    pairs : int
        Pairs of rows of the largest fit; 0 where chains draw statistics instead of rows.
    few_rows : bool
        Whether some feed is too small for the cheap statistics.
    memory : Memory
        What a fit is of.
    """

    generations: int
    path: Path
    estimator: Estimator
    draw_dtype: str
    fit_dtype: str
    pairs: int = 0
    few_rows: bool = False
    memory: Memory = REPLACE


class Trajectory(NamedTuple):
    """What a chain reports.

    Attributes
    ----------
    theta : array
        Estimates, shape (T + 1, M, p), not-a-number where a fit failed.
    status : array
        :class:`~mcjax.solvers.status.Status` codes, shape (T + 1, M).
    steps : array
        Gradients evaluated, shape (T + 1, M).
    """

    theta: Any
    status: Any
    steps: Any


def cast(model: Model, dtype: str) -> Model:
    """Return the model with its numbers in another precision."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), model)
