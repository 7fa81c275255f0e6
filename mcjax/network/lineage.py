"""Lineage of models and data sets: statements of what each is made of, as a graph of models.

Models are what is trained, tuned, distilled or generates. Everything else is a data set, and no
node of the graph: a model that is trained on it reads the models that generated it, or the real
source if none did. So a data set of which no more is said counts as real; one that is said to be
synthetic, without a generator, is of unknown origin. A model that names no data reads data of
unknown origin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mcjax.errors import InputError
from mcjax.network.feed import REAL, UNKNOWN
from mcjax.numbers import how_many, in_text

MOST_EDGES = 20_000_000
"""Largest number of edges, which data sets of many generators and readers multiply."""
SYNTHETIC = "synthetic"
KINDS = (REAL, SYNTHETIC, UNKNOWN)
"""Kinds of data. Synthetic data without a generator are of unknown origin."""
SIZES = ("samples", "share")
"""Fields for how much data a model is trained on."""


class Lineage:
    """A graph of models, with what :mod:`mcjax.network.graphs` asks of one of networkx."""

    def __init__(self) -> None:
        self.graph: dict[str, Any] = {}
        self._models: dict[str, None] = {}  # ordered
        self._data_sets: dict[str, None] = {}
        self._reads: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
        self._bases: dict[str, list[str]] = {}
        self._makers: dict[str, list[str]] = {}
        self._parts: dict[str, list[str]] = {}
        self._kinds = {SYNTHETIC: SYNTHETIC}
        self._groups: dict[str, str] = {}
        self._complete: set[str] = set()
        self._silent: dict[str, int] = {}
        self._unknown = 0

    def model(self, name: str) -> None:
        """Say that something is a model."""
        self._models.setdefault(name)

    def trained_on(self, model: str, data: str, size: Mapping[str, Any]) -> None:
        """Say that a model is fitted to a data set, or to the output of another model."""
        self.model(model)
        self._reads.setdefault(model, []).append((data, size))
        self._complete.add(model)

    def made_from(self, model: str, base: str) -> None:
        """Say that a model is made from another and no other data: distilled, merged, quantized."""
        self.tuned_from(model, base)
        self._complete.add(model)

    def tuned_from(self, model: str, base: str) -> None:
        """Say that a model begins at another, and is tuned on data that may be said elsewhere."""
        self.model(model)
        self._bases.setdefault(model, []).append(self._maker(base))

    def generated_by(self, data: str, model: str) -> None:
        """Say that a data set is output of a model, or of one of the two sources."""
        self._data_sets.setdefault(data)
        self._makers.setdefault(data, []).append(self._maker(model))

    def derived_from(self, thing: str, part: str) -> None:
        """Say that a data set has the rows of another, or that a model is tuned from another."""
        self._parts.setdefault(thing, []).append(part)

    def version_of(self, model: str, group: str) -> None:
        """Say that a model is a version of an entity."""
        if self._groups.setdefault(model, group) != group:
            raise InputError("", f"has {model!r} as a version of two; keep one")
        self.model(model)

    def of_kind(self, thing: str, kind: str) -> None:
        """Say that data are real, synthetic or unknown, or that a model reads such data."""
        word = kind.strip().lower()
        if word not in KINDS:
            raise InputError("", f"says that {thing!r} is {kind!r}; give {', '.join(KINDS)}")
        if self._kinds.setdefault(thing, word) != word:
            problem = f"says that {thing!r} is {self._kinds[thing]}, and that it is {word}"
            raise InputError("", f"{problem}; keep one")

    def leave_out(self, what: str) -> None:
        """Count something that brings no rows."""
        self._silent[what] = self._silent.get(what, 0) + 1

    def is_directed(self) -> bool:
        """Return True."""
        return True

    def nodes(self, data: bool = True) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return the models, in the order in which they occur."""
        self._settle()
        for name in self._models:
            group = self._groups.get(name)
            yield name, {} if group is None else {"version_of": group}
        yield from ((source, {}) for source in (REAL, UNKNOWN))

    def edges(self, data: bool = True) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Return who reads whom, the readers in the order in which they occur."""
        self._settle()
        self._unknown, count = 0, 0
        origins = self._origins()
        for reader in self._models:
            found = list(self._inputs(reader, origins))
            synthetic = self._kinds.get(reader) == SYNTHETIC
            if reader not in self._complete or (synthetic and all(o == REAL for o, _ in found)):
                found.append((UNKNOWN, {}))
                self._unknown += 1
            count += len(found)
            if count > MOST_EDGES:
                raise InputError("", f"has more than {MOST_EDGES:,} feeds; give a part of it")
            for origin, size in found:
                yield origin, reader, size

    def told(self) -> Iterator[str]:
        """Return what is made up or left out, after the edges were asked for."""
        real = sum(map(self._taken_as_real, self._data_sets))
        if real:
            yield f"{how_many(real, 'data set')} taken as real"
        if self._unknown:
            yield f"unknown data assumed for {how_many(self._unknown, 'model')}"
        for what, count in self._silent.items():
            yield f"{count:,} {what} left out"

    def _maker(self, name: str) -> str:
        """Return what generates data of a name, a model or a source."""
        if name not in KINDS:
            self.model(name)
        return UNKNOWN if name == SYNTHETIC else name

    def _settle(self) -> None:
        """Decide what is a model and what is a data set."""
        derived = [name for name in self._parts if name in self._models]
        for name in derived:  # parts of data sets, unless these are known to be models
            for part in self._parts.pop(name, ()):
                self.tuned_from(name, part)
                if part in self._parts:
                    derived.append(part)
        both = next((name for name in self._makers if name in self._models), None)
        if both is not None:
            raise InputError(
                "",
                f"has {both!r} as a model and as a data set that was generated; give each its name",
            )
        read = (name for reads in self._reads.values() for name, _ in reads)
        parts_read = (name for parts in self._parts.values() for name in parts)
        for name in (*self._parts, *read, *parts_read):
            if name not in self._models and name not in (REAL, UNKNOWN):
                self._data_sets.setdefault(name)

    def _taken_as_real(self, name: str) -> bool:
        """Return whether nothing is said of where a data set comes from."""
        return not any(name in said for said in (self._kinds, self._makers, self._parts))

    def _origins(self) -> dict[str, tuple[str, ...]]:
        """Return where the data of each data set come from: models, and the two sources."""
        origins: dict[str, tuple[str, ...]] = {}
        for begin in self._data_sets:
            # along what data sets are made of, each with the parts that are still to come
            path = {begin: iter(self._parts.get(begin, ()))}
            while path:
                name = next(reversed(path))
                missing = (p for p in path[name] if p in self._data_sets and p not in origins)
                part = next(missing, None)
                if part in path:
                    raise InputError("", f"derives {part!r} from itself; drop one statement")
                if part is not None:
                    path[part] = iter(self._parts.get(part, ()))
                    continue
                found = dict.fromkeys(self._makers.get(name, ()))
                for part in self._parts.get(name, ()):
                    found.update(dict.fromkeys(origins.get(part, (part,))))
                kind = self._kinds.get(name)
                if kind == UNKNOWN or (kind == SYNTHETIC and name not in self._makers):
                    found[UNKNOWN] = None
                if kind == REAL or not found:
                    found[REAL] = None
                origins[name] = tuple(found)
                path.popitem()
        return origins

    def _inputs(
        self, reader: str, origins: Mapping[str, tuple[str, ...]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return what a model reads, each with its size."""
        for base in self._bases.get(reader, ()):
            yield base, {}
        for name, size in self._reads.get(reader, ()):
            found = origins.get(name, (name,))
            for k, origin in enumerate(found):
                yield origin, _part_of(size, k, len(found))


def _part_of(size: Mapping[str, Any], place: int, parts: int) -> dict[str, Any]:
    """Return the size of one of several equal parts of what a data set brings."""
    if parts == 1:
        return dict(size)
    found = dict(size)
    samples, share = in_text(size.get("samples")), in_text(size.get("share"))
    if isinstance(samples, int) and samples > 0:  # a part has a row at least
        found["samples"] = max(1, samples // parts + (place < samples % parts))
    if isinstance(share, int | float):
        found["share"] = share / parts
    return found
