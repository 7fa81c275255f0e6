"""The population path, and the errors around it: real data with truths of their own.

**Path.** As sample counts grow with fixed shares, the estimates of model i tend to a *centre*
mu_{i,t} that need not stay at one truth. It solves the score equation of the populations that i
reads,

    sum_b pi_b S(mu_{i,t}, v_b) = 0 ,      S(m, v) = E_v[grad loss(m; z)] ,

with the share pi_b of sample b in the weight of the fit, and the parameters v_b that b is generated
at: the truth of a real source, or the centre ``mu_{j,t-1}`` of the model j that generates it.

**Errors.** ``theta_{i,t} = mu_{i,t} + xi_{i,t} + o(1 / sqrt(n))``, where xi is normal with mean 0:

    xi_{i,t} = sum_b A_b xi_{j(b),t-1} - J_i^-1 sum_b pi_b g_b(mu_{i,t}) ,
    J_i = sum_b pi_b dS/dm ,
    A_b = -J_i^-1 pi_b dS/dv ,
    Cov(g_b(a), g_b(c)) = Gamma_b(a, c) / n_b ,

with Gamma_b(a, c) the covariance of the scores of readers at a and c of one observation of b. A
reader between two truths fits neither, so scores do not average to 0 sample by sample, and the
noise is larger than that of data at one truth: by terms of the order of the squared distance. A
sample that is read again, such as a real one that is kept, enters with its score *at the centre of
the reader then*. So what is drawn once is a process g_b(.), and its variables are the scores at all
centres that read it.

Proof: expand the score equation of the samples around (mu, v), generation by generation. Given the
past, the fresh part obeys a central limit theorem whose covariance is continuous in the parents'
parameters. Derived here.

Where all truths agree, every centre is the truth, and this is the system of
:mod:`mcjax.laws.first_order.score_equations`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.chains.layout import Feeds, network_arrays, shape_of, tables_of
from mcjax.laws.first_order.linear_system import LinearSystem
from mcjax.laws.first_order.mean_score import Population, mean_score, score_covariance
from mcjax.laws.first_order.score_equations import LARGEST_CONDITION
from mcjax.laws.law import Inapplicable, has_long_run
from mcjax.models.scores import ScoreMoments
from mcjax.study.study import Condition, covariance_root

ITERATIONS, PRECISE = 200, 1e-9
"""Largest number of Newton steps to a centre, and a length below which they end as soon as they no
longer shrink: rounding is all that is left."""
LONGEST_STEP = 2.0
LATEST, SETTLED = 2000, 1e-12
"""Generations that a path may take to settle, and how little it then moves in one."""


@dataclass(frozen=True)
class Path:
    """The centres of a network's models, and the system of the errors around them.

    Attributes
    ----------
    centres : ndarray, shape (T + 1, M, p)
        mu.
    system : LinearSystem
        The system of xi, with one of its own for every generation.
    limit : ndarray, shape (M, p)
        Where the centres settle; nan if they do not.
    late : LinearSystem or None
        The system around the limit, or None.
    """

    centres: Float[np.ndarray, "T M p"]
    system: LinearSystem
    limit: Float[np.ndarray, "M p"]
    late: LinearSystem | None


class _Fit(NamedTuple):
    """The fit of one model in one generation, to B samples."""

    centre: np.ndarray  # (p,)
    gain: np.ndarray  # -J^-1 pi_b, which takes the mean score of sample b to the error, (B, p, p)
    data: list[Population]
    by_parent: np.ndarray  # dS/dv, (B, p, p)
    origin: np.ndarray  # of the samples, (B,)
    stream: np.ndarray
    rows: np.ndarray
    renewed: np.ndarray


Fits = dict[int, _Fit]
"""The fits of one generation by model; a model that reads nothing has none."""


class _Score(NamedTuple):
    """The mean score of the first ``rows`` rows of a sample, read at ``centre``."""

    stream: int
    rows: int
    centre: np.ndarray
    data: Population


def population_path(condition: Condition, generations: int) -> Path:
    """Return the path of a network and the system around it.

    Parameters
    ----------
    condition : Condition
        A condition whose model has ``scores``, and whose fits are of one generation's data.
    generations : int
        T.

    Raises
    ------
    Inapplicable
        If a centre is not found, or a sum of expected Hessians is singular.
    """
    net = condition.network
    distinct = len(net.later.generations)
    arrays = network_arrays(net, shape_of([net], distinct))
    tables = tables_of(arrays)
    first, *later_tables = (tables[table] for table in arrays.order)
    populations = _Populations(condition)
    truths = np.tile(condition.theta, (net.size, 1))
    begun = _fits(first, populations, truths)
    centres = [_moved(truths, begun)]
    later: list[Fits] = []
    for t in range(max(generations, 1)):
        turn = t % distinct if net.later.lasting is None else min(t, distinct - 1)
        still = t > 1 and distinct == 1 and _close(centres[-1], centres[-2])
        fits = later[-1] if still else _fits(later_tables[turn], populations, centres[-1])
        later.append(fits)
        centres.append(_moved(centres[-1], fits))
    *before, last = _systems(condition, begun, later)
    system = replace(last, before=tuple(before))
    limit, late = np.full_like(centres[0], np.nan), None
    if has_long_run(net):
        settled = _settled(later_tables[-1], populations, centres[-1])
        if settled is not None:
            limit, fits = settled
            [late] = _systems(condition, begun, [fits])
    return Path(np.array(centres[: generations + 1]), system, limit, late)


def pooled_path(condition: Condition) -> float | None:
    """Return the MSE of the estimator that fits every real sample of a generation, unweighted.

    Each sample counts once. The result is None if the samples change with time.
    """
    net = condition.network
    if net.later.rows_vary:
        return None
    populations = _Populations(condition)
    samples: dict[int, tuple[Population, int]] = {}
    for feeds in tables_of(network_arrays(net, shape_of([net]))):
        for i, b in np.argwhere((feeds.samples > 0) & (feeds.origin >= net.size)):
            data = populations.of(int(feeds.origin[i, b]), condition.theta[None])
            samples.setdefault(int(feeds.stream[i, b]), (data, int(feeds.samples[i, b])))
    data, rows = zip(*samples.values(), strict=True)
    share = np.array(rows) / sum(rows)
    centre, slope, _ = populations.centre(list(data), share, condition.theta)
    gain = np.linalg.inv(slope)
    offset = centre - condition.theta
    spread = sum(
        weight**2 / count * populations.covariance(centre, centre, kind)
        for weight, count, kind in zip(share, rows, data, strict=True)
    )
    return float(np.trace(gain @ spread @ gain.T) + offset @ offset)


class _Populations:
    """The populations that the samples of a condition are drawn from, and scores of them."""

    def __init__(self, condition: Condition):
        scores, laws = condition.model.scores, condition.sources
        assert scores is not None, "the law has asked"
        self._scores: ScoreMoments = scores
        self._size = condition.network.size
        self._params = condition.model.params
        self._root = covariance_root(condition.covariance)
        scale = condition.model.noise_scale
        self._real = [
            Population(
                theta,
                covariance_root(covariance),
                self._params
                if laws.sigma is None or scale is None
                else self._params | {scale: laws.sigma[s]},
                real=True,
            )
            for s, (theta, covariance) in enumerate(zip(laws.theta, laws.covariance, strict=True))
        ]

    def of(self, origin: int, centres: np.ndarray) -> Population:
        """Return the population of an origin, given the centres of all models, (M, p)."""
        if origin >= self._size:
            return self._real[origin - self._size]
        return Population(centres[origin], self._root, self._params, real=False)

    def covariance(self, first: np.ndarray, second: np.ndarray, data: Population) -> np.ndarray:
        """Return the covariance of the scores of two readers of one observation, (p, p)."""
        return score_covariance(self._scores, first, second, data)

    def centre(
        self, data: list[Population], share: np.ndarray, start: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the centre of a fit, J and ``dS/dv`` there, (p,), (p, p) and (B, p, p)."""
        centre, previous = start, np.inf
        for _ in range(ITERATIONS):
            scores = [mean_score(self._scores, centre, population) for population in data]
            slope = np.einsum("b,bac->ac", share, [score.by_reader for score in scores])
            if not np.linalg.cond(slope) < LARGEST_CONDITION:
                raise Inapplicable("the expected Hessian is singular on the path of the centres")
            step = np.linalg.solve(slope, share @ np.array([score.mean for score in scores]))
            longest = float(np.abs(step).max())
            if longest == 0 or (previous < PRECISE and longest > previous / 2):
                return centre, slope, np.array([score.by_parent for score in scores])
            centre, previous = centre - step * min(1.0, LONGEST_STEP / longest), longest
        raise Inapplicable("Newton's method does not find the centre of the estimates")


def _fits(feeds: Feeds, populations: _Populations, before: np.ndarray) -> Fits:
    """Return the fits of a generation, given the centres of the one before."""
    fits = {}
    for i in range(len(before)):
        slots = np.flatnonzero(feeds.samples[i] > 0)
        if not len(slots):
            continue
        origin, rows = feeds.origin[i, slots], feeds.samples[i, slots]
        share = feeds.weight[i, slots] * rows
        share = share / share.sum()
        data = [populations.of(int(j), before) for j in origin]
        centre, slope, by_parent = populations.centre(data, share, before[i])
        fits[i] = _Fit(
            centre=centre,
            gain=-share[:, None, None] * np.linalg.inv(slope),
            data=data,
            by_parent=by_parent,
            origin=origin,
            stream=feeds.stream[i, slots],
            rows=rows,
            renewed=feeds.renewed[i, slots],
        )
    return fits


def _moved(centres: np.ndarray, fits: Fits) -> np.ndarray:
    """Return the centres after a generation, (M, p)."""
    result = centres.copy()
    for i, fit in fits.items():
        result[i] = fit.centre
    return result


def _settled(
    feeds: Feeds, populations: _Populations, centres: np.ndarray
) -> tuple[np.ndarray, Fits] | None:
    """Return where the centres settle, and the fits there; None if they do not."""
    for _ in range(LATEST):
        fits = _fits(feeds, populations, centres)
        following = _moved(centres, fits)
        if _close(following, centres):
            return following, fits
        centres = following
    return None


def _close(first: np.ndarray, second: np.ndarray) -> bool:
    return bool(np.abs(first - second).max() < SETTLED * max(1.0, np.abs(first).max()))


def _systems(condition: Condition, begun: Fits, later: list[Fits]) -> list[LinearSystem]:
    """Return the systems that lead to the generations of the later fits."""
    net, p = condition.network, len(condition.theta)
    size = net.size
    populations = _Populations(condition)
    scores: list[_Score] = []  # of kept samples, at each centre that reads them
    places: list[dict[tuple[int, int], int]] = []  # by generation, of model and slot in `scores`
    known: dict[tuple[int, int, bytes], int] = {}
    for fits in later:
        places.append({})
        for i, fit in fits.items():
            for b in np.flatnonzero(~fit.renewed):
                score = _Score(int(fit.stream[b]), int(fit.rows[b]), fit.centre, fit.data[b])
                key = score.stream, score.rows, score.centre.tobytes()
                if key not in known:
                    known[key] = len(scores)
                    scores.append(score)
                places[-1][i, int(b)] = known[key]
    drawn = size + len(scores)

    def covariance(a: _Score, b: _Score) -> np.ndarray:
        """Return the covariance of two mean scores of one sample, whose first rows both read."""
        return populations.covariance(a.centre, b.centre, a.data) / max(a.rows, b.rows)

    def noise(fits: Fits, chosen: Callable[[_Fit], np.ndarray]) -> np.ndarray:
        """Return what the scores of chosen samples add to the covariance, (M, p, M, p)."""
        result = np.zeros((size, p, size, p))
        readers: dict[int, list[tuple[int, np.ndarray, _Score]]] = {}
        for i, fit in fits.items():
            for b in np.flatnonzero(chosen(fit)):
                score = _Score(int(fit.stream[b]), int(fit.rows[b]), fit.centre, fit.data[b])
                readers.setdefault(score.stream, []).append((i, fit.gain[b], score))
        for group in readers.values():
            for i, left, a in group:
                for k, right, c in group:
                    if i <= k:
                        block = left @ covariance(a, c) @ right.T
                        result[i, :, k] += block
                        if i < k:
                            result[k, :, i] += block.T
        return result

    initial = np.zeros((drawn, p, drawn, p))
    initial[:size, :, :size] = noise(begun, lambda fit: np.ones(len(fit.rows), bool))
    for place, score in enumerate(scores, size):
        for other, second in enumerate(scores, size):
            if second.stream == score.stream:
                initial[place, :, other] = covariance(score, second)
        for i, fit in begun.items():
            for slot in np.flatnonzero(fit.stream == score.stream):
                first = _Score(score.stream, int(fit.rows[slot]), fit.centre, fit.data[slot])
                cross = fit.gain[slot] @ covariance(first, score)
                initial[i, :, place] += cross
                initial[place, :, i] += cross.T
    systems: list[LinearSystem] = []
    for t, fits in enumerate(later):
        if t and fits is later[t - 1]:
            systems.append(systems[-1])
            continue
        transition = np.zeros((size, p, size, p))
        reuse = np.zeros((size, p, drawn, p))
        for i in range(size):
            if i not in fits:
                transition[i, :, i] = np.eye(p)
                continue
            fit = fits[i]
            for b in np.flatnonzero(fit.origin < size):
                transition[i, :, fit.origin[b]] += fit.gain[b] @ fit.by_parent[b]
            for b in np.flatnonzero(~fit.renewed):
                reuse[i, :, size + places[t][i, int(b)]] += fit.gain[b]
        flat, wide = (size * p, size * p), drawn * p
        systems.append(
            LinearSystem(
                transition=transition.reshape(flat),
                noise=noise(fits, lambda fit: fit.renewed).reshape(flat),
                reuse=reuse.reshape(size * p, wide),
                initial=initial.reshape(wide, wide),
                frozen=np.array([i not in fits for i in range(size)]),
                p=p,
                growth=net.later.exponent,
            )
        )
    return systems
