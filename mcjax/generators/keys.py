"""Keys of a generator's functions, as words: which draw of which chain they are for.

The stream of a feed names the sample that its reader gets, as in :mod:`mcjax.draws.streams`, so no
key depends on other feeds or models. The keys of a fit come from the stream that an estimator has::

    rows of a feed    threefry(chain key, (generation, stream of the feed))
    init, fit, ...    threefry(threefry(chain key, (generation, fitting stream)), (0, role))
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import UInt32

from mcjax.draws.streams import fitting_stream
from mcjax.draws.threefry import threefry

INIT, FIT, MEASURE, SHOW, COMPARE = range(5)
"""Roles of a fit's keys."""

Keys = UInt32[np.ndarray, "B 2"]


def sample_keys(chains: Keys, generation: int, stream: int) -> Keys:
    """Return the keys with which the rows of one feed are drawn, one for each chain."""
    return _hashed(chains, generation, stream)


def fit_keys(chains: Keys, generation: int, reader: int, role: int) -> Keys:
    """Return the keys of one role in the fit of one model, one for each chain."""
    own = _hashed(chains, generation, int(fitting_stream(np.uint32(reader))))
    return _hashed(own, 0, role)


def _hashed(keys: Keys, first: int, second: int) -> Keys:
    counter: Any = (np.full(len(keys), word, np.uint32) for word in (first, second))
    return np.stack(threefry((keys[:, 0], keys[:, 1]), tuple(counter)), axis=-1)
