"""All checks of a user's own code, and when they are made.

A check takes a :class:`~mcjax.checks.case.Case`. It returns a sentence if all is well, None if
there is nothing of the user's to check, and raises an :class:`~mcjax.errors.InputError` otherwise.
Adding one is a function, and a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Literal, NamedTuple

from mcjax.checks import functions, minimum, parts, penalty
from mcjax.checks.case import Case, cases_of
from mcjax.checks.estimates import estimates
from mcjax.errors import InputError
from mcjax.study.study import Study

When = Literal["always", "laws", "built-in laws", "asked"]
"""Commands that a failed check stops: all that run the code, all predictions, those of built-in
laws, or none (only ``mcjax check`` makes it)."""


class Check(NamedTuple):
    """A check and what it stops if it fails."""

    run: Callable[[Case], str | None]
    stops: When = "always"


CHECKS: dict[str, Check] = {
    "sample": Check(functions.sample_runs),
    "loss": Check(functions.loss_runs),  # of a label that was sampled
    "randomness": Check(functions.randomness),
    "theta": Check(functions.parents),
    "purity": Check(functions.purity),
    "init": Check(functions.initial),
    "derivatives": Check(functions.derivatives),
    "log_curvature": Check(penalty.log_curvature),
    "estimator": Check(parts.estimator),
    "memory": Check(parts.memory),
    "finite": Check(minimum.finite, "laws"),
    "slope": Check(minimum.slope, "laws"),
    "gradient": Check(minimum.gradient, "built-in laws"),
    "curvature": Check(minimum.curvature, "laws"),
    "information": Check(minimum.information, "asked"),
    "estimates": Check(estimates, "asked"),
}
"""The checks by name, in the order in which they are made."""


class Result(NamedTuple):
    """Outcome of one check, with the sentence that it returned or that of its error."""

    name: str
    passed: bool
    message: str


_DONE: dict[Hashable, Result | InputError | None] = {}
"""Checks are made once, because every call of :mod:`mcjax.api` asks for them again."""
MOST_DONE = 10_000


def _made(name: str, case: Case) -> Result | InputError | None:
    if CHECKS[name].stops == "asked":  # they depend on more than the key, and no call repeats them
        return _outcome(name, case)
    key = name, case.key
    if key not in _DONE:
        if len(_DONE) >= MOST_DONE:
            _DONE.clear()
        _DONE[key] = _outcome(name, case)
    return _DONE[key]


def _outcome(name: str, case: Case) -> Result | InputError | None:
    try:
        message = CHECKS[name].run(case)
    except InputError as error:
        return error
    return None if message is None else Result(name, True, message)


def results_of(case: Case) -> list[Result]:
    """Make all checks of a case, up to one without which the others have no meaning."""
    results = []
    for name, check in CHECKS.items():
        found = _made(name, case)
        if isinstance(found, InputError):
            results.append(Result(name, False, str(found)))
            if check.stops == "always":
                break
        elif found is not None:
            results.append(found)
    return results


def refuse_faults(study: Study, *stops: When) -> None:
    """Make the checks of a study that stop one of these.

    Raises
    ------
    InputError
        Of the first check that fails.
    """
    for case in cases_of(study):
        for name, check in CHECKS.items():
            found = _made(name, case) if check.stops in stops else None
            if isinstance(found, InputError):
                raise found.with_traceback(None)
