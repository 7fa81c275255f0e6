"""The samples of one generation: what was drawn, from whom, and who reads it.

A sample that several models read is one sample, because its noise is common to them. A real sample
that is read in several generations was drawn once, and its noise is a constant that is part of the
state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from mcjax.chains.layout import Feeds


class Sample(NamedTuple):
    """Rows that are drawn together.

    Attributes
    ----------
    rows : int
        Their number n.
    origin : int
        Number of a model, or M + s for real source s.
    kept : int or None
        Number of the kept sample that it is, None if it is drawn for this generation alone.
    shares : dict of int to float
        By reader, the share ``pi = w n / sum w n`` of the sample in its fit.
    """

    rows: int
    origin: int
    kept: int | None
    shares: dict[int, float]


def kept_streams(tables: Iterable[Feeds]) -> list[int]:
    """Return the streams of real samples that are read in later generations as well, in order.

    ``tables`` are those of the generations after generation 0.
    """
    kept = [feeds.stream[(feeds.samples > 0) & ~feeds.renewed] for feeds in tables]
    return sorted({int(stream) for streams in kept for stream in streams})


def samples_of(feeds: Feeds, kept: list[int]) -> list[Sample]:
    """Return the samples of one generation; ``kept`` are the streams of kept samples."""
    mass = feeds.weight * feeds.samples
    totals = mass.sum(1)
    samples: dict[int, Sample] = {}
    for i, b in np.argwhere(mass > 0).tolist():
        stream = int(feeds.stream[i, b])
        if stream not in samples:
            place = kept.index(stream) if stream in kept else None
            rows, origin = int(feeds.samples[i, b]), int(feeds.origin[i, b])
            samples[stream] = Sample(rows, origin, place, {})
        samples[stream].shares[i] = float(mass[i, b] / totals[i])
    return list(samples.values())
