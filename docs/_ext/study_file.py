"""The reference of the study file, from the tables that :mod:`mcjax.study.tables` defines.

A comment ``<!-- fields of TABLE -->`` in a page becomes a table of its fields.
"""

import re
from textwrap import dedent

import msgspec
from msgspec import inspect
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

from mcjax.study.tables import TABLES

WORDS = {
    inspect.IntType: "whole number",
    inspect.FloatType: "number",
    inspect.StrType: "text",
    inspect.BoolType: "true or false",
    inspect.AnyType: "anything",
}
PLACE = re.compile(r"<!-- fields of ([\w.]+) -->")


def words(kind: inspect.Type) -> str:
    """Return what TOML calls a type."""
    match kind:
        case inspect.Metadata():
            return words(kind.type)
        case inspect.UnionType():
            kinds = [words(each) for each in kind.types if not isinstance(each, inspect.NoneType)]
            return " or ".join(dict.fromkeys(kinds))
        case inspect.ListType(item_type=inspect.StructType()):
            return "list of tables"
        case inspect.ListType() | inspect.VarTupleType():
            items = words(kind.item_type)
            return "list of " + re.sub(
                r"(^| or )(whole number|number|text|table|list)", r"\1\2s", items
            )
        case inspect.StructType() | inspect.DictType():
            return "table"
        case inspect.IntType(ge=least) if least is not None:
            return f"{WORDS[inspect.IntType]} ≥ {least}"
        case inspect.FloatType(gt=low, lt=high) if low is not None and high is not None:
            return f"number between {low:g} and {high:g}"
    return WORDS[type(kind)]


def default(field: inspect.Field) -> str:
    """Return the default of a field as TOML, or whether it must be given."""
    if field.required:
        return "required"
    value = field.default
    if value is msgspec.NODEFAULT or value is None or value in ([], {}):
        return ""
    text = msgspec.json.encode(value).decode()
    return f"`{text}`"


def fields(name: str) -> str:
    """Return the Markdown table of the fields of a table."""
    table = TABLES["" if name == "file" else name]
    meanings = ModuleAnalyzer.for_module(table.__module__).find_attr_docs()
    rows = ["| Field | Type | Default | Meaning |", "|---|---|---|---|"]
    for field in inspect.type_info(table).fields:
        meaning = " ".join(dedent("\n".join(meanings[table.__name__, field.name])).split())
        cells = (f"`{field.encode_name}`", words(field.type), default(field), meaning)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def complete(app: Sphinx, page: str, source: list[str]) -> None:
    """Put tables of fields where a page asks for them."""
    source[0] = PLACE.sub(lambda place: fields(place[1]), source[0])


def setup(app: Sphinx):
    app.connect("source-read", complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
