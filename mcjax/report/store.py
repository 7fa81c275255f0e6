"""Results on disk: the numbers, and beside them all that is needed to read or repeat them.

A folder holds ``study.json`` (conditions, settings, versions, device), ``tallies.npz`` (moments
and counts of every condition), ``verification.json`` (what ``--json`` prints) and ``cells.csv``.
Files are replaced whole or not at all.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import os
import platform
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import jax
import numpy as np

from mcjax.engine.moments import ErrorMoments, Moments
from mcjax.engine.outcome import Outcome, Tally
from mcjax.errors import InputError
from mcjax.report.text import strict_json
from mcjax.report.verification import verification_json
from mcjax.study.study import Study
from mcjax.verdicts.judge import Verification

PART = ".part"
"""Ending of a file that is still being written."""


class Store:
    """One folder of results, belonging to one study.

    Raises
    ------
    InputError: if the folder holds another study's results or cannot be used; nothing in it is
        touched then.
    """

    def __init__(self, folder: Path, study: Study):
        self.folder = folder
        self.study = study
        about = describe(study)
        identity = _identity(about)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError("--out", f"is no usable folder: {error.strerror}", str(folder)) from (
                error
            )
        if self._about.exists():
            if self._read_identity() != identity:
                raise InputError(
                    "--out", "holds the results of another study; name another folder", str(folder)
                )
        elif any(path.suffix != PART for path in folder.iterdir()):
            raise InputError("--out", "is not empty; name a new folder", str(folder))
        environment = {
            "versions": {name: version(name) for name in ("mcjax", "jax", "jaxlib", "numpy")},
            "python": platform.python_version(),
            "device": str(jax.devices()[0].device_kind),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        text = strict_json({"identity": identity, **about, "environment": environment})
        _write(self._about, lambda file: file.write(text.encode()))

    @property
    def _about(self) -> Path:
        return self.folder / "study.json"

    @property
    def _tallies(self) -> Path:
        return self.folder / "tallies.npz"

    def load(self) -> list[Tally] | None:
        """What earlier runs found, if anything."""
        if not self._tallies.exists():
            return None
        try:
            with self._tallies.open("rb") as file, np.load(file) as data:
                return [
                    Tally(*(_unpack(data, f"{i}/{part}") for part in Tally._fields))
                    for i in range(len(self.study.conditions))
                ]
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise InputError(
                "", "is damaged; remove it to simulate anew", str(self._tallies)
            ) from error

    def save(self, tallies: Sequence[Tally]) -> None:
        """Keep the tallies; the file before stays until the new one is complete."""
        arrays: dict[str, Any] = {}
        for i, tally in enumerate(tallies):
            for part, outcome in zip(Tally._fields, tally, strict=True):
                if outcome is not None:
                    arrays |= _pack(outcome, f"{i}/{part}")
        _write(self._tallies, lambda file: np.savez(file, **arrays))

    def finish(self, verification: Verification) -> None:
        """Keep the verdicts as JSON and CSV."""
        text = strict_json(verification_json(self.study, verification))
        _write(self.folder / "verification.json", lambda file: file.write(text.encode()))
        rows = [dataclasses.asdict(cell) for cell in verification.cells]
        for row in rows:
            row["low"], row["high"] = row.pop("interval")
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, list(rows[0]) if rows else ["condition"])
        writer.writeheader()
        writer.writerows(rows)
        _write(self.folder / "cells.csv", lambda file: file.write(table.getvalue().encode()))

    def _read_identity(self) -> str:
        try:
            return str(json.loads(self._about.read_text(encoding="utf-8"))["identity"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError("", "is damaged; name another folder", str(self._about)) from error


def describe(study: Study) -> dict[str, Any]:
    """A study as plain data."""
    return {
        "settings": {
            f.name: getattr(study, f.name)
            for f in dataclasses.fields(study)
            if f.name != "conditions"
        },
        "conditions": [
            {
                "label": c.label,
                "seed": c.seed,
                "network": dataclasses.asdict(c.network),
                "family": {
                    "name": c.family.name,
                    "variant": c.family.variant,
                    "params": c.family.params,
                },
                "theta": c.theta.tolist(),
                "covariance": c.covariance.tolist(),
            }
            for c in study.conditions
        ],
    }


def _identity(about: dict[str, Any]) -> str:
    """A digest of what the numbers depend on; how many chains, and their judging, may change."""
    settings = {k: about["settings"][k] for k in ("generations", "precision", "solver", "sampling")}
    text = json.dumps([settings, about["conditions"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, fill: Callable[[IO[bytes]], Any]) -> None:
    part = path.with_name(path.name + PART)
    try:
        with part.open("wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError("--out", f"cannot be written: {error.strerror}", str(path)) from error


def _pack(outcome: Outcome, prefix: str) -> dict[str, Any]:
    arrays = {f"{prefix}/{name}": getattr(outcome, name) for name in ("fits", "steps", "chains")}
    for name, moments in outcome.moments._asdict().items():
        arrays |= {f"{prefix}/{name}/{k}": v for k, v in moments._asdict().items()}
    return arrays


def _unpack(data: Any, prefix: str) -> Outcome | None:
    if f"{prefix}/chains" not in data:
        return None
    moments = ErrorMoments(
        *(
            Moments(*(data[f"{prefix}/{name}/{k}"] for k in Moments._fields))
            for name in ErrorMoments._fields
        )
    )
    steps, chains = int(data[f"{prefix}/steps"]), int(data[f"{prefix}/chains"])
    return Outcome(moments, data[f"{prefix}/fits"], steps, chains)
