"""Apply the collapse law to a network, without simulation.

A model collapses if its noise accumulates or if it explodes; :mod:`mcjax.diagnosis.failure` says
which, and whether it forgets the truth. Rates and limits are those of the coefficient ``c_ii`` in
``Cov(e_{i,t}) = c_ii I(theta*)^-1``, the covariance of a well-specified model to first order. They
come from the system of :mod:`mcjax.laws.first_order.score_equations` with ``H = V = 1``, at the
network's sample counts, weights, draws and real data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mcjax.arguments import checked
from mcjax.diagnosis.cures import flips, repairs
from mcjax.diagnosis.drawn import diagnose_drawn
from mcjax.diagnosis.explosion import finite_sample
from mcjax.diagnosis.failure import Failures, find_failures
from mcjax.diagnosis.fine_tuning import EXACT
from mcjax.diagnosis.graph import paths, reaching
from mcjax.diagnosis.long_run import Facts, alike, facts_of, whole_samples
from mcjax.diagnosis.schedules import OWN_COVARIATES, diagnose_schedule
from mcjax.diagnosis.unknown import Case, diagnose_cases
from mcjax.diagnosis.verdict import Diagnosis, ModelVerdict
from mcjax.errors import InputError, naming
from mcjax.laws.collapse.components import data_flow
from mcjax.laws.first_order.collapse_rates import (
    CollapseRates,
    collapse_rates,
    rates_of_regressions,
)
from mcjax.laws.first_order.lifted_system import lifted
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.information import UNIT
from mcjax.models.names import MOST_PARAMETERS
from mcjax.network.drawn import Drawn, Followed
from mcjax.network.groups import Groups, grouped
from mcjax.network.network import Network
from mcjax.numbers import check_between
from mcjax.study.load import load_condition
from mcjax.study.pipeline import Regression, read_pipeline
from mcjax.study.sources import read_covariance
from mcjax.study.study import Condition

if TYPE_CHECKING:
    from jaxtyping import Float

MOST_MODELS = 10_000
"""Largest number of models of a diagnosis, whose arrays have a row and a column for each."""


@checked
def diagnose(
    net: Network | Condition,
    parameters: int | None = None,
    *,
    covariance: Float[np.ndarray, "p p"] | None = None,
    sigma: float = 1.0,
    groups: Groups | None = None,
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
        return _diagnosis(net.network, facts_of(net))
    members = {name: tuple(group) for name, group in (groups or {}).items()}
    if members:
        found = diagnose(grouped(net, members), parameters, covariance=covariance, sigma=sigma)
        return replace(found, groups=members)
    if parameters is None:
        if covariance is not None:
            raise InputError("parameters", "is missing, and covariance is given; give both")
        return _in_each_case(net, Facts())
    check_between("parameters", parameters, 1, MOST_PARAMETERS)
    if not 0 < sigma < np.inf:
        raise InputError("sigma", f"is {sigma!r}; give a positive number")
    if covariance is not None:
        covariance = read_covariance(covariance, parameters)
    return _in_each_case(net, Facts(Regression(parameters, covariance=covariance, sigma=sigma)))


@checked
def diagnose_file(path: Path, tell: Callable[[str], object] | None = None) -> Diagnosis:
    """Apply the collapse law to the network of a study file or of a graph file.

    JAX is imported only where the diagnosis depends on the model.

    Parameters
    ----------
    path : Path
        The file.
    tell : callable, optional
        Called with a line that says what was read, before it is examined.

    Raises
    ------
    InputError
        If the file has no valid network, or no valid model where the diagnosis depends on it.
    """
    found = read_pipeline(path)
    if tell is not None:
        tell(found.note)
    with naming(path):
        net = grouped(found.network, found.groups)
    if found.differs and found.modelled:

        def examine(case: Case) -> Diagnosis:
            return diagnose(load_condition(path, lambda net: case(grouped(net, found.groups))))

        diagnosis = diagnose_cases(net, examine)
    else:
        facts = Facts(found.regression, differs=found.differs, steps=found.steps)
        diagnosis = _in_each_case(net, facts)
    return replace(diagnosis, groups=found.groups)


def _in_each_case(net: Network, facts: Facts) -> Diagnosis:
    """Return the diagnosis of a network, which may read unknown data."""

    def examine(case: Case) -> Diagnosis:
        supposed = case(net)
        return _diagnosis(supposed, facts.fitting(supposed))

    return diagnose_cases(net, examine)


def _diagnosis(net: Network, facts: Facts) -> Diagnosis:
    """Return the diagnosis of a network."""
    if net.size > MOST_MODELS:
        problem = f"are {net.size:,}; a diagnosis takes at most {MOST_MODELS:,} at once"
        raise InputError("network.models", f"{problem}: give a part of the network")
    if isinstance(net.later, Followed):
        net = replace(net, later=net.later.law)
    if isinstance(net.later, Drawn):
        return diagnose_drawn(net, facts)
    if net.later.turns > 1:
        return diagnose_schedule(net, facts)
    failures = find_failures(net, facts)
    whole, net = net, net.settled
    flow, origins, exact = data_flow(net, starts=facts.edges), failures.origins, None
    if facts.regression is not None:
        exact = finite_sample(net, facts.regression.parameters, flow, origins)
        if facts.regression.own is not None:
            exact = OWN_COVARIATES
        if not facts.refits:
            exact = EXACT
    sources = reaching(flow, origins)
    exploding = reaching(flow, failures.explosions)
    path_to = paths(flow, (*origins, *failures.explosions))
    rates = _rates(net, facts, failures, whole)
    marked = facts.penalised or bool(net.selections) or not facts.refits
    models, frozen, unknown = {}, net.frozen, failures.unknown
    for i, name in enumerate(net.models):
        fails = bool(rates.collapses[i])
        models[name] = ModelVerdict(
            noise=None if unknown[i] else bool(failures.noise[i]),
            forgets=bool(failures.forgets[i]),
            explodes=bool(failures.explodes[i]),
            radius=float(failures.radius[i]) if failures.cyclic[i] else None,
            growth=float(rates.growth[i]) if fails and not failures.explodes[i] else None,
            limit=None if fails or unknown[i] else float(rates.limit[i]),
            sources=sources[i],
            anchors=failures.anchors[i],
            explosions=exploding[i],
            path=tuple(net.models[k] for k in path_to(i)),
            frozen=frozen[i],
        )
    return Diagnosis(
        models=models,
        unstable_sources=origins,
        explosions=failures.explosions,
        repairs=repairs(origins),
        flips=() if marked else flips(net, rates.collapses),
        inapplicable=failures.inapplicable,
        finite_sample=exact,
        flips_sought=not marked,
        note="" if failures.fine_tuned is None else failures.fine_tuned.note,
    )


def _rates(net: Network, facts: Facts, failures: Failures, whole: Network) -> CollapseRates:
    """Return the rates of a network of constant feeds, nan where they are not known.

    ``whole`` is the network with the feeds of earlier generations.
    """
    collapses, regression = failures.noise | failures.explodes, facts.regression
    if failures.fine_tuned is not None:
        return failures.fine_tuned.rates(collapses)
    changes = whole.later.rows_vary and not whole.later.exponent
    known = net.memory.current_only or (net.memory.vanishing and not changes)
    if alike(net, facts) and known:
        system = linear_system(net, UNIT)
        if changes:  # models that read nothing in the end may have read before
            system = lifted(linear_system(whole, UNIT), np.array(net.frozen))
        return collapse_rates(data_flow(net), failures.origins, system)
    known = known and not changes and whole_samples(net, facts)
    if regression is not None and regression.covariance is not None and known:
        return rates_of_regressions(
            net,
            collapses,
            covariance=regression.covariance,
            sigma=regression.sigma,
            own=regression.own,
        )
    unknown = np.full(net.size, np.nan)
    return CollapseRates(collapses, unknown, unknown)
