"""Errors around the population path where data accumulate.

Model i fits at generation t every sample e that it was ever fed, the first of them at generation 0.
A sample is drawn once, at its *birth*, and read again in every later fit. So with v_e the centre of
its parent j(e) before its birth b(e), or the truth of a real source, the centre solves

    sum_e pi_{it,e} S_e(mu_{i,t}, v_e) + ridge mu_{i,t} = 0 ,

where the shares pi of old samples decrease as others are added. To first order, in the notation of
:mod:`mcjax.laws.first_order.path_system`,

    xi_{i,t} = sum_e A_{it,e} xi_{j(e),b(e)-1} + r_{i,t} ,
    r_{i,t} = -J_{it}^-1 sum_e pi_{it,e} g_e(mu_{i,t}) .

What is drawn once is a process g_e(.), read at the centre of its reader *at the time*. The errors
of a parent enter as they were before the birth, however late the sample is read. The proof is that
of the path of models that forget, by induction over generations: nothing in it asks a sample to be
fresh.

With all generations and models in one vector this is ``xi = A xi + r``, where A is strictly lower
triangular by blocks, and I for a model that reads nothing in a generation and keeps its estimate.
Hence

    Cov(xi) = (I - A)^-1 K (I - A)^-T ,
    K_{it,ks} = sum_e J_{it}^-1 pi_{it,e} Gamma_e(mu_{i,t}, mu_{k,s}) pi_{ks,e} J_{ks}^-T / n_e ,

over the samples e that both fits read. Derived here. Where all truths agree and nothing is
penalised, it is the law of :mod:`mcjax.laws.first_order.accumulation`.

**Long run.** The share of one generation vanishes, so no network collapses. Once the centres have
settled, the mean of all generations is that of the last ones, and a centre is where a model that
forgets would settle. Its error has no noise any more: what remains are the constants that frozen
models contribute. Models that live on their own output keep a share of where they began, and their
end depends on the whole path; then no limit is given.

**Cost.** A sample that is read T times has T^2 / 2 covariances, so that T generations take of the
order of T^3 operations, and the integrals of :mod:`mcjax.laws.first_order.predictor_population`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from mcjax.chains.layout import Feeds, network_arrays, shape_of, tables_of
from mcjax.laws.collapse.origins import collapse_origins
from mcjax.laws.first_order.linear_system import LinearSystem
from mcjax.laws.first_order.path_system import (
    Path,
    SampleScore,
    clearance_on_path,
    covariance_of,
    effective_on_path,
    flatness_on_path,
    rows_on_path,
    system_around,
)
from mcjax.laws.first_order.population_path import (
    Fit,
    Fits,
    Populations,
    Reads,
    fit_of,
    moved,
    reads_of,
    settled,
)
from mcjax.laws.law import has_long_run
from mcjax.network.memory import Replace
from mcjax.network.network import Network
from mcjax.study.study import Condition


class _Pool(NamedTuple):
    """All samples that a model was fed, in the order of birth."""

    reads: Reads
    born: np.ndarray  # (B,)

    def with_generation(self, t: int, new: Reads) -> _Pool:
        """Return the pool with the samples of generation t."""
        old = self.reads
        return _Pool(
            Reads(
                data=old.data + new.data,
                origin=np.append(old.origin, new.origin),
                stream=np.append(old.stream, new.stream),
                rows=np.append(old.rows, new.rows),
                weight=np.append(old.weight, new.weight),
                renewed=np.append(old.renewed, new.renewed),
            ),
            np.append(self.born, np.full(len(new.data), t)),
        )


class _PoolFit(NamedTuple):
    """The fit of a model to its pool; ``place`` is that of model and generation among all."""

    place: int
    fit: Fit
    born: np.ndarray  # (B,)


class _Reading(NamedTuple):
    """One sample in one fit, and the gain from its mean score to the error, (p, p)."""

    place: int
    gain: np.ndarray
    score: SampleScore


def path_of_pools(condition: Condition, generations: int) -> Path:
    """Return the path of a network whose data accumulate, and the errors around it.

    Parameters
    ----------
    condition : Condition
        A condition whose model has ``scores``.
    generations : int
        T.

    Raises
    ------
    Inapplicable
        If a centre is not found, or a sum of expected Hessians is singular.
    """
    net, populations = condition.network, Populations(condition)
    size, p = net.size, len(condition.theta)
    centres = [np.tile(condition.theta, (size, 1))]
    pools: dict[int, _Pool] = {}
    path: list[Fits] = []
    news: list[dict[int, Reads]] = []
    fits: list[_PoolFit] = []
    for t, feeds in enumerate(_feeds_by_generation(net, generations)):
        new = reads_of(feeds, populations, centres[-1])
        news.append(new)
        for i, reads in new.items():
            first = _Pool(reads, np.zeros(len(reads.data), int))
            pools[i] = pools[i].with_generation(t, reads) if t else first
        path.append({i: fit_of(pools[i].reads, centres[-1][i], populations.ridge) for i in new})
        fits += [_PoolFit(t * size + i, fit, pools[i].born) for i, fit in path[-1].items()]
        centres.append(moved(centres[-1], path[-1]))
    places = len(path) * size
    errors = _inherited(fits, places, size, p)
    covariance = _blocks(errors @ _noise(fits, places, p) @ errors.T, size * p)
    limit, late = _end(net, populations, centres[-1], path[0])
    return Path(
        centres=np.array(centres[1:]),
        system=None,
        covariance=covariance,
        flat=partial(flatness_on_path, path, covariance),
        clearance=clearance_on_path(news[1:], covariance),
        rows=rows_on_path(path),
        effective=effective_on_path(path),
        limit=limit,
        late=late,
    )


def _feeds_by_generation(net: Network, generations: int) -> list[Feeds]:
    """Return the feeds of generations 0 to T."""
    arrays = network_arrays(net, shape_of([net], max(generations, 1)))
    tables = tables_of(arrays)
    return [tables[table] for table in arrays.order[: generations + 1]]


def _inherited(fits: list[_PoolFit], places: int, size: int, p: int) -> np.ndarray:
    """Return ``(I - A)^-1``, for all generations and models at once."""
    matrix = np.zeros((places, p, places, p))
    still = np.setdiff1d(np.arange(places), [fit.place for fit in fits])
    matrix[still, :, still - size] = np.eye(p)  # models keep their estimates
    for place, fit, born in fits:
        for b in np.flatnonzero(fit.origin < size):
            parent = (born[b] - 1) * size + fit.origin[b]
            matrix[place, :, parent] += fit.gain[b] @ fit.by_parent[b]
    one = np.eye(places * p)
    return solve_triangular(one - matrix.reshape(one.shape), one, lower=True, unit_diagonal=True)


def _noise(fits: list[_PoolFit], places: int, p: int) -> np.ndarray:
    """Return K, the covariance of what the scores of samples add to errors."""
    readings: dict[tuple[int, int], list[_Reading]] = {}
    for place, fit, born in fits:
        for b in range(len(born)):
            score = SampleScore(int(fit.stream[b]), int(fit.rows[b]), fit.centre, fit.data[b])
            sample = readings.setdefault((score.stream, int(born[b])), [])
            sample.append(_Reading(place, fit.gain[b], score))
    result = np.zeros((places, p, places, p))
    for sample in readings.values():
        for k, first in enumerate(sample):
            for second in sample[: k + 1]:
                spread = covariance_of(first.score, second.score)
                block = first.gain @ spread @ second.gain.T
                result[first.place, :, second.place] += block
                if second is not first:
                    result[second.place, :, first.place] += block.T
    return result.reshape(places * p, places * p)


def _blocks(covariance: np.ndarray, width: int) -> np.ndarray:
    """Return the blocks on the diagonal, (T + 1, width, width)."""
    times = len(covariance) // width
    return np.einsum("tatb->tab", covariance.reshape(times, width, times, width))


def _end(
    net: Network, populations: Populations, centres: np.ndarray, begun: Fits
) -> tuple[np.ndarray, LinearSystem | None]:
    """Return where centres settle, and the system of what remains of the errors.

    They are nan and None if that is not known.
    """
    unknown = np.full_like(centres, np.nan), None
    forgetful = replace(net, memory=Replace())
    if not has_long_run(net) or (populations.ridge == 0 and collapse_origins(forgetful)):
        return unknown
    feeds = _feeds_by_generation(net, len(net.later.generations))[-1]
    end = settled(feeds, populations, centres, remembers=False)
    if end is None:
        return unknown
    late = system_around(begun, end[1])
    return end[0], replace(late, noise=np.zeros_like(late.noise))
