"""Values that nobody changes afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np


def read_only(value: Any) -> Any:
    """Return the value with read-only copies of its arrays, which may be in nested dictionaries."""
    if isinstance(value, dict):
        return {key: read_only(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.setflags(write=False)
    return value
