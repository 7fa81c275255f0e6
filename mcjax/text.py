"""Format plain text without JAX: JSON without NaN, numbers and names for people, CSV.

The name of a model, condition, law or file is whatever its owner wrote. It is shown in full, but
never interpreted: :func:`shown` makes it safe for a terminal, and the other functions build on it.
JSON, netCDF and Parquet hold names as they are.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

FORMULA = ("=", "+", "-", "@")
"""Characters with which a formula begins in a spreadsheet."""

LONGEST_DRAWN = 40
"""Largest number of characters of a name in a figure."""


def strict_json(value: Any) -> str:
    """Return a value as JSON, in which a number that is not finite is null."""
    return json.dumps(_finite(value), allow_nan=False, indent=1)


def json_pieces(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield an object as JSON, as :func:`strict_json` does, piece by piece.

    A value that is an iterator of pairs becomes an object itself, of one line for each pair, of
    which no more than one is in memory.
    """
    before = "{"
    for key, value in fields.items():
        yield f"{before}\n {json.dumps(key)}: "
        before = ","
        if isinstance(value, Iterator):
            yield from _object_lines(value)
        else:
            yield strict_json(value).replace("\n", "\n ")
    yield "\n}" if fields else "{}"


def _object_lines(pairs: Iterator[tuple[str, Any]]) -> Iterator[str]:
    """Yield an object in braces, one pair to a line."""
    before = "{"
    for key, value in pairs:
        yield f"{before}\n  {json.dumps(key)}: {json.dumps(_finite(value), allow_nan=False)}"
        before = ","
    yield "{}" if before == "{" else "\n }"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def number(value: float | None, digits: int = 4) -> str:
    """Return a number for a table; "-" if it is None or not finite."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.{digits}g}"


def with_error(value: float, error: float) -> str:
    """Return a value with two digits of its standard error in parentheses: ``0.02310(45)``."""
    if not (math.isfinite(value) and math.isfinite(error)):
        return "-"
    if error <= 0:
        return number(value)
    places = max(0, 1 - math.floor(math.log10(error)))
    if places > 308:  # ten to that power overflows
        return number(value)
    if places == 0:
        return f"{value:.0f}({error:.0f})"
    return f"{value:.{places}f}({round(error * 10**places)})"


def shown(name: str) -> str:
    r"""Return a name in which every character that does not print is escaped, as in ``\x1b``.

    These are control characters, line ends, and marks without a glyph, such as those that change
    the direction of writing.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


def shown_lines(text: str) -> str:
    """Return a text escaped as by :func:`shown`, except for its line ends and tabs."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(map(shown, line.split("\t"))) for line in lines)


def drawn(name: str, most: int = LONGEST_DRAWN) -> str:
    """Return a name for Matplotlib, in which no dollar sign begins mathematics.

    A name that is too long for a figure is truncated.
    """
    whole = shown(name)
    if len(whole) > most:
        whole = f"{whole[: most - 1]}…"
    return whole.replace("$", r"\$")


def markdown(text: str) -> str:
    """Return a line in which everything that Markdown or HTML would interpret is escaped.

    An underscore within a word is not interpreted, and is left alone.
    """
    return re.sub(r"[\\`*\[\]<>&|~#$!]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", shown(text))


def fenced(text: str) -> str:
    """Return a text as a Markdown code block, with a fence that no line of the text can close."""
    runs = re.findall("`+", text)
    fence = "`" * max(3, 1 + max(map(len, runs), default=0))
    return f"{fence}text\n{shown_lines(text.rstrip())}\n{fence}"


def csv_text(rows: Sequence[Mapping[str, Any]], otherwise: Sequence[str] = ()) -> str:
    """Return a CSV table of rows with equal keys; without rows, its header is ``otherwise``.

    Texts are escaped as by :func:`shown`. A text that a spreadsheet would take for a formula,
    because it begins with ``=``, ``+``, ``-`` or ``@`` and is not a number, gets a leading
    apostrophe.
    """
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, list(rows[0]) if rows else otherwise)
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return table.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = shown(value)
    return f"'{text}" if text.startswith(FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
