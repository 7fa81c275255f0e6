"""A family: what one observation is, how a model generates it, and what a model minimises.

A family is a record of pure functions of a single observation; batching is nobody's business here.
Its numbers (a threshold, a noise scale) are array leaves, its functions are static, so sweeping a
number recompiles nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mcjax.draws.samplers import uniform
from mcjax.models.allowance import Allowance
from mcjax.models.information import Information

if TYPE_CHECKING:
    from mcjax.models.generative import GaussianMoments, WeightedMean

UNROLLED = 16

Params = dict[str, Any]
"""The numbers of a family: a dictionary whose leaves are scalars."""

Words = tuple[Array, Array]
"""Two random 32-bit words: all the randomness a label has."""


class Functional(NamedTuple):
    """A number made of one estimate, whose mean over chains is told by laws and judged.

    Attributes
    ----------
    name: for tables.
    value: ``(theta, truth) -> (...)`` in NumPy, for estimates (..., p) and the truth (p,).
    scale: how a departure from a law is measured: ``ratio`` (as a share of what the law says),
        ``chance`` (the same of a probability, and of 1/10 for a smaller one) or ``logarithm`` (as
        it is, for a difference of logarithms is a share).
    span: ``p -> `` the largest difference between two values, infinite if there is none.
    """

    name: str
    value: Callable[..., Any]
    scale: str
    span: Callable[[int], float]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["params"],
    meta_fields=[
        "name",
        "variant",
        "loss",
        "sample",
        "sample_real",
        "slopes",
        "separates",
        "information",
        "noise_variances",
        "gaussian",
        "solve",
        "covariates",
        "summary",
        "estimate",
        "functionals",
        "least_rows",
        "check",
        "allowance",
        "generative",
        "interpolates",
    ],
)
@dataclass(frozen=True)
class Model:
    """An M-estimation problem and the law of its data.

    The user's side of the record is ``loss`` and ``sample``; what else is known in closed form may
    be added, and replaces what autodiff and Monte Carlo would supply.

    Attributes
    ----------
    params: numbers, passed to every function below.
    name: for tables.
    variant: text that, with name and params, tells this family from others (the noise laws, a
        digest of a user's source): part of a study's identity on disk.
    loss: ``(params, theta, x, y) -> scalar``, the loss of one observation; theta, x: shape (p,).
    sample: ``(params, theta, x, words) -> y``, a label from the law a *model* generates, as a
        function of two random 32-bit words.
    sample_real: the same for real data; it may differ from what models generate (real noise that
        is not the synthetic noise), as long as ``theta`` is what the loss aims at in both.
    slopes: ``(params, eta, y) -> (l', c)`` for a loss that depends on theta through
        ``eta = x'theta`` only: its derivative, and the curvature Newton steps use, l'' or a small
        positive number where l'' vanishes. None: autodiff of ``loss``.
    separates: ``(eta, y) -> bool``; when true of *every* observation at some theta, that theta
        certifies that no M-estimate exists. None: never.
    information: ``(params, theta, covariance) -> Information`` on the host, in closed form, for
        x ~ N(0, covariance); None: by autodiff and Monte Carlo, with a standard error.
    noise_variances: of a family that is least squares, ``y = x'theta + noise`` with the squared
        loss: ``params -> (variance in synthetic labels, variance in real labels)``. None: no such.
    gaussian: whether, besides, all that noise is normal, so that ``X'X`` and ``X'y`` are sufficient
        and a chain needs no rows.
    solve: ``(params, data, start) -> (theta, status, steps)``, this family's own solver for one
        :class:`~mcjax.fits.objective.Dataset`, where Newton's method does not lead to the
        minimiser; see :class:`~mcjax.fits.fit.Fit`. None: Newton's method or L-BFGS on the loss.
    covariates: whether an observation has covariates. Without, theta describes the law of y alone,
        and x has shape (0,), or (0, N).
    summary: ``(params, pivot, x, y) -> (k,)``, of which the weighted sums over observations suffice
        for the estimate. ``pivot``, shape (p,), is a point near the estimate about which sums lose
        no digits. None: there is no such, or it is not known.
    estimate: ``(params, pivot, sums, mass, rows) -> (theta, determined)``, the estimate from these
        sums, and whether they determine every parameter; ``mass`` is the sum of weights, ``rows``
        the observations it is worth, ``(sum w)^2 / sum w^2``. None where ``summary`` is. A family
        with covariates is fitted so only where data accumulate.
    functionals: numbers made of an estimate, whose means over chains can be judged.
    least_rows: rows without which there is no estimate; None: more than p.
    check: ``truth -> sentence``, what is wrong with a truth of shape (p,), or nothing. None: any
        finite truth will do.
    allowance: departures from the first-order law that finite samples explain; None: none.
    generative: what exact laws need to know of a model without covariates; None: they say nothing.
    interpolates: whether a fit of no more rows than parameters is the interpolator of least norm.
    """

    params: Params
    name: str
    variant: str
    loss: Callable[..., Any]
    sample: Callable[..., Any]
    sample_real: Callable[..., Any]
    slopes: Callable[..., tuple[Any, Any]] | None
    separates: Callable[..., Any] | None
    information: Callable[..., Information] | None
    noise_variances: Callable[[Params], tuple[Any, Any]] | None = None
    gaussian: bool = False
    solve: Callable[..., tuple[Any, Any, Any]] | None = None
    covariates: bool = True
    summary: Callable[..., Any] | None = None
    estimate: Callable[..., tuple[Any, Any]] | None = None
    functionals: tuple[Functional, ...] = ()
    least_rows: int | None = None
    check: Callable[..., str] | None = None
    allowance: Allowance | None = None
    generative: WeightedMean | GaussianMoments | None = None
    interpolates: bool = False


def linear_predictor(x: Array, theta: Array) -> Array:
    """``x'theta`` for x of shape (p,) or (p, N); written out where p is small, so that it fuses."""
    if len(theta) > UNROLLED:
        return jnp.matmul(theta, x, precision="highest")
    total = x[0] * theta[0]
    for i in range(1, len(theta)):
        total = total + x[i] * theta[i]
    return total


def uniforms(words: Words, dtype: jnp.dtype) -> tuple[Array, Array]:
    """The two uniforms behind a label."""
    return uniform(words[0], dtype), uniform(words[1], dtype)
