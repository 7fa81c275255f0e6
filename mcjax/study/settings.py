"""Settings of a run, and the ranges of their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from mcjax.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from mcjax.chains.program import Dtype
    from mcjax.study.study import Study

Precision = Literal["mixed", "float64", "float32"]
Solver = Literal["auto", "newton", "lbfgs"]
Sampling = Literal["auto", "rows"]
PathChoice = Literal["auto", "reference"]

MOST_CHAINS = 2**32 - 1
"""Chains have numbers of 32 bits."""
PRECISIONS: dict[Precision, tuple[Dtype, Dtype]] = {
    "mixed": ("float32", "float64"),
    "float64": ("float64", "float64"),
    "float32": ("float32", "float32"),
}
"""Precision of draws and of fits, by the name of the setting."""


def check_settings(study: Study) -> None:
    """Raise InputError for a setting that is not one, or is out of range."""
    for field, value, choices in (
        ("precision", study.precision, get_args(Precision)),
        ("solver", study.solver, get_args(Solver)),
        ("sampling", study.sampling, get_args(Sampling)),
        ("path", study.path, get_args(PathChoice)),
    ):
        if value not in choices:
            hint = did_you_mean(value, choices)
            raise InputError(f"run.{field}", f"is {value!r}, not one of {choices}{hint}")
    for field in ("tolerance", "confidence"):
        if not 0 < getattr(study, field) < 1:
            raise InputError(f"run.{field}", "must lie between 0 and 1")
    if not 0 < study.memory <= 2**20:
        raise InputError(
            "run.memory", f"is {study.memory}; give a positive number of GiB, up to 2**20"
        )
    if study.chains < 2 or study.generations < 0 or study.chunk < 1:
        raise InputError("run", "needs chains >= 2, generations >= 0 and chunk >= 1")
    if study.chains > MOST_CHAINS:
        raise InputError("run.chains", f"is {study.chains}; give at most {MOST_CHAINS}")
