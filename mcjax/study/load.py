"""Read study files."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from mcjax.arguments import checked
from mcjax.calls import explained
from mcjax.errors import InputError, did_you_mean, named_by, naming
from mcjax.models.names import MOST_PARAMETERS
from mcjax.network import Network
from mcjax.network.pairs import Switching
from mcjax.study.file_names import without_places
from mcjax.study.grid import Variant, in_condition, variants
from mcjax.study.networks import network_of, read_network
from mcjax.study.real_data import data_of
from mcjax.study.schema import read_tables, to_study
from mcjax.study.study import Condition, Design, Study, condition
from mcjax.study.survey import Survey
from mcjax.study.tables import (
    CovariateTable,
    DataMediatedTable,
    DataTable,
    NetworkTable,
    RunTable,
    StudyFile,
)

if TYPE_CHECKING:
    from mcjax.models.model import Model

Made = TypeVar("Made")
BUILTIN = (
    "study",
    "real-data",
    "every-3",
    "every-4",
    "every-pair",
    "drawn-pairs",
    "pairs-3",
    "vae-digits",
    "vae-mnist",
    "lm-docs",
    "lm-entities",
)
"""Studies and surveys that come with mcjax."""


@checked
def load_study(path: str | Path) -> Study:
    """Read a study file.

    Parameters
    ----------
    path : str or Path
        The study file, in TOML.

    Returns
    -------
    Study
        The study.

    Raises
    ------
    InputError
        If the file is not a valid study; the message names file, field and remedy.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import mcjax
    >>> text = '''
    ... [network]
    ... models = ["a"]
    ... initial = 100
    ... feeds = [{ from = "a", to = "a", samples = 100 }]
    ... [family]
    ... name = "linear"
    ... theta = [1.0]
    ... '''
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "study.toml")
    ...     _ = path.write_text(text, encoding="utf-8")
    ...     study = mcjax.load_study(path)
    ...
    >>> study.chains, study.conditions[0].network.models
    (4096, ('a',))
    """
    path = Path(path)
    tables = read_tables(path)
    with naming(path):
        return study_of(tables, path)


def study_of(tables: dict[str, Any], path: Path) -> Study:
    """Return the study of the tables of a file, whose structure is not checked yet.

    Raises
    ------
    InputError
        If they are no valid study.
    """
    return _study(variants(tables, str(path)), path)


def load_condition(
    path: str | Path, suppose: Callable[[Network], Network] | None = None
) -> Condition:
    """Read the pipeline of a study file, without its grid.

    Parameters
    ----------
    path : str or Path
        The study file, in TOML.
    suppose : callable, optional
        Returns the network that stands in the place of the one in the file.

    Returns
    -------
    Condition
        The pipeline.

    Raises
    ------
    InputError
        If the file is not a valid study; the message names file, field and remedy.
    """
    path = Path(path)
    tables = {name: table for name, table in read_tables(path).items() if name != "grid"}
    with naming(path):
        [found] = _conditions(variants(tables, str(path)), path, suppose)
    return found


def load_survey(path: str | Path) -> Survey | None:
    """Read the survey of a study file.

    Parameters
    ----------
    path : str or Path
        The study file, or a graph file.

    Returns
    -------
    Survey or None
        The survey; None if the file has no ``[survey]`` table.

    Raises
    ------
    InputError
        If the file is not a valid study; the message names file, field and remedy.
    """
    path = Path(path)
    tables = read_tables(path)
    # only a survey is complete without its grid, which may give what a table lacks
    content = to_study(tables, str(path)) if "survey" in tables else StudyFile()
    if content.survey is None:
        return None
    run, table = content.run, content.survey
    with naming(path):
        for field in (
            "network",
            "data_mediated",
            "family",
            "covariates",
            "data",
            "estimator",
            "design",
        ):
            if getattr(content, field) is not None:
                raise InputError(field, "and [survey] exclude each other; keep one")
        if tables.get("grid"):
            raise InputError("grid", "and [survey] exclude each other; keep one")
        for field in ("precision", "solver", "chunk", "memory", "sampling", "path", "quantities"):
            if getattr(run, field) != getattr(RunTable(), field):
                raise InputError(f"run.{field}", "has no meaning in a survey; leave it out")
        return Survey(
            models=table.models,
            samples=table.samples,
            labelled=table.labelled,
            piece=table.piece,
            switching=cast(Switching | None, table.switching),  # it checks
            sample=table.sample,
            generations=run.generations,
            chains=run.chains,
            seed=run.seed,
            tolerance=run.tolerance,
            confidence=run.confidence,
        )


@explained
def builtin_study() -> Study:
    """Return the study that runs if no file is named: collapse, no collapse, and a flip.

    Examples
    --------
    >>> import mcjax
    >>> len(mcjax.builtin_study().conditions)
    12
    """
    return load_study(builtin_file("study"))


def builtin_file(name: str) -> Path:
    """Return the path of a built-in study or survey.

    Raises
    ------
    InputError
        If no built-in file has this name.
    """
    folder = Path(str(resources.files("mcjax.study"))) / "builtin"
    if name not in BUILTIN:
        hint = did_you_mean(name, BUILTIN)
        raise InputError("--builtin", f"is {name!r}, not one of {', '.join(BUILTIN)}{hint}")
    return folder / f"{name}.toml"


def builtin_name(path: Path) -> str:
    """Return the name of a built-in study or survey; empty if the file is another."""
    return path.stem if path.stem in BUILTIN and path == builtin_file(path.stem) else ""


def _study(grid: list[Variant], path: Path) -> Study:
    run = grid[0].content.run  # the same in all
    if run.solver != "auto" and any(variant.content.estimator for variant in grid):
        raise InputError("run.solver", "and [estimator] exclude each other; keep one of them")
    settings = msgspec.structs.asdict(run)
    del settings["seed"]  # of the conditions
    return Study(conditions=tuple(_conditions(grid, path)), **settings)


def _conditions(
    grid: list[Variant], path: Path, suppose: Callable[[Network], Network] | None = None
) -> list[Condition]:
    """Return one condition per combination of the grid; without a grid, one with an empty label.

    ``suppose`` returns the network that stands in the place of another.
    """
    # estimators import JAX, which reading only a network must not do
    from mcjax.estimators.registry import make_estimator

    shared = grid[0].content
    network_once, family_once = _once(_network), _once(_family)
    data_once = _once(data_of)
    estimator_once = _once(make_estimator)
    sizes: list[float | None] = [None] if shared.grid.scale is None else list(shared.grid.scale)
    seeds = [shared.run.seed] if shared.grid.seed is None else shared.grid.seed
    conditions = []
    for (net_label, listed), variant in itertools.product(listed_networks(shared, path), grid):
        content, parts = variant.content, (net_label, variant.family, variant.fields)
        with in_condition(variant.family, variant.fields):
            net = listed or network_once(
                content.network, content.data_mediated, content.data, path.parent
            )
            net = net if suppose is None else suppose(net)
            data = data_once(content.data, path.parent)
            family, theta = family_once(content.family, path, data is not None)
            estimator = estimator_once(content.estimator or {})
            covariates = content.covariates or CovariateTable()
            for scale, seed in itertools.product(sizes, seeds):
                step = "" if scale is None else f"scale={scale:g}"
                seeded = "" if shared.grid.seed is None else f"seed={seed}"
                made = condition(
                    net if scale is None else net.scaled(scale),
                    family,
                    theta,
                    covariates.covariance,
                    label="" if shared.grid.common_draws else joined(*parts, step),
                    seed=seed,
                    name=joined(*parts, step, seeded),
                    own_covariances=covariates.models,
                    design=cast(Design, covariates.design),  # checked by `condition`
                    estimator=estimator,
                    data=data,
                    intercept=covariates.intercept,
                )
                if scale is not None and not shared.grid.common_draws:
                    # rungs of a ladder are independent
                    made = replace(made, ladder=joined(*parts, seeded), scale=scale)
                conditions.append(made)
    return conditions


def _once(make: Callable[..., Made]) -> Callable[..., Made]:
    """Return a function that makes one thing of equal tables, whose conditions share programs."""
    made: dict[str, Made] = {}

    def once(*tables: Any) -> Made:
        key = repr(tables)
        if key not in made:
            made[key] = make(*tables)
        return made[key]

    return once


def joined(*parts: str) -> str:
    """Return the name of a condition, made of the parts that are not empty."""
    return ", ".join(part for part in parts if part)


def listed_networks(content: StudyFile, path: Path) -> list[tuple[str, Network | None]]:
    """Return the networks that the grid names; a single None if the file has its own."""
    if content.grid.network is None:
        return [("", None)]
    for field in ("network", "data_mediated"):
        if getattr(content, field) is not None:
            raise InputError("grid.network", f"and [{field}] exclude each other; keep one")
    names = content.grid.network
    labels = [f"network={Path(name).with_suffix('')}" for name in without_places(names)]
    with named_by("grid.network"):
        networks = [read_network(path.parent / name) for name in names]
    return list(zip(labels, networks, strict=True))


def _network(
    table: NetworkTable | None,
    mediated: DataMediatedTable | None,
    data: DataTable | None,
    folder: Path,
) -> Network:
    content = StudyFile(network=table, data_mediated=mediated, data=data)
    network = network_of(content, folder)
    if network is None:
        raise InputError("network", "is missing; add a [network] table")
    return network


def _family(spec: dict[str, Any] | None, path: Path, fitted: bool) -> tuple[Model, Any]:
    """Return the model of a ``[family]`` table and its truth, None if that is fitted to data."""
    from mcjax.models.registry import make_model  # imports JAX

    if spec is None:
        raise InputError("family", "is missing; add a [family] table with name and theta")
    params = {key: value for key, value in spec.items() if key != "theta"}
    model = make_model(params, path.parent)
    theta = spec.get("theta")
    if theta is None and fitted:
        return model, None
    numbers = isinstance(theta, list) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and abs(v) <= sys.float_info.max
        for v in theta
    )
    if not theta or not (numbers or isinstance(theta, dict)):
        raise InputError("family.theta", "must be a list of finite numbers, one per parameter")
    if isinstance(theta, list) and len(theta) > MOST_PARAMETERS:
        raise InputError(
            "family.theta", f"has {len(theta)} numbers; give at most {MOST_PARAMETERS}"
        )
    return model, theta
