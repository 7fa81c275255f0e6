"""Errors around the population path.

``theta_{i,t} = mu_{i,t} + xi_{i,t} + o(1 / sqrt(n))``, where xi is normal with mean 0:

    xi_{i,t} = sum_b A_b xi_{j(b),t-1} - J_i^-1 sum_b pi_b g_b(mu_{i,t}) ,
    J_i = sum_b pi_b dS/dm + ridge I ,
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

Where all truths agree and nothing is penalised, every centre is the truth, and this is the system
of :mod:`mcjax.laws.first_order.score_equations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.chains.layout import network_arrays, shape_of, tables_of
from mcjax.laws.collapse.origins import collapse_origins
from mcjax.laws.first_order.linear_system import LinearSystem, covariances
from mcjax.laws.first_order.population import Population
from mcjax.laws.first_order.population_path import (
    Fit,
    Fits,
    Populations,
    Reads,
    close,
    fits_of,
    flatness,
    moved,
    settled,
    transition_of,
)
from mcjax.laws.first_order.spectral_growth import spectral_growth
from mcjax.laws.law import Inapplicable, has_long_run
from mcjax.network.network import Network
from mcjax.study.study import Condition

DIES = 1e-9
"""Variance that noise adds in a generation, relative to that of generation 0, that is none."""


@dataclass(frozen=True)
class Path:
    """The centres of a network's models, and the system of the errors around them.

    Attributes
    ----------
    centres : ndarray, shape (T + 1, M, p)
        mu.
    system : LinearSystem or None
        The system of xi, with one of its own for every generation; None where data accumulate.
    covariance : ndarray, shape (T + 1, M p, M p)
        Covariance of xi.
    flat : callable
        Returns :attr:`flatness`, which takes longer than all else.
    clearance : float
        Smallest number of standard deviations between a centre and a jump of what readers keep of
        its data, in any generation; infinite if nothing jumps.
    rows : float
        Expected number of rows of the smallest fit, in any generation.
    effective : float
        Expected number of effective rows, of the fit that has fewest.
    limit : ndarray, shape (M, p)
        Where the centres settle; nan if they do not.
    late : LinearSystem or None
        The system around the limit, or None.
    fits : tuple of dict
        The fits of generations 0 to T, by model; empty where data accumulate.
    end : dict or None
        The fits at the limit, or None.
    """

    centres: Float[np.ndarray, "T+1 M p"]
    system: LinearSystem | None
    covariance: Float[np.ndarray, "T+1 M*p M*p"]
    flat: Callable[[], Float[np.ndarray, "T+1 M"]]
    clearance: float
    rows: float
    effective: float
    limit: Float[np.ndarray, "M p"]
    late: LinearSystem | None
    fits: tuple[Fits, ...] = ()
    end: Fits | None = None

    @cached_property
    def flatness(self) -> Float[np.ndarray, "T+1 M"]:
        """How much the mean of J over the spread of the estimates differs from J, relative to J.

        It is the most of any generation so far: what the law neglects where truths are far apart.
        """
        return self.flat()


def growth_at_end(path: Path, net: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return the slopes of variances around the limit, and which models settle, both (M,).

    Slopes are as in :func:`mcjax.laws.first_order.spectral_growth.spectral_growth`. A model also
    settles if the noise dies out on the way to the limit, as where readers keep the best of several
    rows.
    """
    assert path.late is not None, "the centres settle"
    slopes, settles = spectral_growth(path.late, net)
    with np.errstate(invalid="ignore"):
        settles = settles | (slopes <= DIES * np.trace(path.covariance[0]))
    return np.where(settles, np.nan, slopes), settles


class SampleScore(NamedTuple):
    """The mean score of the first ``rows`` rows of a sample, read at ``centre``."""

    stream: int
    rows: int
    centre: np.ndarray
    data: Population


def covariance_of(first: SampleScore, second: SampleScore) -> Float[np.ndarray, "p p"]:
    """Return the covariance of two mean scores of one sample, whose first rows both read.

    Raises
    ------
    Inapplicable
        If it is not finite.
    """
    result = first.data.covariance(first.centre, second.centre)
    if not np.isfinite(result).all():
        raise Inapplicable(
            "the score has no finite covariance (noise too heavy-tailed, or theta too large)"
        )
    return result / max(first.rows, second.rows)


def path_of(condition: Condition, generations: int) -> Path:
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
    populations = Populations(condition)
    truths = np.tile(condition.theta, (net.size, 1))
    begun = fits_of(first, populations, truths)
    centres = [moved(truths, begun)]
    later: list[Fits] = []
    for t in range(max(generations, 1)):
        still = t > 1 and distinct == 1 and close(centres[-1], centres[-2])
        feeds = later_tables[net.later.place(t + 1)]
        fits = later[-1] if still else fits_of(feeds, populations, centres[-1])
        later.append(fits)
        centres.append(moved(centres[-1], fits))
    *before, last = _systems(begun, later)
    system = replace(last, before=tuple(before))
    limit, late, last_fits = np.full_like(centres[0], np.nan), None, None
    if has_long_run(net):
        remembers = populations.ridge == 0 and bool(collapse_origins(net))
        end = settled(later_tables[-1], populations, centres[-1], remembers)
        if end is not None:
            limit, last_fits = end
            late = system_around(begun, last_fits)
    covariance = covariances(system, generations)
    return Path(
        centres=np.array(centres[: generations + 1]),
        system=system,
        covariance=covariance,
        flat=partial(flatness_on_path, [begun, *later[:generations]], covariance),
        clearance=clearance_on_path(later[:generations], covariance),
        rows=rows_on_path([begun, *later[:generations]]),
        effective=effective_on_path([begun, *later[:generations]]),
        limit=limit,
        late=late,
        fits=(begun, *later[:generations]),
        end=last_fits,
    )


def clearance_on_path(later: Sequence[Mapping[int, Fit | Reads]], covariance: np.ndarray) -> float:
    """Return the clearance of a path; ``later`` is what models read in generations 1 to T."""
    least = np.inf
    for before, generation in zip(covariance, later, strict=False):
        for read in generation.values():
            for origin, data in zip(read.origin, read.data, strict=True):
                p = len(data.origin.theta)
                if origin * p >= len(before):  # a real source
                    continue
                block = before[origin * p : (origin + 1) * p, origin * p : (origin + 1) * p]
                for function, distance in data.jumps():
                    deviation = np.sqrt(max(float(function @ block @ function), 0.0))
                    if distance < least * deviation:
                        least = distance / deviation
    return float(least)


def rows_on_path(fits: Sequence[Fits]) -> float:
    """Return the expected number of rows of the smallest fit."""
    return min(
        sum(n * data.kept for n, data in zip(fit.rows, fit.data, strict=True))
        for generation in fits
        for fit in generation.values()
    )


def effective_on_path(fits: Sequence[Fits]) -> float:
    """Return the expected number of effective rows of the fit that has fewest.

    See :func:`mcjax.laws.first_order.rule_of_thumb.effective_rows`.
    """
    effective = []
    for generation in fits:
        for fit in generation.values():
            kept = np.array([data.kept for data in fit.data])
            squares = (fit.share**2 * kept / fit.rows).sum()
            effective.append(float((fit.share * kept).sum() ** 2 / squares))
    return min(effective)


def flatness_on_path(fits: Sequence[Fits], covariance: np.ndarray) -> np.ndarray:
    """Return the flatness of a path, (T + 1, M)."""
    size, p = len(fits[0]), len(fits[0][0].centre)  # every model is fitted at generation 0
    blocks = covariance.reshape(len(covariance), size, p, size, p)
    result = np.zeros((len(fits), size))
    for t, generation in enumerate(fits):
        for i, fit in generation.items():
            block = blocks[t, i, :, i]
            if t and fit is fits[t - 1].get(i) and np.array_equal(block, blocks[t - 1, i, :, i]):
                result[t, i] = result[t - 1, i]
            else:
                result[t, i] = flatness(fit.centre, fit.slope, fit.change_of_slope, block)
    return np.maximum.accumulate(result)


def system_around(begun: Fits, fits: Fits) -> LinearSystem:
    """Return the system of errors where every generation after generation 0 has the same fits."""
    [system] = _systems(begun, [fits])
    return system


def _systems(begun: Fits, later: list[Fits]) -> list[LinearSystem]:
    """Return the systems that lead to the generations of the later fits."""
    size, p = len(begun), len(begun[0].centre)  # every model is fitted at generation 0
    scores: list[SampleScore] = []  # of kept samples, at each centre that reads them
    places: list[dict[tuple[int, int], int]] = []  # by generation, of model and slot in `scores`
    known: dict[tuple[int, int, bytes], int] = {}
    for fits in later:
        places.append({})
        for i, fit in fits.items():
            for b in np.flatnonzero(~fit.renewed):
                score = SampleScore(int(fit.stream[b]), int(fit.rows[b]), fit.centre, fit.data[b])
                key = score.stream, score.rows, score.centre.tobytes()
                if key not in known:
                    known[key] = len(scores)
                    scores.append(score)
                places[-1][i, int(b)] = known[key]
    drawn = size + len(scores)

    def noise(fits: Fits, chosen: Callable[[Fit], np.ndarray]) -> np.ndarray:
        """Return what the scores of chosen samples add to the covariance, (M, p, M, p)."""
        result = np.zeros((size, p, size, p))
        readers: dict[int, list[tuple[int, np.ndarray, SampleScore]]] = {}
        for i, fit in fits.items():
            for b in np.flatnonzero(chosen(fit)):
                score = SampleScore(int(fit.stream[b]), int(fit.rows[b]), fit.centre, fit.data[b])
                readers.setdefault(score.stream, []).append((i, fit.gain[b], score))
        for group in readers.values():
            for i, left, a in group:
                for k, right, c in group:
                    if i <= k:
                        block = left @ covariance_of(a, c) @ right.T
                        result[i, :, k] += block
                        if i < k:
                            result[k, :, i] += block.T
        return result

    initial = np.zeros((drawn, p, drawn, p))
    initial[:size, :, :size] = noise(begun, lambda fit: np.ones(len(fit.rows), bool))
    for place, score in enumerate(scores, size):
        for other, second in enumerate(scores[: place - size + 1], size):
            if second.stream == score.stream:
                initial[place, :, other] = covariance_of(score, second)
                initial[other, :, place] = initial[place, :, other].T
        for i, fit in begun.items():
            for slot in np.flatnonzero(fit.stream == score.stream):
                first = SampleScore(score.stream, int(fit.rows[slot]), fit.centre, fit.data[slot])
                cross = fit.gain[slot] @ covariance_of(first, score)
                initial[i, :, place] += cross
                initial[place, :, i] += cross.T
    systems: list[LinearSystem] = []
    for t, fits in enumerate(later):
        if t and fits is later[t - 1]:
            systems.append(systems[-1])
            continue
        reuse = np.zeros((size, p, drawn, p))
        for i, fit in fits.items():
            for b in np.flatnonzero(~fit.renewed):
                reuse[i, :, size + places[t][i, int(b)]] += fit.gain[b]
        flat, wide = (size * p, size * p), drawn * p
        systems.append(
            LinearSystem(
                transition=transition_of(fits, size, p),
                noise=noise(fits, lambda fit: fit.renewed).reshape(flat),
                reuse=reuse.reshape(size * p, wide),
                initial=initial.reshape(wide, wide),
                frozen=np.array([i not in fits for i in range(size)]),
                p=p,
            )
        )
    return systems
