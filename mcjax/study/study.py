"""Studies: conditions to simulate, for how long and how often, and what counts as agreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mcjax.arguments import checked, checked_fields
from mcjax.calls import explained
from mcjax.data.data import Data
from mcjax.errors import InputError, did_you_mean
from mcjax.estimators.by_model import ByModel, estimators_of, tables_of
from mcjax.estimators.starts import Starts, starts_of
from mcjax.network import Network
from mcjax.network.unknown import check_known
from mcjax.numbers import how_many
from mcjax.study.counts import check_rows, check_size
from mcjax.study.covariates import CovariateLaws, covariate_laws
from mcjax.study.drawn_rows import check_rows_of_data, population_of_rows
from mcjax.study.followed import followed
from mcjax.study.quantities import check_quantities
from mcjax.study.read_only import read_only
from mcjax.study.selections import check_selections
from mcjax.study.settings import PathChoice, Precision, Sampling, Solver, check_settings
from mcjax.study.sources import (
    SourceLaws,
    check_sources,
    read_own_covariances,
    read_second_moments,
    source_laws,
)
from mcjax.summaries import Summarised, Summary, few

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import ArrayLike

    from mcjax.estimators.estimator import Estimator
    from mcjax.models.model import Functional, Model
    from mcjax.study.held_out import HeldOut

Design = Literal["random", "fixed"]


@explained
@dataclass(frozen=True, repr=False)
class Condition(Summarised):
    """A pipeline to simulate. Use :func:`condition` to build and check one.

    Attributes
    ----------
    name : str
        Unique in a study.
    label : str
        With the seed, determines the random draws. In a study file it is the name without the seed.
    network : Network
        Who feeds whom.
    model : Model
        The model that is fitted.
    theta : ndarray
        The truth, shape (p,), whatever the structure of the model.
    covariance : ndarray
        Covariance of the covariates, ``x ~ N(0, covariance)``, shape (q, q); read-only. With an
        intercept or with data, it is the mean of ``x x'``.
    seed : int
        Seed of the draws.
    design : {"random", "fixed"}
        Whether covariates are drawn anew for every sample (random), or once for all generations and
        chains, so that only labels are drawn anew (fixed).
    ladder : str or None
        Name of the ladder that the condition belongs to. Conditions of one ladder differ only in
        their sample counts.
    scale : float
        The factor of these sample counts.
    estimator : Estimator or ByModel, optional
        Fits the model; defaults to the model's own choice.
    own_covariances : ndarray, optional
        Covariances of the covariates of the rows that each model generates, shape (M, q, q);
        default to ``covariance``.
    data : Data, optional
        Rows that ``real`` draws from. Theta is then what fits all of them.
    intercept : bool
        Whether the first of the covariates that are generated is 1.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.logistic(), theta=[1.0, -1.0])
    >>> condition.model.name, condition.design
    ('logistic', 'random')
    """

    name: str
    label: str
    network: Network
    model: Model
    theta: Float[np.ndarray, " p"]
    covariance: Float[np.ndarray, "q q"]
    seed: int = 0
    design: Design = "random"
    ladder: str | None = None
    scale: float = 1.0
    estimator: Estimator | ByModel | None = None
    own_covariances: Float[np.ndarray, "M q q"] | None = None
    data: Data | None = None
    intercept: bool = False

    def _summary(self) -> Summary:
        facts = {
            "network": self.network.heading,
            "data": "" if self.data is None else self.data.note,
            "theta": few((f"{value:.4g}" for value in self.theta), len(self.theta)),
            "seed": str(self.seed),
            "design": "" if self.design == "random" else self.design,
            "intercept": "yes" if self.intercept else "",
            "estimator": "" if self.estimator is None else type(self.estimator).__name__,
            "scale": "" if self.ladder is None else f"{self.scale:g}",
        }
        rows = [fact for fact in facts.items() if fact[1]]
        name = f" {self.name!r}" if self.name else ""
        return Summary(f"Condition{name}: {self.model.name}", rows, len(rows))

    @property
    def chosen_estimator(self) -> Estimator | ByModel | None:
        """The estimator of the condition or, if it has none, of its model; None for the study's."""
        return self.model.estimator if self.estimator is None else self.estimator

    @property
    def estimators(self) -> tuple[Estimator | None, ...]:
        """The estimator of each model; None for the study's."""
        return estimators_of(self.estimator, self.model.estimator, self.network)

    @property
    def minimises(self) -> bool:
        """True if estimates minimise the loss, as laws of M-estimators assume."""
        return all(each is None or each.minimises for each in self.estimators)

    @cached_property
    def starts(self) -> Starts | None:
        """Return where fits begin; None if at the weighted mean of the parameters behind data."""
        tables = tables_of(self.estimator, self.network)
        return starts_of(self.estimators, tables, self.network, len(self.theta))

    @cached_property
    def sources(self) -> SourceLaws:
        """Return the distributions of the real sources."""
        about = self.network, self.model, self.theta, self.covariance
        return source_laws(*about, data=self.data, intercept=self.intercept)

    @property
    def centred(self) -> bool:
        """True if all covariates are normal with mean 0."""
        return not (self.intercept or self.sources.from_files)

    @cached_property
    def held_out(self) -> HeldOut | None:
        """Return what is measured on the rows of ``data`` that are held out, if there are any."""
        from mcjax.study.held_out import HeldOut  # imports JAX

        rows = None if self.data is None else self.data.held_out
        return None if rows is None else HeldOut(self.model, rows, self.theta)

    @property
    def functionals(self) -> tuple[Functional, ...]:
        """Return the numbers computed from each estimate: the model's, then on held-out rows."""
        further = () if self.held_out is None else self.held_out.functionals
        return (*self.model.functionals, *further)

    @cached_property
    def covariate_laws(self) -> CovariateLaws:
        """Return where the covariates of models and of real sources come from."""
        return covariate_laws(self)


@explained
@dataclass(frozen=True, repr=False)
@checked_fields
class Study(Summarised):
    """Conditions and how to run them.

    Attributes
    ----------
    conditions : tuple of Condition
        The conditions, with distinct names. The study draws networks that all chains share.
    generations : int
        Number T of generations after generation 0.
    chains : int
        Number C of chains of each condition.
    tolerance : float
        The relative departure delta from a law that still counts as agreement.
    confidence : float
        Confidence level of all verdicts of the study together.
    precision : {"mixed", "float64", "float32"}
        Precision of draws and fits; mixed means float32 draws and float64 fits.
    solver : {"auto", "newton", "lbfgs"}
        Estimator of models that have none of their own; auto chooses by the number of parameters.
    chunk : int
        Largest number of chains, of all conditions together, in one call.
    sampling : {"auto", "rows"}
        Whether chains draw sufficient statistics where possible, or always rows.
    quantities : tuple
        The quantities to judge: names of :data:`mcjax.study.quantities.PLACES`, or objects of
        subclasses of :class:`mcjax.Quantity`.
    memory : float
        Memory in GiB that the inputs and results of one call may take; limits the chains of a call.
    path : {"auto", "reference"}
        Whether models of a linear predictor may run on the fast path, or run on the reference path.

    Raises
    ------
    InputError
        If a setting is out of range, two conditions have the same name, or the conditions of a
        ladder share their draws and so are not independent.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    Study: 1 condition, 2 generations, 512 chains, ±30% with confidence 99%
        linear  1 model, 2 feeds
    """

    conditions: tuple[Condition, ...]
    generations: int = 10
    chains: int = 4096
    tolerance: float = 0.05
    confidence: float = 0.99
    precision: Precision = "mixed"
    solver: Solver = "auto"
    chunk: int = 1024
    sampling: Sampling = "auto"
    quantities: tuple[Any, ...] = ("mse",)
    memory: float = 1.0
    path: PathChoice = "auto"

    def _summary(self) -> Summary:
        title = ", ".join(
            (
                f"Study: {how_many(len(self.conditions), 'condition')}",
                how_many(self.generations, "generation"),
                how_many(self.chains, "chain"),
                f"±{100 * self.tolerance:g}% with confidence {100 * self.confidence:g}%",
            )
        )
        rows = ((c.name, c.model.name, c.network.heading) for c in self.conditions)
        return Summary(title, rows, len(self.conditions), "condition")

    def __post_init__(self) -> None:
        check_settings(self)
        check_quantities(self.quantities)
        if not self.conditions:
            raise InputError("grid", "has no condition")
        for name, count in Counter(c.name for c in self.conditions).items():
            if count > 1:
                raise InputError("grid", f"makes the condition {name!r} twice; drop one")
        rungs = [(c.ladder, c.label, c.seed) for c in self.conditions if c.ladder is not None]
        if len(set(rungs)) < len(rungs):
            raise InputError("grid.scale", "has sizes with the same draws; give each its own label")
        for made in self.conditions:
            check_size(made, self.generations)
        known = tuple(followed(made, self.generations) for made in self.conditions)
        object.__setattr__(self, "conditions", known)


@checked
def condition(
    network: Network,
    model: Model,
    theta: Any = None,
    covariance: ArrayLike | None = None,
    label: str = "",
    seed: int = 0,
    name: str | None = None,
    design: Design = "random",
    estimator: Estimator | ByModel | None = None,
    own_covariances: Mapping[str, ArrayLike] | None = None,
    data: Data | None = None,
    intercept: bool = False,
) -> Condition:
    """Build and check a :class:`Condition`.

    Parameters
    ----------
    network : Network
        Who feeds whom.
    model : Model
        The model that is fitted.
    theta : sequence of float, or pytree of arrays, optional
        The truth. The leaves of a pytree, in order, are the p parameters. With ``data`` it is not
        given, and otherwise needed.
    covariance : array_like, optional
        Covariance of the covariates, without the intercept if there is one; defaults to the
        identity.
    label : str
        Together with the seed, determines the random draws.
    seed : int
        Seed of the draws, from 0 to 2**64 - 1.
    name : str, optional
        Defaults to ``label``.
    design : {"random", "fixed"}
        Whether covariates are drawn anew for every sample, or once.
    estimator : Estimator or ByModel, optional
        Fits the model; defaults to the model's own choice.
    own_covariances : mapping of str to array_like, optional
        Covariances of the covariates of the rows that some models generate; others, and real data,
        have ``covariance``.
    data : Data, optional
        Rows that ``real`` draws from, with replacement. The truth is what fits all of them.
    intercept : bool
        Whether the first covariate is 1, in all rows that are generated. The others are normal.

    Returns
    -------
    Condition
        The condition; its arrays are read-only.

    Raises
    ------
    InputError
        If the truth is not finite or not valid for the model, the covariance is not a valid matrix,
        a fit would have too few rows or covariates that do not determine its parameters, a source
        does not suit the model, the seed is out of range, the design is unknown, or the estimator
        does not add the model's penalty or has a start that does not suit the network. Also if
        ``data`` has no fit, or stands beside theta or a covariance, ``own_covariances`` is no
        mapping, or the memory is a subsample, whose rows all have ``covariance``.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0], label="half real")
    Condition 'half real': linear
      network  1 model, 2 feeds
      theta    1, -1
      seed     0
    """
    # imports JAX, which a caller with a model has already imported
    from mcjax.models.penalised import check_penalty
    from mcjax.models.structure import read_parameters

    for each in estimator.every if isinstance(estimator, ByModel) else (estimator,):
        check_penalty(model, each)
    given = {} if own_covariances is None else own_covariances
    if data is not None:
        theta, covariance = population_of_rows(data, model, theta, covariance, intercept=intercept)
    elif theta is None:
        raise InputError("family.theta", "is missing; give the true parameters, or data")
    if model.parametrise is not None and isinstance(theta, Mapping):
        theta = model.parametrise(theta)
    truth, structure = read_parameters(theta)
    if structure is not None:
        structure.check(model.name, model.loss)
        model = replace(model, structure=structure)
    wrong = model.check(truth) if model.check is not None else ""
    if wrong:
        raise InputError("family.theta", wrong)
    p, other = len(truth), bool(given) or design != "random"
    model, cov = read_second_moments(model, p, covariance, intercept=intercept, other=other)
    check_known(network)
    check_rows(network, model, p)
    if not 0 <= seed < 2**64:
        raise InputError("run.seed", f"is {seed}; give a whole number from 0 to 2**64 - 1")
    designs = get_args(Design)
    if design not in designs:
        hint = did_you_mean(design, designs)
        raise InputError("covariates.design", f"is {design!r}, not one of {designs}{hint}")
    own = read_own_covariances(network, cov, given, intercept)
    if not network.plain or own is not None:
        check_sources(network, model, truth, cov, data=data, own=own, intercept=intercept)
    if data is not None or any(source.data is not None for source in network.sources):
        check_rows_of_data(network, design, given)
    check_selections(network, model, truth, design)
    estimators = estimators_of(estimator, model.estimator, network)
    starts_of(estimators, tables_of(estimator, network), network, p)
    return Condition(
        name=label if name is None else name,
        label=label,
        network=network,
        model=replace(model, params=read_only(model.params)),
        theta=read_only(truth),
        covariance=read_only(cov),
        seed=seed,
        design=design,
        estimator=estimator,
        own_covariances=own,
        data=data,
        intercept=intercept,
    )
