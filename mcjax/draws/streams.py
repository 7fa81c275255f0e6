"""Assignment of random numbers to observations.

Every draw is a function of (seed, condition, chain, generation, model, role) and of its position in
the sample, and of nothing else. The same hash is applied three times::

    chain key   = threefry(seed,       (chain, condition))
    stream key  = threefry(chain key,  (generation, stream))     one sample of one feed
    words       = threefry(stream key, (pair of rows, role))     one number for each of two rows

A *stream* identifies a sample by which model generated it for which reader, not by its place in a
table. Hence adding a feed leaves the data of all other feeds unchanged, and padding changes
nothing. A sample that several models share is drawn again by each of them instead of being stored,
and reused real data are those of generation 0.

With a fixed design, the covariates of a sample come from a separate chain key that all chains
share, at generation 0, so they depend on the stream alone. Labels are drawn as above.

A model that fits a subsample of its past draws the choice of rows from a separate stream, as does
an estimator that draws batches or initial values.

Where networks are drawn at random, those of a chain come from a stream of their own. Those that all
chains have in common have the chain key of fixed designs.

A *role* is the purpose of a number within an observation. Covariate k has role k. The numbers
behind a label have roles from ``LABEL`` on, those of sufficient statistics (drawn instead of rows)
from ``STATISTIC`` on; there the pair counts entries, not rows. One call serves rows 2q and 2q + 1,
because the hash makes two words at a time and Box-Muller two normals.

Where a reader keeps a selection of what a model generates, further attempts at the rows have stream
keys of their own, the first one hashed with (attempt, ``ATTEMPT``). Feeds of one stream that differ
in their selections are different samples: those after the first have the chain key hashed with
(their number, ``COPY``).

Laws that measure fits of one generation have keys of their own, those of seed 0 hashed with
(0, ``MEASUREMENT``), which is the stream of no sample.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.draws.threefry import threefry

if TYPE_CHECKING:
    from jaxtyping import Float, Integer, UInt32

LABEL = 1 << 31
SPARE = (LABEL + 2, LABEL + 3)
"""Roles of two further words for each row, with which readers select."""
ROW = LABEL + 4
"""Role of the number that chooses one of the rows of a file."""
ATTEMPT = 1 << 29
COPY = 0xFFFFFFFE
STATISTIC = 1 << 30
PUBLIC = 0xFFFF
SELECTION = 0xFFFE
DESIGN = 0xFFFFFFFF
"""The chain number reserved for fixed designs and for networks that all chains have in common,
larger than that of any chain."""
SWITCHING = SELECTION << 16 | SELECTION
"""The stream of the networks of a chain. Neither half is the number of a model."""

MEASUREMENT = SELECTION << 16 | PUBLIC
"""In place of a stream. Neither half is the number of a model."""


def private_stream(reader: int, origin: int) -> int:
    """Return the stream of the sample that model ``origin`` draws for model ``reader`` alone."""
    return reader << 16 | origin


def published_stream(origin: int) -> int:
    """Return the stream of the one sample that model ``origin`` publishes for all its readers."""
    return PUBLIC << 16 | origin


def real_stream(reader: int) -> int:
    """Return the stream of the real data of model ``reader``."""
    return reader << 16 | PUBLIC


def source_stream(source: int, reader: int | None = None) -> int:
    """Return the stream of the sample of a further real source.

    Parameters
    ----------
    source : int
        Number of the source, from 1.
    reader : int, optional
        The model it is drawn for; if not given, all readers share one public sample.

    Returns
    -------
    int
        The stream. Sources count down from ``SELECTION`` and models up from 0, so that they do not
        meet in a network of fewer than 65,535 models and sources.
    """
    return (PUBLIC if reader is None else reader) << 16 | SELECTION - source


def selection_stream(reader: UInt32[Any, " ..."]) -> UInt32[Any, " ..."]:
    """Return the stream that selects the subsample of its pool that model ``reader`` fits."""
    return reader << 16 | SELECTION


def fitting_stream(reader: UInt32[Any, " ..."]) -> UInt32[Any, " ..."]:
    """Return the stream of the random numbers that the estimator of model ``reader`` uses.

    Its upper half is not the number of any model, because there are fewer than 65,535 models.
    """
    return SELECTION << 16 | reader


def condition_word(label: str) -> int:
    """Return a 32-bit hash of a condition's label; the empty label gives 0."""
    return int.from_bytes(hashlib.sha256(label.encode()).digest()[:4], "big") if label else 0


def chain_keys(
    seed: int, condition: int, chains: Integer[np.ndarray, " C"]
) -> UInt32[np.ndarray, "C 2"]:
    """Return the keys of the given chains.

    Parameters
    ----------
    seed : int
        From 0 to 2**64 - 1.
    condition : int
        A 32-bit word; see :func:`condition_word`.
    chains : ndarray
        Chain numbers, shape (C,), each below 2**32.

    Returns
    -------
    ndarray
        uint32, shape (C, 2).
    """
    word = np.full(len(chains), condition, np.uint32)
    low = np.full(len(chains), seed & 0xFFFFFFFF, np.uint32)
    high = np.full(len(chains), seed >> 32, np.uint32)
    return np.stack(threefry((low, high), (chains.astype(np.uint32), word)), axis=-1)


def measurement_keys(replicates: Integer[np.ndarray, " R"]) -> UInt32[np.ndarray, "R 2"]:
    """Return the chain keys, shape (R, 2), with which laws measure fits of one generation."""
    keys = chain_keys(0, 0, replicates)
    word = np.zeros(len(replicates), np.uint32)
    both = threefry((keys[:, 0], keys[:, 1]), (word, np.full_like(word, MEASUREMENT)))
    return np.stack(both, axis=-1)


def design_key(seed: int, condition: int) -> UInt32[np.ndarray, " 2"]:
    """Return the key of a condition's fixed designs, uint32, shape (2,)."""
    return chain_keys(seed, condition, np.array([DESIGN]))[0]


def switching_numbers(
    keys: UInt32[np.ndarray, "C 2"], generations: int
) -> Float[np.ndarray, "C T"]:
    """Return the numbers in [0, 1) by which the networks of generations 1 to T are drawn.

    Parameters
    ----------
    keys : ndarray
        Chain keys, uint32, shape (C, 2).
    generations : int
        T.
    """
    times = np.arange(1, generations + 1, dtype=np.uint32)
    stream = np.full_like(times, SWITCHING)
    high, low = threefry((keys[:, :1], keys[:, 1:]), (times, stream))
    return ((high >> 6).astype(float) * 2**27 + (low >> 5)) / 2**53


def design_streams(
    design: UInt32[Any, " 2 ..."], stream: UInt32[Any, "*slots"]
) -> tuple[UInt32[Any, "*slots"], UInt32[Any, "*slots"]]:
    """Return the stream keys of fixed designs, two words of the shape of ``stream``."""
    zero = stream ^ stream
    return threefry((design[0] + zero, design[1] + zero), (zero, stream))


def row_words(
    key: tuple[UInt32[Any, "*#shape"], UInt32[Any, "*#shape"]],
    pairs: UInt32[Any, "*#shape"],
    role: UInt32[Any, "*#shape"],
) -> tuple[UInt32[Any, "*shape"], UInt32[Any, "*shape"]]:
    """Return the random words of rows 2q and 2q + 1 for one role.

    Parameters
    ----------
    key : tuple of Array
        The two words of the stream keys, uint32.
    pairs : Array
        Number q of each pair of rows, uint32.
    role : Array
        Roles, uint32; all arguments broadcast together.

    Returns
    -------
    even, odd : Array
        One word for each row of the pairs.
    """
    return threefry(key, (pairs, role))
