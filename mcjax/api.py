"""The main functions of the package: predict, simulate, verify and replay studies."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from mcjax.arguments import checked, checked_but
from mcjax.chains.program import Trajectory
from mcjax.checks.parts import rehearse
from mcjax.checks.registry import refuse_faults
from mcjax.engine import simulation
from mcjax.engine.compiled import CompiledStudy, compile_study
from mcjax.engine.engine import Report
from mcjax.engine.outcome import Outcome, Tally
from mcjax.engine.survey import LateErrors, joined_pieces, simulate_networks
from mcjax.estimators.estimator import Dataset
from mcjax.laws.collapse.origins import Clause
from mcjax.laws.predict import predict_condition
from mcjax.laws.prediction import Predictions
from mcjax.laws.registry import Laws, further_laws, is_built_in
from mcjax.progress import Progress, shows_work
from mcjax.study.study import Study
from mcjax.study.survey import Survey
from mcjax.study.theory import theory_for
from mcjax.verdicts.judge import Verification, judge
from mcjax.verdicts.looks import judge_until_decided
from mcjax.verdicts.quantities.registry import quantities_of
from mcjax.verdicts.survey import SurveyVerdict, judge_survey, survey_rates


@checked_but("laws")
def predict(study: Study, laws: Laws | None = None) -> list[Predictions]:
    """Predict the errors of each condition by laws, without simulation.

    Parameters
    ----------
    study : Study
        The study, for its conditions and generations.
    laws : mapping of str to Law, or iterable of Law or str, optional
        Further laws; see :func:`mcjax.user_law` and :class:`mcjax.laws.law.Law`. The built-in laws
        ``"second_order"`` and ``"surrogate"`` are asked for by name, others always apply.

    Returns
    -------
    list of Predictions
        One for each condition.

    Raises
    ------
    InputError
        If a law has the name of a built-in one, fails, or does not return a prediction; or if a
        check of a user's own code fails, see :mod:`mcjax.checks.registry`.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> [prediction] = mcjax.predict(study)
    >>> prediction.laws["finite_sample"].mse[:, 0].round(4)
    array([0.0206, 0.0259, 0.0273])
    """
    further = further_laws(laws)
    own = not all(map(is_built_in, further.values()))
    refuse_faults(study, "always", "laws", *(() if own else ("built-in laws",)))
    return [predict_condition(c, study.generations, further) for c in study.conditions]


@checked
def simulate(
    study: Study | CompiledStudy,
    known: Sequence[Tally[Outcome]] | None = None,
    report: Report | None = None,
    chains: Sequence[int] | None = None,
    progress: bool = False,
) -> list[Tally[Outcome]]:
    """Run the chains of a study.

    Parameters
    ----------
    study : Study or CompiledStudy
        The study.
    known : sequence of Tally, optional
        Tallies of an earlier run of the same study, to be continued. Those that already have enough
        chains are returned unchanged.
    report : callable, optional
        Called after every chunk with the number of chains it ran and a function that returns all
        tallies so far.
    chains : sequence of int, optional
        Number of chains of each condition; defaults to the study's number for all.
    progress : bool, optional
        Whether a line on standard error, or in a notebook, shows how many chains have run and how
        long the others will take.

    Returns
    -------
    list of Tally
        One for each condition; its ``outcome`` summarises the chains.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> [tally] = mcjax.simulate(study)
    >>> tally.outcome.chains
    512
    """
    compiled = _compiled(study)
    every = [compiled.study.chains] * len(compiled.study.conditions)
    with _told(every if chains is None else chains, known, report, progress) as told:
        return simulation.simulate(compiled, known, told, chains)


@checked_but("laws")
def verify(
    study: Study,
    theory: Study | None = None,
    report: Report | None = None,
    laws: Laws | None = None,
    progress: bool = False,
) -> Verification:
    """Simulate a study, compare the simulation with the laws, and judge them.

    Parameters
    ----------
    study : Study
        The study to simulate.
    theory : Study, optional
        A study with the same conditions for which the laws make their predictions; defaults to
        ``study``. Another one shows the verdicts if the theory were wrong about the pipeline.
    report : callable, optional
        Called after every chunk; see :func:`simulate`.
    laws : mapping of str to Law, or iterable of Law or str, optional
        Further laws, judged in addition to the built-in ones; see :func:`predict`.
    progress : bool, optional
        Whether a line shows how far laws and simulation are; see :func:`simulate`.

    Returns
    -------
    Verification
        The verdicts, with the simulated moments in ``outcomes``.

    Raises
    ------
    InputError
        If the study asks for an unknown quantity; raised before any chain runs.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> mcjax.verify(study)
    Verification: verified, 6 cells, 512 chains
      mse  first_order    3 verified
      mse  finite_sample  3 verified
    """
    quantities_of(study)
    with shows_work(quiet=not progress):
        predictions = predict(study if theory is None else theory_for(study, theory), laws)
    rehearse(study, predictions)
    tallies = simulate(study, report=report, progress=progress)
    return judge(study, predictions, [tally.outcome for tally in tallies])


@checked
def verify_until_decided(
    study: Study,
    predictions: Sequence[Predictions],
    known: Sequence[Tally[Outcome]] | None = None,
    report: Report | None = None,
) -> tuple[Verification, list[Tally[Outcome]]]:
    """Simulate until every cell is decided, or until all chains of the study have run.

    Looks are taken at numbers of chains that double. Conditions without an undecided cell get no
    more chains, and a cell that is decided at one look stays decided. All looks share one error
    budget; see :mod:`mcjax.verdicts.looks`.

    Parameters
    ----------
    study : Study
        The study to simulate and judge.
    predictions : sequence of Predictions
        Predictions for each condition; see :func:`predict`.
    known : sequence of Tally, optional
        Tallies of an earlier run, at which a look was taken.
    report : callable, optional
        Called after every chunk; see :func:`simulate`.

    Returns
    -------
    verification : Verification
        The judged study; each cell holds its own number of chains.
    tallies : list of Tally
        One for each condition.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> verification, tallies = mcjax.verify_until_decided(study, mcjax.predict(study))
    >>> verification.verdict
    'verified'
    """
    quantities_of(study)  # raise errors before any chain runs
    rehearse(study, predictions)
    compiled = _compiled(study)

    def run(tallies: Sequence[Tally[Outcome]], chains: Sequence[int]) -> list[Tally[Outcome]]:
        return simulation.simulate(compiled, tallies, report, chains)

    return judge_until_decided(study, predictions, run, known)


@checked
def replay(study: Study | CompiledStudy, condition: str, chain: int) -> Trajectory:
    """Run a single chain of a study, in the program that the study itself uses.

    Parameters
    ----------
    study : Study or CompiledStudy
        The study.
    condition : str
        Name of the condition.
    chain : int
        Number of the chain, from 0; it need not have run.

    Returns
    -------
    Trajectory
        The chain as it runs in the study: estimates (T + 1, M, p), statuses and steps (T + 1, M),
        as NumPy arrays.

    Raises
    ------
    InputError
        If the study has no such condition, or the number is out of range.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> trajectory = mcjax.replay(study, "", chain=7)
    >>> trajectory.theta.shape
    (3, 1, 2)
    """
    return simulation.replay(_compiled(study), condition, chain)


@checked
def replay_data(
    study: Study | CompiledStudy, condition: str, chain: int, trajectory: Trajectory
) -> Iterator[list[dict[str, Dataset]]]:
    """Draw the rows that a replayed chain fitted again.

    Parameters
    ----------
    study : Study or CompiledStudy
        The study.
    condition : str
        Name of the condition.
    chain : int
        Number of the chain.
    trajectory : Trajectory
        The result of :func:`replay` for the same chain.

    Yields
    ------
    list of dict
        For each generation, one dictionary per model with the rows that the model read, by origin
        (a model or a real source), in NumPy arrays; where a model has several feeds of one origin,
        the selections that tell them apart are added to its name. It is empty if the model was not
        fitted. These are the rows that the model fitted, unless data accumulate or are subsampled:
        then they are the rows that this generation added to the pool.

    Raises
    ------
    InputError
        If the chains of the condition draw sufficient statistics, so that there are no rows.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=1, chains=8, sampling="rows")
    >>> trajectory = mcjax.replay(study, "", chain=7)
    >>> generations = list(mcjax.replay_data(study, "", 7, trajectory))
    >>> {origin: rows.x.shape for origin, rows in generations[1][0].items()}
    {'0': (2, 50), 'real': (2, 50)}
    """
    return simulation.replay_data(_compiled(study), condition, chain, trajectory)


@contextmanager
def _told(
    counts: Sequence[int],
    known: Sequence[Tally[Outcome]] | None,
    report: Report | None,
    progress: bool,
) -> Iterator[Report | None]:
    """Provide a report that also shows progress, if that is asked for."""
    if not progress:
        yield report
        return
    ran = (
        tally.tiled if tally.chains < count else count
        for tally, count in zip(known or (), counts, strict=False)
    )
    with Progress(Console(stderr=True), sum(counts), sum(ran)) as line:

        def told(lanes: int, current: Callable[[], list[Any]]) -> None:
            line.advance(lanes)
            if report is not None:
                report(lanes, current)

        yield told


@checked
def survey_pieces(survey: Survey, known: Container[int] = ()) -> Iterator[tuple[int, LateErrors]]:
    """Simulate the pieces of a survey that are not ``known``; yield their numbers and results.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> survey = mcjax.Survey(models=1, generations=64, chains=2560)
    >>> [number for number, errors in mcjax.survey_pieces(survey)]
    [0]
    """
    for k, codes in enumerate(survey.pieces()):
        if k not in known:
            yield k, simulate_networks(survey, codes)


@checked
def judge_pieces(
    survey: Survey, pieces: Sequence[LateErrors], without: Clause | None = None
) -> SurveyVerdict:
    """Judge a survey from all its pieces.

    Parameters
    ----------
    survey : Survey
        The survey.
    pieces : sequence of LateErrors
        Late errors of the networks of all its pieces, in order.
    without : Clause, optional
        A clause to leave out; see :data:`mcjax.laws.collapse.origins.CLAUSES`.

    Returns
    -------
    SurveyVerdict
        The verdicts on all networks.

    Raises
    ------
    InputError
        If the law of such networks has no clause of this name.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> survey = mcjax.Survey(models=1, generations=64, chains=2560)
    >>> pieces = [errors for _, errors in mcjax.survey_pieces(survey)]
    >>> mcjax.judge_pieces(survey, pieces).verdict
    'verified'
    """
    return judge_survey(survey, survey_rates(survey, without), joined_pieces(pieces), without)


def _compiled(study: Study | CompiledStudy) -> CompiledStudy:
    refuse_faults(study.study if isinstance(study, CompiledStudy) else study, "always")
    return study if isinstance(study, CompiledStudy) else compile_study(study)
