"""Conditions to which the exact laws of least squares apply."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from mcjax.laws.law import STOPS, Reason, altered
from mcjax.network.feed import REAL
from mcjax.network.network import Network
from mcjax.numbers import how_many
from mcjax.solvers.conditioning import condition_number
from mcjax.study.study import Condition

if TYPE_CHECKING:
    from jaxtyping import Float

WEIGHTED = "a model's feeds have different weights; the closed form needs equal ones"
POOLED = "fits use data of several generations; the closed form is for one generation's data"
SHARED = "two models read one published sample; the closed form needs samples with one reader"
REUSED = (
    "real data are reused: their design is the same in every generation, so errors depend on it"
    " for ever and generations are not independent given the last"
)
SOURCES = "there are several real sources, and the law is for one"
OWN_COVARIATES = (
    "a source has covariates of its own; the closed form needs one distribution for all"
)
FIXED = "designs are fixed, and the law averages over random ones"


def not_least_squares(condition: Condition) -> Reason | None:
    """Return why fits are not least squares with finite noise and regular covariates, or None."""
    model = condition.model
    if model.covariates != 0 and not condition.minimises:
        return STOPS
    if model.shrinkage:
        return Reason("exact laws are for fits without a penalty")
    if model.least_squares is None:
        return Reason(
            f"exact laws are for least squares, which {model.name} is not",
            obvious=model.covariates == 0,
        )
    reads = altered(condition)
    if reads is not None:
        return reads
    if not np.isfinite(model.least_squares.variances(model.params)).all():
        return Reason("the noise has no finite variance")
    if not condition_number(condition.covariance) < 1e12:
        return Reason("the covariates do not determine every parameter (low rank)")
    return None


def few_rows(net: Network, p: int, more: int) -> Reason | None:
    """Return which model has a fit of no more than ``p + more`` rows, or None."""
    for i, (name, first) in enumerate(zip(net.models, net.initial, strict=True)):
        later = [sum(feed.samples for feed in table[i]) for table in net.tables if table[i]]
        counts = [first, *later]
        if min(counts) <= p + more:
            return Reason(
                f"model {name!r} fits {how_many(min(counts), 'row')}; second moments need more than"
                f" p + {more} = {p + more}"
            )
    return None


def unusual_feeds(net: Network) -> str:
    """Return why designs are not independent and evenly weighted, or an empty string.

    Reasons are weights, samples with several readers, reused real data and memory.
    """
    if not net.memory.current_only:
        return POOLED
    fits = [feeds for table in (net.first_by_reader, *net.tables) for feeds in table]
    if any(len({feed.weight for feed in feeds}) > 1 for feeds in fits):
        return WEIGHTED
    public = {source.name for source in net.sources if source.public}
    shared = public | set(net.models if net.shares_draws else ())
    for feeds in (net.first, *(generation.feeds for generation in net.later.generations)):
        readers = Counter(feed.origin for feed in feeds if feed.origin in shared)
        if max(readers.values(), default=0) > 1:
            return SHARED
    if any(f.origin in net.source_index and not net.renews(f.origin) for f in net.later.feeds):
        return REUSED
    if any(source.covariance is not None for source in net.sources):
        return OWN_COVARIATES
    return ""


def reuses_plain(net: Network) -> bool:
    """Return whether models read their generation-0 sample of the only real source again."""
    reads = any(feed.origin == REAL for feed in net.later.feeds)
    return net.plain and net.reuses_real and reads


def label_variances(condition: Condition) -> tuple[float, float]:
    """Return the variances of the noise in synthetic and in real labels of least squares."""
    model = condition.model
    assert model.least_squares is not None  # see not_least_squares
    synthetic, real = model.least_squares.variances(model.params)
    return synthetic, real


def source_variances(condition: Condition) -> Float[np.ndarray, " S"]:
    """Return the variances of the noise in the labels of the S real sources, shape (S,)."""
    model, sigma = condition.model, condition.sources.sigma
    if sigma is None:
        return np.full(len(condition.sources.theta), label_variances(condition)[1])
    assert model.least_squares is not None  # see not_least_squares
    assert model.noise_scale is not None
    variances = model.least_squares.variances
    return np.array([variances(model.params | {model.noise_scale: s})[1] for s in sigma])
