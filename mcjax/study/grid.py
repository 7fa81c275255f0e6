"""The grid of a study file: every combination of families and of fields by their dotted names.

Each combination is a study file of its own, in which every field has one value and gets the usual
checks. Networks in files, scales and seeds are combined with these in :mod:`mcjax.study.load`. Does
not import JAX.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from mcjax.errors import InputError
from mcjax.study.file_names import without_places
from mcjax.study.schema import is_list, names_a_field, to_study
from mcjax.study.tables import StudyFile

MOST_CONDITIONS = 10_000
"""Largest number of conditions of a study file."""
LONGEST = 40
"""Largest length of values in names of conditions; if one is longer, all are numbered."""

Parts = tuple[str, ...]
"""The parts of a dotted name."""


class Variant(NamedTuple):
    """A study file in which families and dotted fields of the grid have one value each.

    Attributes
    ----------
    content : StudyFile
        The study file.
    family : str
        The part of a condition's name that is about ``grid.family``, or an empty string.
    fields : str
        The part of a condition's name that is about dotted fields, or an empty string.
    """

    content: StudyFile
    family: str
    fields: str


class Family(NamedTuple):
    """An entry of ``grid.family``: its part of a condition's name, and its ``[family]`` table.

    The entry itself gives the fields ``given``; the table has others from the file's ``[family]``.
    ``data`` is its ``[data]`` table, or None for that of the file.
    """

    label: str
    table: dict[str, Any]
    given: frozenset[str]
    data: dict[str, Any] | None = None

    def within(self, tables: dict[str, Any]) -> dict[str, Any]:
        """Return the tables of a study file with those of this entry."""
        own = {} if self.data is None else {"data": self.data}
        return tables | {"family": self.table} | own


def variants(tables: dict[str, Any], file: str) -> list[Variant]:
    """Return the study files that the grid of a study file combines.

    Parameters
    ----------
    tables : dict
        The tables of the study file.
    file : str
        Its name in error messages.

    Returns
    -------
    list of Variant
        One for each combination, the last field varying fastest. Fields are in the order of their
        names, so that conditions do not depend on how a grid is written.

    Raises
    ------
    InputError
        If a field cannot vary, or the file has no place for it, or one of its values is not valid.
    """
    fields = dict(sorted(_fields(tables).items()))
    families = _families(tables, file)
    grid = tables.get("grid")
    lists = (
        [grid.get(key) for key in ("network", "scale", "seed")] if isinstance(grid, dict) else []
    )
    lengths = [*map(len, fields.values()), *(len(v) for v in lists if isinstance(v, list) and v)]
    count = len(families) * math.prod(lengths)
    if count > MOST_CONDITIONS:
        raise InputError("grid", f"makes {count:,} conditions; give at most {MOST_CONDITIONS:,}")
    made = []
    for family in families:
        changed = tables if family is None else family.within(tables)
        label = "" if family is None else family.label
        for parts in fields:
            _check_overrides(parts, family)
        for choice in itertools.product(*fields.values()):
            settings = list(zip(fields, choice, strict=True))
            shown = ", ".join(f"{'.'.join(parts)}={text}" for parts, (text, _) in settings)
            with in_condition(label, shown):
                content: Any = changed
                for parts, (_, value) in settings:
                    content = _replaced(content, parts, value)
                made.append(Variant(to_study(content, file), label, shown))
    return made


@contextmanager
def in_condition(family: str, fields: str) -> Iterator[None]:
    """Add the condition to input errors, which may be about any value of a dotted field."""
    try:
        yield
    except InputError as error:
        if not fields:
            raise
        name = f"{family}, {fields}" if family else fields
        message = f"{error.message} (in the condition {name!r} of [grid])"
        raise InputError(error.field, message, error.file) from error


def _fields(tables: dict[str, Any]) -> dict[Parts, list[tuple[str, Any]]]:
    """Return the dotted fields of a grid, and of each the values with their texts in names."""
    grid = tables.get("grid")
    fields: dict[Parts, list[tuple[str, Any]]] = {}
    for key, value in grid.items() if isinstance(grid, dict) else ():
        for parts, values in _leaves(key, value) if names_a_field(key, value) else ():
            field = _in_grid(parts)
            if parts in fields:
                raise InputError(field, "is given twice; keep one")
            fields[parts] = _texts(field, values)
            _check_place(parts, tables)
    for one, other in itertools.permutations(fields, 2):
        if other[: len(one)] == one:
            raise InputError(_in_grid(other), f"is part of {_in_grid(one)}; keep one of them")
    return fields


def _leaves(key: str, value: Any) -> Iterator[tuple[Parts, Any]]:
    """Yield the parts of dotted names, some of which TOML reads as tables, and what they name."""
    parts = tuple(key.split("."))
    if not isinstance(value, dict) or not value:
        yield parts, value
        return
    for inner, found in value.items():
        for rest, leaf in _leaves(inner, found):
            yield parts + rest, leaf


def _texts(field: str, values: Any) -> list[tuple[str, Any]]:
    """Return the values of a field, each with what stands for it in names of conditions."""
    if not isinstance(values, list) or not values:
        given = "empty" if values in ([], {}) else _text(values)
        raise InputError(field, f"is {given}; give a list of values")
    texts = list(map(_text, without_places(values)))
    for i, value in enumerate(values):
        if value in values[:i]:
            raise InputError(field, f"gives the value {texts[i]} twice; drop one")
    if max(map(len, texts)) > LONGEST:
        texts = [f"#{i}" for i in range(1, len(values) + 1)]
    return list(zip(texts, values, strict=True))


def _text(value: Any) -> str:
    """Return a value as it is shown in names: like TOML, but text without quotation marks."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {_text(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_place(parts: Parts, tables: dict[str, Any]) -> None:
    """Check that a field may vary within a study, and that the file has a table for it."""
    field, table = _in_grid(parts), parts[0]
    if table == "run":
        remedy = "use `seed` of [grid]" if parts == ("run", "seed") else "make a study for each"
        raise InputError(field, f"cannot vary: [run] is for all conditions of a study; {remedy}")
    if table in ("grid", "survey", "design"):
        raise InputError(field, "cannot vary within a study; leave it out")
    if table == "network" and isinstance(tables["grid"].get("network"), list):
        raise InputError(field, "and the files of grid.network exclude each other; keep one")
    if table in ("network", "data_mediated") and table not in tables:
        raise InputError(field, f"needs a [{table}] table; add one")


def _replaced(at: Any, parts: Parts, value: Any, above: Parts = ()) -> Any:
    """Return tables with another value in one place; what stays the same is not copied."""
    if not parts:
        return value
    if isinstance(at, list):
        place, rest = _index(at, above, parts), parts[1:]
        item = _replaced(at[place], rest, value, (*above, parts[0]))
        return [*at[:place], item, *at[place + 1 :]]
    if not isinstance(at, dict):
        name = ".".join(above)
        raise InputError(
            _in_grid(above + parts), f"has no place, because {name} is {_text(at)}; give a table"
        )
    # names of models may have dots, and then the longest name that is there is meant
    joined = (len(parts) - k for k in range(len(parts)))
    count = next((k for k in joined if ".".join(parts[:k]) in at), 1)
    key, inner = ".".join(parts[:count]), above + parts[:count]
    old = at[key] if key in at else ([] if is_list(".".join(inner)) else {})
    return at | {key: _replaced(old, parts[count:], value, inner)}


def _index(at: list[Any], above: Parts, parts: Parts) -> int:
    """Return the place in a list that a part of a dotted name gives."""
    places = list(map(str, range(len(at))))
    if parts[0] in places:
        return places.index(parts[0])
    allowed = f"give a number from 0 to {len(at) - 1}" if at else "leave it out"
    raise InputError(
        _in_grid(above + parts),
        f"asks for item {parts[0]!r} of {'.'.join(above)}, which has {len(at)}; {allowed}",
    )


def _families(tables: dict[str, Any], file: str) -> list[Family | None]:
    """Return the entries of ``grid.family``; a single None if there are none."""
    given = to_study({key: tables[key] for key in ("grid", "family") if key in tables}, file)
    if given.grid.family is None:
        return [None]
    base = given.family
    if base is None:
        raise InputError("family", "is missing; add a [family] table with name and theta")
    families: list[Family | None] = []
    for entry, shown in zip(given.grid.family, without_places(given.grid.family), strict=True):
        own: dict[str, Any] = {"name": entry} if isinstance(entry, str) else dict(entry)
        data = own.pop("data", None)
        if data is not None and not isinstance(data, dict):
            raise InputError("grid.family.data", f"is {_text(data)}; give a table, like [data]")
        table = dict(own)
        if isinstance(entry, str) and entry == base.get("name"):
            table = base | own  # the model that the [family] table describes
        table = {key: base[key] for key in ("theta", "penalty") if key in base} | table
        families.append(Family(_family_label(shown), table, frozenset(own), data))
    return families


def _family_label(entry: str | dict[str, Any]) -> str:
    own: dict[str, Any] = {"name": entry} if isinstance(entry, str) else entry
    more = [f"{key}={value}" for key, value in own.items() if key not in ("name", "file", "data")]
    if "data" in own:
        more.append(f"data={own['data'].get('file')}")
    return ", ".join((f"family={own.get('name') or own.get('file')}", *more))


def _check_overrides(parts: Parts, family: Family | None) -> None:
    """Check that a dotted field is not one that an entry of ``grid.family`` gives."""
    if family and parts[0] == "family" and parts[1] in family.given | {"name", "file"}:
        raise InputError(
            _in_grid(parts), f"and {family.label!r} in grid.family exclude each other; keep one"
        )


def _in_grid(parts: Parts) -> str:
    return ".".join(("grid", *parts))
