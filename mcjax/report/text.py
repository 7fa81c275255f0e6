"""Plain-text output that needs no JAX: JSON without NaN, numbers and names for people, CSV.

A name of a model, condition, law or file is whatever its owner wrote. It is shown whole, and never
does anything: :func:`shown` is what a terminal prints, and what the other functions begin with.
JSON, netCDF and Parquet hold names as they are.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula."""

DRAWN = 40
"""Characters of a name in a figure, at most."""


def strict_json(value: Any) -> str:
    """JSON in which whatever is not a finite number is null."""
    return json.dumps(_finite(value), allow_nan=False, indent=1)


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
    """A number for a table."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.{digits}g}"


def with_error(value: float, error: float) -> str:
    """``0.02310(45)``: the last digits' standard error in brackets, two of them."""
    if not (math.isfinite(value) and math.isfinite(error)):
        return "-"
    if error <= 0:
        return number(value)
    places = max(0, 1 - math.floor(math.log10(error)))
    if places > 308:  # beyond what ten to that power can be
        return number(value)
    if places == 0:
        return f"{value:.0f}({error:.0f})"
    return f"{value:.{places}f}({round(error * 10**places)})"


def shown(name: str) -> str:
    """Return a name with every character that does not print in escaped form, as in ``\\x1b``.

    These are controls, line ends, and marks without a glyph, such as those that turn the direction
    of writing.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


def shown_lines(text: str) -> str:
    """Return a text of several lines as :func:`shown`, but for line ends and tabs."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(map(shown, line.split("\t"))) for line in lines)


def drawn(name: str) -> str:
    """Return a name for Matplotlib, in which no dollar begins mathematics; a long one cut off, for
    which a figure has no room."""
    whole = shown(name)
    return (whole if len(whole) <= DRAWN else f"{whole[: DRAWN - 1]}…").replace("$", r"\$")


def markdown(text: str) -> str:
    """Return a line for Markdown, in which nothing is markup or HTML.

    An underscore within a word is none.
    """
    return re.sub(r"[\\`*\[\]<>&|~#$!]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", shown(text))


def fenced(text: str) -> str:
    """Return lines as a Markdown code block, in a fence that no line of the text can end."""
    runs = re.findall("`+", text)
    fence = "`" * max(3, 1 + max(map(len, runs), default=0))
    return f"{fence}text\n{shown_lines(text.rstrip())}\n{fence}"


def csv_text(rows: Sequence[Mapping[str, Any]], otherwise: Sequence[str] = ()) -> str:
    """Return a CSV table of rows with equal keys.

    A text is written as :func:`shown`; one that a spreadsheet would take for a formula, because it
    begins with ``=``, ``+``, ``-`` or ``@`` and is no number, has an apostrophe before it.

    Parameters
    ----------
    rows : sequence of mappings
        One for each line after the header.
    otherwise : sequence of str
        The header of a table without rows.
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
