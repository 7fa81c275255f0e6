"""Symmetric noise distributions for regression: a sampler, and the moments that laws need.

All have scale 1 unless a parameter says otherwise. None is standardised to variance 1: Student's t
has variance df / (df - 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import betainc, betaincc, erf, erfc, gammainc, ndtr, poch, stdtr, stdtrit

from mcjax.draws import samplers
from mcjax.errors import InputError, did_you_mean
from mcjax.estimators.predictor import Entries, Params, Words
from mcjax.solvers.conditioning import LARGEST, SMALLEST

NoiseName = Literal["normal", "student_t", "laplace", "contaminated_normal"]
Noise = NoiseName | Mapping[str, Any]
"""A noise distribution as a user gives it: its name, or a mapping of ``name`` and parameters."""


@dataclass(frozen=True)
class NoiseLaw:
    """A noise distribution.

    Attributes
    ----------
    draw : callable
        ``(params, words, dtype) -> eps``, from two random words.
    density : callable
        ``(params, x) -> f(x)``, on NumPy arrays.
    density_slope : callable
        ``(params, x) -> f'(x)`` for x other than 0, on the host.
    distribution : callable
        ``(params, x) -> P(eps < x)``, on NumPy arrays.
    variance : callable
        ``params -> Var(eps)``, possibly infinite.
    quantile : callable
        ``(params, level) -> q`` with ``P(eps < q) = level``, on the host.
    clipped : callable
        ``(params, k) -> (P(|eps| < k), E min(eps^2, k^2))``, on the host. Both are accurate to
        rounding at every scale of k: they are sums of positive terms, and the mass beyond k is not
        computed as 1 minus the mass within.
    normals : callable, optional
        ``params -> ((share, scale), ...)`` of a mixture of centred normals.
    defaults : dict
        Parameter names and default values; None if the parameter is required.
    """

    draw: Callable[[Params, Words, jnp.dtype], Entries]
    density: Callable[[Params, Float[np.ndarray, "*x"]], Float[np.ndarray, "*x"]]
    density_slope: Callable[[Params, float], float]
    distribution: Callable[[Params, Float[np.ndarray, "*x"]], Float[np.ndarray, "*x"]]
    variance: Callable[[Params], float]
    quantile: Callable[[Params, float], float]
    clipped: Callable[[Params, float], tuple[float, float]]
    defaults: dict[str, float | None]
    normals: Callable[[Params], tuple[tuple[float, float], ...]] | None = None


def _normal_density(x: np.ndarray, scale: float = 1.0) -> np.ndarray:
    return np.exp(-0.5 * (x / scale) ** 2) / (scale * math.sqrt(2 * math.pi))


def _normal_clipped(k: float, scale: float = 1.0) -> tuple[float, float]:
    """Return the clipped moments of a normal with this scale.

    ``E[z^2; |z| < k]`` is the probability that a chi-squared variable of 3 degrees of freedom is
    below k^2.
    """
    z = k / scale
    within = gammainc(1.5, z * z / 2) + z * z * erfc(z / math.sqrt(2))
    return float(erf(z / math.sqrt(2))), float(scale * scale * within)


def _laplace_clipped(k: float) -> tuple[float, float]:
    """Return the clipped moments; ``E[eps^2; |eps| < k]`` is an incomplete gamma function."""
    return -math.expm1(-k), float(2 * gammainc(3, k)) + k * k * math.exp(-k)


def _contaminated_density(params: Params, x: np.ndarray) -> np.ndarray:
    share, scale = params["share"], params["scale"]
    return (1 - share) * _normal_density(x) + share * _normal_density(x, scale)


def _contaminated_slope(params: Params, x: float) -> float:
    share, scale = params["share"], params["scale"]
    at = np.asarray(x)
    tame, wild = _normal_density(at), _normal_density(at, scale)
    return -x * float((1 - share) * tame + share * wild / scale**2)


def _contaminated_quantile(params: Params, level: float) -> float:
    """Return the quantile, which lies between those of the two components."""
    share, scale = params["share"], params["scale"]
    tame, wild = NormalDist(), NormalDist(0, scale)

    def excess(x: float) -> float:
        return (1 - share) * tame.cdf(x) + share * wild.cdf(x) - level

    low, high = sorted((tame.inv_cdf(level), wild.inv_cdf(level)))
    return float(brentq(excess, low, high, xtol=1e-14)) if excess(low) < 0 < excess(high) else low


def _contaminated_clipped(params: Params, k: float) -> tuple[float, float]:
    share = params["share"]
    tame, wild = _normal_clipped(k), _normal_clipped(k, params["scale"])
    inside, square = ((1 - share) * a + share * b for a, b in zip(tame, wild, strict=True))
    return inside, square


def _student_density(params: Params, x: np.ndarray) -> np.ndarray:
    df = params["df"]
    # Gamma((df + 1) / 2) / Gamma(df / 2), whose logarithms cancel where df is large
    constant = float(poch(df / 2, 0.5)) / math.sqrt(df * math.pi)
    return constant * np.exp(-(df + 1) / 2 * np.log1p(x**2 / df))


def _student_clipped(params: Params, k: float) -> tuple[float, float]:
    """Return the clipped moments of Student's t.

    Probabilities are incomplete beta functions. The second moment within k has such a form only for
    df > 2 and loses its digits near df = 2. It is therefore integrated by Gauss-Legendre quadrature
    on panels of doubling width, from the scale of the density up to k. The poles of the density at
    ``+- i sqrt(df)`` are then farther from every panel than the panel is wide.
    """
    df = params["df"]
    ratio = (k / math.sqrt(df)) ** 2
    u, rest = ratio / (1 + ratio), 1 / (1 + ratio)
    if u < 0.5:
        inside, beyond = betainc(0.5, df / 2, u), betaincc(0.5, df / 2, u)
    else:
        inside, beyond = betaincc(df / 2, 0.5, rest), betainc(df / 2, 0.5, rest)
    first = min(1.0, math.sqrt(df), k)
    doublings = math.ceil(math.log2(k / first))
    edges = np.concatenate([[0.0], first * 2.0 ** np.arange(doublings), [k]])
    node, weight = np.polynomial.legendre.leggauss(32)
    half = np.diff(edges)[:, None] / 2
    x = edges[:-1, None] + half + half * node
    mass = half * weight * _student_density(params, x)
    within = float(inside * (mass * x**2).sum() / mass.sum())
    return float(inside), within + k * k * float(beyond)


NOISES: dict[NoiseName, NoiseLaw] = {
    "normal": NoiseLaw(
        draw=lambda params, words, dtype: samplers.normal(words, dtype),
        density=lambda params, x: _normal_density(x),
        density_slope=lambda params, x: -x * float(_normal_density(np.asarray(x))),
        distribution=lambda params, x: ndtr(x),
        variance=lambda params: 1.0,
        quantile=lambda params, level: NormalDist().inv_cdf(level),
        clipped=lambda params, k: _normal_clipped(k),
        defaults={},
        normals=lambda params: ((1.0, 1.0),),
    ),
    "student_t": NoiseLaw(
        draw=lambda params, words, dtype: samplers.student_t(words, params["df"], dtype),
        density=_student_density,
        density_slope=lambda params, x: (
            -(params["df"] + 1)
            * x
            / (params["df"] + x * x)
            * float(_student_density(params, np.asarray(x)))
        ),
        distribution=lambda params, x: stdtr(params["df"], x),
        variance=lambda params: params["df"] / (params["df"] - 2) if params["df"] > 2 else math.inf,
        quantile=lambda params, level: float(stdtrit(params["df"], level)),
        clipped=_student_clipped,
        defaults={"df": None},
    ),
    "laplace": NoiseLaw(
        draw=lambda params, words, dtype: samplers.laplace(words, dtype),
        density=lambda params, x: 0.5 * np.exp(-np.abs(x)),
        density_slope=lambda params, x: -0.5 * math.copysign(math.exp(-abs(x)), x),
        distribution=lambda params, x: np.where(
            x < 0, 0.5 * np.exp(-np.abs(x)), 1 - 0.5 * np.exp(-np.abs(x))
        ),
        variance=lambda params: 2.0,
        quantile=lambda params, level: math.copysign(
            math.log(2 * min(level, 1 - level)), level - 0.5
        ),
        clipped=lambda params, k: _laplace_clipped(k),
        defaults={},
    ),
    "contaminated_normal": NoiseLaw(
        draw=lambda params, words, dtype: samplers.contaminated_normal(
            words, params["share"], params["scale"], dtype
        ),
        density=_contaminated_density,
        density_slope=_contaminated_slope,
        distribution=lambda params, x: (
            (1 - params["share"]) * ndtr(x) + params["share"] * ndtr(x / params["scale"])
        ),
        variance=lambda params: 1 + params["share"] * (params["scale"] ** 2 - 1),
        quantile=_contaminated_quantile,
        clipped=_contaminated_clipped,
        defaults={"share": 0.1, "scale": 3.0},
        normals=lambda params: ((1 - params["share"], 1.0), (params["share"], params["scale"])),
    ),
}


def read_noise(spec: Noise, field: str) -> tuple[NoiseName, dict[str, float]]:
    """Return name and parameters of a noise distribution.

    Parameters
    ----------
    spec : str or mapping
        Such as ``"normal"`` or ``{"name": "student_t", "df": 5}``.
    field : str
        The field of the study file, for error messages.

    Returns
    -------
    name : str
        A key of ``NOISES``.
    params : dict
        All parameters, defaults included.

    Raises
    ------
    InputError
        If the name or a parameter is unknown, missing or out of range.
    """
    if isinstance(spec, str):
        spec = {"name": spec}
    if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
        raise InputError(field, "needs a noise name, such as 'normal'")
    name = spec["name"]
    if name not in NOISES:
        hint = did_you_mean(name, NOISES)
        raise InputError(field, f"is {name!r}, not one of {', '.join(NOISES)}{hint}")
    defaults = NOISES[name].defaults
    for key in spec:
        if key not in ("name", *defaults):
            raise InputError(f"{field}.{key}", f"is not a parameter of {name!r} noise; remove it")
    params: dict[str, float] = {}
    for key, default in defaults.items():
        value = spec.get(key, default)
        if value is None:
            raise InputError(f"{field}.{key}", f"is missing; {name!r} noise needs it")
        params[key] = positive(value, f"{field}.{key}")
    if params.get("share", 0.0) >= 1:
        raise InputError(f"{field}.share", f"is {params['share']}; give a share below 1")
    return name, params


def positive(value: Any, field: str) -> float:
    """Return ``value`` as a float; raise InputError unless it is positive and of sensible size."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and value > 0):
        raise InputError(field, f"is {value!r}; give a positive number")
    if not SMALLEST <= value <= LARGEST:
        limits = f"from {SMALLEST:g} to {LARGEST:g}"
        raise InputError(field, f"is {value!r}; give a positive number {limits}")
    return float(value)
