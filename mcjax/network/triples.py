"""Triples of subject, relation and object, in JSON and in CSV."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mcjax.errors import InputError, did_you_mean
from mcjax.network.feed import REAL, UNKNOWN
from mcjax.network.lineage import SIZES, Lineage

SUBJECT, OBJECT = "subject", "object"
RELATION = ("relation", "predicate")
"""Keys of a triple; the relation has two."""
KEYS = (SUBJECT, *RELATION, OBJECT, *SIZES)
"""Keys of triples, and columns of their tables."""
LISTS = ("triples", "statements")
"""Keys under which a JSON object may have the list of triples."""
Statement = tuple[str, str, str, Mapping[str, Any], str]
"""Subject, relation, object, the size of what is brought, and what errors name."""
RELATIONS: dict[str, Callable[[Lineage, str, str], None]] = {
    **dict.fromkeys(("distilled_from", "merged_from", "quantized_from"), Lineage.made_from),
    **dict.fromkeys(("fine_tuned_from", "finetuned_from", "adapter_of"), Lineage.tuned_from),
    **dict.fromkeys(("generated_by", "synthesized_by", "labelled_by"), Lineage.generated_by),
    **dict.fromkeys(("derived_from", "subset_of"), Lineage.derived_from),
    "version_of": Lineage.version_of,
    "is": Lineage.of_kind,
}
"""Other relations than those of training."""
TRAINING = ("trained_on", "pretrained_on", "fine_tuned_on", "finetuned_on")
"""Relations by which a model is fitted to data, of which there may be a number."""
WITHOUT_ROWS = ("filtered_by", "evaluated_by", "evaluated_on")
"""Relations that bring no rows; they are counted and left out."""
READ = (*TRAINING, *RELATIONS, *WITHOUT_ROWS)


def names_triples(names: Iterable[str]) -> bool:
    """Return whether keys, or the columns of a table, are those of a triple."""
    given = set(names)
    return {SUBJECT, OBJECT} <= given and not given.isdisjoint(RELATION)


def triples_in(data: Any) -> list[Any] | None:
    """Return the triples in what a JSON file holds; None if they are something else."""
    if isinstance(data, dict) and names_triples(data):
        return [data]
    if isinstance(data, dict):
        data = next((data[key] for key in LISTS if len(data) == 1 and key in data), data)
    if not isinstance(data, list) or not data:
        return None
    first = data[0]
    if isinstance(first, dict):
        return data if names_triples(first) else None
    return data if isinstance(first, list) and len(first) == 3 else None


def relation_named(name: str) -> str:
    """Return a relation in lower case with underscores, in whatever way it is written."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s\-_]+", "_", words).lower()


def read_statements(statements: Iterable[Statement]) -> Lineage:
    """Return the lineage of statements.

    Raises
    ------
    InputError
        If a statement cannot be read, or there is none.
    """
    lineage, count = Lineage(), 0
    for count, (subject, relation, object, size, place) in enumerate(statements, 1):  # noqa: B007
        try:
            _state(lineage, (subject, relation, object), size)
        except InputError as error:
            raise InputError(place, error.message) from error
    if not count:
        raise InputError("", "has no triple; give a subject, a relation and an object")
    return lineage


def _state(lineage: Lineage, triple: tuple[str, str, str], size: Mapping[str, Any]) -> None:
    subject, relation, object = triple
    name = relation_named(relation)
    if name not in READ:
        hint = did_you_mean(name, READ) or f"; read are {', '.join(READ)}"
        raise InputError("", f"has the relation {relation!r}, which is not read{hint}")
    if subject in (REAL, UNKNOWN):
        raise InputError("", f"has the subject {subject!r}; name a model or data set")
    if name in TRAINING:
        lineage.trained_on(subject, object, size)
    elif size:
        raise InputError("", f"has {next(iter(size))}, which is for {TRAINING[0]}; leave it out")
    elif name in WITHOUT_ROWS:
        lineage.leave_out(name)
    else:
        RELATIONS[name](lineage, subject, object)


def read_json_triples(triples: Sequence[Any]) -> Lineage:
    """Return the lineage of triples: lists of three texts, or objects.

    Raises
    ------
    InputError
        If a triple has other parts, or says what cannot be read.
    """
    return read_statements(map(_statement, triples, range(len(triples))))


def read_csv_triples(header: Sequence[str], rows: Iterable[tuple[int, list[str]]]) -> Lineage:
    """Return the lineage of a table of triples.

    Parameters
    ----------
    header : sequence of str
        The names of the columns.
    rows : iterable of (int, list of str)
        The number of each line, and its cells.

    Raises
    ------
    InputError
        If a column is not known, or a row says what cannot be read.
    """

    def statements() -> Iterator[Statement]:
        for line, cells in rows:
            given = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
            yield _of_object(given, f"line {line}")

    for name in header:
        if name not in KEYS or header.count(name) > 1:
            problem = "is given twice" if name in KEYS else "is not a column that is read"
            raise InputError(f"column {name!r}", f"{problem}; known are {', '.join(KEYS)}")
    return read_statements(statements())


def _statement(triple: Any, k: int) -> Statement:
    place = f"[{k}]"
    if isinstance(triple, list) and len(triple) == 3:
        return _of_object(dict(zip((SUBJECT, RELATION[0], OBJECT), triple, strict=True)), place)
    if not isinstance(triple, dict):
        raise InputError(place, "is no triple; give [subject, relation, object] or an object")
    return _of_object(triple, place)


def _of_object(given: Mapping[str, Any], place: str) -> Statement:
    """Return the statement of an object with the parts of a triple."""
    for key in (key for key in given if key not in KEYS):
        raise InputError(place, f"has {key!r}, which is not read; known are {', '.join(KEYS)}")
    relations = [given[key] for key in RELATION if key in given]
    if len(relations) > 1:
        raise InputError(place, f"has both {' and '.join(RELATION)}; keep one")
    parts = (given.get(SUBJECT), *(relations or [None]), given.get(OBJECT))
    for name, part in zip((SUBJECT, RELATION[0], OBJECT), parts, strict=True):
        if not isinstance(part, str) or not part.strip():
            word = "has no" if part in (None, "") else "has something else than a text as"
            raise InputError(place, f"{word} {name}; give a name")
    subject, relation, object = (str(part).strip() for part in parts)
    return subject, relation, object, {key: given[key] for key in SIZES if key in given}, place
