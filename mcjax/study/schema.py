"""Read the tables of a study file, and check their structure and types. Does not import JAX.

msgspec does the checks, and error messages name the field. Values are checked where networks,
models and studies are built.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import msgspec

from mcjax.errors import InputError, did_you_mean, naming
from mcjax.files import read_text
from mcjax.network.formats import READ, graph_format
from mcjax.numbers import whole
from mcjax.study.tables import TABLES, GridTable, StudyFile

LARGEST = 2**24
"""Largest number of characters of a study file."""
_TYPES = msgspec.inspect.type_info(StudyFile)
WORDS = {
    "object": "a table",
    "array": "a list",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
}
"""Words for types in messages."""
PYTHON = (
    "holds Python code, and a study is TOML; save the code as FILE.py, which [family] of a study"
    " names as its `file`, and which `mcjax check FILE.py --theta NUMBERS` looks at"
)
"""Message for code in place of a study."""


def read_tables(path: Path) -> dict[str, Any]:
    """Read the tables of a study file; their structure is not checked.

    Raises
    ------
    InputError
        If the file is not TOML, or has no table.
    """
    return parse_tables(read_text(path), str(path))


def parse_tables(text: str, file: str) -> dict[str, Any]:
    """Return the tables in the text of a study file; their structure is not checked."""
    with naming(file):
        kind = graph_format(text, Path(file).suffix)
        if kind is not None:
            problem = f"is a graph ({kind}), not a study; `mcjax diagnose` reads it, and so does"
            raise InputError("", f"{problem} grid.network of a study")
        if len(text) > LARGEST:
            raise InputError("", f"has more than {LARGEST >> 20} million characters; shorten it")
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            if re.search(r"^def \w+\s*\(", text, re.MULTILINE):
                raise InputError("", PYTHON) from error
            known = "" if Path(file).suffix == ".toml" else f"; {READ}"
            raise InputError("", f"is not TOML: {error}{known}") from error
        except ValueError as error:  # of numbers, which Python then cannot read
            raise InputError("", f"is not TOML: {error}") from error
        except RecursionError as error:
            raise InputError("", "is not TOML: nested too deeply") from error
        if not tables:
            raise InputError("", "is empty; a study file has at least a [network] table")
        return tables


def to_study(tables: dict[str, Any], file: str) -> StudyFile:
    """Return a study file with these tables, after checking their structure and types.

    Fields that the grid varies by their dotted names keep the values that their tables give.
    """
    grid = tables.get("grid")
    if isinstance(grid, dict):
        own = {key: value for key, value in grid.items() if not names_a_field(key, value)}
        tables = tables | {"grid": own}
    try:
        return msgspec.convert(_with_whole_numbers(tables, _TYPES), StudyFile)
    except msgspec.ValidationError as error:
        raise _sentence(str(error), file) from error


def _with_whole_numbers(value: Any, expected: msgspec.inspect.Type) -> Any:
    """Return a value in which floats such as 60.0 are ints, wherever a whole number is expected."""
    kinds = expected.types if isinstance(expected, msgspec.inspect.UnionType) else (expected,)
    if isinstance(value, float):
        ints = any(isinstance(kind, msgspec.inspect.IntType) for kind in kinds)
        floats = any(isinstance(kind, msgspec.inspect.FloatType) for kind in kinds)
        return whole(value) if ints and not floats else value
    for kind in kinds:
        if isinstance(value, dict) and isinstance(kind, msgspec.inspect.StructType):
            fields = {field.encode_name: field.type for field in kind.fields}
            return {
                key: _with_whole_numbers(item, fields[key]) if key in fields else item
                for key, item in value.items()
            }
        if isinstance(value, dict) and isinstance(kind, msgspec.inspect.DictType):
            return {key: _with_whole_numbers(item, kind.value_type) for key, item in value.items()}
        if isinstance(value, list) and isinstance(kind, msgspec.inspect.ListType):
            return [_with_whole_numbers(item, kind.item_type) for item in value]
    return value


def names_a_field(key: str, value: Any) -> bool:
    """Return whether a key of ``[grid]`` names a field of another table, by its dotted name.

    TOML reads such a name as tables within ``[grid]`` unless it is quoted.
    """
    tables = StudyFile.__struct_fields__
    if key in GridTable.__struct_fields__:
        return key in tables and isinstance(value, dict)
    return "." in key or key in tables or isinstance(value, dict)


def is_list(field: str) -> bool:
    """Return whether the field of a dotted name, such as ``network.feeds``, is a list of tables."""
    table, _, name = field.rpartition(".")
    return table in TABLES and get_origin(get_type_hints(TABLES[table]).get(name)) is list


def _sentence(message: str, file: str) -> InputError:
    """Turn a message of msgspec into field and remedy."""
    text, _, place = message.partition(" - at `$")
    field = place.rstrip("`").removeprefix(".").replace("[...]", "")
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", text)
    missing = re.fullmatch(r"Object missing required field `(.*)`", text)
    if unknown:
        table = TABLES.get(re.sub(r"\[.*?\]", "", field))
        known = [f.encode_name for f in msgspec.structs.fields(table)] if table else []
        hint = did_you_mean(unknown[1], known) or f"; known are {', '.join(known)}"
        return InputError(_join(field, unknown[1]), f"is not a field of a study file{hint}", file)
    if missing:
        return InputError(_join(field, missing[1]), "is missing; add it", file)
    expected = re.fullmatch(r"Expected (.*), got (.*)", text)
    if expected:
        wanted, given = map(_in_words, expected.groups())
        return InputError(field, f"is {given}; give {wanted}", file)
    return InputError(field, _in_words(text.replace("Expected", "give")), file)


def _in_words(types: str) -> str:
    """Return a text of msgspec with the words of TOML for types."""
    text = types.replace("`", "").replace(" | null", "").replace(" | ", " or ")
    return re.sub(r"\b(" + "|".join(WORDS) + r")\b", lambda name: WORDS[name[0]], text)


def _join(table: str, field: str) -> str:
    return f"{table}.{field}" if table else field
