"""Plain-text output that needs no JAX: JSON without NaN, and numbers for people."""

from __future__ import annotations

import json
import math
from typing import Any


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
