"""All built-in laws, in the order in which results list them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pkgutil import resolve_name

from mcjax.errors import InputError, did_you_mean
from mcjax.laws.law import Law

PLACES = {
    "first_order": "mcjax.laws.first_order.m_estimators:FirstOrder",
    "second_order": "mcjax.laws.second_order.m_estimators:SecondOrder",
    "surrogate": "mcjax.laws.second_order.surrogate:Surrogate",
    "finite_sample": "mcjax.laws.least_squares.finite_sample:FiniteSample",
    "minimum_norm": "mcjax.laws.least_squares.minimum_norm:MinimumNorm",
    "fixed_design": "mcjax.laws.least_squares.fixed_design:FixedDesign",
    "finite_sample_monte_carlo": "mcjax.laws.least_squares.simulated_moments:SimulatedMoments",
    "generative": "mcjax.laws.generative.moments:Generative",
    "smoothed": "mcjax.laws.generative.smoothed_shares:Smoothed",
    "pairs": "mcjax.laws.generative.smoothed_transitions:Pairs",
    "lineage": "mcjax.laws.generative.gaussian_deviations:Lineage",
    "extinction": "mcjax.laws.generative.extinction:Extinction",
}
"""Modules and classes of the built-in laws, by name."""

SHOWN = ("second_order",)
"""Built-in laws that are shown beside others, but judged only where they are asked for by name."""
ON_REQUEST = (*SHOWN, "surrogate")
"""Built-in laws that are predicted and judged only where they are asked for by name."""

LAWS: tuple[Law, ...] = tuple(resolve_name(place)() for place in PLACES.values())

Laws = Mapping[str, Law] | Iterable[Law | str]
"""Further laws: a mapping from the names they have in results, or the laws themselves; a built-in
law on request by its name."""


def built_in(name: str) -> Law:
    """Return a built-in law.

    Raises
    ------
    InputError
        If no law has that name.
    """
    for law in LAWS:
        if law.name == name:
            return law
    raise InputError("law", f"{name!r} is no built-in law{did_you_mean(name, PLACES)}")


def is_built_in(law: Law) -> bool:
    """Return whether a law is one of the built-in ones."""
    return any(law is one for one in LAWS)


def further_laws(laws: Laws | None) -> dict[str, Law]:
    """Return by name the laws that are asked for: a user's own, or built-in ones on request.

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
    if isinstance(laws, Mapping):
        pairs = list(laws.items())
    else:
        asked = [built_in(law) if isinstance(law, str) else law for law in laws]
        pairs = [(_name(law), law) for law in asked]
    named: dict[str, Law] = {}
    for name, law in pairs:
        if is_built_in(law):
            named[law.name] = law
            continue
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
