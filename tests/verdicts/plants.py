"""Errors planted in each number that a quantity reads of a law, for tests and benchmarks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from known_errors import own
from scipy.linalg import block_diag


@dataclass(frozen=True)
class Plant:
    """A wrong law about a specimen, made from the true one.

    ``inputs`` are the fields of a prediction that are wrong, ``words`` say how, and ``wrong`` maps
    the true law and the size of the error to the wrong law. ``kind`` is the kind of claim that sees
    it, if the quantity makes several; ``unit`` is what the size is relative to. In benchmarks, the
    error has the ``size``, which leads out of the ``margin``.
    """

    specimen: str
    inputs: tuple[str, ...]
    words: str
    wrong: Callable[[Any, float], Any]
    kind: str = ""
    unit: str = ""
    size: float = 0.1
    margin: float = 0.02

    @property
    def quantity(self):
        return self.specimen.split(" of ")[0]


def scaled(field):
    """A number too large by a share of itself."""
    return lambda law, size: replace(law, **{field: (1 + size) * getattr(law, field)})


def bent(law, size):
    """An error that grows with another power of the generation, right at the end."""
    times = np.arange(1, len(law.mse) + 1) / len(law.mse)
    return replace(law, mse=law.mse * times[:, None] ** size)


def stretched(law, size):
    """The change over the second half too large, the end right."""
    last = len(law.mse) - 1
    middle = law.mse[last // 2]
    mse = law.mse.copy()
    mse[last // 2] = middle - size * (mse[last] - middle)
    return replace(law, mse=mse)


def lifted(law, size):
    """The error in the middle too small by a share of that at the end, whose value is right."""
    mse = law.mse.copy()
    mse[(len(mse) - 1) // 2] -= size * mse[-1]
    return replace(law, mse=mse)


def levelled(law, size):
    """The opposite fate with the errors that it has; the size plays no part."""
    level = np.repeat(law.mse[-1:], len(law.mse), axis=0)
    return replace(law, mse=level, growth=np.full_like(law.growth, np.nan), limit=level[-1])


def growing(law, size):
    """Growth where the law has a level; the size plays no part."""
    times = np.arange(1, len(law.mse) + 1) / len(law.mse)
    mse = law.mse[-1] * times[:, None]
    return replace(law, mse=mse, growth=mse[0], limit=np.full_like(law.limit, np.nan))


def _blocks(law):
    """Each model's own part of the covariance, the rest 0, (T + 1, M p, M p)."""
    models = law.mse.shape[1]
    return np.array([block_diag(*own(covariance, models)) for covariance in law.covariance])


def levelled_spread(law, size):
    """The opposite fate with the covariances that it has; the size plays no part."""
    level = np.repeat(law.covariance[-1:], len(law.mse), axis=0)
    return replace(levelled(law, size), covariance=level)


def own_blocks(law, size):
    return replace(law, covariance=law.covariance + size * _blocks(law))


def one_entry(law, size):
    """One variance of one model, the rest right."""
    covariance = law.covariance.copy()
    covariance[:, 0, 0] *= 1 + size
    return replace(law, covariance=covariance)


def between(law, size):
    """Covariances of different models, by a share of the product of the standard deviations."""
    covariance, p = law.covariance.copy(), law.p
    roots = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    covariance[:, 0, p] += size * roots[:, 0] * roots[:, p]
    covariance[:, p, 0] = covariance[:, 0, p]
    return replace(law, covariance=covariance)


def shifted(law, size):
    """The mean of model a, by a share of a standard deviation in one direction."""
    mean = np.zeros((*law.mse.shape, law.p))
    mean[:, 0] = size * np.linalg.cholesky(law.own_covariances[:, 0])[:, :, 0]
    return replace(law, mean=mean)


def growing_mean(law, size):
    """The mean of model a, in proportion to the generation."""
    times = np.arange(1, len(law.mse) + 1)[:, None, None]
    mean = shifted(law, size).mean * np.sqrt(times)
    return replace(law, mean=mean)


def late_mean(law, size):
    """The mean of model a at the last generation."""
    mean = shifted(law, size).mean
    mean[:-1] = 0
    return replace(law, mean=mean)


def public_view(law, size):
    """The covariance of public covariates, in one variance."""
    public, private = law.views
    return replace(law, views=(public * [[1 + size], [1.0]] * [1 + size, 1.0], private))


def private_view(law, size):
    public, private = law.views
    return replace(law, views=(public, private * [[1 + size], [1.0]] * [1 + size, 1.0]))


def of_functional(law, size):
    return replace(law, values={name: (1 + size) * value for name, value in law.values.items()})


PLANTS = (
    Plant("mse", ("mse",), "mean square too large", scaled("mse")),
    Plant("growth", ("mse",), "slope too large", stretched),
    Plant("growth", ("growth", "mse"), "the opposite fate, a level", levelled, kind="drift"),
    Plant(
        "growth of models without a long run",
        ("mse",),
        "change too large",
        lifted,
        kind="drift",
        unit="of the error",
    ),
    Plant("collapse", ("mse",), "exponent of growth too large", bent, unit="added"),
    Plant("collapse", ("growth", "limit"), "the opposite fate, a level", levelled),
    Plant("collapse of a level", ("growth", "limit"), "the opposite fate, growth", growing),
    Plant("collapse of a level", ("mse",), "exponent of growth too large", bent, unit="added"),
    Plant("bias", ("mean",), "mean off", shifted, unit="standard deviations"),
    Plant("covariance", ("covariance",), "own covariances too large", own_blocks),
    Plant("covariance", ("covariance",), "one variance too large", one_entry),
    Plant(
        "covariance",
        ("covariance",),
        "one covariance of two models off",
        between,
        kind="cross_covariance",
        unit="correlation",
    ),
    Plant("normality", ("covariance",), "own covariances too large", own_blocks, margin=0.002),
    Plant(
        "normality of an exact law",
        ("covariance",),
        "own covariances too large",
        own_blocks,
        margin=0.002,
    ),
    Plant("efficiency", ("mse",), "mean square too large", scaled("mse")),
    Plant("efficiency", ("pooled",), "pooled mean square too large", scaled("pooled")),
    Plant("homogenisation", ("covariance",), "own covariances too large", own_blocks, "spread"),
    Plant(
        "homogenisation",
        ("covariance",),
        "one covariance of two models off",
        between,
        kind="cosine",
        unit="correlation",
    ),
    Plant(
        "homogenisation",
        ("mean",),
        "mean off",
        shifted,
        kind="spread",
        unit="standard deviations",  # it enters by its square
        size=0.5,
    ),
    Plant(
        "homogenisation of directions",
        ("views",),
        "public covariates wider",
        public_view,
        kind="public_cosine",
    ),
    Plant(
        "homogenisation of directions",
        ("views",),
        "private covariates wider",
        private_view,
        kind="private_cosine",
    ),
    Plant("functional", ("values",), "mean too large", of_functional),
    Plant("functional of a chance", ("values",), "chance too large", of_functional),
    Plant("held_out", ("covariance",), "own covariances too large", own_blocks),
    Plant("held_out", ("mean",), "mean off", shifted, unit="standard deviations", size=0.5),
    Plant("held_out_growth", ("covariance",), "own covariances too large", own_blocks),
    Plant(
        "held_out_growth",
        ("growth", "covariance"),
        "the opposite fate, a level",
        levelled_spread,
        kind="held_out_drift",
    ),
    Plant("held_out_growth", ("mean",), "mean off", growing_mean, size=0.5),
    Plant(
        "held_out_collapse",
        ("growth", "limit", "covariance"),
        "the opposite fate, a level",
        levelled_spread,
    ),
    Plant("held_out_collapse", ("mean",), "mean off at the end", late_mean, size=0.5),
)
NO_NUMBERS = {
    "law": "the name of the law",
    "longer": "asked for the T that would tell, in a note",
    "versions": "the error of a law that simulates",
    "allowance": "what an asymptotic law may be off",
    "next_order": "what tells how far an asymptotic law may be off",
    "validity": "where a law can be trusted",
    "small_samples": "what a mean of order 1/n may be off",
    "asymptotic": "whether errors are normal in the limit",
    "normal": "whether errors are normal",
}
"""Fields that claims read without judging them, and what they are."""
FOR_STRUCTURE = {
    ("bias", "covariance"): "the directions in which errors vary at all",
    ("bias", "mse"): "whether the law predicts 0, or how many cells there are",
    ("covariance", "mse"): "the number of models",
    ("normality", "mse"): "the number of models",
    ("homogenisation", "mse"): "the number of models",
    ("held_out", "mse"): "the number of models",
    ("held_out_growth", "mse"): "the number of models",
    ("held_out_collapse", "mse"): "the number of models",
    ("held_out", "growth"): "whether models grow, which other claims judge",
    ("held_out", "limit"): "whether models settle, which other claims judge",
    ("held_out_growth", "limit"): "whether models settle",
    ("collapse", "covariance"): "how many numbers a longer prediction has",
}
"""Numbers that a quantity reads without judging them, and for what."""
