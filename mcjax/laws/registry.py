"""All built-in laws, in the order in which results list them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mcjax.errors import InputError
from mcjax.laws.first_order.m_estimators import FirstOrder
from mcjax.laws.generative.extinction import Extinction
from mcjax.laws.generative.gaussian_deviations import Lineage
from mcjax.laws.generative.moments import Generative
from mcjax.laws.law import Law
from mcjax.laws.least_squares.finite_sample import FiniteSample
from mcjax.laws.least_squares.fixed_design import FixedDesign
from mcjax.laws.least_squares.minimum_norm import MinimumNorm
from mcjax.laws.least_squares.simulated_moments import FiniteSampleMonteCarlo

LAWS: tuple[Law, ...] = (
    FirstOrder(),
    FiniteSample(),
    MinimumNorm(),
    FixedDesign(),
    FiniteSampleMonteCarlo(),
    Generative(),
    Lineage(),
    Extinction(),
)

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
    pairs = laws.items() if isinstance(laws, Mapping) else [(_name(law), law) for law in laws]
    named: dict[str, Law] = {}
    for name, law in pairs:
        for part in ("name", "reference", "exact", "applies", "predict"):
            if not hasattr(law, part):
                raise InputError(
                    f"law.{name}", f"has no {part!r}; see mcjax.laws.law.Law, or use mcjax.user_law"
                )
        if any(name == builtin.name for builtin in LAWS):
            raise InputError(f"law.{name}", "is the name of a built-in law; choose another")
        if name in named:
            raise InputError(f"law.{name}", "is the name of two laws; rename one")
        named[name] = law
    return named


def _name(law: Law) -> str:
    return str(getattr(law, "name", type(law).__name__))
