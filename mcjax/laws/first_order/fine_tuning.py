"""The first-order law of models that are fine-tuned: fits of k steps from a start.

The linear system is that of refits with other matrices (:mod:`mcjax.laws.first_order.trained`), and
batches add noise (:mod:`mcjax.laws.first_order.batch_noise`).
Steps that are not linear have maps that are measured
(:mod:`mcjax.laws.first_order.measured_steps`), noise of batches included. Their Monte Carlo error
is carried by versions of the prediction, each without one batch of the replicates.

What is left out is, for batches, the product of two batch Hessians, of the relative order
``learning rate tr(H) / b``, which does not vanish as samples grow; and where the mean error m does
not vanish, the variance of sample Hessians at m, at most ``2 m'Hm`` relative to that of the labels.
Both are part of the allowance. Derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from mcjax.estimators.gradient_steps import REPLACEMENT, Optax
from mcjax.estimators.starts import BEHIND, GIVEN, MINIMUM, Starts
from mcjax.laws.first_order.batch_noise import batch_noise
from mcjax.laws.first_order.departures import departure, spread_lost
from mcjax.laws.first_order.information import information_of
from mcjax.laws.first_order.limits import limit, mean_limit
from mcjax.laws.first_order.linear_system import LinearSystem, covariances, means
from mcjax.laws.first_order.measured_long_run import settling
from mcjax.laws.first_order.measured_steps import Fed, Maps, Measured, measured_steps
from mcjax.laws.first_order.monte_carlo_information import BATCHES
from mcjax.laws.first_order.rule_of_thumb import allowance, effective_rows
from mcjax.laws.first_order.score_equations import linear_system, pooled_first_order
from mcjax.laws.first_order.spectral_growth import spectral_growth
from mcjax.laws.first_order.step_maps import NotLinear, StepMap, state_size, step_map
from mcjax.laws.first_order.trained import Means, Trained
from mcjax.laws.law import GROWING, STOPS, Inapplicable, Reason, has_long_run
from mcjax.laws.prediction import Prediction, mean_squares
from mcjax.models.information import Information
from mcjax.study.study import Condition

CARRIED = Reason(
    "the state of the optimiser goes on from the steps of generation 0, and the law is for models"
    " that are fitted to the minimum there"
)
FARTHEST = 1e5
"""By how much steps may at most multiply the distance of their start from the minimum. They
multiply rounding errors of labels as well, which are 6e-8 of the labels in single precision."""
UNKNOWN_BIAS = "the part of order 1/n of mean errors is not known of fits that take steps"


def reason_against(condition: Condition) -> Reason | None:
    """Return why the law does not hold for fits that do not go to the minimum, or None."""
    net, starts = condition.network, condition.starts
    steps = [each for each in condition.estimators if each is not None and not each.minimises]
    if not all(isinstance(each, Optax) for each in steps):
        return STOPS
    carried = any(each.carries for each in steps if isinstance(each, Optax))
    if carried and any(first_fits(condition)):
        return CARRIED
    if not net.memory.current_only:
        return Reason("fits take steps on data of several generations, and the law is for one's")
    if net.later.exponent:
        return GROWING
    if condition.model.penalty is not None:
        return Reason(
            "fits are penalised, which draws generation 0 from the truth; the law is for steps with"
            " a weight_decay"
        )
    left = departure(condition)
    if left is not None:
        return Reason(f"{left.problem}, and fits take steps")
    begun = first_fits(condition)
    tables = (net.first_by_reader, *net.tables) if any(begun) else net.tables
    for table in tables:
        for feeds, each in zip(table, condition.estimators, strict=True):
            batches = isinstance(each, Optax) and each.batch_size
            if batches and len({feed.weight for feed in feeds}) > 1:
                return Reason(
                    "batches are of rows of different weights, and the law is for equal ones"
                )
    behind = behind_data(condition).behind
    anew = any(first is not None and not at for first, at in zip(begun, behind, strict=True))
    given = starts is not None and starts.base is not None
    if (given or anew) and condition.model.least_squares is None:
        return Reason(
            "fits begin at a base that does not come closer to the truth, where only the curvature"
            " of least squares is that at the truth"
        )
    return None


def behind_data(condition: Condition) -> Starts:
    """Return where fits begin, if that is at the parameters behind their data as well."""
    behind = np.full(condition.network.size, BEHIND, np.int32)
    return condition.starts or Starts(behind, None)


def first_fits(condition: Condition) -> tuple[Optax | None, ...]:
    """Return what takes the steps of each model in generation 0; None for fits to the minimum."""
    starts = behind_data(condition).model
    return tuple(
        each.first if isinstance(each, Optax) and at != MINIMUM else None
        for each, at in zip(condition.estimators, starts, strict=True)
    )


def predict_steps(condition: Condition, generations: int) -> Prediction:
    """Predict the errors at generations 0 to T, and their growth and limits.

    Raises
    ------
    Inapplicable
        If the information is not finite or singular, or the steps are not linear.
    """
    training = StepsOfModels(condition)
    offsets = condition.sources.offsets
    (system, information), *others = systems_of(condition, training, offsets)
    settles = None
    if training.measured and has_long_run(condition.network):
        versions = [version for version, _ in others]
        settles = settling(system, versions, condition.network, training.starts)
    whole, *rest = (
        _around_truth(condition, generations, *pair, training=training, settles=settles)
        for pair in [(system, information), *others]
    )
    left_out = spread_lost(condition, whole.own_covariances)
    return replace(whole, asymptotic=True, left_out=left_out, versions=tuple(rest))


def systems_of(
    condition: Condition,
    training: StepsOfModels,
    offsets: Float[np.ndarray, "S p"] | None = None,
) -> Iterator[tuple[LinearSystem, Information]]:
    """Yield what errors follow and the information it rests on, and then versions of both.

    Versions are without one batch of draws each; there are none if nothing is simulated.
    ``offsets`` are those of :func:`~mcjax.laws.first_order.score_equations.linear_system`.

    Raises
    ------
    Inapplicable
        If the information is not finite or singular, or the steps have no linear law.
    """
    net = condition.network
    information, others = information_of(condition)
    yield linear_system(net, information, offsets, training), information
    for batch in range(len(others) or (BATCHES if training.measured else 0)):
        version = others[batch] if others else information
        steps = replace(training, without=batch) if training.measured else training
        yield linear_system(net, version, offsets, steps), version


@dataclass
class StepsOfModels:
    """The linear maps from starts and data to estimates, of a condition's models.

    Attributes
    ----------
    condition : Condition
        The condition.
    left_out : float
        Relative size of what the noise of batches leaves out, for the fits that were asked about.
    measured : dict
        What was measured of fits whose steps are not linear, by what they read.
    without : int, optional
        The batch of replicates without which the maps are.
    last : Trained or None
        The maps that were asked for last.
    """

    condition: Condition
    left_out: float = 0.0
    measured: dict[tuple[Any, ...], Measured] = field(default_factory=dict)
    without: int | None = None
    last: Trained | None = None

    def __call__(self, means: Means) -> Trained:
        """Return what steps make of starts and data; see :mod:`mcjax.laws.first_order.trained`."""
        taking = tuple(
            each if isinstance(each, Optax) and at != MINIMUM else None
            for each, at in zip(self.condition.estimators, self.starts.model, strict=True)
        )
        self.last = self._trained(means, taking, self.starts)
        return self.last

    @cached_property
    def states(self) -> int:
        """Number of states of p numbers that each model carries over."""
        condition = self.condition
        sizes = [
            state_size(each, condition.theta, condition.model.structure)
            for each in condition.estimators
            if isinstance(each, Optax) and each.carries
        ]
        return max(sizes, default=0) // len(condition.theta)

    @property
    def first(self) -> Callable[[Means], Trained] | None:
        """Function that returns the maps of generation 0; None if all fits go to the minimum."""
        return self._begun if any(first_fits(self.condition)) else None

    def _begun(self, means: Means) -> Trained:
        """Return what the first steps make of the data of generation 0."""
        taking, starts = first_fits(self.condition), self.starts
        model = np.where(starts.behind, np.int32(BEHIND), np.int32(GIVEN))
        model[[each is None for each in taking]] = MINIMUM
        base = (
            np.zeros((len(model), means.hessian.shape[-1])) if starts.base is None else starts.base
        )
        return self._trained(means, taking, Starts(model, base))

    def _trained(self, means: Means, taking: Sequence[Optax | None], starts: Starts) -> Trained:
        """Return what the steps that models take, if they do, make of starts and data."""
        condition, states = self.condition, self.states
        models, p = condition.network.size, means.hessian.shape[-1]
        size = (1 + states) * models
        begins = [i for i, each in enumerate(first_fits(condition)) if each is not None]
        used = means.feeds.samples[begins] > 0
        if not means.feeds.renewed[begins][used].all():
            raise Inapplicable(
                "generation 0 takes steps as well, and the law is for real data that are not used"
                " again; give real = 'fresh', or another start such as 'own'"
            )
        kept, gain, noise = (np.zeros((size, p, p)) for _ in range(3))
        drift, known = np.zeros((size, p)), {}
        response = np.full(means.curvature.shape, np.nan)
        kept_states = np.zeros((size, states, p, p))
        common = np.zeros((size, p, size, p))
        for i, estimator in enumerate(taking):
            hessian = means.hessian[i]
            if estimator is None or not means.rows[i]:
                gain[i] = np.linalg.inv(hessian)
                continue
            key = id(estimator), hessian.tobytes()
            if key not in known:
                known[key] = self._linear(estimator, hessian)
            found = known[key]
            if found is None:
                kept[i], response[i], drift[i], noise[i] = self._measured(means, i, estimator)
                continue
            own = np.arange(i, i + models * (found.kept.shape[0] // p), models)  # and its states
            gain[own], drift[own] = found.gain.reshape(-1, p, p), found.drift.reshape(-1, p)
            shares = found.kept.reshape(len(own), p, len(own), p).swapaxes(1, 2)
            kept[own], kept_states[own, : len(own) - 1] = shares[:, 0], shares[:, 1:]
            if estimator.batch_size is not None:
                batch = min(estimator.batch_size, int(means.rows[i]))
                share = np.trace(found.gains[:, :p] @ hessian, axis1=1, axis2=2).max() / batch
                self.left_out = max(self.left_out, float(share))
                added = batch_noise(
                    found,
                    means.score[i],
                    int(means.rows[i]),
                    batch=batch,
                    batches=REPLACEMENT if estimator.replacement else estimator.batches,
                ).reshape(len(own), p, len(own), p)
                if states:
                    at = np.arange(p)
                    common[np.ix_(own, at, own, at)] = added
                else:
                    noise[i] = added[0, :, 0]
        if drift.any() and condition.model.least_squares is None and not self.measured:
            raise Inapplicable(
                "the steps draw estimates from the truth, where only the curvature of least"
                " squares is that at the truth"
            )
        given = (starts.model == GIVEN)[:, None]
        base = np.zeros((models, p)) if starts.base is None else starts.base - condition.theta
        return Trained(
            kept,
            gain,
            noise=noise,
            drift=drift,
            starts=starts,
            base=np.where(given, base, 0),
            response=response,
            states=kept_states if states else None,
            common=common if states else None,
        )

    def _linear(self, estimator: Optax, hessian: Float[np.ndarray, "p p"]) -> StepMap | None:
        """Return the maps of steps that are linear; None if they are not."""
        condition = self.condition
        if any(key[0] == id(estimator) for key in self.measured):  # which shows that they are not
            return None
        try:
            found = step_map(
                estimator,
                hessian,
                condition.theta,
                structure=condition.model.structure,
                each=estimator.batch_size is not None,
            )
        except NotLinear:
            if estimator.carries:
                raise
            return None
        farther = np.linalg.norm(found.kept[: len(hessian), : len(hessian)], 2)
        if not farther <= FARTHEST:
            raise Inapplicable(
                f"the steps overshoot: they multiply the distance of their start from the minimum"
                f" by {farther:.1g}, and rounding errors with it; set estimator.learning_rate lower"
            )
        return found

    def _measured(self, means: Means, model: int, estimator: Optax) -> Maps:
        """Return the maps of a model whose steps are not linear."""
        feeds, net = means.feeds, self.condition.network
        if net.sources:
            raise Inapplicable(
                "the steps are not linear in the gradients, and their law is measured for one real"
                " source"
            )
        used = feeds.samples[model] > 0
        streams = feeds.stream[feeds.samples > 0].tolist()
        if not feeds.renewed[model][used].all() or any(
            streams.count(stream) > 1 for stream in feeds.stream[model][used].tolist()
        ):
            raise Inapplicable(
                "the steps are not linear in the gradients, and their law is measured for data that"
                " one model reads once; give draws = 'private' and real = 'fresh'"
            )
        fed = Fed(
            feeds.samples[model],
            feeds.weight[model],
            real=feeds.origin[model] >= net.size,
            curvature=means.curvature[model],
            hessian=means.hessian[model],
            score=means.score[model],
        )
        key = (id(estimator), fed.samples.tobytes(), fed.weight.tobytes(), fed.real.tobytes())
        if key not in self.measured:
            self.measured[key] = measured_steps(self.condition, estimator, fed)
        return self.measured[key].maps(fed, self.without)

    @property
    def starts(self) -> Starts:
        """Starting points of the steps."""
        return behind_data(self.condition)


def _around_truth(
    condition: Condition,
    generations: int,
    system: LinearSystem,
    information: Information,
    *,
    training: StepsOfModels,
    settles: Bool[np.ndarray, " M"] | None,
) -> Prediction:
    """Return the moments of errors around the truth, with their growth and limits.

    Where maps are measured, limits are those of the models that settle, if there is a long run.
    """
    net, offsets = condition.network, condition.sources.offsets
    mean = means(system, generations)
    slopes, stable = np.full(net.size, np.nan), np.zeros(net.size, bool)
    if training.measured:
        stable = stable if settles is None else settles
    elif has_long_run(net):
        slopes, stable = spectral_growth(system, net, training.starts.edges)
    limits = mean_squares(limit(system, stable), net.size, mean_limit(system, stable))
    left_out = training.left_out + _curvature_noise(mean, information)
    law = Prediction.of(
        covariances(system, generations),
        net.size,
        mean if mean.any() else None,
        growth=np.where(stable, np.nan, slopes),
        limit=np.where(stable, limits, np.nan),
        allowance=allowance(condition, generations, effective_rows(condition)) + left_out,
        pooled=None if net.plain else pooled_first_order(net, information, offsets),
    )
    return replace(law, small_samples=UNKNOWN_BIAS) if mean.any() else law


def _curvature_noise(
    mean: Float[np.ndarray, "T+1 M p"], information: Information
) -> Float[np.ndarray, "T+1 1"]:
    """Return the relative variance that sample Hessians add where mean errors do not vanish."""
    hessian, score = information.real.hessian, information.real.score_covariance
    unit = np.trace(np.linalg.solve(hessian, score)) / len(hessian)
    size = np.einsum("tia,ab,tib->ti", mean, hessian, mean).max(1)
    return 2 * np.maximum.accumulate(size)[:, None] / unit
