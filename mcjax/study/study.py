"""A study: conditions to simulate, how long and how often, and what counts as agreement."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.errors import InputError, did_you_mean
from mcjax.network import Network
from mcjax.study.quantities import check_quantities
from mcjax.study.sources import SourceLaws, check_determined, read_covariance, source_laws

if TYPE_CHECKING:
    from mcjax.estimators.estimator import Estimator
    from mcjax.models.model import Model

PRECISIONS = {
    "mixed": ("float32", "float64"),
    "float64": ("float64", "float64"),
    "float32": ("float32", "float32"),
}
"""Precision of draws and of fits, by the name of the setting."""
DESIGNS = ("random", "fixed")
SOLVERS = ("newton", "lbfgs")


@dataclass(frozen=True)
class Condition:
    """One pipeline to simulate; :func:`condition` builds and checks one.

    Attributes
    ----------
    name : str
        Unique in a study.
    label : str
        Selects, with the seed, the random draws; the name, but for the seed in it.
    network : Network
        Who feeds whom.
    model : Model
        What is fitted.
    theta : ndarray
        The truth, shape (p,), whatever the model's structure.
    covariance : ndarray
        Covariance of the covariates, ``x ~ N(0, covariance)``, shape (q, q); read-only.
    seed : int
        Seed of the draws.
    design : {"random", "fixed"}
        Whether covariates are drawn anew for every sample, or once: those of a sample are then the
        same in every generation and every chain, and only labels are drawn anew.
    ladder, scale : str, float
        Conditions of one ladder differ only in their sample counts, which are ``scale`` times the
        ladder's; None if the condition is on none.
    estimator : Estimator, optional
        What fits the model, in place of the model's own choice.
    """

    name: str
    label: str
    network: Network
    model: Model
    theta: np.ndarray
    covariance: np.ndarray
    seed: int = 0
    design: str = "random"
    ladder: str | None = None
    scale: float = 1.0
    estimator: Estimator | None = None

    @property
    def minimises(self) -> bool:
        """Whether estimates minimise the loss, as laws of M-estimators assume."""
        chosen = self.estimator or self.model.estimator
        return chosen is None or chosen.minimises

    @cached_property
    def sources(self) -> SourceLaws:
        """The laws of its real sources."""
        return source_laws(self.network, self.model, self.theta, self.covariance)


@dataclass(frozen=True)
class Study:
    """Conditions and how to run them.

    Attributes
    ----------
    generations: T; chains: C for each condition.
    tolerance: delta, the relative departure from a law that still counts as agreement.
    confidence: of all verdicts of the study together.
    precision: mixed (float32 draws, float64 fits), float64 or float32.
    solver: auto, newton or lbfgs. chunk: chains of all conditions that run in one call, at most.
    memory: GiB that the inputs and results of such a call may take; fewer chains where they would
        take more.
    quantities: what is judged: names of :data:`mcjax.study.quantities.QUANTITIES`, or objects of
        subclasses of :class:`mcjax.Quantity`.
    sampling: auto (sufficient statistics where they are all that matters, rows elsewhere) or rows.
    path: auto (the fastest path that can run a condition) or reference.

    Raises
    ------
    InputError: for settings out of range, for conditions that share a name, and for a ladder whose
        rungs share their draws and so are not independent.
    """

    conditions: tuple[Condition, ...]
    generations: int = 10
    chains: int = 4096
    tolerance: float = 0.05
    confidence: float = 0.99
    precision: str = "mixed"
    solver: str = "auto"
    chunk: int = 1024
    sampling: str = "auto"
    quantities: tuple[Any, ...] = ("mse",)
    memory: float = 1.0
    path: str = "auto"

    def __post_init__(self) -> None:
        for field, value, choices in (
            ("precision", self.precision, tuple(PRECISIONS)),
            ("solver", self.solver, ("auto", *SOLVERS)),
            ("sampling", self.sampling, ("auto", "rows")),
            ("path", self.path, ("auto", "reference")),
        ):
            if value not in choices:
                hint = did_you_mean(value, choices)
                raise InputError(f"run.{field}", f"is {value!r}, not one of {choices}{hint}")
        check_quantities(self.quantities, [c.model for c in self.conditions])
        if not self.conditions:
            raise InputError("grid", "has no condition")
        names = [c.name for c in self.conditions]
        for name in names:
            if names.count(name) > 1:
                raise InputError("grid", f"makes the condition {name!r} twice; drop one")
        rungs = [(c.ladder, c.label, c.seed) for c in self.conditions if c.ladder is not None]
        if len(set(rungs)) < len(rungs):
            raise InputError("grid.scale", "has sizes with the same draws; give each its own label")
        for field in ("tolerance", "confidence"):
            if not 0 < getattr(self, field) < 1:
                raise InputError(f"run.{field}", "must lie between 0 and 1")
        if not 0 < self.memory < math.inf:
            raise InputError("run.memory", f"is {self.memory}; give GiB, more than 0")
        if self.chains < 2 or self.generations < 0 or self.chunk < 1:
            raise InputError("run", "needs chains >= 2, generations >= 0 and chunk >= 1")


def condition(
    network: Network,
    model: Model,
    theta: Any,
    covariance: Any = None,
    label: str = "",
    seed: int = 0,
    name: str | None = None,
    design: str = "random",
    estimator: Estimator | None = None,
) -> Condition:
    """Build a :class:`Condition`.

    Parameters
    ----------
    network : Network
        Who feeds whom.
    model : Model
        What is fitted.
    theta : sequence of float, or pytree of arrays
        The truth. The leaves of a pytree, in order, are the p parameters.
    covariance : array_like, optional
        Covariance of the covariates; defaults to the identity.
    label, seed
        What selects the random draws.
    name : str, optional
        Defaults to ``label``.
    design : {"random", "fixed"}
        See :class:`Condition`.
    estimator : Estimator, optional
        Defaults to the model's own choice.

    Raises
    ------
    InputError
        If the truth is not made of finite numbers or is none of this model's, if the covariance is
        not a valid matrix, if a fit would have too few rows or covariates that do not determine its
        parameters, if a source does not suit the model, if the seed is out of range, or if the
        design is neither random nor fixed.
    """
    # imports JAX, as whoever has a model has done already
    from mcjax.models.structure import read_parameters

    truth, structure = read_parameters(theta)
    if structure is not None:
        model = replace(model, structure=structure)
    wrong = model.check(truth) if model.check is not None else ""
    if wrong:
        raise InputError("family.theta", wrong)
    if model.covariates == 0 and (covariance is not None or design != "random"):
        raise InputError("covariates", f"are none in the family {model.name!r}; leave them out")
    p = len(truth)
    count = model.covariates_for(p) or p
    if structure is not None and covariance is not None and model.covariates is None:
        count = len(np.atleast_1d(covariance))  # nothing else says how many there are
        model = replace(model, covariates=count)
    least = p + 1 if model.least_rows is None else model.least_rows
    cov = np.eye(count) if covariance is None else read_covariance(covariance, count)
    for i, reader in enumerate(network.models):
        rows = {"network.initial": network.initial[i]}
        fed = [sum(f.samples for f in table[i]) for table in network.tables if table[i]]
        if fed and (network.memory.current_only or network.memory.selects):
            rows["network.feeds"] = min(fed)
        for field, count in rows.items():
            if count < least:
                raise InputError(
                    field,
                    f"gives model {reader!r} {count} samples for {p} parameters; it needs more"
                    f" than {least - 1}",
                )
    if not 0 <= seed < 2**64:
        raise InputError("run.seed", f"is {seed}; give a whole number from 0 to 2**64 - 1")
    if design not in DESIGNS:
        hint = did_you_mean(design, DESIGNS)
        raise InputError("covariates.design", f"is {design!r}, not one of {DESIGNS}{hint}")
    own = label if name is None else name
    if not network.plain:
        if model.covariates == 0:
            raise InputError(
                "network",
                "has sources, first or weights by generation, which are for families with"
                f" covariates, and {model.name} has none; leave them out",
            )
        check_determined(network, source_laws(network, model, truth, cov))
    for array in (truth, cov):
        array.setflags(write=False)
    return Condition(own, label, network, model, truth, cov, seed, design, estimator=estimator)


def ladder(base: Condition, scales: Iterable[float]) -> tuple[Condition, ...]:
    """A condition at several sizes, every sample count multiplied; each size has draws of its own.

    Raises
    ------
    InputError: as :func:`condition`, and for a scale that makes no whole number of samples.
    """
    found = []
    for scale in scales:
        label, name = (
            ", ".join(filter(None, (part, f"scale={scale:g}"))) for part in (base.label, base.name)
        )
        own = condition(
            base.network.scaled(scale),
            base.model,
            base.theta,
            base.covariance,
            label,
            base.seed,
            name,
            base.design,
            base.estimator,
        )
        found.append(replace(own, ladder=base.name, scale=float(scale)))
    return tuple(found)


def covariance_root(cov: np.ndarray) -> np.ndarray:
    """A matrix F with ``F F' = cov``; rank-deficient covariances included."""
    values, vectors = np.linalg.eigh(cov)
    if math.isclose(values[0], values[-1], rel_tol=1e-12):
        return np.sqrt(values[-1]) * np.eye(len(cov))
    return vectors * np.sqrt(np.maximum(values, 0.0))


def whitener(cov: np.ndarray) -> np.ndarray:
    """Return ``F^-T`` for the root F of a covariance, or zero where F is singular.

    It turns errors of least squares under ``x ~ N(0, I)`` into those under ``x ~ N(0, cov)``.
    """
    root = covariance_root(cov)
    if len(root) == 0:
        return root
    regular = np.linalg.cond(root) < 1e6
    return np.linalg.inv(root).T if regular else np.zeros_like(root)
