"""Name files in labels of conditions, on which draws depend. Does not import JAX.

A file that a study names relative to itself moves with it, and is called as it is written. An
absolute path says where a file lies on one machine, which must change no draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any


def without_places(values: list[Any]) -> list[Any]:
    """Return values of a study file with names in the place of absolute paths.

    Parameters
    ----------
    values : list
        Values as TOML reads them: lists and tables of any depth.

    Returns
    -------
    list
        The same with the last parts of every absolute path, as many as tell all texts apart: mostly
        the name of the file.
    """
    texts = set(_texts(values))
    parts = {text: Path(text).parts if Path(text).is_absolute() else (text,) for text in texts}
    named: Mapping[str, str] = {}
    for count in range(1, max(map(len, parts.values()), default=0) + 1):
        named = {text: "/".join(place[-count:]) for text, place in parts.items()}
        if len(set(named.values())) == len(texts):
            break
    return [_renamed(value, named) for value in values]


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in lists and tables."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        items: Iterable[Any] = value.values() if isinstance(value, dict) else value
        for item in items:
            yield from _texts(item)


def _renamed(value: Any, named: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(item, named) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, named) for item in value]
    return named[value] if isinstance(value, str) else value
