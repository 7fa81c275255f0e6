"""Read study files."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, cast

import msgspec

from mcjax.errors import InputError, did_you_mean, naming
from mcjax.network import Network
from mcjax.network.graphs import GRAPH_SUFFIXES
from mcjax.study.networks import network_of, read_network
from mcjax.study.schema import CovariateTable, GridTable, RunTable, StudyFile, read_file
from mcjax.study.study import Condition, Design, Study, condition
from mcjax.study.survey import Survey

BUILTIN = ("study", "every-3", "every-4")


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
    """
    path = Path(path)
    content = read_file(path)
    with naming(path):
        return _study(content, path)


def load_condition(path: str | Path) -> Condition:
    """Read the pipeline of a study file, without its grid.

    Parameters
    ----------
    path : str or Path
        The study file, in TOML.

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
    content = msgspec.structs.replace(read_file(path), grid=GridTable())
    with naming(path):
        [found] = _conditions(content, path)
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
    if path.suffix in GRAPH_SUFFIXES:
        return None
    content = read_file(path)
    if content.survey is None:
        return None
    run, table = content.run, content.survey
    with naming(path):
        for field in ("network", "data_mediated", "family", "covariates", "estimator"):
            if getattr(content, field) is not None:
                raise InputError(field, "and [survey] exclude each other; keep one")
        if content.grid != GridTable():
            raise InputError("grid", "and [survey] exclude each other; keep one")
        for field in ("precision", "solver", "chunk", "memory", "sampling", "path", "quantities"):
            if getattr(run, field) != getattr(RunTable(), field):
                raise InputError(f"run.{field}", "has no meaning in a survey; leave it out")
        return Survey(
            models=table.models,
            samples=table.samples,
            labelled=table.labelled,
            piece=table.piece,
            generations=run.generations,
            chains=run.chains,
            seed=run.seed,
            tolerance=run.tolerance,
            confidence=run.confidence,
        )


def builtin_study() -> Study:
    """Return the study that runs if no file is named: collapse, no collapse, and a flip."""
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


def _study(content: StudyFile, path: Path) -> Study:
    if content.estimator and content.run.solver != "auto":
        raise InputError("run.solver", "and [estimator] exclude each other; keep one of them")
    settings = msgspec.structs.asdict(content.run)
    del settings["seed"]  # of the conditions
    return Study(conditions=tuple(_conditions(content, path)), **settings)


def _conditions(content: StudyFile, path: Path) -> list[Condition]:
    """Return one condition per combination of the grid; without a grid, one with an empty label."""
    grid = content.grid
    networks = _networks(content, path)
    families = _families(content, path)
    scales: list[float | None] = [None] if grid.scale is None else list(grid.scale)
    seeds = [content.run.seed] if grid.seed is None else grid.seed
    covariates = content.covariates or CovariateTable()
    # estimators import JAX, which reading only a network must not do
    from mcjax.estimators.registry import make_estimator

    estimator = make_estimator(content.estimator or {})
    conditions = []
    for (net_label, net), (fam_label, (family, theta)), scale, seed in itertools.product(
        networks, families, scales, seeds
    ):
        step = "" if scale is None else f"scale={scale:g}"
        seeded = "" if grid.seed is None else f"seed={seed}"
        made = condition(
            net if scale is None else net.scaled(scale),
            family,
            theta,
            covariates.covariance,
            label="" if grid.common_draws else _joined(net_label, fam_label, step),
            seed=seed,
            name=_joined(net_label, fam_label, step, seeded),
            design=cast(Design, covariates.design),  # checked by `condition`
            estimator=estimator,
        )
        if scale is not None and not grid.common_draws:  # rungs of a ladder are independent
            made = replace(made, ladder=_joined(net_label, fam_label, seeded), scale=scale)
        conditions.append(made)
    return conditions


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _networks(content: StudyFile, path: Path) -> list[tuple[str, Network]]:
    if content.grid.network is not None:
        for field in ("network", "data_mediated"):
            if getattr(content, field) is not None:
                raise InputError("grid.network", f"and [{field}] exclude each other; keep one")
        names = content.grid.network
        label = {name: str(Path(name).with_suffix("")) for name in names}
        return [(f"network={label[n]}", read_network(path.parent / n)) for n in names]
    network = network_of(content)
    if network is None:
        raise InputError("network", "is missing; add a [network] table")
    return [("", network)]


def _families(content: StudyFile, path: Path) -> list[tuple[str, tuple[Any, Any]]]:
    base = content.family
    if base is None:
        raise InputError("family", "is missing; add a [family] table with name and theta")
    if content.grid.family is None:
        return [("", _family(base, path))]
    families = []
    for entry in content.grid.family:
        spec: dict[str, Any] = {"name": entry} if isinstance(entry, str) else dict(entry)
        if spec.get("name") == base.get("name") and isinstance(entry, str):
            spec = base | spec  # the model that the [family] table describes
        spec.setdefault("theta", base.get("theta"))
        given = entry if isinstance(entry, dict) else {}
        shown = (f"{key}={value}" for key, value in given.items() if key not in ("name", "file"))
        label = ", ".join((f"family={spec.get('name') or spec.get('file')}", *shown))
        families.append((label, _family(spec, path)))
    return families


def _family(spec: dict[str, Any], path: Path) -> tuple[Any, Any]:
    from mcjax.models.registry import make_model  # imports JAX

    theta = spec.get("theta")
    numbers = isinstance(theta, list) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and abs(v) <= sys.float_info.max
        for v in theta
    )
    if not theta or not (numbers or isinstance(theta, dict)):
        raise InputError("family.theta", "must be a list of finite numbers, one per parameter")
    params = {key: value for key, value in spec.items() if key != "theta"}
    return make_model(params, path.parent), theta
