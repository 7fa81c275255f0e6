"""A study: conditions to simulate, how long and how often, and what counts as agreement."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mcjax.chains.fast import knows
from mcjax.errors import InputError, did_you_mean
from mcjax.fits.fit import SOLVERS, default_solver
from mcjax.models.model import Model
from mcjax.network import Network
from mcjax.study.quantities import check_quantities
from mcjax.study.sources import SourceLaws, check_determined, read_covariance, source_laws

PRECISIONS = {
    "mixed": ("float32", "float64"),
    "float64": ("float64", "float64"),
    "float32": ("float32", "float32"),
}
"""Precision of draws and of fits, by the name of the setting."""
DESIGNS = ("random", "fixed")


@dataclass(frozen=True)
class Condition:
    """One pipeline to simulate; :func:`condition` builds and checks one.

    Attributes
    ----------
    name: unique in a study.
    label: selects, with the seed, the random draws; the name, but for the seed in it.
    network, family: who feeds whom, and what they estimate.
    theta: the truth, shape (p,).
    covariance: of the covariates, x ~ N(0, covariance), shape (p, p).
    seed: of the draws.
    ladder, scale: conditions of one ladder differ only in their sample counts, which are
        ``scale`` times the ladder's; None if on none.
    design: random (covariates drawn anew for every sample) or fixed (once: those of a sample are
        the same in every generation and every chain, and only labels are drawn anew).
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
    path: auto (the fast path where it is known, see :func:`path_of`) or reference.

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
    theta: Iterable[float],
    covariance: Any = None,
    label: str = "",
    seed: int = 0,
    name: str | None = None,
    design: str = "random",
) -> Condition:
    """Build a :class:`Condition`; its name is the label unless told.

    Raises
    ------
    InputError: if theta is no list of finite numbers, or no truth of the family's; if the
        covariance is none of its size, or there are no covariates to have one; if a fit would have
        too few rows, or covariates that do not determine its parameters; if a source is none of
        this family, the seed is out of range, or the design is neither random nor fixed.
    """
    truth = np.asarray(list(theta), float)
    if truth.size == 0 or not np.isfinite(truth).all():
        raise InputError("family.theta", "must be a list of finite numbers, one per parameter")
    wrong = model.check(truth) if model.check is not None else ""
    if wrong:
        raise InputError("family.theta", wrong)
    if not model.covariates and (covariance is not None or design != "random"):
        raise InputError("covariates", f"are none in the family {model.name!r}; leave them out")
    p = len(truth)
    least = p + 1 if model.least_rows is None else model.least_rows
    cov = np.eye(p) if covariance is None else read_covariance(covariance, p)
    for i, reader in enumerate(network.models):
        rows = {"network.initial": network.initial[i]}
        if network.feeds_by_reader[i] and network.memory != "accumulate":
            rows["network.feeds"] = sum(f.samples for f in network.feeds_by_reader[i])
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
        if not model.covariates:
            raise InputError(
                "network",
                "has sources, first or weights by generation, which are for families with"
                f" covariates, and {model.name} has none; leave them out",
            )
        check_determined(network, source_laws(network, model, truth, cov))
    return Condition(own, label, network, model, truth, cov, seed, design)


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
        )
        found.append(replace(own, ladder=base.name, scale=float(scale)))
    return tuple(found)


def sampling_of(condition: Condition, setting: str) -> str:
    """How samples are drawn: ``statistics`` for least squares with normal noise, random covariates
    that determine every parameter and one real source, unless rows are asked for or fits are of
    some rows of a pool; else ``rows``."""
    net = condition.network
    whole = condition.design == "random" and net.plain and net.memory != "subsample"
    exact = whole and condition.model.gaussian and whitener(condition.covariance).any()
    return "statistics" if exact and setting == "auto" else "rows"


def path_of(condition: Condition, study: Study) -> str:
    """What runs a condition's chains: ``statistics`` where no rows are drawn, ``fast`` for the
    built-in families at up to 20 parameters, Newton's method, one real source and data that are
    replaced, and ``reference`` for all else, or where it is asked for."""
    if sampling_of(condition, study.sampling) == "statistics":
        return "statistics"
    p, memory = len(condition.theta), condition.network.memory
    solver = default_solver(p) if study.solver == "auto" else study.solver
    known = condition.network.plain and knows(condition.model, p, solver, memory)
    return "fast" if known and study.path == "auto" else "reference"


def whitener(cov: np.ndarray) -> np.ndarray:
    """``F^-T`` for the root F of a covariance, which turns errors of least squares under
    x ~ N(0, I) into those under x ~ N(0, cov); zero where F is singular."""
    root = covariance_root(cov)
    regular = np.linalg.cond(root) < 1e6
    return np.linalg.inv(root).T if regular else np.zeros_like(root)


def covariance_root(cov: np.ndarray) -> np.ndarray:
    """A matrix F with ``F F' = cov``; rank-deficient covariances included."""
    values, vectors = np.linalg.eigh(cov)
    if math.isclose(values[0], values[-1], rel_tol=1e-12):
        return np.sqrt(values[-1]) * np.eye(len(cov))
    return vectors * np.sqrt(np.maximum(values, 0.0))
