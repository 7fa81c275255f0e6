"""The feeds of one generation, as objects or as arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from mcjax.arguments import checked
from mcjax.calls import explained
from mcjax.errors import InputError
from mcjax.network.columns import FeedColumns
from mcjax.network.feed import Feed


@explained
@dataclass(frozen=True, eq=False, repr=False)
class Generation:
    """The feeds of one generation, each origin, reader and selection at most once.

    Examples
    --------
    >>> import mcjax
    >>> generation = mcjax.Generation([("a", "b", 100), ("real", "b", 50)])
    >>> [feed.origin for feed in generation.feeds]
    ['a', 'real']
    """

    @checked
    def __init__(
        self,
        feeds: Iterable[Feed | tuple[str, str, int] | tuple[str, str, int, float]] | FeedColumns,
    ):
        columns = feeds if isinstance(feeds, FeedColumns) else None
        object.__setattr__(self, "_columns", columns)
        if isinstance(feeds, FeedColumns):
            return
        read = tuple(feed if isinstance(feed, Feed) else Feed(*feed) for feed in feeds)
        for feed in read:
            if feed.scheduled or feed.random:
                raise InputError(
                    "network.feeds",
                    f"the feed from {feed.origin!r} to {feed.reader!r} comes and goes, and a"
                    " generation is one; give such feeds to build_network",
                )
            if feed.share is not None:
                raise InputError(
                    "network.feeds",
                    f"has a share from {feed.origin!r} to {feed.reader!r}, and a generation has"
                    " samples; give such feeds to build_network, with rows",
                )
        self.__dict__["feeds"] = read

    @cached_property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds; where they were given as arrays, they are made when they are asked for."""
        assert self.given is not None, "there is one or the other"
        return self.given.feeds()

    @property
    def given(self) -> FeedColumns | None:
        """The feeds as arrays, if that is how they were given."""
        columns: FeedColumns | None = self.__dict__["_columns"]
        return columns

    def columns(self, places: dict[str, int]) -> FeedColumns:
        """Return the feeds as arrays, whose names have these places."""
        if self.given is not None and self.given.names == tuple(places):
            return self.given
        return FeedColumns.of(self.feeds, places)

    def __len__(self) -> int:
        return len(self.feeds) if self.given is None else len(self.given)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Generation):
            return NotImplemented
        return self is other or self.feeds == other.feeds

    def __hash__(self) -> int:
        return hash(self.feeds)

    def __repr__(self) -> str:
        return f"Generation(feeds={self.feeds!r})"
