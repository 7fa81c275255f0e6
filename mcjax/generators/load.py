"""Read studies of generators from study files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mcjax.errors import InputError, did_you_mean, naming
from mcjax.generators.generator import Generator
from mcjax.generators.registry import PLACES, make_generator
from mcjax.generators.study import GeneratorCondition, GeneratorStudy
from mcjax.models.registry import FAMILIES
from mcjax.models.user import defines_generator, run_file
from mcjax.network import Network
from mcjax.study.grid import Variant, in_condition, variants
from mcjax.study.load import joined, listed_networks
from mcjax.study.local_files import naming_options, tables_with_files
from mcjax.study.networks import network_of
from mcjax.study.tables import RunTable, StudyFile

START = "start"
"""The field of ``[estimator]``."""
NO_MEANING = ("precision", "solver", "chunk", "memory", "sampling", "path", "quantities")
"""Fields of ``[run]`` that are for statistical models."""


def load_generators(path: Path, files: Sequence[str] = ()) -> GeneratorStudy | None:
    """Read a study of generators.

    Parameters
    ----------
    path : Path
        The study file.
    files : sequence of str
        Files of the user's that a built-in study takes, as ``NAME=FILE``.

    Returns
    -------
    GeneratorStudy or None
        The study; None if the file is of statistical models, or of a survey.

    Raises
    ------
    InputError
        If the file names a generator and is not a valid study; the message names file, field and
        remedy.
    """
    tables = tables_with_files(path, files)
    families = list(_families(tables))
    if not any(_is_generator(family, path.parent) for family in families):
        with naming(path):
            _check_names(families)
        return None
    with naming_options(files), naming(path):
        grid = variants(tables, str(path))
        run = grid[0].content.run  # the same in all
        for field in NO_MEANING:
            if getattr(run, field) != getattr(RunTable(), field):
                raise InputError(f"run.{field}", "has no meaning for generators; leave it out")
        settings = {key: getattr(run, key) for key in ("tolerance", "confidence")}
        return GeneratorStudy(
            tuple(_conditions(grid, path)), run.generations, run.chains, **settings
        )


def _families(tables: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the families that a study file names, as tables."""
    grid, families = tables.get("grid"), [tables.get("family")]
    if isinstance(grid, dict) and isinstance(grid.get("family"), list):
        families += [{"name": one} if isinstance(one, str) else one for one in grid["family"]]
    yield from (family for family in families if isinstance(family, dict))


def _check_names(families: list[dict[str, Any]]) -> None:
    """Check that no family has a name that is none, and is nearly that of a built-in generator."""
    for name in (family.get("name") for family in families if "file" not in family):
        hint = did_you_mean(name, (*FAMILIES, *PLACES))
        misspelt = isinstance(name, str) and name not in (*FAMILIES, *PLACES)
        if misspelt and any(repr(place) in hint for place in PLACES):
            generators = ", ".join(PLACES)
            problem = f"is {name!r}, not the name of a model, nor one of the generators"
            raise InputError("family.name", f"{problem} {generators}{hint}")


def _is_generator(family: dict[str, Any], folder: Path) -> bool:
    file, name = family.get("file"), family.get("name")
    if file is None:
        return isinstance(name, str) and name in PLACES
    try:
        return isinstance(file, str) and defines_generator(run_file(folder / file))
    except InputError:  # which whoever takes the file for a model says
        return False


def _conditions(grid: list[Variant], path: Path) -> Iterator[GeneratorCondition]:
    """Yield one condition for each combination of the grid."""
    made: dict[str, Generator] = {}  # one for equal tables, which share programs
    shared = grid[0].content
    sizes: list[float | None] = [None] if shared.grid.scale is None else list(shared.grid.scale)
    seeds = [shared.run.seed] if shared.grid.seed is None else shared.grid.seed
    for (label, listed), variant in itertools.product(listed_networks(shared, path), grid):
        content, parts = variant.content, (label, variant.family, variant.fields)
        with in_condition(variant.family, variant.fields):
            _check_tables(content)
            network = listed or _network(content, path.parent)
            family = content.family or {}
            if not _is_generator(family, path.parent):
                raise InputError("family", "is a statistical model beside generators; drop one")
            if repr(family) not in made:
                made[repr(family)] = make_generator(family, path.parent)
            generator = made[repr(family)]
            start = (content.estimator or {}).get(START, "scratch")
            for scale, seed in itertools.product(sizes, seeds):
                step = "" if scale is None else f"scale={scale:g}"
                seeded = "" if shared.grid.seed is None else f"seed={seed}"
                yield GeneratorCondition(
                    network if scale is None else network.scaled(scale),
                    generator,
                    name=joined(*parts, step, seeded),
                    label="" if shared.grid.common_draws else joined(*parts, step),
                    seed=seed,
                    start=start,
                )


def _check_tables(content: StudyFile) -> None:
    """Check that a study file has no tables and fields that are for statistical models."""
    for field in ("covariates", "data"):
        if getattr(content, field) is not None:
            raise InputError(field, "is for statistical models, not for generators; leave it out")
    for field in content.estimator or {}:
        if field != START:
            problem = f"is not a field for generators, which take {START}"
            raise InputError(f"estimator.{field}", problem + did_you_mean(field, [START]))


def _network(content: StudyFile, folder: Path) -> Network:
    network = network_of(content, folder)
    if network is None:
        raise InputError("network", "is missing; add a [network] table")
    return network
