"""Find the transition A of errors in the long run, and whose centres leave the truth.

Topology decides where the covariates of all data have one distribution, up to scale for least
squares, and models are least squares or generalised linear models with their canonical link
(:mod:`mcjax.laws.collapse.anchors`): A has the eigenvalues of the shares W, so nothing explodes.
The same is true of other models while all real sources have one truth and give equal curvature.
Everywhere else A is computed, and where fits are penalised or readers keep a selection. That of
least squares does not depend on centres; that of others is taken at the truth if centres stay
there, or at the end of the population path (:mod:`mcjax.laws.first_order.path_end`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from mcjax.diagnosis.fine_tuning import FineTuned, fine_tuned
from mcjax.estimators.starts import Starts
from mcjax.laws.collapse.anchors import BackwardWalk, forgets
from mcjax.laws.first_order.collapse_rates import information_of_regressions
from mcjax.laws.first_order.mean_errors import keeps_mean
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.first_order.spectral_growth import spectral_growth
from mcjax.laws.law import Inapplicable
from mcjax.models.names import LEAST_SQUARES
from mcjax.network.network import Network
from mcjax.study.pipeline import Regression
from mcjax.study.study import Condition

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

NO_FAMILY = (
    "data have covariates of their own, so the spectral radius depends on the model and on all of"
    " their covariates; add [family]"
)
STEPS = "fits take steps, so the spectral radius depends on the model; add [family]"
ALIKE = 1e-9
"""Relative difference of covariances that is rounding."""


class Facts(NamedTuple):
    """Facts about the model of a network, as far as they are known.

    Attributes
    ----------
    regression : Regression or None
        The model, if it is ordinary least squares.
    condition : Condition or None
        The pipeline with its model, where that is known.
    differs : bool
        Whether covariates of models differ, or readers keep selections, in ways that depend on a
        model that is not known.
    steps : bool
        Whether fits take steps, of a model that is not known.
    """

    regression: Regression | None = None
    condition: Condition | None = None
    differs: bool = False
    steps: bool = False

    @property
    def starts(self) -> Starts | None:
        """Starting points of the steps of fine-tuned models; None for other models."""
        return None if self.condition is None else self.condition.starts

    @property
    def edges(self) -> dict[int, int] | None:
        """The model at whose last parameters each fine-tuned model begins, if it is one's."""
        return None if self.starts is None else self.starts.edges

    @property
    def refits(self) -> bool:
        """True if all fits go to the minimum."""
        return not self.steps and (self.condition is None or self.condition.minimises)

    def fitting(self, net: Network) -> Facts:
        """Return the facts for a network with more models at the end, of usual covariates."""
        known = self.regression
        if known is None or known.own is None or known.covariance is None:
            return self
        more = np.tile(known.covariance, (net.size - len(known.own), 1, 1))
        return self._replace(regression=known._replace(own=np.concatenate([known.own, more])))

    @property
    def theta(self) -> Float[np.ndarray, " p"] | None:
        """The truth, shape (p,)."""
        if self.condition is not None:
            return self.condition.theta
        return None if self.regression is None else self.regression.theta

    @property
    def penalised(self) -> bool:
        """True if a penalty shrinks fits, a false anchor of every model that is fitted."""
        return self.condition is not None and bool(self.condition.model.shrinkage)

    def marked(self, net: Network) -> bool:
        """Return whether penalties, steps or selections tell where noise stays, besides feeds."""
        return self.penalised or not self.refits or bool(net.selections)

    @property
    def from_files(self) -> bool:
        """True if real data are rows of files, which the model need not describe."""
        return self.condition is not None and self.condition.sources.from_files

    @property
    def has_intercept(self) -> bool:
        """True if the first covariate is 1."""
        return self.condition is not None and self.condition.intercept

    @property
    def averages(self) -> bool:
        """True if centres are means of what the model reads, in coordinates shared by all."""
        scores = None if self.condition is None else self.condition.model.scores
        return self.regression is not None or getattr(scores, "canonical", False)


class LongRun(NamedTuple):
    """The long run of M models with p parameters.

    Attributes
    ----------
    transition : ndarray or sparse array, shape (M p, M p)
        A, or a matrix with its eigenvalues on every component.
    forgets : ndarray of bool, shape (M,)
        Whose centre does not tend to the truth.
    runs : ndarray of bool, shape (M,)
        Whose centre has no bounded limit.
    grows : ndarray of bool, shape (M,), or None
        Whose variance grows without bound, by A; None if topology decides.
    settles : bool
        Whether centres have a limit, at which A is taken.
    fine_tuned : FineTuned or None
        What is known of models whose fits take steps from a start.
    """

    transition: Float[np.ndarray, "M*p M*p"] | csr_array
    forgets: Bool[np.ndarray, " M"]
    runs: Bool[np.ndarray, " M"]
    grows: Bool[np.ndarray, " M"] | None = None
    settles: bool = True
    fine_tuned: FineTuned | None = None


def facts_of(condition: Condition) -> Facts:
    """Return what is known of the model of a condition."""
    model, regression = condition.model, None
    plain = not condition.network.selections and condition.centred
    if model.name in LEAST_SQUARES and model.penalty is None and plain:
        regression = Regression(
            len(condition.theta),
            covariance=condition.covariance,
            sigma=float(model.params["sigma"]),
            theta=condition.theta,
            own=condition.own_covariances,
        )
    return Facts(regression, condition)


def whole_samples(net: Network, facts: Facts) -> bool:
    """Return whether all fits are of whole samples of one truth, without a penalty."""
    apart = any(source.theta is not None for source in net.sources)
    other = facts.penalised or net.selections or apart or facts.differs or facts.from_files
    return facts.refits and not other


def alike(net: Network, facts: Facts) -> bool:
    """Return whether all data have one law besides, so that rates do not depend on the model."""
    own = [source.covariance is None and source.noise is None for source in net.sources]
    if facts.regression is not None:
        own.append(facts.regression.own is None)
    elif facts.condition is not None:
        own.append(facts.condition.own_covariances is None)
    return all(own) and whole_samples(net, facts)


def false_anchors(net: Network, facts: Facts) -> Bool[np.ndarray, " S"]:
    """Return which real sources have another truth, one that does not come closer."""
    truth = None if facts.theta is None else tuple(facts.theta.tolist())
    own = [
        source.data is not None or (source.theta is not None and source.theta != truth)
        for source in net.sources
    ]
    return np.array([False, *own])


def relative_curvature(net: Network, facts: Facts) -> dict[str, float] | None:
    """Return the curvature of a row of each source and model, relative to ``real``.

    What has the same curvature is left out. The result is None if curvatures are not proportional,
    whatever the centres.
    """
    condition, regression = facts.condition, facts.regression
    if facts.differs:
        return None
    if condition is not None and not facts.averages:
        noisy = any(source.noise is not None for source in net.sources)
        if noisy or condition.model.sample_real is not None:
            return None
    common, models = None, None
    if regression is not None:
        common, models = regression.covariance, regression.own
    elif condition is not None:
        common, models = condition.covariance, condition.own_covariances
    own = {s.name: np.array(s.covariance) for s in net.sources if s.covariance is not None}
    if models is None and not own:
        return {}
    if facts.has_intercept:  # whose curvature stays, whatever that of others
        return None
    if models is not None:
        own |= dict(zip(net.models, models, strict=True))
    tables = (net.first_by_reader, *net.tables)
    read = {feed.origin for table in tables for feeds in table for feed in feeds}
    result = {}
    for name in read.intersection(own):
        if common is None:
            return None
        factor = float(np.trace(own[name]) / np.trace(common))
        apart = np.abs(own[name] - factor * common).max() / np.abs(own[name]).max()
        if apart > ALIKE or not (regression is not None or abs(factor - 1) < ALIKE):
            return None
        result[name] = factor
    return result


def long_run(
    net: Network, facts: Facts, walk: BackwardWalk, curvature: Mapping[str, float] | None
) -> LongRun:
    """Return the long run of a network.

    Parameters
    ----------
    net : Network
        A network of which some generation stays.
    facts : Facts
        What is known of the model.
    walk : BackwardWalk
        Its backward walk, with the curvatures if they are proportional.
    curvature : mapping of str to float or None
        See :func:`relative_curvature`.

    Raises
    ------
    Inapplicable
        If the long run is not known.
    """
    condition, regression = facts.condition, facts.regression
    false, nowhere = false_anchors(net, facts), np.zeros(net.size, bool)
    apart = np.any(walk.reach & false, axis=1) if false.any() else nowhere
    if facts.steps:
        raise Inapplicable(STEPS)
    if condition is not None and not facts.refits:
        found = fine_tuned(condition)
        transition = found.system.transition
        return LongRun(transition, found.forgets, nowhere, grows=found.grows, fine_tuned=found)
    if facts.penalised or net.selections or facts.from_files:
        return _at_the_end(condition)
    unknown = condition is None or condition.model.scores is None
    if curvature is not None and (not apart.any() or facts.averages or unknown):
        weights = walk.weights() if apart.any() else None
        left = apart if weights is None else forgets(weights, _distances(net, facts))
        return LongRun(walk.shares, left, nowhere)
    if regression is not None and regression.covariance is not None:
        information = information_of_regressions(
            net, regression.covariance, sigma=regression.sigma, own=regression.own
        )
        known = facts.theta is not None and apart.any()
        system = linear_system(net, information, _distances(net, facts) if known else None)
        left = keeps_mean(system) if known else apart
        return LongRun(system.transition, left, nowhere, ~spectral_growth(system, net)[1])
    if condition is None:
        raise Inapplicable(NO_FAMILY)
    if apart.any() or condition.own_covariances is not None or condition.intercept:
        return _at_the_end(condition)
    from mcjax.laws.first_order.information import information_of  # imports JAX

    information, versions = information_of(_without_shifts(condition))
    if versions:
        raise Inapplicable(
            f"sources have laws of their own, and {condition.model.name} does not state its"
            " information in closed form"
        )
    system = linear_system(net, information)
    return LongRun(system.transition, apart, nowhere, ~spectral_growth(system, net)[1])


def _at_the_end(condition: Condition | None) -> LongRun:
    """Return the long run at the end of the population path."""
    if condition is None:
        raise Inapplicable("what readers keep of their data depends on the model; add [family]")
    from mcjax.laws.first_order.path_end import end_of_path  # imports JAX
    from mcjax.laws.first_order.simulated_population import simulated, simulates, too_many
    from mcjax.laws.first_order.tabulated_scores import tabulated

    model = condition.model
    if model.scores is None and simulates(condition):
        many = too_many(condition)
        if many:
            raise Inapplicable(f"centres may leave the truth, and {many}")
        model = simulated(model)[0]
    elif model.scores is None:
        model = tabulated(model)[0]
    return LongRun(*end_of_path(_without_shifts(replace(condition, model=model))))


def _distances(net: Network, facts: Facts) -> np.ndarray:
    """Return the distances of the sources from the truth, where centres average, (S, q)."""
    false, condition = false_anchors(net, facts), facts.condition
    if facts.theta is None or not facts.averages:
        return np.diag(false.astype(float))  # nothing is known to cancel
    distances = np.zeros((len(false), len(facts.theta)))
    if facts.regression is not None:
        for s in np.flatnonzero(false):
            distances[s] = np.array(net.sources[s - 1].theta) - facts.theta
        return distances
    from mcjax.laws.first_order.population_path import Populations  # imports JAX

    assert condition is not None, "it has told that the model averages"
    populations = Populations(condition)
    for s in np.flatnonzero(false):
        distances[s] = populations.of(net.size + int(s), distances).score(facts.theta).mean
    return distances


def _without_shifts(condition: Condition) -> Condition:
    """Return the condition without shifts of sources, which vanish as samples grow."""
    net = condition.network
    sources = tuple(replace(source, shift=None) for source in net.sources)
    return replace(condition, network=replace(net, sources=sources))
