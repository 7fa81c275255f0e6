"""A study as programs: which conditions share one, how it runs and why, and at which size.

Conditions share a program if they agree in everything that it is compiled for: the structure of the
model, the number of parameters, path, estimator, memory and settings. If rows are drawn, their
sizes must also be similar (:mod:`mcjax.engine.buckets`). Everything else is data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Integer

from mcjax.arguments import checked
from mcjax.chains.bartlett import FEW_ROWS
from mcjax.chains.dataset import SourceArrays
from mcjax.chains.layout import PaddedSizes, network_arrays, shape_of
from mcjax.chains.program import ConditionArrays, Fitting, Path, Program, Trajectory
from mcjax.draws.streams import condition_word, design_key
from mcjax.engine import engine
from mcjax.engine.blocks import chunk_within
from mcjax.engine.buckets import buckets
from mcjax.engine.demands import check_rows, precisions
from mcjax.engine.files import file_arrays, files_key
from mcjax.engine.fine_tuning import fittings_of, start_arrays
from mcjax.engine.routes import Route, estimator_of, route_of
from mcjax.engine.task import Task
from mcjax.errors import InputError, did_you_mean
from mcjax.estimators.chord import Chord
from mcjax.estimators.estimator import check_hash
from mcjax.estimators.found_predictors import FoundNewton
from mcjax.estimators.sufficient_statistics import SufficientStatistics
from mcjax.network.drawn import Drawn
from mcjax.study.covariates import Covariates, NormalCovariates
from mcjax.study.quantities import needs_pooled
from mcjax.study.roots import covariance_root, whitener
from mcjax.study.study import Condition, Study


@dataclass(frozen=True)
class SharedProgram:
    """One compiled program and the conditions that it serves.

    Attributes
    ----------
    members : tuple of int
        Positions of the conditions in the study.
    route : Route
        How their chains run, and why.
    program : Program
        The settings that the program is compiled for.
    shape : PaddedSizes
        Padded sizes.
    chunk : int
        Number of chains in one call, as many as the study's memory allows.
    pooled : bool
        Whether there is room for the pooled estimator of each condition, which the study asks for.
    """

    members: tuple[int, ...]
    route: Route
    program: Program
    shape: PaddedSizes
    chunk: int
    pooled: bool = False


@dataclass(frozen=True)
class CompiledStudy:
    """A study and its programs; compilation itself waits until chains run.

    Attributes
    ----------
    study : Study
        The study to run.
    programs : tuple of SharedProgram
        The programs; each condition is a member of exactly one.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> compiled = mcjax.compile_study(study)
    >>> [tally] = mcjax.simulate(compiled)
    >>> compiled.study is study
    True
    """

    study: Study
    programs: tuple[SharedProgram, ...]

    @cached_property
    def by_condition(self) -> tuple[SharedProgram, ...]:
        """Return the program of each condition, in the order of the study."""
        programs = {i: shared for shared in self.programs for i in shared.members}
        return tuple(programs[i] for i in range(len(self.study.conditions)))

    def task(
        self,
        condition: int,
        chains: Sequence[int] | Integer[np.ndarray, " C"],
        pooled: bool = False,
    ) -> Task:
        """Return some chains of a condition, given by its position, as a task of the engine.

        If ``pooled``, the pooled estimator is a further model of the chains, the last.
        """
        shape = self.by_condition[condition].shape
        return task_of(self.study.conditions[condition], shape, chains, pooled)

    def trajectories(
        self, program: SharedProgram, chains: Sequence[int] | Integer[np.ndarray, " C"]
    ) -> Iterator[tuple[int, Trajectory]]:
        """Run some chains of every condition of a program; yield parts as they are ready.

        Parameters
        ----------
        program : SharedProgram
            One of ``programs``.
        chains : sequence of int
            Numbers of the chains, ascending.

        Yields
        ------
        condition : int
            Position in the study.
        trajectory : Trajectory
            The next chains of the condition in order, as NumPy arrays with a leading axis of
            chains.
        """
        tasks = [self.task(i, chains) for i in program.members]
        for part in engine.trajectories(tasks, program.program, program.chunk):
            for task, trajectory in part:
                yield program.members[task], trajectory

    def position(self, name: str) -> int:
        """Return the position of a condition in the study.

        Raises
        ------
        InputError
            If the study has no such condition.
        """
        names = [condition.name for condition in self.study.conditions]
        if name not in names:
            hint = did_you_mean(name, names)
            raise InputError("condition", f"{name!r} is not in the study{hint}")
        return names.index(name)


@checked
def compile_study(study: Study) -> CompiledStudy:
    """Group the conditions of a study into programs.

    Parameters
    ----------
    study : Study
        The study to run.

    Returns
    -------
    CompiledStudy
        The study and its programs.

    Raises
    ------
    InputError
        If an estimator has no hash.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> compiled = mcjax.compile_study(study)
    >>> len(compiled.programs)
    1
    """
    kinds: dict[tuple[Any, ...], list[int]] = {}
    for i, condition in enumerate(study.conditions):
        for estimator in condition.estimators:
            check_hash(estimator)
        kinds.setdefault(_kind(condition, study), []).append(i)
    groups = []
    for members in kinds.values():
        if not route_of(study.conditions[members[0]], study).path.draws_rows:
            groups.append(members)  # the cost does not depend on sample counts
            continue
        sizes = [(study.conditions[i].network.size, 2 * _shape(study, [i]).pairs) for i in members]
        groups += [[members[k] for k in group] for group in buckets(sizes)]
    return CompiledStudy(study, tuple(_shared(study, members) for members in groups))


def _kind(condition: Condition, study: Study) -> tuple[Any, ...]:
    """Return everything that a program is compiled for, except sizes."""
    net = condition.network
    path = route_of(condition, study).path
    return (
        jax.tree.structure(condition.model),
        len(condition.theta),
        len(condition.covariance),
        path,
        precisions(condition, study, path),
        estimator_of(condition, study.solver),
        _fittings(condition),
        condition.design,
        net.memory,
        len(condition.sources.theta),
        jax.tree.structure(_source_arrays(condition, net.size)),
        condition.own_covariances is None,
        condition.intercept,
        jax.tree.structure(condition.network.selections),
        jax.tree.structure(start_arrays(condition, net.size)),
        _pools(condition, study),
        files_key(condition),
    )


def _fittings(condition: Condition) -> tuple[Fitting, ...]:
    """Return how models are fitted by estimators of their own; nothing for the study's choice."""
    return () if condition.chosen_estimator is None else fittings_of(condition)


def _pools(condition: Condition, study: Study) -> bool:
    """Return whether chains of a condition also fit the pooled estimator.

    They do if the study asks for it, and there is such an estimator that differs from the models:
    real samples are whole and the same in all generations.
    """
    net = condition.network
    real = [f for f in (*net.first, *net.later.feeds) if f.origin in net.source_index]
    return (
        needs_pooled(study.quantities)
        and not (net.plain and condition.design == "random")
        and not (net.later.rows_vary or any(feed.keep for feed in real))
    )


def _shared(study: Study, members: Sequence[int]) -> SharedProgram:
    """Return the program of conditions of one kind and similar size."""
    conditions = [study.conditions[i] for i in members]
    first, shape = conditions[0], _shape(study, members)
    route = route_of(first, study)
    draws, fits = precisions(first, study, route.path)
    usual = estimator_of(first, study.solver)
    main, *others = _fittings(first) or (Fitting(usual, usual),)
    if route.path is Path.PRODUCTS:
        main, others = Fitting(Chord(), Chord()), []
    elif route.path is Path.PREDICTORS:
        main, others = Fitting(FoundNewton(), FoundNewton()), []
    program = Program(
        study.generations,
        route.path,
        main.later,
        draw_dtype=draws,
        fit_dtype=fits,
        memory=first.network.memory,
        first=None if main.first == main.later else main.first,
        others=tuple(others),
    )
    if not route.path.draws_rows:
        counts = (
            n
            for c in conditions
            for n in (*c.network.initial, *(feed.samples for feed in c.network.later.feeds))
        )
        program = program._replace(few_rows=min(counts) - len(first.theta) + 1 < FEW_ROWS)
    else:
        check_rows(first, shape)
        program = program._replace(pairs=shape.pairs)
    within = chunk_within(study.memory * 2**30, task_of(first, shape, np.arange(0)), program)
    return SharedProgram(
        members=tuple(members),
        route=route,
        program=program,
        shape=shape,
        chunk=min(study.chunk, within),
        pooled=_pools(first, study),
    )


def _shape(study: Study, members: Sequence[int]) -> PaddedSizes:
    """Return the padded sizes of a program for these conditions."""
    conditions = [study.conditions[i] for i in members]
    first = conditions[0]
    keeps_sums = isinstance(estimator_of(first, study.solver), SufficientStatistics)
    sums = first.network.memory.adds_up and keeps_sums
    networks = [condition.network for condition in conditions]
    return shape_of(networks, study.generations, rows=not sums, pooled=_pools(first, study))


def task_of(
    condition: Condition,
    shape: PaddedSizes,
    chains: Sequence[int] | Integer[np.ndarray, " C"],
    pooled: bool = False,
) -> Task:
    """Return some chains of a condition, at the padded sizes of its program.

    If ``pooled``, the pooled estimator is a further model of the chains, the last.
    """
    word, later = condition_word(condition.label), condition.network.later
    arrays = ConditionArrays(
        network=network_arrays(condition.network, shape, pooled),
        truth=condition.sources.theta,
        factor=_normal_root(condition.covariate_laws.models),
        whitener=whitener(condition.covariance),
        model=condition.model,
        design=design_key(condition.seed, word) if condition.design == "fixed" else None,
        sources=_source_arrays(condition, shape.models),
        selections=jax.tree.map(float, condition.network.selections),
        starts=start_arrays(condition, shape.models),
        mean=_normal_mean(condition),
    )
    return Task(
        arrays=arrays,
        seed=condition.seed,
        word=word,
        chains=np.asarray(chains),
        models=condition.network.size + pooled,
        drawn=later if isinstance(later, Drawn) else None,
        files=file_arrays(condition),
        functionals=condition.functionals,
    )


def _normal_root(law: Covariates) -> Float[np.ndarray, "q q"]:
    """Return a root of the covariance of normal covariates; zeros for rows of data."""
    if isinstance(law, NormalCovariates):
        return covariance_root(law.covariance)
    return np.zeros(2 * (law.data.x.shape[1],))


def _normal_mean(condition: Condition) -> Float[np.ndarray, " q"] | None:
    """Return the mean of all normal covariates; None if it is 0, or where files have it."""
    law = condition.covariate_laws.models
    if condition.sources.from_files or not condition.intercept:
        return None
    assert isinstance(law, NormalCovariates), "no file is drawn from"
    return law.mean


def _source_arrays(condition: Condition, models: int) -> SourceArrays | None:
    """Return properties in which origins differ besides their parameters, or None.

    ``models`` is their number with padding.
    """
    laws, sources = condition.sources, condition.network.sources
    further = condition.covariate_laws.sources[1:]
    # the first is for `real`, and for models that have none of their own
    real = [_normal_root(law) for law in (condition.covariate_laws.models, *further)]
    factor = None
    if any(source.covariance is not None for source in sources):
        factor = np.array(real)
    if condition.own_covariances is not None:
        own = [covariance_root(law.covariance) for law in condition.covariate_laws.own]
        own += [np.zeros_like(own[0])] * (models - len(own))
        factor = np.array([*own, *real])
    return None if factor is None and laws.sigma is None else SourceArrays(factor, laws.sigma)
