"""The registry of published results, by id."""

from __future__ import annotations

from collections.abc import Iterable

from mcjax.errors import InputError, did_you_mean
from mcjax.published import estimators, generative, memory, selection, weights
from mcjax.published.entry import Entry

ENTRIES: dict[str, Entry] = {
    entry.id: entry
    for entry in sorted(
        (
            *memory.ENTRIES,
            *weights.ENTRIES,
            *estimators.ENTRIES,
            *generative.ENTRIES,
            *selection.ENTRIES,
        ),
        key=lambda entry: (entry.id[0], int(entry.id[1:].strip("'")), entry.id),
    )
}
GROUPS = tuple(dict.fromkeys(entry.group for entry in ENTRIES.values()))


def chosen(names: Iterable[str]) -> list[Entry]:
    """Return the entries with given ids or in given groups, or all, in the order of the registry.

    Raises
    ------
    InputError
        If a name is neither an id nor a group.
    """
    wanted = list(names)
    for name in wanted:
        if name not in ENTRIES and name not in GROUPS:
            hint = did_you_mean(name, (*ENTRIES, *GROUPS))
            known = f"{', '.join(ENTRIES)}, nor a group: {', '.join(GROUPS)}"
            raise InputError("ID", f"{name!r} is not one of {known}{hint}")
    return [e for e in ENTRIES.values() if not wanted or {e.id, e.group} & set(wanted)]
