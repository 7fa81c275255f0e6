"""Apply the collapse law to a network, without simulation.

A model collapses if its noise accumulates or if it explodes; :mod:`mcjax.diagnosis.failure` says
which, and whether it forgets the truth. Rates and limits are those of the coefficient ``c_ii`` in
``Cov(e_{i,t}) = c_ii I(theta*)^-1``, the covariance of a well-specified model to first order. They
come from the system of :mod:`mcjax.laws.first_order.score_equations` with ``H = V = 1``, at the
network's sample counts, weights, draws and real data.

Verdicts, paths and cures take time and memory in proportion to the feeds. Rates need dense arrays,
so in large networks they are those of the models that are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.arguments import checked
from mcjax.diagnosis.asked import ALL, Asked, rank
from mcjax.diagnosis.cures import flips, repairs
from mcjax.diagnosis.dangers import Danger, dangers, fastest_pairs, pairs_of
from mcjax.diagnosis.drawn import diagnose_drawn
from mcjax.diagnosis.explosion import FiniteSample, finite_sample
from mcjax.diagnosis.failure import find_failures
from mcjax.diagnosis.fine_tuning import EXACT
from mcjax.diagnosis.long_run import Facts, alike, facts_of
from mcjax.diagnosis.random_feeds import diagnose_random_feeds
from mcjax.diagnosis.ranking import slope_bounds
from mcjax.diagnosis.rates import MOST_MODELS, Rates, doubling, rates_of
from mcjax.diagnosis.schedules import OWN_COVARIATES, diagnose_schedule
from mcjax.diagnosis.unknown import Case, diagnose_cases
from mcjax.diagnosis.verdict import Counts, Diagnosis, ModelVerdict
from mcjax.diagnosis.verdicts import Verdicts
from mcjax.diagnosis.worth import worth_of
from mcjax.errors import InputError, naming
from mcjax.laws.collapse.components import data_flow
from mcjax.models.names import MOST_PARAMETERS
from mcjax.network.drawn import Drawn, Followed
from mcjax.network.groups import Groups, grouped
from mcjax.network.network import Network
from mcjax.network.unlisted import RandomFeeds
from mcjax.numbers import check_between
from mcjax.study.load import load_condition
from mcjax.study.pipeline import Pipeline, Regression
from mcjax.study.sources import read_covariance
from mcjax.study.study import Condition

if TYPE_CHECKING:
    from jaxtyping import Float

MOST_DENSE = 10_000
"""Largest number of models of which A is computed, as an array with a row and a column for each."""
LARGE = f"there are more than {MOST_MODELS:,} models"


@checked
def diagnose(
    net: Network | Condition,
    parameters: int | None = None,
    *,
    covariance: Float[np.ndarray, "p p"] | None = None,
    sigma: float = 1.0,
    groups: Groups | None = None,
    only: Sequence[str] | None = None,
    worst: int | None = None,
) -> Diagnosis:
    """Apply the collapse law to a network.

    Parameters
    ----------
    net : Network or Condition
        The network. If its feeds change with time, those that stay count; if they take turns for
        ever, every model has a verdict for each phase; if they are drawn, one for each network.
        Data from ``unknown`` are taken as real and as synthetic, and verdicts that depend on it say
        so. With a condition, the model is known as well, and the other arguments have no meaning.
    parameters : int, optional
        Number of parameters p, if the models are linear regressions. The diagnosis then includes
        the exact law at the network's sample counts.
    covariance : ndarray, shape (p, p), optional
        Covariance of the covariates of linear regressions. Rates and radii depend on it where a
        real source has covariates of its own, and rates where it has its own noise; without it,
        they are nan there. Rates are nan as well where a source has a truth of its own, see
        :func:`mcjax.predict`.
    sigma : float, optional
        Their noise scale.
    groups : mapping of str to sequence of str, optional
        Members of groups, such as the versions of one model, which are diagnosed as one model each:
        a group reads what its members read, and is read where these are.
    only : sequence of str, optional
        The models that are asked for; defaults to all.
    worst : int, optional
        Ask for so many models, those that fail worst, in addition to ``only``. Of networks of more
        than 2,000 models, rates are computed for those alone that are asked for.

    Raises
    ------
    InputError
        If the network is too large, or an argument is out of range or has no meaning.

    Examples
    --------
    >>> import mcjax
    >>> feeds = [("a", "a", 100), ("a", "b", 50), ("real", "b", 50)]
    >>> diagnosis = mcjax.diagnose(mcjax.build_network(["a", "b"], feeds, initial=100))
    >>> diagnosis.models["b"].collapses
    True
    >>> diagnosis.repairs
    (('real', 'a'),)
    """
    if isinstance(net, Condition):
        given = {"parameters": parameters, "covariance": covariance, "groups": groups}
        for field in (name for name, value in given.items() if value is not None):
            raise InputError(field, "is not for a condition; leave it out, or give its network")
        return _diagnosis(net.network, facts_of(net), Asked(only, worst))
    members = {name: tuple(group) for name, group in (groups or {}).items()}
    if members:
        options: dict[str, Any] = {"covariance": covariance, "sigma": sigma}
        found = diagnose(grouped(net, members), parameters, **options, only=only, worst=worst)
        return replace(found, groups=members)
    if parameters is None:
        if covariance is not None:
            raise InputError("parameters", "is missing, and covariance is given; give both")
        return _in_each_case(net, Facts(), Asked(only, worst))
    check_between("parameters", parameters, 1, MOST_PARAMETERS)
    if not 0 < sigma < np.inf:
        raise InputError("sigma", f"is {sigma!r}; give a positive number")
    if covariance is not None:
        covariance = read_covariance(covariance, parameters)
    facts = Facts(Regression(parameters, covariance=covariance, sigma=sigma))
    return _in_each_case(net, facts, Asked(only, worst))


def diagnose_pipeline(found: Pipeline, path: Path, asked: Asked = ALL) -> tuple[Network, Diagnosis]:
    """Apply the collapse law to the network of a study file or of a graph file that was read.

    JAX is imported only where the diagnosis depends on the model.

    Parameters
    ----------
    found : Pipeline
        What was read.
    path : Path
        The file.
    asked : Asked, optional
        The models that are asked for.

    Returns
    -------
    Network
        The network, of groups where there are some.
    Diagnosis
        The verdicts.

    Raises
    ------
    InputError
        If the file has no valid model where the diagnosis depends on it.
    """
    with naming(path):
        net = grouped(found.network, found.groups)
        if found.differs and found.modelled:

            def examine(case: Case, asked: Asked) -> Diagnosis:
                condition = load_condition(path, lambda net: case(grouped(net, found.groups)))
                return _diagnosis(condition.network, facts_of(condition), asked)

            diagnosis = diagnose_cases(net, examine, asked)
        else:
            facts = Facts(found.regression, differs=found.differs, steps=found.steps)
            diagnosis = _in_each_case(net, facts, asked)
    return net, replace(diagnosis, groups=found.groups)


def _in_each_case(net: Network, facts: Facts, asked: Asked) -> Diagnosis:
    """Return the diagnosis of a network, which may read unknown data."""

    def examine(case: Case, asked: Asked) -> Diagnosis:
        supposed = case(net)
        return _diagnosis(supposed, facts.fitting(supposed), asked)

    return diagnose_cases(net, examine, asked)


def _diagnosis(net: Network, facts: Facts, asked: Asked) -> Diagnosis:
    """Return the diagnosis of a network."""
    asked.check(net)
    if isinstance(net.later, Followed):
        net = replace(net, later=net.later.law)
    if isinstance(net.later, Drawn):
        return asked.of(diagnose_drawn(net, facts))
    if isinstance(net.later, RandomFeeds):
        return asked.of(diagnose_random_feeds(net, facts))
    if net.later.turns > 1:
        return asked.of(diagnose_schedule(net, facts))
    if net.size > MOST_DENSE and not alike(net, facts):
        problem = f"are {net.size:,}; data of several laws, fits that take steps or are penalised,"
        problem += f" and selections are diagnosed for at most {MOST_DENSE:,}"
        raise InputError("network.models", f"{problem}: give a part of the network")
    failures = find_failures(net, facts)
    whole, net = net, net.settled
    flow, origins = data_flow(net, starts=facts.edges), failures.origins
    exact: FiniteSample | str | None = None
    small = net.size <= MOST_MODELS
    if facts.regression is not None:
        exact = LARGE
        if small:
            exact = finite_sample(net, facts.regression.parameters, flow, origins)
        if facts.regression.own is not None:
            exact = OWN_COVARIATES
        if not facts.refits:
            exact = EXACT
    bounds = slope_bounds(net, flow, failures.origins, failures.walk.shares)
    wanted: np.ndarray | None = None
    if asked.any and not small:
        wanted = asked.positions(net, rank(net, failures, bounds))
    rates = Rates.unknown(net.size)
    if small or wanted is not None:
        rates = rates_of(whole, facts, failures, wanted)
    marked = facts.marked(net)
    collapses = failures.noise | failures.explodes
    verdicts = Verdicts(net, flow, failures, rates)
    models: Mapping[str, ModelVerdict] = verdicts
    if small or wanted is not None:
        names = net.models if wanted is None else (net.models[i] for i in wanted.tolist())
        models = {name: verdicts[name] for name in names}
    added = () if marked or not small else flips(net, collapses)
    worst: tuple[Danger, ...] = ()
    if not (marked or net.forgives):
        slopes = bounds / np.array(net.initial)
        slopes = np.where(np.isfinite(rates.growth), rates.growth, slopes)
        pairs = pairs_of(net, added) if small else fastest_pairs(net, collapses, slopes)
        worst = dangers(
            net,
            flow,
            pairs,
            collapsed=collapses,
            slopes=slopes,
            shares=failures.walk.shares,
            doubling=lambda feed: doubling(whole, facts, feed),
        )
    diagnosis = Diagnosis(
        models=models,
        every=verdicts,
        unstable_sources=origins,
        explosions=failures.explosions,
        repairs=repairs(origins),
        flips=added,
        dangers=worst,
        inapplicable=failures.inapplicable,
        finite_sample=exact,
        flips_sought=small and not marked,
        note="" if failures.fine_tuned is None else failures.fine_tuned.note,
        counts=Counts(
            models=net.size,
            collapse=int(collapses.sum()),
            unknown=int((failures.unknown & ~collapses).sum()),
            forget=int(failures.forgets.sum()),
        ),
        rates=small or wanted is not None,
        worth=worth_of(whole, facts, collapses, rates.limit) if small else None,
        nearest=() if small else verdicts.paths.nearest()[: len(origins)],
    )
    return asked.of(diagnosis) if small or wanted is not None else diagnosis
