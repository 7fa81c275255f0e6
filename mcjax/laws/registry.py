"""All built-in laws, in the order in which results list them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pkgutil import resolve_name

from mcjax.errors import InputError
from mcjax.laws.law import Law

PLACES = {
    "first_order": "mcjax.laws.first_order.m_estimators:FirstOrder",
    "finite_sample": "mcjax.laws.least_squares.finite_sample:FiniteSample",
    "minimum_norm": "mcjax.laws.least_squares.minimum_norm:MinimumNorm",
    "fixed_design": "mcjax.laws.least_squares.fixed_design:FixedDesign",
    "finite_sample_monte_carlo": "mcjax.laws.least_squares.simulated_moments:SimulatedMoments",
    "generative": "mcjax.laws.generative.moments:Generative",
    "lineage": "mcjax.laws.generative.gaussian_deviations:Lineage",
    "extinction": "mcjax.laws.generative.extinction:Extinction",
}
"""Modules and classes of the built-in laws, by name."""

LAWS: tuple[Law, ...] = tuple(resolve_name(place)() for place in PLACES.values())

Laws = Mapping[str, Law] | Iterable[Law]
"""Further laws: a mapping from the names they have in results, or the laws themselves."""


def further_laws(laws: Laws | None) -> dict[str, Law]:
    """Return a user's laws by name.

    Raises
    ------
    InputError
        If it is no collection of laws; if two laws, or one and a built-in law, share a name; or if
        one lacks a part of the contract.
    """
    if laws is None:
        return {}
    if hasattr(laws, "predict"):
        raise InputError("laws", "is one law; put it in a list")
    if not isinstance(laws, Iterable) or isinstance(laws, str):
        raise InputError("laws", f"is {laws!r}; give a list of laws")
    pairs = laws.items() if isinstance(laws, Mapping) else [(_name(law), law) for law in laws]
    named: dict[str, Law] = {}
    for name, law in pairs:
        for part in ("name", "reference", "exact", "applies", "predict"):
            if not hasattr(law, part):
                raise InputError(
                    f"law.{name}", f"has no {part!r}; see mcjax.laws.law.Law, or use mcjax.user_law"
                )
        if name in PLACES:
            raise InputError(f"law.{name}", "is the name of a built-in law; choose another")
        if name in named:
            raise InputError(f"law.{name}", "is the name of two laws; rename one")
        named[name] = law
    return named


def _name(law: Law) -> str:
    return str(getattr(law, "name", type(law).__name__))
