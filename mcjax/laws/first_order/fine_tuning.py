"""The first-order law of models that are fine-tuned: fits of k steps from a start.

The linear system is that of refits with other matrices (:mod:`mcjax.laws.first_order.trained`).
Batches add noise. With ``G_s`` what the gradient of step s adds to the error, V the covariance of a
row's score and N rows, the mean of a row's scores over steps has the random weight ``c``, and the
noise is ``N E[c V c']``. That of all rows in every step is ``B V B' / N``, with ``B = sum G_s``. To
it add

* batches of b rows drawn with replacement: ``(1 - 1/N) / b  sum_s G_s V G_s'``;
* batches of rows that are shuffled anew in every pass: a row is at place q of pass e, of b_q rows,
  with probability ``b_q / N``. With ``M_e = sum_q G_eq / N``, the passes add
  ``N sum_e (sum_q G_eq V G_eq' / (N b_q) - M_e V M_e')``.

What is left out is, for batches, the product of two batch Hessians, of the relative order
``learning rate tr(H) / b``, which does not vanish as samples grow; and where the mean error m does
not vanish, the variance of sample Hessians at m, at most ``2 m'Hm`` relative to that of the labels.
Both are part of the allowance. Derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from mcjax.estimators.gradient_steps import Optax
from mcjax.estimators.starts import MINIMUM, Starts
from mcjax.laws.first_order.departures import departure, spread_lost
from mcjax.laws.first_order.information import information_of
from mcjax.laws.first_order.limits import limit, mean_limit
from mcjax.laws.first_order.linear_system import covariances, means
from mcjax.laws.first_order.rule_of_thumb import allowance, effective_rows
from mcjax.laws.first_order.score_equations import linear_system, pooled_first_order
from mcjax.laws.first_order.spectral_growth import spectral_growth
from mcjax.laws.first_order.step_maps import StepMap, step_map
from mcjax.laws.first_order.trained import Means, Trained
from mcjax.laws.law import GROWING, STOPS, Inapplicable, Reason, has_long_run
from mcjax.laws.prediction import Prediction, mean_squares
from mcjax.models.information import Information
from mcjax.study.study import Condition

FROM_PARENTS = Reason(
    "the estimator does not minimise the loss, and the law is for estimates that do, or for steps"
    " from other starts than the parameters behind the data, such as start = 'own'"
)
UNKNOWN_BIAS = "the part of order 1/n of mean errors is not known of fits that take steps"


def reason_against(condition: Condition) -> Reason | None:
    """Return why the law does not hold for fits that do not go to the minimum, or None."""
    estimator, net = condition.chosen_estimator, condition.network
    if not isinstance(estimator, Optax):
        return STOPS
    if condition.starts is None:
        return FROM_PARENTS
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
    fits = [feeds for table in net.tables for feeds in table]
    if estimator.batch_size and any(len({feed.weight for feed in feeds}) > 1 for feeds in fits):
        return Reason("batches are of rows of different weights, and the law is for equal ones")
    if condition.starts.base is not None and condition.model.least_squares is None:
        return Reason(
            "fits begin at a base that does not come closer to the truth, where only the curvature"
            " of least squares is that at the truth"
        )
    return None


def predict_steps(condition: Condition, generations: int) -> Prediction:
    """Predict the errors at generations 0 to T, and their growth and limits.

    Raises
    ------
    Inapplicable
        If the information is not finite or singular, or the steps are not linear.
    """
    information, versions = information_of(condition)
    whole = _around_truth(condition, generations, information)
    return replace(
        whole,
        asymptotic=True,
        left_out=spread_lost(condition, whole.own_covariances),
        versions=tuple(_around_truth(condition, generations, v) for v in versions),
    )


@dataclass
class StepsOfModels:
    """The linear maps from starts and data to estimates, of a condition's models.

    Attributes
    ----------
    condition : Condition
        The condition.
    left_out : float
        Relative size of what the noise of batches leaves out, for the fits that were asked about.
    """

    condition: Condition
    left_out: float = 0.0

    def __call__(self, means: Means) -> Trained:
        """Return what steps make of starts and data; see :mod:`mcjax.laws.first_order.trained`."""
        condition, estimator, starts = self.condition, self._estimator, self.starts
        size, p = means.hessian.shape[:2]
        kept, gain, noise = (np.zeros((size, p, p)) for _ in range(3))
        drift, known = np.zeros((size, p)), {}
        for i, hessian in enumerate(means.hessian):
            if starts.model[i] == MINIMUM or not means.rows[i]:
                gain[i] = np.linalg.inv(hessian)
                continue
            key = hessian.tobytes()
            if key not in known:
                known[key] = step_map(
                    estimator,
                    hessian,
                    condition.theta,
                    structure=condition.model.structure,
                    each=estimator.batch_size is not None,
                )
            found = known[key]
            kept[i], gain[i], drift[i] = found.kept, found.gain, found.drift
            if estimator.batch_size is not None:
                batch = min(estimator.batch_size, int(means.rows[i]))
                share = np.trace(found.gains @ hessian, axis1=1, axis2=2).max() / batch
                self.left_out = max(self.left_out, float(share))
                noise[i] = batch_noise(
                    found,
                    means.score[i],
                    int(means.rows[i]),
                    batch=batch,
                    replacement=estimator.replacement,
                )
        if drift.any() and condition.model.least_squares is None:
            raise Inapplicable(
                "the steps draw estimates from the truth, where only the curvature of least"
                " squares is that at the truth"
            )
        base = np.zeros(p) if starts.base is None else starts.base - condition.theta
        return Trained(kept, gain, noise=noise, drift=drift, starts=starts, base=base)

    @property
    def _estimator(self) -> Optax:
        estimator = self.condition.chosen_estimator
        assert isinstance(estimator, Optax), "the law has asked"
        return estimator

    @property
    def starts(self) -> Starts:
        """Where the steps begin."""
        assert self.condition.starts is not None, "the law has asked"
        return self.condition.starts


def batch_noise(
    steps: StepMap, score: Float[np.ndarray, "p p"], rows: int, batch: int, replacement: bool
) -> Float[np.ndarray, "p p"]:
    """Return what the choice of batches adds to the covariance of the error, (p, p)."""
    gains = steps.gains
    squares = gains @ score @ np.swapaxes(gains, 1, 2)
    if replacement:
        drawn: np.ndarray = (1 - 1 / rows) / batch * squares.sum(0)
        return drawn
    places = -(-rows // batch)
    sizes = np.full(places, batch)
    sizes[-1] = rows - batch * (places - 1)
    total = np.zeros_like(score)
    for first in range(0, len(gains), places):
        now = gains[first : first + places]
        mean = now.sum(0) / rows
        spread = squares[first : first + places] / sizes[: len(now), None, None]
        total += spread.sum(0) - rows * mean @ score @ mean.T
    return total


def _around_truth(condition: Condition, generations: int, information: Information) -> Prediction:
    """Return the moments of errors around the truth, with their growth and limits."""
    net, offsets, training = condition.network, condition.sources.offsets, StepsOfModels(condition)
    system = linear_system(net, information, offsets, training)
    mean = means(system, generations)
    slopes, stable = np.full(net.size, np.nan), np.zeros(net.size, bool)
    if has_long_run(net):
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
