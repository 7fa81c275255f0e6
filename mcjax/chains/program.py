"""The inputs of chains, the settings they are compiled for, and their output."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int32, UInt32

from mcjax.chains.dataset import SourceArrays
from mcjax.chains.layout import NetworkArrays
from mcjax.estimators.estimator import Estimator
from mcjax.models.model import Model
from mcjax.network.memory import Memory, Replace

REPLACE = Replace()
Tree = TypeVar("Tree")


class Path(StrEnum):
    """Path on which chains run.

    Row by row with any estimator (:mod:`mcjax.chains.reference`), the same with fits of many
    parameters by products of matrices (:mod:`mcjax.estimators.chord`), or by predictors found in
    the loss (:mod:`mcjax.estimators.found_predictors`), many fits at once
    (:mod:`mcjax.chains.fast`), or without rows (:mod:`mcjax.chains.statistics`).
    """

    REFERENCE = "reference"
    PRODUCTS = "products"
    PREDICTORS = "predictors"
    FAST = "fast"
    STATISTICS = "statistics"

    @property
    def draws_rows(self) -> bool:
        """True if data are drawn as rows."""
        return self is not Path.STATISTICS

    @property
    def fits_together(self) -> bool:
        """True if the fits of a block of chains are one computation."""
        return self is Path.FAST

    @property
    def finds_predictors(self) -> bool:
        """True if fits are by predictors that are found in the loss."""
        return self is Path.PREDICTORS

    @property
    def has_barriers(self) -> bool:
        """True if barriers keep stages apart."""
        return self in (Path.PREDICTORS, Path.FAST)

    @property
    def reorders_sums(self) -> bool:
        """True if the compiler may reorder sums, which then round differently."""
        return self in (Path.FAST, Path.STATISTICS)

    @property
    def plain(self) -> bool:
        """True for the path that others are held to."""
        return self is Path.REFERENCE

    @property
    def sampling(self) -> str:
        """Name of what is drawn."""
        return "rows" if self.draws_rows else "statistics"


Dtype = Literal["float32", "float64"]


class StartArrays(NamedTuple):
    """Starting points of the fits after generation 0; see :class:`mcjax.estimators.starts.Starts`.

    Attributes
    ----------
    model : array
        Number of the model whose last parameters they are, or ``FIRST``, ``GIVEN`` or ``BEHIND``,
        int32, shape (M,).
    base : array, optional
        Parameters that are given, shape (M, p); None if none are.
    """

    model: Int32[Any, "*lanes M"]
    base: Float[Any, "*lanes M p"] | None = None


class Fitting(NamedTuple):
    """Estimators of a group of models.

    Attributes
    ----------
    later : Estimator
        Fits generations from 1 on.
    first : Estimator
        Fits generation 0.
    models : tuple of int
        Their numbers; empty for all that no other way of fitting names.
    """

    later: Estimator
    first: Estimator
    models: tuple[int, ...] = ()

    @property
    def carries(self) -> bool:
        """True if the estimator carries a state from each generation to the next."""
        return bool(getattr(self.later, "carries", False))


class ConditionArrays(NamedTuple):
    """Everything that the distribution of a chain depends on, as data.

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
        The model that is fitted, with its numbers.
    design : array, optional
        Key of fixed designs, shape (2,); None if designs are random.
    sources : SourceArrays, optional
        Properties in which the real sources differ.
    selections : tuple of Selection
        What readers keep of their feeds; their numbers are arrays.
    starts : StartArrays, optional
        Where fits begin; None if at the weighted mean of the parameters behind their data.
    mean : array, optional
        Mean of normal x, shape (q,); None if it is 0, or files have it.

    Notes
    -----
    Arrays of several lanes have leading axes.
    """

    network: NetworkArrays
    truth: Float[Any, "*lanes S p"]
    factor: Float[Any, "*lanes q q"]
    whitener: Float[Any, "*lanes q q"]
    model: Model
    design: UInt32[Any, "*lanes 2"] | None = None
    sources: SourceArrays | None = None
    selections: tuple[Any, ...] = ()
    starts: StartArrays | None = None
    mean: Float[Any, "*lanes q"] | None = None


class Program(NamedTuple):
    """The settings that a program is compiled for; everything else is data.

    Attributes
    ----------
    generations : int
        Number T of generations.
    path : Path
        How chains run.
    estimator : Estimator
        Fits the models, from generation 1 on.
    draw_dtype, fit_dtype : {"float32", "float64"}
        Precision of covariates and labels, and of the fits.
    pairs : int
        Pairs of rows of the largest fit; 0 if chains draw statistics instead of rows.
    few_rows : bool
        Whether some feed has too few rows for chi variates to be drawn without extra uniforms.
    memory : Memory
        What a fit is of.
    first : Estimator, optional
        Fits generation 0, if something else than ``estimator`` does.
    others : tuple of Fitting
        How models are fitted that are fitted in other ways.
    """

    generations: int
    path: Path
    estimator: Estimator
    draw_dtype: Dtype
    fit_dtype: Dtype
    pairs: int = 0
    few_rows: bool = False
    memory: Memory = REPLACE
    first: Estimator | None = None
    others: tuple[Fitting, ...] = ()

    @property
    def fittings(self) -> tuple[Fitting, ...]:
        """All ways of fitting, that of most models first."""
        return (Fitting(self.estimator, self.first or self.estimator), *self.others)


class Trajectory(NamedTuple):
    """The estimates of one chain, or of many.

    Attributes
    ----------
    theta : array
        Estimates, shape (T + 1, M, p), NaN where a model has no estimate.
    status : array
        :class:`~mcjax.solvers.status.Status` codes, int32, shape (T + 1, M).
    steps : array
        Number of gradients evaluated, int32, shape (T + 1, M).

    Notes
    -----
    Arrays of many chains have leading axes. They are NumPy's where a function says so.
    """

    theta: Float[Any, "*C T+1 M p"]
    status: Int32[Any, "*C T+1 M"]
    steps: Int32[Any, "*C T+1 M"]


def cast(numbers: Tree, dtype: Dtype) -> Tree:
    """Return a pytree, such as a model, with its numbers in another precision."""
    cast: Tree = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), numbers)
    return cast
