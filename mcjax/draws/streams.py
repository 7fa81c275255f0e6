"""Which random numbers belong to which observation.

Every draw is a function of (seed, condition, chain, generation, model, role) and of the position
in its sample, and of nothing else, by three applications of the same hash::

    chain key   = threefry(seed,       (chain, condition))
    stream key  = threefry(chain key,  (generation, stream))     one sample of one feed
    words       = threefry(stream key, (pair of rows, role))     one number for each of two rows

A *stream* names a sample by who made it for whom, not by its place in a table. So adding a feed
leaves the other feeds' data as they were, padding changes nothing, a sample that several models
share is drawn again by each of them instead of being stored, and reused real data are simply
generation 0's.

Where designs are fixed, the covariates of a sample come from a chain key of their own that all
chains share, at generation 0, and so depend on its stream alone; the labels stay as above.

A model that fits a subsample of its past draws the choice from a stream of its own, and so does
an estimator that draws batches or initial values.

A *role* is the purpose of a number within an observation: covariate k is role k; the numbers
behind the label start at ``LABEL``, and those of a sample's sufficient statistics, drawn instead
of its rows, at ``STATISTIC`` (there the pair counts entries, not rows). One call serves rows 2q
and 2q + 1, because the hash makes two words and Box-Muller two normals at a time.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from mcjax.draws.threefry import threefry

LABEL = 1 << 31
STATISTIC = 1 << 30
PUBLIC = 0xFFFF
SELECTION = 0xFFFE
DESIGN = 0xFFFFFFFF
"""The chain number of fixed designs, above that of any chain."""


def private_stream(reader: int, origin: int) -> int:
    """The sample that model ``origin`` draws for model ``reader`` alone."""
    return reader << 16 | origin


def published_stream(origin: int) -> int:
    """The one sample a generation that model ``origin`` publishes for all its readers."""
    return PUBLIC << 16 | origin


def real_stream(reader: int) -> int:
    """The real data of model ``reader``."""
    return reader << 16 | PUBLIC


def source_stream(source: int, reader: int | None = None) -> int:
    """The sample of a further real source, numbered from 1, for one model, or for all in public.

    Its place among origins is counted down from that of selections, which no model reaches in a
    network of fewer than 65,535 models and sources.
    """
    return (PUBLIC if reader is None else reader) << 16 | SELECTION - source


def selection_stream(reader: Any) -> Any:
    """Which rows of its pool model ``reader`` fits, where it fits a subsample."""
    return reader << 16 | SELECTION


def fitting_stream(reader: Any) -> Any:
    """Return the stream of the random numbers that the estimator of model ``reader`` uses.

    Its upper half is the number of no model: there are fewer than 65,535 of them.
    """
    return SELECTION << 16 | reader


def condition_word(label: str) -> int:
    """32 bits that stand for a condition, from its label; the empty label is 0."""
    return int.from_bytes(hashlib.sha256(label.encode()).digest()[:4], "big") if label else 0


def chain_keys(seed: int, condition: int, chains: np.ndarray) -> np.ndarray:
    """Keys of the given chains.

    Parameters
    ----------
    seed: any whole number from 0 to 2**64 - 1.
    condition: a 32-bit word, see :func:`condition_word`.
    chains: chain numbers, shape (C,), each below 2**32.

    Returns
    -------
    uint32 array, shape (C, 2).
    """
    word = np.full(len(chains), condition, np.uint32)
    low = np.full(len(chains), seed & 0xFFFFFFFF, np.uint32)
    high = np.full(len(chains), seed >> 32, np.uint32)
    return np.stack(threefry((low, high), (chains.astype(np.uint32), word)), axis=-1)


def design_key(seed: int, condition: int) -> np.ndarray:
    """The key of a condition's fixed designs, uint32 of shape (2,)."""
    return chain_keys(seed, condition, np.array([DESIGN]))[0]


def row_words(key: Any, pairs: Any, role: Any) -> tuple[Any, Any]:
    """The words of rows 2q and 2q + 1 for one role.

    Parameters
    ----------
    key: stream keys, shape (..., 2); pairs: q, shape (...); role: broadcasts against them.
    """
    return threefry(key, (pairs, role))
