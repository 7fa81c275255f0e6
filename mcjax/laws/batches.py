"""The linear system of any network, batch by batch: real sources, public and reused samples.

A fit is ``K_i e_i = sum_b (C_b (e_{parent(b)} + delta_b) + w_b U_b)``, with ``C_b`` the weighted
curvature of batch b, ``K_i = sum_b C_b``, U_b the score of its sample at its own truth, and
``delta_b`` the truth of its real source less theta* (0 of a model's batch, and then e of the real
parent is 0). For designs given, ``C_b = w_b X_b'X_b`` and ``U_b = X_b' eps_b``, and this is exact
(:mod:`mcjax.laws.fixed_design`). To first order ``C_b = w_b n_b H_b`` and ``Cov(U_b) = n_b V_b``
(:mod:`mcjax.laws.system`), at truths of distance O(1 / sqrt(n)).

Two batches of one stream are one sample and have one U. So stacked

    e_t = A e_{t-1} + R xi + q + noise_t ,

where xi is all that is drawn once: the generation-0 errors, and then the score of each sample that
is used again; ``q_i = K_i^-1 sum_b C_b delta_b`` is the push of truths that differ. Derived here.

Nothing explodes to first order: all batches of models have one H, so with c_i their weight in model
i and what real sources add positive semi-definite, ``K_i - c_i H`` is so too, and in the metric of
H the blocks of a row of A have norms that sum to at most 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mcjax.chains.layout import Feeds, NetworkArrays, network_arrays, shape_of
from mcjax.laws.system import LARGEST_CONDITION, LinearSystem, check_regular, linear_system
from mcjax.models.information import Information
from mcjax.network.network import Network


class Batches(NamedTuple):
    """Of every feed slot of a generation, B slots.

    Attributes
    ----------
    curvature: C_b, (M, B, p, p), zero in empty slots. score: ``Cov(U_b)``, (M, B, p, p).
    """

    curvature: np.ndarray
    score: np.ndarray


def system_of(
    net: Network, information: Information, offsets: np.ndarray | None = None
) -> LinearSystem:
    """The first-order law of a network.

    Parameters
    ----------
    offsets: truths of the real sources less theta*, (S, p); None if there is one truth.

    Raises
    ------
    InputError: as :func:`mcjax.laws.system.linear_system`.
    """
    if net.plain:
        return linear_system(net, information)
    return batch_system(*_first_order(net, information, offsets))


def pooled_first_order(
    net: Network, information: Information, offsets: np.ndarray | None = None
) -> float | None:
    """:func:`pooled_mse` to first order."""
    return pooled_mse(*_first_order(net, information, offsets))


def _first_order(
    net: Network, information: Information, offsets: np.ndarray | None
) -> tuple[NetworkArrays, Callable[[Feeds], Batches], np.ndarray]:
    arrays = network_arrays(net, shape_of([net]))
    own = information.sources or (information.real,) * len(net.sources)
    kinds = [information.synthetic] * net.size + [information.real, *own]
    hessians = np.array([kind.hessian for kind in kinds], float)
    scores = np.array([kind.score_covariance for kind in kinds], float)

    def batches(feeds: Feeds) -> Batches:
        counts = feeds.samples[..., None, None].astype(float)
        weighted = feeds.weight[..., None, None] * counts * hessians[feeds.origin]
        reads = np.flatnonzero((feeds.samples > 0).any(1))
        check_regular(weighted.sum(1)[reads], [f"model {net.models[i]!r}" for i in reads])
        return Batches(weighted, counts * scores[feeds.origin])

    truths = np.zeros((1 + len(net.sources), hessians.shape[-1])) if offsets is None else offsets
    return arrays, batches, truths


def batch_system(
    arrays: NetworkArrays, batches: Callable[[Feeds], Batches], offsets: np.ndarray
) -> LinearSystem:
    """The system of a network without padding.

    Parameters
    ----------
    batches: of the feeds of a generation; their K_i must be regular, of models that read.
    offsets: delta of the real sources, (S, p).
    """
    first = batches(arrays.initial)
    if arrays.schedule is None:
        return _system(arrays, first, batches(arrays.feeds), offsets)
    *before, last = (
        _system(arrays._replace(feeds=feeds), first, batches(feeds), offsets)
        for feeds in (arrays.feeds._replace(weight=weight) for weight in arrays.schedule)
    )
    return replace(last, before=tuple(before))


def pooled_mse(
    arrays: NetworkArrays, batches: Callable[[Feeds], Batches], offsets: np.ndarray
) -> float | None:
    """MSE of the estimator that holds every real sample of a generation, each once and unweighted;
    None if they do not determine all parameters."""
    size, p = len(arrays.frozen), offsets.shape[1]
    seen: set[int] = set()
    total, spread, pull = np.zeros((p, p)), np.zeros((p, p)), np.zeros(p)
    for feeds in (arrays.initial, arrays.feeds):
        even = feeds._replace(weight=np.ones_like(feeds.weight))
        found = batches(even)
        for stream, [(i, b), *_] in _by_stream(feeds).items():
            if feeds.origin[i, b] < size or stream in seen:
                continue
            seen.add(stream)
            total += found.curvature[i, b]
            spread += found.score[i, b]
            pull += found.curvature[i, b] @ offsets[feeds.origin[i, b] - size]
    if not np.linalg.cond(total) < LARGEST_CONDITION:
        return None
    inverse = np.linalg.inv(total)
    mean = inverse @ pull
    return float(np.trace(inverse @ spread @ inverse) + mean @ mean)


def _system(
    arrays: NetworkArrays, first: Batches, later: Batches, offsets: np.ndarray
) -> LinearSystem:
    """The system while weights stay; batches of generation 0 and of later ones."""
    frozen = np.asarray(arrays.frozen)
    size, p = len(frozen), offsets.shape[1]
    start = np.linalg.inv(first.curvature.sum(1))
    total = later.curvature.sum(1)
    total[frozen] = np.eye(p)
    inverse = np.linalg.inv(total)
    begun, fed = _by_stream(arrays.initial), _by_stream(arrays.feeds)
    again = [stream for stream, places in fed.items() if not arrays.feeds.renewed[places[0]]]

    drawn = size + len(again)
    transition, noise = (np.zeros((size, p, size, p)) for _ in range(2))
    reuse, initial = np.zeros((size, p, drawn, p)), np.zeros((drawn, p, drawn, p))
    push, begin = np.zeros((size, p)), np.zeros((size, p))
    for places in begun.values():
        for i, b in places:
            offset = offsets[arrays.initial.origin[i, b] - size]
            begin[i] += start[i] @ first.curvature[i, b] @ offset
            gain = arrays.initial.weight[i, b] * start[i] @ first.score[i, b]
            for k, c in places:
                initial[i, :, k] += arrays.initial.weight[k, c] * gain @ start[k]
    for i, b in np.argwhere(arrays.feeds.samples > 0):
        origin, gain = arrays.feeds.origin[i, b], inverse[i] @ later.curvature[i, b]
        if origin < size:
            transition[i, :, origin] += gain
        else:
            push[i] += gain @ offsets[origin - size]
    for stream, places in fed.items():
        if stream in again:
            place = size + again.index(stream)
            i, b = places[0]
            initial[place, :, place] = later.score[i, b]
            for i, b in places:
                reuse[i, :, place] = arrays.feeds.weight[i, b] * inverse[i]
            for i, b in begun.get(stream, []):
                cross = arrays.initial.weight[i, b] * start[i] @ first.score[i, b]
                initial[i, :, place], initial[place, :, i] = cross, cross.T
            continue
        for i, b in places:
            gain = arrays.feeds.weight[i, b] * inverse[i] @ later.score[i, b]
            for k, c in places:
                noise[i, :, k] += arrays.feeds.weight[k, c] * gain @ inverse[k]
    for i in np.flatnonzero(frozen).tolist():
        transition[i, :, i] = np.eye(p)
    flat, once = size * p, drawn * p
    return LinearSystem(
        transition=transition.reshape(flat, flat),
        noise=noise.reshape(flat, flat),
        reuse=reuse.reshape(flat, once),
        initial=initial.reshape(once, once),
        frozen=frozen,
        p=p,
        push=push.ravel(),
        start=begin.ravel(),
    )


def _by_stream(feeds: Feeds) -> dict[int, list[tuple[int, int]]]:
    """Slots of each sample."""
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for i, b in np.argwhere(feeds.samples > 0):
        found[int(feeds.stream[i, b])].append((int(i), int(b)))
    return dict(found)
