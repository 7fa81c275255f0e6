"""A verification as the JSON object of ``mcjax verify --json``."""

from __future__ import annotations

import dataclasses
from typing import Any

from mcjax.study.study import Study
from mcjax.verdicts.judge import Verification


def verification_json(study: Study, verification: Verification) -> dict[str, Any]:
    """Cells, failures, chains and verdict, and the settings they were judged by."""
    return dataclasses.asdict(verification) | {
        "tolerance": study.tolerance,
        "confidence": study.confidence,
    }
