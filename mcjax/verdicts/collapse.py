"""Whether every model collapses, as a law says it does or does not.

Let a and b be a model's mean squared error at generations T // 2 and T, and

    r = (T + T // 2) / (T - T // 2) (b - a) / (b + a),

its growth as a share of its level: 1 if the error grows in proportion to the generation, 0 if it is
level. The law that a model collapses claims r > 2/5, its opposite r < 2/5. That takes generations
enough for growth to outweigh what settles, and for that to settle: where the law's own r is not
well on its side of 2/5, by a tenth, the cell is not judged and says so. What an asymptotic law is
allowed for second moments it is allowed for r.
"""

from __future__ import annotations

import math

import numpy as np

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim, lost_note, student_claim
from mcjax.verdicts.tails import HEAVY, dominated

BOUNDARY, ROOM = 0.4, 0.1
TOO_FEW = (
    "generations are too few: by the law itself the error has not yet grown, or settled, enough to"
    " tell collapse from none"
)


def collapse_claims(
    condition: str, models: tuple[str, ...], law: Prediction, outcome: Outcome, tolerance: float
) -> list[Claim]:
    """One for each model of which the law tells growth or a limit."""
    last = len(law.mse) - 1
    across, allowed = outcome.moments.across, np.broadcast_to(law.allowance, law.mse.shape)[last]
    told, sides = growth_share(law.mse), sides_of(law)
    heavy = dominated(outcome)[last] > 0
    claims = []
    for i in np.flatnonzero(sides):
        chains = int(across.chains[i])
        ends = np.ix_([last // 2, last], [last // 2, last])
        seen, error = math.nan, math.inf
        if chains > 1:
            mean = across.mean[i][[last // 2, last]]
            seen = float(growth_share(across.mean[i][:, None])[0])
        if math.isfinite(seen):
            slopes = share_slopes(mean, last)
            variance = slopes @ across.square[i][ends] @ slopes / (chains * (chains - 1))
            error = math.sqrt(max(variance, 0.0))  # rounding, of a model that nothing feeds
        note = lost_note(chains, outcome.chains, tolerance) or (HEAVY if heavy[i] else "")
        if not math.isfinite(told[i]):
            note = "the law has no finite error at these generations"
        elif not sides[i] * (told[i] - BOUNDARY) > ROOM:
            note = TOO_FEW
        elif not note and not math.isfinite(seen):
            note = "no finite estimate"
        claims.append(
            student_claim(
                (condition, models[i], last, "collapse", law.law),
                (seen, error),
                (float(told[i]), math.nan),
                (seen, error),
                float(sides[i] * (BOUNDARY - seen)),
                chains,
                outcome.chains - chains,
                note,
                float(allowed[i]),
            )
        )
    return claims


def sides_of(law: Prediction) -> np.ndarray:
    """1 of models that collapse by the law, -1 of those that do not, 0 where it does not tell; and
    of a study without time to grow; (M,)."""
    if len(law.mse) < 3:
        return np.zeros(law.mse.shape[1], int)
    return np.where(~np.isnan(law.growth), 1, np.where(~np.isnan(law.limit), -1, 0))


def growth_share(mse: np.ndarray) -> np.ndarray:
    """r of errors (T + 1, M), shape (M,)."""
    last = len(mse) - 1
    middle = last // 2
    if last == middle:
        return np.full(mse.shape[1], np.nan)
    with np.errstate(all="ignore"):
        change = (mse[last] - mse[middle]) / (mse[last] + mse[middle])
    return (last + middle) / (last - middle) * change


def share_slopes(ends: np.ndarray, last: int) -> np.ndarray:
    """Derivatives of r by its two errors, (2,)."""
    (a, b), middle = ends, last // 2
    scale = 2 * (last + middle) / (last - middle) / (a + b) ** 2
    return np.array([-scale * b, scale * a])
