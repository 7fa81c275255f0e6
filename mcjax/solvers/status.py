"""How a fit ended. A status is data: counted and reported, never raised and never averaged."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Outcome of one fit; ``advice`` says what it means and what to do."""

    CONVERGED = 0
    RUNNING = 1
    NOT_FITTED = 2
    SEPARATED = 3
    OVERFLOW = 4
    RANK_DEFICIENT = 5
    STEP_LIMIT = 6
    PARENT_FAILED = 7

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
)

_ADVICE = {
    Status.CONVERGED: "the estimating equation is solved",
    Status.RUNNING: "the fit has not ended",
    Status.NOT_FITTED: "a frozen model keeps its estimate",
    Status.SEPARATED: "a plane separates the labels, so no estimate exists; use more samples",
    Status.OVERFLOW: "data or loss left the range of floating point; the chain has exploded",
    Status.RANK_DEFICIENT: "the rows do not determine all parameters; use more samples",
    Status.STEP_LIMIT: "no convergence within the step limit; raise it or check the loss",
    Status.PARENT_FAILED: "a model this one reads has no estimate",
}
