"""The exact law of least squares on fixed designs, with any weights, shared or private draws.

Let X_b be the covariates of batch b, the same in every generation and every chain, and
``S_b = X_b'X_b``. The weighted least squares fit of model i is then linear in the errors of its
parents and in the noise,

    e_i = K_i^-1 sum_b w_b (S_b e_{parent(b)} + X_b' eps_b),     K_i = sum_b w_b S_b,

exactly and at every sample size; the e of a real source is its truth less theta*. This is the
linear system of :mod:`mcjax.laws.first_order.score_equations` with ``S_b`` in place of ``n_b H_b``.
Two readers of one sample have the noise covariance ``w_ij w_kj var K_i^-1 S_j K_k^-1``. In the long
run topology alone does not decide, see :mod:`mcjax.laws.first_order.spectral_growth`.

Derived here, by linearity. Covariates are those of a study in float32, the default, up to its
rounding: normals of the same uniforms, which are exact, are computed in double precision. Uniforms
in float64 have more digits. Both are some 1e-7 of the covariates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcjax.chains.layout import Feeds
from mcjax.draws.streams import condition_word, design_key, design_streams, row_words
from mcjax.laws.first_order.fits import Batches
from mcjax.laws.first_order.limits import limit, mean_limit
from mcjax.laws.first_order.linear_system import covariances, means
from mcjax.laws.first_order.score_equations import (
    LARGEST_CONDITION,
    BatchesOf,
    assemble,
    pooled_mse,
)
from mcjax.laws.first_order.spectral_growth import spectral_growth
from mcjax.laws.law import Inapplicable, Reason, changing, has_long_run
from mcjax.laws.least_squares.conditions import label_variances, not_least_squares, source_variances
from mcjax.laws.prediction import Prediction, mean_squares
from mcjax.solvers.conditioning import condition_number
from mcjax.study.roots import covariance_root
from mcjax.study.study import Condition

if TYPE_CHECKING:
    from jaxtyping import Float, UInt32


class FixedDesign:
    """Exact moments of least squares, given the designs that a study draws once."""

    name = "fixed_design"
    reference = (
        "linear in the noise given the designs, derived in mcjax.laws.least_squares.fixed_design"
    )
    exact = True

    def applies(self, condition: Condition) -> Reason | None:
        """Return why errors are not linear in the noise given one set of designs, or None."""
        if condition.design != "fixed":
            return Reason("designs are random, and the law is for fixed ones", obvious=True)
        reason = not_least_squares(condition)
        if reason is not None:
            return reason
        memory = condition.network.memory
        if not (memory.current_only or memory.adds_up):
            return Reason(
                f"memory is {memory.name!r}; the law is for fits to the last data, or to all data"
            )
        if condition.network.later.exponent > 0:
            return Reason("sample counts grow, and so do the designs")
        return None if memory.current_only else changing(condition.network)

    def predict(self, condition: Condition, generations: int) -> Prediction:
        """Predict the errors at generations 0 to T, and their growth and limits.

        Raises
        ------
        Inapplicable
            If the designs do not determine a fit.
        """
        net, offsets = condition.network, condition.sources.offsets
        batches = design_batches(condition)
        system = assemble(net, batches, offsets)
        slope, settled = np.full(net.size, np.nan), np.zeros(net.size, bool)
        if has_long_run(net):
            slope, settled = spectral_growth(system, net)
        limits = mean_squares(limit(system, settled), net.size, mean_limit(system, settled))
        return Prediction.of(
            covariances(system, generations),
            net.size,
            means(system, generations) if offsets.any() else None,
            growth=slope,
            limit=np.where(settled, limits, np.nan),
            normal=condition.model.least_squares is not None
            and condition.model.least_squares.normal,
            pooled=pooled_mse(net, batches, offsets),
        )


def design_batches(condition: Condition) -> BatchesOf:
    """Return the curvatures and score covariances of batches on the designs of a condition."""
    variance, _ = label_variances(condition)
    models = np.full(condition.network.size, variance)
    spread = np.concatenate([models, source_variances(condition)])
    grams: dict[bytes, np.ndarray] = {}  # weights change with time, designs do not

    def batches(feeds: Feeds) -> Batches:
        samples = feeds.samples.tobytes() + feeds.stream.tobytes()
        if samples not in grams:
            grams[samples] = _grams(condition, feeds)
        gram = grams[samples]
        weighted = feeds.weight[..., None, None] * gram
        reads = (feeds.samples > 0).any(1)
        if not (condition_number(weighted.sum(1)[reads]) < LARGEST_CONDITION).all():
            raise Inapplicable("the designs of a fit do not determine every parameter")
        return Batches(weighted, spread[feeds.origin][..., None, None] * gram)

    return batches


def _grams(condition: Condition, feeds: Feeds) -> np.ndarray:
    """Return ``X_b'X_b`` of every feed slot, drawn as chains draw them, (M, B, p, p)."""
    p = len(condition.theta)
    pairs = max(1, int(feeds.samples.max() + 1) // 2)
    key = design_key(condition.seed, condition_word(condition.label))
    rows = _normals(key, feeds.stream, pairs=pairs, count=p)
    used = np.arange(2 * pairs) < feeds.samples[..., None]
    x = np.moveaxis(np.where(used, rows, 0.0), 0, -2)  # (M, B, p, rows)
    roots = np.array([covariance_root(covariance) for covariance in condition.sources.covariance])
    factor = roots[np.maximum(feeds.origin - condition.network.size, 0)]
    return factor @ (x @ np.swapaxes(x, -1, -2)) @ np.swapaxes(factor, -1, -2)


def _normals(
    key: UInt32[np.ndarray, " 2"], streams: UInt32[np.ndarray, "M B"], pairs: int, count: int
) -> Float[np.ndarray, "{count} M B 2*{pairs}"]:
    """Return the standard normals behind the covariates of the first rows of every stream."""
    first, second = design_streams(key, streams)
    place = np.arange(pairs, dtype=np.uint32)
    roles = np.arange(count, dtype=np.uint32)[:, None, None, None]
    words = row_words((first[..., None], second[..., None]), place, roles)
    radius, angle = (((word >> 9) + 0.5) * 2.0**-23 for word in words)  # as `uniform` has them
    radius = np.sqrt(-2 * np.log(radius))
    angle = 2 * np.pi * angle
    even_and_odd = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
    return even_and_odd.reshape(count, *streams.shape, 2 * pairs)
