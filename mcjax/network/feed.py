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
UNKNOWN = "unknown"
"""The name of the source of data of which nobody knows where they come from."""


@explained
@dataclass(frozen=True)
class Feed:
    """``samples`` observations from ``origin`` to ``reader`` in a generation.

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
    every : int
        The feed is active in the generations ``first``, ``first + every``, ....
    first : int
        The first of them, from 1 on.
    until : int, optional
        The last generation in which it may be active; defaults to none.
    probability : float
        The probability that it is active, which is drawn anew in each generation, independently of
        other feeds.
    share : float, optional
        In place of ``samples``, which is None then: the share of the rows that the reader fits, as
        :func:`build_network` takes it with ``rows``.

    Examples
    --------
    >>> import mcjax
    >>> feed = mcjax.Feed("real", "a", samples=100)
    >>> feed.origin, feed.weight
    ('real', 1.0)
    """

    origin: str
    reader: str
    samples: int
    weight: float = 1.0
    keep: Any = None
    every: int = 1
    first: int = 1
    until: int | None = None
    probability: float = 1.0
    share: float | None = None

    def __post_init__(self) -> None:
        for name in ("samples", "every", "first", "until"):
            object.__setattr__(self, name, whole(getattr(self, name)))
        object.__setattr__(self, "weight", plain(self.weight))
        object.__setattr__(self, "probability", plain(self.probability))
        object.__setattr__(self, "share", plain(self.share))

    def __str__(self) -> str:
        weight = "" if self.weight == 1 else f" (weight {self.weight:.4g})"
        keep = "" if self.keep is None else f" ({type(self.keep).__name__})"
        size = f"{self.samples:,}" if isinstance(self.samples, int) else "samples"
        size = size if self.share is None else f"{100 * self.share:g}%"
        return f"{size} of {self.origin}{weight}{keep}"

    @property
    def scheduled(self) -> bool:
        """True if there are generations in which the feed is not active."""
        return (self.every, self.first, self.until) != (1, 1, None)

    @property
    def random(self) -> bool:
        """True if the generations in which the feed is active are drawn at random."""
        return self.probability != 1

    def active(self, generation: int) -> bool:
        """Return whether it is active in a generation, from 1 on."""
        begun = generation >= self.first and (self.until is None or generation <= self.until)
        return begun and (generation - self.first) % self.every == 0

    @property
    def edge(self) -> tuple[str, str, Any]:
        """Origin, reader and selection, by which the feeds of a generation differ."""
        return self.origin, self.reader, self.keep

    def described(self) -> dict[str, Any]:
        """Return plain data; a selection under the name of its class."""
        plain = asdict(self)
        if not self.scheduled:
            del plain["every"], plain["first"], plain["until"]
        if not self.random:
            del plain["probability"]
        if self.share is None:
            del plain["share"]
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
