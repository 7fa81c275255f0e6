"""A feed: samples from one origin to one reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mcjax.calls import explained
from mcjax.numbers import plain, whole

REAL = "real"
"""The name of the real source: data from the true distribution."""


@explained
@dataclass(frozen=True)
class Feed:
    """``samples`` observations from ``origin`` to ``reader`` in one generation.

    Attributes
    ----------
    origin, reader : str
        Names of a model or a real source, and of a model.
    samples : int
        Number of observations.
    weight : float
        Multiplies the reader's loss on each of these observations.
    keep : Selection, optional
        What the reader keeps of the data, see :class:`mcjax.Selection`; defaults to everything.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.Feed("real", "a", samples=100, weight=0.5)
    Feed(origin='real', reader='a', samples=100, weight=0.5, keep=None)
    """

    origin: str
    reader: str
    samples: int
    weight: float = 1.0
    keep: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", whole(self.samples))
        object.__setattr__(self, "weight", plain(self.weight))

    def __str__(self) -> str:
        weight = "" if self.weight == 1 else f" (weight {self.weight:.4g})"
        keep = "" if self.keep is None else f" ({type(self.keep).__name__})"
        return f"{self.samples:,} of {self.origin}{weight}{keep}"

    @property
    def edge(self) -> tuple[str, str, Any]:
        """Origin, reader and selection, by which the feeds of a generation differ."""
        return self.origin, self.reader, self.keep

    def described(self) -> dict[str, Any]:
        """Return plain data; a selection under the name of its class."""
        plain = asdict(self)
        if self.keep is None:
            del plain["keep"]
        else:
            fields = {name: _number(value) for name, value in plain["keep"].items()}
            plain["keep"] = {type(self.keep).__name__: fields}
        return plain


def _number(value: Any) -> Any:
    """Return a value in which numbers of NumPy are numbers of Python."""
    if isinstance(value, tuple):
        return tuple(map(_number, value))
    return value.item() if isinstance(value, np.generic) else value


def by_reader(models: Sequence[str], feeds: Iterable[Feed]) -> tuple[tuple[Feed, ...], ...]:
    """Return the feeds of each model, in the order of ``models``."""
    table: dict[str, list[Feed]] = {name: [] for name in models}
    for feed in feeds:
        table[feed.reader].append(feed)
    return tuple(tuple(read) for read in table.values())
