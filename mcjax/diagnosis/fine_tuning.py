"""Find how fine-tuned models fail, whose fits take steps from a start, and their rates.

The transition A of errors has the blocks of :mod:`mcjax.laws.first_order.trained`. Where all data
have one curvature and steps do not overshoot, topology decides as it does for refits, with one
more clause (derived there): a member that starts at a base holds the noise of its component. A
start at a model's own last parameters changes no verdict. Steps that overshoot, in some direction,
can let errors explode in a network that topology calls stable. So A is computed in any case. A base
with another truth, and weight decay, are false anchors. Importing this module does not import JAX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.estimators.starts import GIVEN
from mcjax.laws.first_order.collapse_rates import CollapseRates
from mcjax.laws.first_order.limits import limit, mean_limit
from mcjax.laws.first_order.linear_system import LinearSystem
from mcjax.laws.first_order.mean_errors import keeps_mean
from mcjax.laws.first_order.measured_long_run import resolved
from mcjax.laws.first_order.spectral_growth import spectral_growth
from mcjax.laws.law import Inapplicable
from mcjax.laws.prediction import mean_squares
from mcjax.study.study import Condition

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

ROUNDING = 1e-9
"""Largest distance of an eigenvalue of A from 0, 1 or the real axis that counts as rounding."""
SLOWEST = 1e-7
"""Smallest share of the way to the minimum whose long run the eigenvalues of A tell."""
BY_RADIUS = (
    "fits take steps from where they start: verdicts are by the spectral radius, and new feeds that"
    " would make a stable model collapse are not looked for"
)
MEASURED = "what steps make of errors is measured by simulation"
EXACT = "fits take steps, and the law is for fits to the minimum"
SCHEDULE = "feeds come and go, and fits take steps; the rates of phases are those of refits"


class FineTuned(NamedTuple):
    """The long run of fine-tuned models.

    Attributes
    ----------
    system : LinearSystem
        What errors follow.
    forgets, grows : ndarray of bool, shape (M,)
        Whose centre does not tend to the truth, and whose variance grows without bound.
    slopes : ndarray, shape (M,)
        Slopes of mean squared errors, nan for models that settle.
    base, decays : ndarray of bool, shape (M,)
        Which models are held by a base with another truth, and by weight decay.
    unit : float
        Trace of the covariance of an estimate from one real row.
    note : str
        By what verdicts are, for people.
    """

    system: LinearSystem
    forgets: Bool[np.ndarray, " M"]
    grows: Bool[np.ndarray, " M"]
    slopes: Float[np.ndarray, " M"]
    base: Bool[np.ndarray, " M"]
    decays: Bool[np.ndarray, " M"]
    unit: float
    note: str

    def rates(self, collapses: Bool[np.ndarray, " M"]) -> CollapseRates:
        """Return the rates of the trace of a model's covariance, over ``unit``, for ``c_ii``."""
        limits = mean_squares(limit(self.system, ~collapses), len(collapses))
        return CollapseRates(
            collapses,
            np.where(collapses, self.slopes, np.nan) / self.unit,
            np.where(collapses, np.nan, limits) / self.unit,
        )


def fine_tuned(condition: Condition) -> FineTuned:
    """Return the long run of a condition whose fits take steps from a start.

    Raises
    ------
    Inapplicable
        If the law of such fits does not apply.
    """
    # these import JAX
    from mcjax.laws.first_order.fine_tuning import StepsOfModels, reason_against, systems_of

    reason = reason_against(condition)
    if reason is not None:
        raise Inapplicable(reason.sentence)
    steps, net = StepsOfModels(condition), condition.network
    systems = systems_of(condition, steps)
    system, information = next(systems)
    trained, starts = steps.last, steps.starts
    assert trained is not None, "there is a table"
    moving, inverse = ~system.frozen, np.linalg.inv(information.real.hessian)
    kept, drift = trained.kept[: net.size], trained.drift[: net.size]
    check_progress(kept[moving])
    if steps.measured:
        system = resolved(system, [version for version, _ in systems], net, starts)
    slopes, settles = spectral_growth(system, net, starts.edges)
    forgets = keeps_mean(system) if not steps.measured else _biased(system, settles)
    decays = moving & (drift.any(1) if not steps.measured else forgets)
    note = _note(kept[moving])
    return FineTuned(
        system,
        forgets=forgets,
        grows=~settles,
        slopes=slopes,
        base=moving & (starts.model == GIVEN) & trained.base.any(1),
        decays=decays,
        unit=float(np.trace(inverse @ information.real.score_covariance @ inverse)),
        note=f"{note}; {MEASURED}" if steps.measured else note,
    )


def _biased(system: LinearSystem, settles: Bool[np.ndarray, " M"]) -> Bool[np.ndarray, " M"]:
    """Return the models that settle at a mean error above their spread.

    Steps that are not linear are biased at any sample size, and weight decay biases them for good.
    """
    size = len(settles)
    mean, spread = mean_limit(system, settles), mean_squares(limit(system, settles), size)
    return settles & ((mean**2).sum(1) > spread)


def check_progress(kept: Float[np.ndarray, "K p p"]) -> None:
    """Raise Inapplicable if eigenvalues cannot tell steps from none."""
    progress = np.abs(1 - np.linalg.eigvals(kept))
    small = (progress > 0) & (progress < SLOWEST)
    if small.any():
        raise Inapplicable(
            f"steps move estimates by {progress[small].min():.1g} of their way to the minimum, too"
            " little to tell what becomes of them; raise steps or learning_rate"
        )


def _note(kept: Float[np.ndarray, "K p p"]) -> str:
    """Return by what verdicts are, from the shares of errors at the start that steps leave."""
    shares = np.linalg.eigvals(kept)
    inside = (np.abs(shares.imag) < ROUNDING) & (shares.real > -ROUNDING)
    if (inside & (shares.real < 1 + ROUNDING)).all():
        return BY_RADIUS
    far = shares[~inside] if not inside.all() else shares.ravel()
    most = far[np.abs(far).argmax()].real
    what = "overshoot" if not inside.all() else "lead away from the minimum"
    return (
        f"{BY_RADIUS}; the steps {what}, of an error at their start they leave {most:.3g} times"
        " itself, so that who feeds whom does not decide"
    )
