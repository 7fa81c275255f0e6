"""The status of a fit, which is counted and reported, but never raised and never averaged."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Outcome of a fit; ``advice`` says what the status means and what helps.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.Status.SEPARATED
    <Status.SEPARATED: 3>
    >>> mcjax.Status(0).name
    'CONVERGED'
    """

    CONVERGED = 0
    RUNNING = 1
    NOT_FITTED = 2
    SEPARATED = 3
    OVERFLOW = 4
    RANK_DEFICIENT = 5
    STEP_LIMIT = 6
    PARENT_FAILED = 7
    NOTHING_KEPT = 8

    @property
    def reason(self) -> str:
        """Return the name used in tables and JSON."""
        return self.name.lower()

    @property
    def advice(self) -> str:
        """Return one sentence that explains the status to a person."""
        return _ADVICE[self]


FAILURES = (
    Status.SEPARATED,
    Status.OVERFLOW,
    Status.RANK_DEFICIENT,
    Status.STEP_LIMIT,
    Status.PARENT_FAILED,
    Status.NOTHING_KEPT,
)

_ADVICE = {
    Status.CONVERGED: "the estimating equation is solved",
    Status.RUNNING: "the fit has not ended",
    Status.NOT_FITTED: "the model is frozen and keeps its estimate",
    Status.SEPARATED: (
        "a plane separates the labels, or the loss falls for ever as parameters grow, so no"
        " estimate exists; use more samples, or a ridge penalty"
    ),
    Status.OVERFLOW: "the data or the loss overflowed; the chain has exploded",
    Status.RANK_DEFICIENT: "the rows do not determine all parameters; use more samples",
    Status.STEP_LIMIT: (
        "the fit did not converge within its step limit; check that the loss is smooth and has a"
        " minimum, or choose another estimator"
    ),
    Status.PARENT_FAILED: "a model that this one reads has no estimate",
    Status.NOTHING_KEPT: "a reader keeps next to nothing of a feed; widen what it keeps",
}
