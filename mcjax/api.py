"""From a study to predictions, simulations and verdicts: the order in which the rooms are used."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np

from mcjax.chains.chain import ConditionArrays, Program, Trajectory
from mcjax.chains.dataset import SourceArrays
from mcjax.chains.layout import Shape, network_arrays, shape_of
from mcjax.chains.statistics import FEW_ROWS
from mcjax.chains.sums import fits_sums
from mcjax.draws.streams import condition_word, design_key
from mcjax.engine import engine
from mcjax.engine.buckets import buckets
from mcjax.engine.engine import Report, Task
from mcjax.engine.moments import Moments
from mcjax.engine.outcome import Tally
from mcjax.engine.processes import exchange
from mcjax.engine.redraw import redraw
from mcjax.engine.survey import SurveyMoments, run_pieces
from mcjax.errors import InputError, did_you_mean
from mcjax.fits.fit import default_solver
from mcjax.fits.objective import Dataset
from mcjax.laws.first_order.collapse_rates import rates_without
from mcjax.laws.predict import predict_condition
from mcjax.laws.prediction import Predictions
from mcjax.laws.registry import Laws
from mcjax.models.location import linear
from mcjax.solvers.status import Status
from mcjax.study.study import (
    PRECISIONS,
    Condition,
    Study,
    covariance_root,
    path_of,
    sampling_of,
    whitener,
)
from mcjax.study.survey import Survey
from mcjax.verdicts.claims import Cell
from mcjax.verdicts.equivalence import INCONCLUSIVE
from mcjax.verdicts.judge import Verification, judge
from mcjax.verdicts.survey import SurveyVerdict, judge_survey

FIRST_LOOK = 256
"""Chains of each condition before the first of several looks."""


def predict(study: Study, laws: Laws | None = None) -> list[Predictions]:
    """Predict the errors in each condition, without simulation.

    Parameters
    ----------
    study : Study
        Its conditions and generations.
    laws : mapping of str to Law, or iterable of Law, optional
        Further laws, see :func:`mcjax.user_law` and :class:`mcjax.laws.law.Law`.

    Raises
    ------
    InputError
        If a law has the name of a built-in one, fails, or returns no prediction.
    """
    return [predict_condition(c, study.generations, laws) for c in study.conditions]


def simulate(
    study: Study,
    known: Sequence[Tally] | None = None,
    report: Report | None = None,
    chains: Sequence[int] | None = None,
) -> list[Tally]:
    """Run the study's chains; one tally for each condition.

    Conditions of one family structure, one p and similar size share a compiled program.

    Parameters
    ----------
    known: tallies of an earlier run of the same study, to be continued; those that have the
        study's chains already, or more, are returned as they are.
    report: called after every chunk with the lanes it ran and a function that gives all tallies.
    chains: of each condition, instead of the study's for all.
    """
    tallies = list(known or [Tally()] * len(study.conditions))
    wanted = [study.chains] * len(tallies) if chains is None else chains
    for members in programs(study):
        missing = [i for i in members if tallies[i].chains < wanted[i]]
        if not missing:
            continue
        shape = shape_in(study, members)
        tasks = [
            _task(
                study.conditions[i], shape, np.arange(tallies[i].tiled, wanted[i], dtype=np.uint32)
            )
            for i in missing
        ]

        def relay(lanes: int, current: Callable[[], list[Tally]], own: tuple[int, ...]) -> None:
            def everything() -> list[Tally]:
                merged = list(tallies)
                for i, tally in zip(own, current(), strict=True):
                    merged[i] = tally
                return merged

            if report is not None:
                report(lanes, everything)

        found = engine.simulate(
            tasks,
            _program(study, members),
            chunk_of(study, members),
            [tallies[i] for i in missing],
            partial(relay, own=tuple(missing)),
        )
        for i, tally in zip(missing, found, strict=True):
            tallies[i] = tally
    return tallies


def verify(
    study: Study,
    theory: Study | None = None,
    report: Report | None = None,
    laws: Laws | None = None,
) -> Verification:
    """Simulate, compare with the laws and judge.

    Parameters
    ----------
    theory: a study with the same conditions from which the laws take their predictions, if not
        the simulated one: what would be found if the theory were wrong about the pipeline?
    laws: further ones by name, judged beside the built-in ones, see :func:`mcjax.user_law`.
    """
    predictions = predict(study if theory is None else theory_for(study, theory), laws)
    return judge(study, predictions, [tally.outcome for tally in simulate(study, report=report)])


def verify_until_decided(
    study: Study,
    predictions: Sequence[Predictions],
    known: Sequence[Tally] | None = None,
    report: Report | None = None,
) -> tuple[Verification, list[Tally]]:
    """Simulate until every cell is decided, or the study's chains are spent.

    Looks are taken at :data:`FIRST_LOOK` chains of each condition and at twice as many each time;
    conditions without an undecided cell get no more chains, and a cell that one look decides stays
    decided. Look k of K may make a wrong claim with probability ``(1 - confidence) 2^-k``, the last
    with what is left, so all looks together with at most ``1 - confidence`` (the error is spent as
    in Lan & DeMets, Biometrika 70, 1983, and added up by Bonferroni's inequality, which holds
    whatever the dependence between looks).

    Returns
    -------
    The verdict, in which each cell tells its chains; and the tallies.
    """
    looks = [min(FIRST_LOOK, study.chains)]
    while looks[-1] < study.chains:
        looks.append(min(2 * looks[-1], study.chains))
    tallies = list(known or [Tally()] * len(study.conditions))
    # what is known already was looked at: go on with the look that comes next
    most = max(tally.chains for tally in tallies)
    begin = next((k for k, look in enumerate(looks) if look >= most), len(looks) - 1)
    wanted = [looks[begin]] * len(tallies)
    decided: list[Cell] = []
    for k in range(begin, len(looks)):
        tallies = simulate(study, tallies, report, wanted)
        error = (1 - study.confidence) * 0.5 ** min(k + 1, len(looks) - 1)
        outcomes = [tally.outcome for tally in tallies]
        found = judge(replace(study, confidence=1 - error), predictions, outcomes, decided)
        waiting = exchange(found.waiting)[0]  # the same in all processes, to the last bit
        if not waiting:
            break
        decided = [cell for cell in found.cells if cell.verdict != INCONCLUSIVE]
        following = looks[min(k + 1, len(looks) - 1)]
        wanted = [
            following if c.name in waiting else chains
            for c, chains in zip(study.conditions, wanted, strict=True)
        ]
    return found, tallies


def survey_pieces(
    survey: Survey, known: Container[int] = ()
) -> Iterator[tuple[int, SurveyMoments]]:
    """Simulate the pieces of a survey that are not ``known``; yields their numbers and moments."""
    codes, _ = survey.codes()
    pieces = {
        k: codes[begin : begin + survey.piece]
        for k, begin in enumerate(range(0, len(codes), survey.piece))
        if k not in known
    }
    return run_pieces(survey, pieces, linear())


def judge_pieces(
    survey: Survey, pieces: Sequence[SurveyMoments], without: str | None = None
) -> SurveyVerdict:
    """The verdict on a survey, from all its pieces in order.

    Parameters
    ----------
    without: a clause of the collapse law to leave out, see
        :data:`mcjax.laws.collapse.origins.CLAUSES`.
    """
    codes, sizes = survey.codes()
    late = Moments(
        *(np.concatenate(leaves) for leaves in zip(*(p.late for p in pieces), strict=True))
    )
    found = SurveyMoments(late, np.concatenate([piece.failures for piece in pieces]))
    fates = [rates_without(survey.network(int(code)), without) for code in codes]
    return judge_survey(survey, codes, sizes, fates, found, without)


def theory_for(study: Study, theory: Study) -> Study:
    """``theory`` as a source of predictions for ``study``.

    Raises
    ------
    InputError: if their conditions or models do not correspond.
    """
    ours, theirs = ([(c.name, c.network.models) for c in s.conditions] for s in (study, theory))
    if ours != theirs:
        raise InputError("theory", "must have the study's conditions and models")
    return replace(theory, generations=study.generations)


def replay(study: Study, condition: str, chain: int) -> Trajectory:
    """Run one chain of one condition by itself, in the study's own program.

    Returns
    -------
    Estimates (T + 1, M, p), statuses and steps (T + 1, M), as NumPy arrays: what this chain did
    in the study.

    Raises
    ------
    InputError: if the study has no such condition, or no chain can have that number.
    """
    index = _position(study, condition)
    if not 0 <= chain < 2**32:
        raise InputError("chain", f"is {chain}; give a whole number from 0 to 2**32 - 1")
    members = next(group for group in programs(study) if index in group)
    shape = shape_in(study, members)
    chosen = study.conditions[index]
    task = _task(chosen, shape, np.array([chain]))
    program = _program(study, members)
    [[(_, trajectory)]] = engine.trajectories([task], program, study.chunk)
    return Trajectory(*(leaf[0] for leaf in trajectory))


def replay_data(
    study: Study, condition: str, chain: int, found: Trajectory
) -> Iterator[list[dict[str, Dataset]]]:
    """The rows behind the fits of a replayed chain, drawn again.

    Parameters
    ----------
    found: what :func:`replay` returned of the same chain.

    Yields
    ------
    For each generation and model, by origin (a model or a real source), the rows that it was fed
    then, in NumPy arrays; none where it fitted nothing. These are what it fitted, unless data
    accumulate or are subsampled: then they are what that generation added.

    Raises
    ------
    InputError: if the condition's chains draw sufficient statistics, so that there are no rows.
    """
    index = _position(study, condition)
    chosen, net = study.conditions[index], study.conditions[index].network
    if sampling_of(chosen, study.sampling) != "rows":
        raise InputError("run.sampling", "drew sufficient statistics here, so there are no rows")
    task = _task(chosen, shape_of([net]), np.array([chain]))
    for t, drawn in enumerate(redraw(task, found.theta, _program(study, [index]))):
        rows: list[dict[str, Dataset]] = [{} for _ in net.models]
        for i, origins in enumerate(net.reads(t)):
            if found.status[t, i] in (Status.NOT_FITTED, Status.PARENT_FAILED):
                continue
            for b, origin in enumerate(origins):
                x, y, weight = (leaf[i, b] for leaf in drawn)
                kept = weight > 0
                rows[i][origin] = Dataset(x[:, kept], y[kept], weight[kept])
        yield rows


def programs(study: Study) -> list[list[int]]:
    """Positions of the conditions that one compiled program serves, for each program."""
    kinds: dict[tuple[Any, ...], list[int]] = {}
    for i, condition in enumerate(study.conditions):
        how = sampling_of(condition, study.sampling)
        kind = jax.tree.structure(condition.model)
        own = jax.tree.structure(_source_arrays(condition))
        net = condition.network
        real = (len(condition.sources.theta), net.steps > 0, own)
        key = (kind, len(condition.theta), how, condition.design, net.memory, net.growth, real)
        kinds.setdefault(key, []).append(i)
    found = []
    for (_, _, how, *_), members in kinds.items():
        if how == "statistics":  # as quick whatever the sample counts
            found.append(members)
            continue
        sizes = [
            (study.conditions[i].network.size, 2 * shape_in(study, [i]).pairs) for i in members
        ]
        found += [[members[k] for k in run] for run in buckets(sizes)]
    return found


def _position(study: Study, name: str) -> int:
    """Where a condition stands in a study."""
    names = [c.name for c in study.conditions]
    if name not in names:
        hint = did_you_mean(name, names)
        raise InputError("condition", f"{name!r} is none of the study's{hint}")
    return names.index(name)


def chunk_of(study: Study, members: Sequence[int]) -> int:
    """Chains that one call of a program runs: the study's chunk, or what its memory allows."""
    shape = shape_in(study, members)
    task = _task(study.conditions[members[0]], shape, np.arange(0))
    within = engine.chunk_within(study.memory * 2**30, task, _program(study, members))
    return min(study.chunk, within)


def shape_in(study: Study, members: Sequence[int]) -> Shape:
    """The padded sizes of the program of these conditions."""
    conditions = [study.conditions[i] for i in members]
    memory = conditions[0].network.memory
    rows = memory == "accumulate" and not fits_sums(conditions[0].model, memory)
    return shape_of([c.network for c in conditions], study.generations, rows)


def _task(condition: Condition, shape: Shape, chains: np.ndarray) -> Task:
    word = condition_word(condition.label)
    arrays = ConditionArrays(
        network=network_arrays(condition.network, shape),
        truth=condition.sources.theta,
        factor=covariance_root(condition.covariance),
        whitener=whitener(condition.covariance),
        model=condition.model,
        design=design_key(condition.seed, word) if condition.design == "fixed" else None,
        sources=_source_arrays(condition),
    )
    return Task(arrays, condition.seed, word, chains, condition.network.size)


def _source_arrays(condition: Condition) -> SourceArrays | None:
    """What tells the condition's real sources apart, beside their truths."""
    laws, own = condition.sources, condition.network.sources
    factor = None
    if any(source.covariance is not None for source in own):
        factor = np.array([covariance_root(one) for one in laws.covariance])
    return None if factor is None and laws.sigma is None else SourceArrays(factor, laws.sigma)


def _program(study: Study, members: Sequence[int]) -> Program:
    draws, fits = PRECISIONS[study.precision]
    conditions = [study.conditions[i] for i in members]
    networks = [c.network for c in conditions]
    p = len(conditions[0].theta)
    solver = default_solver(p) if study.solver == "auto" else study.solver
    if sampling_of(conditions[0], study.sampling) == "rows":
        pairs = shape_in(study, members).pairs
        return Program(
            study.generations,
            pairs,
            False,
            solver,
            draws,
            fits,
            networks[0].memory,
            networks[0].growth,
            path_of(conditions[0], study),
        )
    smallest = min(n for net in networks for n in (*net.initial, *(f.samples for f in net.feeds)))
    few = smallest - p + 1 < FEW_ROWS
    memory, growth = networks[0].memory, networks[0].growth
    return Program(study.generations, 0, few, "newton", draws, fits, memory, growth)
