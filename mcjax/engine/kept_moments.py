"""Moments as they are kept, with a count of every entry, and as they are computed."""

from __future__ import annotations

import jax
import numpy as np

from mcjax.engine.moments import EndMoments, ErrorMoments, Moments


def as_kept(moments: ErrorMoments) -> ErrorMoments:
    """Return moments as they are kept, with counts of every entry."""

    def counted(part: Moments, axes: int = 0) -> Moments:
        shape = part.mean.shape[: part.mean.ndim - axes]
        return part._replace(chains=np.broadcast_to(part.chains, shape).astype(int))

    product = counted(moments.product)
    if product.mean.ndim == 5:  # of all pairs
        steps, models, p = product.mean.shape[:3]
        shape = (steps, models * p, models * p)
        product = Moments(*(part.reshape(shape) for part in product))
    return moments._replace(
        error=counted(moments.error),
        product=product,
        squared=counted(moments.squared),
        across=counted(moments.across, 1),
        functional=counted(moments.functional),
        pooled=counted(moments.pooled, 1),
        ends=EndMoments(*counted(Moments(*moments.ends[:3]), 1), moments.ends.powers),
    )


def as_computed(moments: ErrorMoments) -> ErrorMoments:
    """Return moments as they are computed, from those that are kept."""
    steps, models, p = moments.error.mean.shape
    product = moments.product
    if product.mean.ndim == 3:
        product = Moments(*(part.reshape(steps, models, p, models, p) for part in product))
        product = product._replace(chains=product.chains[:, :, :1, :, :1])
    else:
        product = product._replace(chains=product.chains[:, :, :1, :1])
    error = moments.error._replace(chains=moments.error.chains[..., :1])
    found = moments._replace(error=error, product=product)
    numbers: ErrorMoments = jax.tree.map(lambda leaf: np.asarray(leaf, float), found)
    return numbers
