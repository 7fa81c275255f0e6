"""Selections that a study file can name, and their checks.

Does not import selections before one is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from mcjax.errors import InputError, did_you_mean
from mcjax.faults import users_code
from mcjax.network import Network

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from mcjax.models.model import Model

PLACES = {
    "temperature": "mcjax.selections.temperature:Temperature",
    "flip": "mcjax.selections.flip:Flip",
    "verifier": "mcjax.selections.verifier:Verifier",
    "checker": "mcjax.selections.checker:Checker",
    "best_of": "mcjax.selections.best_of:BestOf",
    "top_p": "mcjax.selections.top_p:TopP",
}
"""Modules and classes of the built-in selections, by the field of ``keep`` that asks for them."""


def read_selection(spec: Mapping[str, Any], field: str) -> Any:
    """Return the selection that a ``keep`` table describes.

    Parameters
    ----------
    spec : mapping
        The field that names the kind, and its other fields.
    field : str
        What errors name.

    Returns
    -------
    Selection
        Its values are good; whether it suits the model, :func:`check_selections` says.

    Raises
    ------
    InputError
        If no kind or several are asked for, or a field is unknown, missing or has no meaningful
        value.
    """
    kinds = [name for name in spec if name in PLACES]
    known = ", ".join(PLACES)
    if not kinds:
        wrong = next(iter(spec), "")
        place, hint = (f"{field}.{wrong}", did_you_mean(wrong, PLACES)) if wrong else (field, "")
        raise InputError(place, f"names no selection; give one of {known}{hint}")
    if len(kinds) > 1:
        raise InputError(field, f"asks for {' and '.join(kinds)}; give one of {known}")
    kind = resolve_name(PLACES[kinds[0]])
    takes = {entry.name: entry for entry in fields(kind)}
    for key in spec:
        if key not in takes:
            hint = did_you_mean(key, takes)
            raise InputError(
                f"{field}.{key}",
                f"is not a field of {kinds[0]} (it takes {', '.join(takes)}){hint}",
            )
    for key, entry in takes.items():
        if entry.default is MISSING and key not in spec:
            raise InputError(f"{field}.{key}", f"is missing; {kinds[0]} needs it")
    keep = kind(**{key: _frozen(value) for key, value in spec.items()})
    problem = keep.values()
    if problem:
        entry, _, sentence = problem.partition(" ")
        raise InputError(f"{field}.{entry}", sentence)
    return keep


def _frozen(value: Any) -> Any:
    """Return a value in which lists are tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def check_selections(
    network: Network, model: Model, theta: Float[np.ndarray, " p"], design: str
) -> None:
    """Check that what readers keep of their feeds suits the model.

    Raises
    ------
    InputError
        If it does not; the message names the feed and the field.
    """
    if not network.selections:
        return
    import jax

    contract = resolve_name("mcjax.selections.selection:Selection")
    later = (("feeds", generation.feeds) for generation in network.later.generations)
    for name, feeds in (("first", network.first), *later):
        for k, feed in enumerate(feeds):
            keep: Any = feed.keep
            if keep is None:
                continue
            field = f"network.{name}[{k}].keep"
            if not isinstance(keep, contract):
                raise InputError(field, f"is {keep!r}; give a selection, see mcjax.Selection")
            known = is_dataclass(keep) and all(leaf is not keep for leaf in jax.tree.leaves(keep))
            if not known:
                raise InputError(
                    field,
                    f"is of the class {type(keep).__name__}; make it a frozen dataclass, and"
                    " give it to jax.tree_util.register_dataclass",
                )
            with users_code(field, keep):
                problem = keep.problem(model, theta, feed.origin in network.source_index)
                entry, _, sentence = problem.partition(" ")
            if problem:
                raise InputError(f"{field}.{entry}", sentence)
            if design == "fixed":
                raise InputError(field, "is for random designs; leave it out, or covariates.design")
            if network.memory.selects:
                raise InputError(field, "is for memory 'replace' or 'accumulate'; use one of these")
