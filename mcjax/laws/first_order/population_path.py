"""The population path: where estimates tend to when something draws them away from one truth.

As sample counts grow with fixed shares, the estimates of model i tend to a *centre* mu_{i,t} that
need not stay at one truth: real data may have truths of their own, and fits a penalty. It solves
the score equation of the populations that i reads,

    sum_b pi_b S(mu_{i,t}, v_b) + ridge mu_{i,t} = 0 ,      S(m, v) = E_v[grad loss(m; z)] ,

with the share pi_b of sample b in the weight of the fit, and the parameters v_b that b is generated
at: the truth of a real source, or the centre ``mu_{j,t-1}`` of the model j that generates it. The
penalty is not random: it adds ``ridge I`` to the slope J of the equation, and nothing to the noise.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mcjax.chains.layout import Feeds
from mcjax.faults import users_code
from mcjax.laws.doubling import squared_powers
from mcjax.laws.first_order.file_population import rows_of
from mcjax.laws.first_order.population import AnyOrigin, Population, Score, origin_of
from mcjax.laws.first_order.populations import generator_of, population_of
from mcjax.laws.first_order.score_equations import LARGEST_CONDITION
from mcjax.laws.first_order.simulated_population import SimulatedPopulation
from mcjax.laws.law import Inapplicable
from mcjax.models.scores import NormalScores, SimulatedScores
from mcjax.solvers.conditioning import condition_number
from mcjax.study.covariates import Covariates
from mcjax.study.study import Condition

ITERATIONS, PRECISE = 200, 1e-9
"""Largest number of Newton steps to a centre, and their length, relative to the centre, below which
they end as soon as they no longer shrink: rounding is all that is left."""
LONGEST_STEP, HALVINGS = 2.0, 30
"""Length up to which any step is taken, and how often steps that lead too far are halved."""
LATEST, DOUBLINGS, SETTLED = 1000, 30, 1e-12
"""Steps to the end of a path, the logarithm of the generations in the largest, and how little a
path that has settled moves in a generation."""
NODES, WEIGHTS = np.sqrt([1.0, 1.0, 6.0, 6.0]) * (-1, 1, -1, 1), np.array([9, 9, 1, 1]) / 30
"""Nodes other than 0, and their weights, of the rule with a node at 1 that integrates polynomials
of up to seventh degree over a standard normal."""
PATIENCE = 16
"""Steps after which a path that does not slow down is taken to go on for ever, beside those that a
move takes to pass through all models."""


class Reads(NamedTuple):
    """The samples that one model fits, B of them."""

    data: list[Population]
    origin: np.ndarray  # (B,)
    stream: np.ndarray
    rows: np.ndarray
    weight: np.ndarray  # of one row
    renewed: np.ndarray


class Fit(NamedTuple):
    """The fit of one model in one generation, to B samples."""

    centre: np.ndarray  # (p,)
    slope: np.ndarray  # J, with the penalty, (p, p)
    ridge: float  # strength of the penalty
    share: np.ndarray  # pi, (B,)
    gain: np.ndarray  # -J^-1 pi_b, which takes the mean score of sample b to the error, (B, p, p)
    data: list[Population]
    by_parent: np.ndarray  # dS/dv, (B, p, p)
    origin: np.ndarray  # of the samples, (B,)
    stream: np.ndarray
    rows: np.ndarray
    renewed: np.ndarray

    def change_of_slope(self, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the weighted sum of J at other places, (K, p), less that at the centre."""
        alike: dict[Hashable, list[int]] = {}  # samples whose slopes are the same
        for b, data in enumerate(self.data):
            alike.setdefault(data.slope_key, []).append(b)
        change = np.zeros_like(self.slope)
        for first, *others in alike.values():
            of_one = self.data[first].change_of_slope(self.centre, places, weights)
            change += self.share[[first, *others]].sum() * of_one
        return change


Fits = dict[int, Fit]
"""The fits of one generation by model; a model that reads nothing has none."""


class Populations:
    """The populations that the samples of a condition are drawn from.

    Attributes
    ----------
    ridge : float
        Strength of the penalty that shrinks fits to them, 0 for none.
    """

    def __init__(self, condition: Condition):
        laws, model = condition.sources, condition.model
        self.ridge = float(model.shrinkage)
        if self.ridge and isinstance(model.scores, NormalScores):  # not those of the loss
            raise Inapplicable("the law of mean and variance is for fits without a penalty")
        self._model, self._selections = model, condition.network.selections
        self._size = condition.network.size
        params, scale = model.params, model.noise_scale
        among = condition.covariate_laws
        models: Sequence[Covariates] = among.own or (among.models,)
        self._own = [origin_of(law, condition.theta, params, real=False) for law in models]
        self._generated_at = [generator_of(own, model) for own in self._own]
        self._real = []
        for s, (theta, law) in enumerate(zip(laws.theta, among.sources, strict=True)):
            if laws.sigma is not None and scale is not None:
                params = params | {scale: laws.sigma[s]}
            source, data = origin_of(law, theta, params, real=True), laws.data[s]
            known = population_of(source, model) if data is None else rows_of(source, data, model)
            self._real.append(known)

    def of(self, origin: int, centres: np.ndarray, selection: int = 0) -> Population:
        """Return the population of a feed, given the centres of all models, (M, p).

        ``selection`` is the number of what the reader keeps, from 1, or 0 for everything.
        """
        real = origin >= self._size
        if not real and not self.hold(centres[origin][None]):
            raise Inapplicable("the centres reach the edge of what the model's parameters can be")
        if not selection:
            if real:
                return self._real[origin - self._size]
            return self._generated_at[origin % len(self._own)](centres[origin])
        if real:
            rows = self._real[origin - self._size].origin
        else:
            rows = self._own[origin % len(self._own)]._replace(theta=centres[origin])
        keep = self._selections[selection - 1]
        kept = self._kept(keep, rows)
        if self.ridge and kept.kept < 1:
            raise Inapplicable("fits are penalised per row that is kept, and raw rows are counted")
        return kept

    def _kept(self, keep: Any, rows: AnyOrigin) -> Population:
        """Return the population of the rows that a reader keeps."""
        try:
            with users_code("keep", keep, passing=(Inapplicable,)):
                known: Population = keep.population(rows, self._model)
        except Inapplicable:  # in closed form
            if not isinstance(self._model.scores, SimulatedScores):
                raise
            return SimulatedPopulation(rows, self._model, keep)
        return known

    def hold(self, centres: np.ndarray) -> bool:
        """Return whether the model has parameters like these centres, (M, p)."""
        check = self._model.check
        return check is None or not any(check(theta) for theta in centres)


def flatness(
    centre: np.ndarray,
    slope: np.ndarray,
    change: Callable[[np.ndarray, np.ndarray], np.ndarray],
    covariance: np.ndarray,
) -> float:
    """Return how much the mean of J over the spread of an estimate differs from J, relative to J.

    The law takes J to be constant there. To second order, errors d of covariance ``Sigma``, (p, p),
    have a covariance that differs from it by ``-(F Sigma + Sigma F')`` where J is not, with
    ``F = J^-1 (E[J(mu + d)] - J)``, and the result is the norm of F. Odd changes of J have no
    mean. Along each eigenvector of Sigma the mean change is that over nodes of a quadrature rule,
    and these are added up.
    """
    values, vectors = np.linalg.eigh(covariance)
    steps = (np.sqrt(np.maximum(values, 0.0)) * vectors).T
    places = np.concatenate([centre + node * steps for node in NODES])
    relative = np.linalg.solve(slope, change(places, np.repeat(WEIGHTS, len(steps))))
    return float(np.linalg.norm(relative, 2)) if np.isfinite(relative).all() else np.inf


def centre_of(
    data: list[Population], share: np.ndarray, start: np.ndarray, ridge: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the centre of a fit, J and ``dS/dv`` there, (p,), (p, p) and (B, p, p).

    For real data, whose origin never moves, ``dS/dv`` is 0.
    """
    distinct = {id(population): population for population in data}

    def equation(centre: np.ndarray) -> tuple[np.ndarray, list[Score]]:
        """Return the left side of the score equation, and what it is made of."""
        known = {key: population.score(centre) for key, population in distinct.items()}
        scores = [known[id(population)] for population in data]
        return share @ np.array([score.mean for score in scores]) + ridge * centre, scores

    centre, previous = start, np.inf
    mean, scores = equation(centre)
    for _ in range(ITERATIONS):
        slope = np.einsum("b,bac->ac", share, [score.by_reader for score in scores])
        slope = slope + ridge * np.eye(len(start))
        if not np.isfinite(slope).all():
            raise Inapplicable("the expected Hessian is not finite on the path of the centres")
        if not condition_number(slope) < LARGEST_CONDITION:
            raise Inapplicable("the expected Hessian is singular on the path of the centres")
        step = np.linalg.solve(slope, mean)
        longest = float(np.abs(step).max())
        size = max(1.0, float(np.abs(centre).max()))
        if longest == 0 or (previous < PRECISE * size and longest > previous / 2):
            by_parent = {
                key: np.zeros_like(slope) if kind.origin.real else kind.by_parent(centre)
                for key, kind in distinct.items()
            }
            return centre, slope, np.array([by_parent[id(kind)] for kind in data])
        # the centre lies between the parameters of the data, or not far from them
        apart = max(float(np.abs(kind.origin.theta - centre).max()) for kind in data)
        limit = max(LONGEST_STEP, apart)
        step *= min(1.0, limit / longest)
        ahead = equation(centre - step)
        for _ in range(HALVINGS if longest > PRECISE * size else 0):
            if np.linalg.norm(ahead[0]) < np.linalg.norm(mean):  # a shorter step always achieves it
                break
            step = step / 2
            ahead = equation(centre - step)
        centre, previous = centre - step, longest
        mean, scores = ahead
    raise Inapplicable("Newton's method does not find the centre of the estimates")


def fits_of(feeds: Feeds, populations: Populations, before: np.ndarray) -> Fits:
    """Return the fits of a generation, given the centres of the one before."""
    reads = reads_of(feeds, populations, before)
    return {i: fit_of(read, before[i], populations.ridge) for i, read in reads.items()}


def reads_of(feeds: Feeds, populations: Populations, before: np.ndarray) -> dict[int, Reads]:
    """Return what models read in a generation, given the centres of the one before."""
    reads = {}
    made: dict[tuple[int, int], Population] = {}  # whose readers share integrals
    for i in range(len(before)):
        slots = np.flatnonzero(feeds.samples[i] > 0)
        if not len(slots):
            continue
        origin = feeds.origin[i, slots]
        selection = np.zeros_like(origin)
        stream = feeds.stream[i, slots].astype(np.int64)
        if feeds.selection is not None and feeds.copy is not None:
            selection = feeds.selection[i, slots]
            stream += feeds.copy[i, slots].astype(np.int64) << 32
        kinds = list(zip(origin.tolist(), selection.tolist(), strict=True))
        for j, k in kinds:
            if (j, k) not in made:
                made[j, k] = populations.of(j, before, k)
        reads[i] = Reads(
            data=[made[kind] for kind in kinds],
            origin=origin,
            stream=stream,
            rows=feeds.samples[i, slots],
            weight=feeds.weight[i, slots],
            renewed=feeds.renewed[i, slots],
        )
    return reads


def fit_of(reads: Reads, start: np.ndarray, ridge: float) -> Fit:
    """Return the fit of one model, whose centre is sought from ``start`` on, (p,)."""
    share = reads.weight * reads.rows
    share = share / share.sum()
    centre, slope, by_parent = centre_of(reads.data, share, start, ridge)
    return Fit(
        centre=centre,
        slope=slope,
        ridge=ridge,
        share=share,
        gain=-share[:, None, None] * np.linalg.inv(slope),
        data=reads.data,
        by_parent=by_parent,
        origin=reads.origin,
        stream=reads.stream,
        rows=reads.rows,
        renewed=reads.renewed,
    )


def moved(centres: np.ndarray, fits: Fits) -> np.ndarray:
    """Return the centres after a generation, (M, p)."""
    result = centres.copy()
    for i, fit in fits.items():
        result[i] = fit.centre
    return result


def transition_of(fits: Fits, size: int, p: int) -> np.ndarray:
    """Return the derivative of the centres in those of the generation before, (M p, M p)."""
    result = np.zeros((size, p, size, p))
    for i in range(size):
        if i not in fits:
            result[i, :, i] = np.eye(p)
            continue
        fit = fits[i]
        for b in np.flatnonzero(fit.origin < size):
            result[i, :, fit.origin[b]] += fit.gain[b] @ fit.by_parent[b]
    return result.reshape(size * p, size * p)


def settled(
    feeds: Feeds, populations: Populations, centres: np.ndarray, remembers: bool
) -> tuple[np.ndarray, Fits] | None:
    """Return where the centres settle while feeds stay, and the fits there.

    The result is None if they do not settle, or go where integrals cannot be computed.
    ``remembers`` says whether some model keeps something of where it began.

    Notes
    -----
    A generation that moves the centres by r is followed by moves A r, A^2 r, ... to first order, so
    a leap adds their sum over very many generations, by doubling. Close to the end it is exact to
    second order, as a step of Newton's method is. Where models remember, the end depends on the
    way, which is curved, and the path is followed step by step.
    """
    moves: list[float] = []
    patience = PATIENCE + len(centres)
    for _ in range(LATEST):
        try:
            fits = fits_of(feeds, populations, centres)
        except Inapplicable:  # centres that run away are not found any more
            return None
        following = moved(centres, fits)
        if close(following, centres):
            return following, fits
        if not populations.hold(following):
            return None
        moves.append(float(np.abs(following - centres).max()))
        late, before = moves[-patience:], moves[-2 * patience : -patience]
        if len(before) == patience and max(late) >= max(before):
            return None
        total = (following - centres).ravel()
        longest = max(LONGEST_STEP, float(np.abs(following).max()))
        if not remembers:
            for power in squared_powers(transition_of(fits, *centres.shape), DOUBLINGS):
                further = power @ total
                if not np.abs(total + further).max() < longest:  # the end is far away
                    break
                total = total + further
        leap = centres + total.reshape(centres.shape)
        centres = leap if populations.hold(leap) else following
    return None


def close(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether centres differ by no more than those of a path that has settled."""
    return bool(np.abs(first - second).max() < SETTLED * max(1.0, np.abs(first).max()))
