"""Symmetric noise laws for regression, each with a sampler and a density.

The sampler turns two uniforms into one draw; the density serves the quadrature behind the laws.
All have scale 1 unless a parameter says otherwise, and none is standardised: Student's t has
variance df / (df - 2).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.optimize import brentq
from scipy.special import stdtrit

from mcjax.draws import samplers
from mcjax.errors import InputError, did_you_mean

Params = dict[str, Any]


@dataclass(frozen=True)
class NoiseLaw:
    """A noise law.

    Attributes
    ----------
    draw: ``(params, u, v) -> eps`` from two uniforms.
    density: ``(params, x) -> f(x)`` on NumPy arrays.
    variance: ``(params) -> Var(eps)``, ``inf`` where there is none.
    quantile: ``(params, level) -> q`` with ``P(eps < q) = level``, on the host.
    defaults: parameter names and default values (``None``: must be given).
    check: parameter name -> (largest allowed bound excluded, smallest allowed bound excluded).
    """

    draw: Callable[[Params, Array, Array], Array]
    density: Callable[[Params, np.ndarray], np.ndarray]
    variance: Callable[[Params], float]
    quantile: Callable[[Params, float], float]
    defaults: dict[str, float | None]
    below: float = math.inf


def _normal(u: Array, v: Array) -> Array:
    return jnp.sqrt(-2 * jnp.log(u)) * samplers.turn(v)[0]


def _normal_density(x: np.ndarray, scale: float = 1.0) -> np.ndarray:
    return np.exp(-0.5 * (x / scale) ** 2) / (scale * math.sqrt(2 * math.pi))


def _contaminated(params: Params, u: Array, v: Array) -> Array:
    """One uniform decides and is then used again: given the decision it is uniform once more."""
    share, scale = params["share"], params["scale"]
    wild = u < share
    again = jnp.where(wild, u / share, (u - share) / (1 - share))
    return _normal(again, v) * jnp.where(wild, scale, 1)


def _contaminated_density(params: Params, x: np.ndarray) -> np.ndarray:
    share, scale = params["share"], params["scale"]
    return (1 - share) * _normal_density(x) + share * _normal_density(x, scale)


def _contaminated_quantile(params: Params, level: float) -> float:
    """Between the quantiles of the two parts of the mixture."""
    share, scale = params["share"], params["scale"]
    tame, wild = NormalDist(), NormalDist(0, scale)

    def excess(x: float) -> float:
        return (1 - share) * tame.cdf(x) + share * wild.cdf(x) - level

    low, high = sorted((tame.inv_cdf(level), wild.inv_cdf(level)))
    return float(brentq(excess, low, high, xtol=1e-14)) if excess(low) < 0 < excess(high) else low


def _student_density(params: Params, x: np.ndarray) -> np.ndarray:
    df = params["df"]
    log_constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    return np.exp(log_constant - (df + 1) / 2 * np.log1p(x**2 / df))


NOISES: dict[str, NoiseLaw] = {
    "normal": NoiseLaw(
        draw=lambda params, u, v: _normal(u, v),
        density=lambda params, x: _normal_density(x),
        variance=lambda params: 1.0,
        quantile=lambda params, level: NormalDist().inv_cdf(level),
        defaults={},
    ),
    "student_t": NoiseLaw(
        draw=lambda params, u, v: samplers.student_t(u, v, params["df"]),
        density=_student_density,
        variance=lambda params: params["df"] / (params["df"] - 2) if params["df"] > 2 else math.inf,
        quantile=lambda params, level: float(stdtrit(params["df"], level)),
        defaults={"df": None},
    ),
    "laplace": NoiseLaw(
        draw=lambda params, u, v: samplers.laplace(u),
        density=lambda params, x: 0.5 * np.exp(-np.abs(x)),
        variance=lambda params: 2.0,
        quantile=lambda params, level: math.copysign(
            math.log(2 * min(level, 1 - level)), level - 0.5
        ),
        defaults={},
    ),
    "contaminated_normal": NoiseLaw(
        draw=_contaminated,
        density=_contaminated_density,
        variance=lambda params: 1 + params["share"] * (params["scale"] ** 2 - 1),
        quantile=_contaminated_quantile,
        defaults={"share": 0.1, "scale": 3.0},
    ),
}


def read_noise(spec: Any, field: str) -> tuple[str, dict[str, float]]:
    """Name and parameters of a noise law from ``"normal"`` or ``{"name": ..., "df": ...}``.

    Raises
    ------
    InputError: for an unknown law or parameter, or one out of its range.
    """
    if isinstance(spec, str):
        spec = {"name": spec}
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        raise InputError(field, "needs a noise name, such as 'normal'")
    name = spec["name"]
    if name not in NOISES:
        hint = did_you_mean(name, NOISES)
        raise InputError(field, f"is {name!r}, not one of {', '.join(NOISES)}{hint}")
    defaults = NOISES[name].defaults
    for key in spec:
        if key not in ("name", *defaults):
            raise InputError(f"{field}.{key}", f"is no parameter of {name!r} noise; remove it")
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
    """``value`` as a positive finite float, or a sentence."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and 0 < value <= sys.float_info.max):
        raise InputError(field, f"is {value!r}; give a positive number")
    return float(value)


def huber_moments(law: NoiseLaw, params: Params, threshold: float) -> tuple[float, float]:
    """``E psi'(eps)`` and ``E psi(eps)^2`` of Huber's psi, by Gauss-Legendre quadrature.

    ``psi(x) = max(-k, min(k, x))``, so with F symmetric ``E psi' = P(|eps| < k)`` and
    ``E psi^2 = E[eps^2; |eps| < k] + k^2 P(|eps| > k)``. Only the density on (0, k) is needed; it
    is smooth there for every law above, and panels of at most 1/4 make the error rounding.
    """
    node, weight = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(0.0, threshold, max(8, math.ceil(min(threshold, 1e3) * 4)) + 1)
    half = np.diff(edges)[:, None] / 2
    x = (edges[:-1, None] + half + half * node).ravel()
    mass = 2 * (half * weight).ravel() * law.density(params, x)
    inside = float(mass.sum())
    return inside, float(mass @ x**2) + threshold**2 * (1 - inside)
