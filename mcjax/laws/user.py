"""A user's own law: means and covariances of the errors, from a function of the condition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mcjax.errors import InputError, naming
from mcjax.laws.prediction import Prediction
from mcjax.models.user import run_file
from mcjax.study.study import Condition

Law = Callable[[Condition, int], Prediction]


def user_law(
    function: Callable[[Condition, int], Any], name: str = "user", asymptotic: bool = False
) -> Law:
    """A law that is judged beside the built-in ones.

    Parameters
    ----------
    function: ``law(condition, generations) -> (mean, covariance)`` of the errors at generations 0
        to T of M models with p parameters: mean of shape (T + 1, M, p), or None for none, and
        covariance of all models' errors, shape (T + 1, M p, M p), models in the network's order.
        ``condition`` has ``network``, ``family``, ``theta`` and ``covariance`` (of x).
    asymptotic: whether it is a limit as sample counts grow, see ``Prediction``.

    Raises
    ------
    InputError: if it cannot be called; and, from the law, if it fails or returns something else.
    """
    if not callable(function):
        raise InputError(f"law.{name}", "is no function; define it with def")

    def law(condition: Condition, generations: int) -> Prediction:
        size, p = condition.network.size, len(condition.theta)
        try:
            mean, covariance = function(condition, generations)
            mean = np.zeros((generations + 1, size, p)) if mean is None else np.asarray(mean, float)
            covariance = np.asarray(covariance, float)
        except InputError:
            raise
        except (Exception, SystemExit) as error:  # the user's program: anything can be raised
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise InputError(f"law.{name}", f"failed with {reason}") from error
        shapes = {
            "mean": (mean, (generations + 1, size, p)),
            "covariance": (covariance, (generations + 1, size * p, size * p)),
        }
        for part, (array, shape) in shapes.items():
            if array.shape != shape:
                raise InputError(
                    f"law.{name}", f"returned a {part} of shape {array.shape}; return {shape}"
                )
            if np.isnan(array).any():
                raise InputError(f"law.{name}", f"returned a {part} that is not a number")
        with np.errstate(invalid="ignore"):
            apart = np.abs(covariance - np.swapaxes(covariance, 1, 2)).max()
        if np.isfinite(covariance).all() and apart > 1e-8 * np.abs(covariance).max():
            raise InputError(f"law.{name}", "returned a covariance that is not symmetric")
        finite = covariance[np.isfinite(covariance).all((1, 2))]
        if len(finite):
            lowest = np.linalg.eigvalsh(finite).min(1)
            if (lowest < -1e-8 * np.abs(finite).max((1, 2))).any():
                raise InputError(
                    f"law.{name}",
                    f"returned a covariance with the negative eigenvalue {lowest.min():.3g}",
                )
        blocks = covariance.reshape(-1, size, p, size, p)
        nothing = np.full(size, np.nan)
        return Prediction(
            law=name,
            source="given by the user",
            exact=False,
            covariance=covariance,
            mse=np.einsum("tiaia->ti", blocks) + (mean**2).sum(-1),
            standard_error=np.zeros((generations + 1, size)),
            growth=nothing,
            limit=nothing,
            mean=mean,
            asymptotic=asymptotic,
        )

    return law


def laws_from_files(paths: Sequence[Path]) -> dict[str, Law]:
    """The laws of several files, by name.

    Raises
    ------
    InputError: see :func:`law_from_file`; and if two have one name.
    """
    found: dict[str, Law] = {}
    for path in paths:
        name, law = law_from_file(path)
        if name in found:
            raise InputError("--law", f"gives two laws named {name!r}; rename one", str(path))
        found[name] = law
    return found


def law_from_file(path: Path) -> tuple[str, Law]:
    """A law from a Python file that defines ``law(condition, generations)``, and perhaps
    ``asymptotic = True``; its name is the file's.

    Raises
    ------
    InputError: if the file does not run, or defines no law.
    """
    names = run_file(path)
    if "law" not in names:
        raise InputError("law", "is missing; define law(condition, generations)", str(path))
    with naming(path):
        return path.stem, user_law(names["law"], path.stem, bool(names.get("asymptotic", False)))
