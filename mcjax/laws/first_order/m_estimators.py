"""The first-order law of M-estimators on a network.

With ``theta_{i,t}`` the minimiser of the weighted loss over everything fed to model i, sample
counts growing and their shares fixed, the stacked errors follow a linear system
(:mod:`mcjax.laws.first_order.score_equations`) whose matrices come from the network and from the
model's H and V. The law is asymptotic: at finite n the truth departs from it by terms of order 1/n,
which for nonlinear models are several per cent at 100 rows a fit and a few parameters.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np

from mcjax.laws.collapse.components import data_flow
from mcjax.laws.collapse.origins import collapse_origins, collapsing
from mcjax.laws.first_order.accumulated_path import path_of_pools
from mcjax.laws.first_order.departures import departure, spread_lost
from mcjax.laws.first_order.drawn_law import averaged, not_averaged
from mcjax.laws.first_order.file_population import STEPS
from mcjax.laws.first_order.fine_tuning import predict_steps, reason_against
from mcjax.laws.first_order.flatness_at_truth import flatness_at_truth
from mcjax.laws.first_order.information import information_of
from mcjax.laws.first_order.informative_rows import too_few_informative
from mcjax.laws.first_order.limits import growth, limit, mean_limit
from mcjax.laws.first_order.linear_system import LinearSystem, covariances, means
from mcjax.laws.first_order.path_bias import (
    PathBias,
    bias_at_end,
    path_bias,
    small_sample_bias,
)
from mcjax.laws.first_order.path_system import Path, growth_at_end, path_of
from mcjax.laws.first_order.pooled_path import pooled_mse_on_path
from mcjax.laws.first_order.population_path import SETTLED, close
from mcjax.laws.first_order.rule_of_thumb import allowance, effective_rows
from mcjax.laws.first_order.score_equations import linear_system, pooled_first_order
from mcjax.laws.first_order.simulated_population import (
    simulated,
    simulates,
    too_many,
    without_each_batch,
)
from mcjax.laws.first_order.spectral_growth import spectral_growth
from mcjax.laws.first_order.tabulated_scores import tabulated
from mcjax.laws.law import GROWING, Inapplicable, Reason, changing, has_long_run
from mcjax.laws.prediction import Prediction, mean_squares
from mcjax.laws.second_order.m_estimators import corrections
from mcjax.laws.validity import SmallSampleBias
from mcjax.models.information import Information
from mcjax.models.scores import ScoreMoments
from mcjax.numbers import how_many
from mcjax.ongoing import long_work
from mcjax.study.study import Condition

FLATTEST = 0.5
"""Largest relative change of the mean curvature over the spread of an estimate. Variances change by
about twice as much, which is allowed for up to this limit."""
CLEAR = 6.0
"""Smallest number of standard deviations between a centre and a jump of what readers keep. In a
simulation of classes cut off from the tail, variances were right at 9, 10% too large at 4, and
several times too large at 2."""


class FirstOrder:
    """Means and covariances of the errors of M-estimators, to first order in 1/n."""

    name = "first_order"
    reference = (
        "first-order expansion of M-estimators on a network, derived in"
        " mcjax.laws.first_order.score_equations"
    )
    exact = False
    averages_networks = True

    def applies(self, condition: Condition) -> Reason | None:
        """Return why the expansion does not hold, or None."""
        if condition.network.later.random and (reason := not_averaged(condition)):
            return reason
        if not condition.minimises:
            return reason_against(condition)
        memory = condition.network.memory
        if not (memory.current_only or memory.adds_up or (memory.selects and memory.vanishing)):
            return Reason(
                f"memory is {memory.name!r}; the law is for fits to the last data, or to all data"
            )
        change = changing(condition.network)
        if change is not None and not memory.current_only and not _follows_path(condition):
            return change
        if condition.network.later.exponent and departure(condition) is not None:
            return GROWING
        few = _too_few(_fewest_rows(condition), condition)
        return few or too_few_informative(condition) or _off_truth(condition)

    def predict(self, condition: Condition, generations: int) -> Prediction:
        """Predict the errors at generations 0 to T, and their growth and limits.

        Raises
        ------
        Inapplicable
            If the information is not finite or singular, or fits take steps that are not linear.
        """
        if not condition.minimises:
            return predict_steps(condition, generations)
        if condition.network.later.random:
            return averaged(condition, generations)
        if _follows_path(condition):
            return _along_path(condition, generations)
        information, versions = information_of(condition)
        net, offsets = condition.network, condition.sources.offsets
        system = linear_system(net, information, offsets)
        centred = _around_truth(condition, generations, information, system)
        flat = flatness_at_truth(condition, centred.own_covariances)
        if not flat[0].max() <= FLATTEST:
            raise _too_flat("at the truth", flat[0].max())
        slopes, stable = _long_run(system, condition)
        limits = mean_squares(limit(system, stable), net.size, mean_limit(system, stable))
        return replace(
            centred,
            growth=np.where(stable, np.nan, slopes),
            limit=np.where(stable, limits, np.nan),
            asymptotic=True,
            allowance=allowance(condition, generations, effective_rows(condition)) + 2 * flat,
            next_order=partial(corrections, condition, generations),
            left_out=spread_lost(condition, centred.own_covariances),
            versions=tuple(
                _around_truth(condition, generations, v, linear_system(net, v, offsets))
                for v in versions
            ),
        )


def _around_truth(
    condition: Condition, generations: int, information: Information, system: LinearSystem
) -> Prediction:
    """Return the moments of errors around the truth, and the MSE of the pooled estimator."""
    net, offsets = condition.network, condition.sources.offsets
    return Prediction.of(
        covariances(system, generations),
        net.size,
        means(system, generations) if offsets.any() else None,
        pooled=None if net.plain else pooled_first_order(net, information, offsets),
    )


def _follows_path(condition: Condition) -> bool:
    """Return whether errors are described around the path of the centres.

    They must be where centres leave the truth. Where feeds that change accumulate, the centres may
    all be the truth, but the law around the truth is for pools that grow evenly.
    """
    net, known = condition.network, condition.model.scores is not None
    uneven = net.memory.adds_up and changing(net) is not None
    return departure(condition) is not None or (uneven and known and condition.design == "random")


def _off_truth(condition: Condition) -> Reason | None:
    """Return why errors around a path that leaves the truth are not known, or None."""
    left = departure(condition)
    if left is None:
        return None
    problem, instead = left
    model = condition.model
    jumps = isinstance(model.scores, ScoreMoments) and model.scores.jumps
    if condition.sources.from_files and jumps:
        return Reason(STEPS.format(model.name))
    if model.scores is None and simulates(condition):
        many = too_many(condition)
        if many:
            return Reason(f"{problem}, and {many}{instead}")
    if condition.network.memory.selects:
        return Reason(f"{problem}, and fits are of subsamples{instead}")
    if condition.design == "fixed":
        return Reason(
            f"{problem}, and designs are fixed, so that each design has centres of its own"
        )
    return None


def _along_path(condition: Condition, generations: int) -> Prediction:
    """Predict errors around centres, by simulated moments of the score if none are known."""
    if condition.model.scores is not None:
        return _around_path(condition, generations)
    tables = not simulates(condition)
    if condition.centred:  # a file says itself what the loss aims at, and so does the path
        information_of(condition)  # which tests that the loss aims at the truth
    model, versions = (tabulated if tables else simulated)(condition.model)
    others = []
    # all batches together take as long as each of them
    with long_work(2 * len(versions), "batches of simulated scores") as advance:
        whole = _around_path(replace(condition, model=model), generations)
        advance(len(versions))
        for version in versions:
            others.append(_version_around_path(replace(condition, model=version), generations))
            advance(1)
    return replace(whole, versions=tuple(others) if tables else without_each_batch(whole, others))


@np.errstate(all="ignore")  # what overflows is not finite, and then the law does not apply
def _around_path(condition: Condition, generations: int) -> Prediction:
    """Predict errors around centres that leave the truth."""
    path = _path(condition, generations)
    if path.flatness.max() > FLATTEST:
        raise _too_flat("on the path of the centres", path.flatness.max())
    rule = allowance(condition, generations, path.effective) + 2 * path.flatness
    bias: PathBias | None = None
    small_samples: SmallSampleBias | str
    try:
        bias = path_bias(path)
        small_samples = small_sample_bias(path, bias, condition.theta, rule)
    except Inapplicable as error:
        bias, small_samples = None, str(error)
    law = _moments_around(path, condition, bias)
    return replace(
        law,
        asymptotic=True,
        allowance=rule,
        # a bias of the order 1/n matters only beside an error of the centre
        mse_complete=bool(close(path.centres, condition.theta))
        or bias is not None
        or _unbiased(condition),
        reference="first-order expansion around the population path, derived in"
        " mcjax.laws.first_order."
        f"{'path_system' if condition.network.memory.current_only else 'accumulated_path'}",
        small_samples=small_samples,
    )


@np.errstate(all="ignore")
def _version_around_path(condition: Condition, generations: int) -> Prediction:
    """Predict errors by some batches of simulated scores, of which the bias is never known.

    Nothing is judged by such a prediction, so it has no allowances, which take long.
    """
    return _moments_around(_path(condition, generations), condition, None)


def _path(condition: Condition, generations: int) -> Path:
    """Return the path of the centres, if a law may hold around it.

    Raises
    ------
    Inapplicable
        If none may.
    """
    forgets = condition.network.memory.current_only
    path = (path_of if forgets else path_of_pools)(condition, generations)
    if not np.isfinite(path.covariance).all():
        raise Inapplicable("errors around the path of the centres are too large for a number")
    if path.clearance < CLEAR:
        raise Inapplicable(
            f"a centre is {path.clearance:.1f} standard deviations from where readers would keep"
            f" something else of its data; the law needs {CLEAR:g}; give more samples"
        )
    few = _too_few(path.rows, condition)
    if few is not None:
        raise Inapplicable(few.sentence)
    return path


def _moments_around(path: Path, condition: Condition, bias: PathBias | None) -> Prediction:
    """Return the moments of errors around a path, and of the pooled estimator."""
    net, away = condition.network, path.centres - condition.theta
    mean = away if bias is None else away + bias.mean
    slopes, limits, stable = _end_of(path, condition, bias)
    return Prediction.of(
        path.covariance,
        net.size,
        mean,
        # without the square of a bias, which is of the order 1/n^2
        mse=mean_squares(path.covariance, net.size) + (away * (2 * mean - away)).sum(-1),
        growth=slopes if net.memory.current_only else np.full_like(slopes, np.nan),
        limit=np.where(stable, limits, np.nan),
        pooled=None if net.plain else pooled_mse_on_path(condition),
    )


def _end_of(
    path: Path, condition: Condition, bias: PathBias | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the growth of variances, the limits of MSEs, and which models settle, each (M,)."""
    net = condition.network
    if path.late is None:
        slopes, limits = np.full((2, net.size), np.nan)
        return slopes, limits, np.zeros(net.size, bool)
    slopes, stable = growth_at_end(path, net)
    away = path.limit - condition.theta
    away[np.abs(away) < SETTLED * max(1.0, np.abs(condition.theta).max())] = 0  # rounding
    covariance = limit(path.late, stable)
    limits = mean_squares(covariance, net.size, away)
    if bias is not None:
        limits = limits + 2 * (away * bias_at_end(path, bias, stable, covariance)).sum(-1)
    return slopes, limits, stable


def _unbiased(condition: Condition) -> bool:
    """Return whether estimates have the mean that is the centre, whatever the sample size.

    The shares of samples in a fit of least squares are exchangeable if all rows have one weight and
    one distribution of covariates. They must not depend on the errors of parents either, as they do
    where real rows are read again and again, or where models with a common sample accumulate.
    """
    net, read = condition.network, (*condition.network.first, *condition.network.later.feeds)
    tables = (net.first_by_reader, *net.tables)
    if net.memory.current_only:
        fits = [feeds for table in tables for feeds in table]
        apart = all(net.renews(f.origin) for f in net.later.feeds if f.origin in net.source_index)
    else:  # a pool holds the feeds of all generations
        fits = [tuple(chain(*feeds)) for feeds in zip(*tables, strict=True)]
        apart = not net.shares_draws and not any(source.public for source in net.sources)
    return (
        condition.model.least_squares is not None
        and condition.own_covariances is None
        and all(source.covariance is None for source in net.sources)
        and all(feed.keep is None for feed in read)
        and all(len({feed.weight for feed in feeds}) <= 1 for feeds in fits)
        and apart
    )


def _too_flat(where: str, change: float) -> Inapplicable:
    """Return that the curvature is not constant, even roughly."""
    size = f"{change:.0%}" if change < 10 else "more than 1,000%"
    return Inapplicable(
        f"the curvature of the loss {where} changes by {size} over the spread of estimates;"
        " give more samples"
    )


def _too_few(rows: float, condition: Condition) -> Reason | None:
    """Return that the smallest fit has too few rows, or None."""
    p = len(condition.theta)
    if condition.model.covariates == 0 or rows > p:
        return None
    return Reason(
        f"a fit has {rows:.3g} row{'' if rows == 1 else 's'} for {how_many(p, 'parameter')},"
        " too few"
        " for an asymptotic law"
    )


def _long_run(system: LinearSystem, condition: Condition) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes of the MSEs, and which models settle, both (M,)."""
    net = condition.network
    if not has_long_run(net):
        return np.full(net.size, np.nan), np.zeros(net.size, bool)
    if not net.plain:  # a real source may leave directions unseen
        return spectral_growth(system, net)
    origins = collapse_origins(net)
    stable = ~collapsing(data_flow(net), origins)
    return np.trace(growth(system, origins), axis1=1, axis2=2), stable


def _fewest_rows(condition: Condition) -> int:
    """Return the rows of the smallest fit."""
    net = condition.network
    later = (
        sum(feed.samples for feed in feeds) for table in net.tables for feeds in table if feeds
    )
    return min([*net.initial, *later])
