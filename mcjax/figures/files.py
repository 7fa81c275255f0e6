"""Keep the files of a figure: PDF, PNG, the plotted numbers, and a description of these.

NAME.json records that mcjax drew NAME.pdf, NAME.png and NAME.csv, so that nobody else's files are
overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mcjax.errors import InputError
from mcjax.text import csv_text, strict_json
from mcjax.version import __version__

FORMATS = ("pdf", "png")
DIGITS = 9
"""Significant digits of plotted numbers: further ones differ between processors."""
WITHOUT_DATE = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""Metadata by format, so that equal figures have equal files."""
MADE_BY = "mcjax figure"

COLUMNS = {
    "panel": "title of the panel",
    "condition": "the network and its setting",
    "model": "a model of the network",
    "generation": "fits after the first",
    "law": "the law that predicts",
    "quantity": "what is simulated and predicted; mse is the mean squared error of an estimate",
    "empirical": "mean over chains",
    "standard_error": "of empirical, from the spread of the chains",
    "predicted": "by the law",
    "chains": "simulated chains that count",
    "lost": "chains without an estimate",
    "family": "family of models",
    "rows": "observations in a fit",
    "alpha": "weight of the pool of synthetic data",
    "beta": "weight of private among real data",
}
"""Columns that several figures share, which hold texts or dimensionless numbers."""


def refuse_foreign(folder: Path, name: str, formats: Sequence[str] = FORMATS) -> None:
    """Raise an error if the files of a figure exist, but were not written by mcjax.

    Raises
    ------
    InputError
        If one of the files is someone else's, or ``folder`` is not a folder.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError("--out", "is not a folder; name another", str(folder))
    about = folder / f"{name}.json"
    paths = [folder / f"{name}.{kind}" for kind in (*formats, "csv", "json")]
    there = [path for path in paths if path.exists()]
    if not there:
        return
    try:
        ours = json.loads(about.read_text(encoding="utf-8"))["made_by"] == MADE_BY
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise InputError(
            "--out",
            f"is not overwritten, as {about.name} does not say that mcjax drew it; move it, or"
            " name another folder",
            str(there[0]),
        )


def make_folder(folder: Path) -> None:
    """Create a folder for figures, unless it exists.

    Raises
    ------
    InputError
        If that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"cannot be written: {error.strerror}; name another folder"
        raise InputError("--out", problem, str(folder)) from error


def save(
    fig: Figure,
    folder: Path,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    about: str,
    columns: Mapping[str, str] | None = None,
    owned: bool = False,
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Write NAME.pdf and the like, the plotted numbers NAME.csv, and their description NAME.json.

    Parameters
    ----------
    fig : Figure
        The figure.
    folder : Path
        Folder for the files.
    name : str
        Name of the figure.
    rows : sequence of mapping
        One for each point, all with the same keys.
    about : str
        What the figure shows.
    columns : mapping of str to str, optional
        Descriptions of columns that :data:`COLUMNS` does not have, with their units.
    owned : bool, optional
        Whether the whole folder is known to belong to mcjax.
    formats : sequence of str, optional
        Formats of the figure.

    Returns
    -------
    list of Path
        The files in these formats, and the plotted numbers.

    Raises
    ------
    InputError
        If the folder cannot be written, or holds such files of someone else.
    """
    if not owned:
        refuse_foreign(folder, name, formats)
    known = COLUMNS | dict(columns or {})
    mark = {
        "made_by": MADE_BY,
        "version": __version__,
        "figure": name,
        "about": about,
        "columns": {column: known[column] for column in rows[0]},
    }
    paths = [folder / f"{name}.{kind}" for kind in (*formats, "csv")]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # first, so that a figure that was interrupted can be drawn again
        (folder / f"{name}.json").write_text(strict_json(mark) + "\n", encoding="utf-8")
        for kind, path in zip(formats, paths, strict=False):
            fig.savefig(path, metadata=WITHOUT_DATE.get(kind))
        table = csv_text([{key: _rounded(value) for key, value in row.items()} for row in rows])
        paths[-1].write_text(table, encoding="utf-8", newline="")
    except OSError as error:
        problem = f"cannot be written: {error.strerror}; make room, or name another folder"
        raise InputError("--out", problem, str(folder)) from error
    return paths


def _rounded(value: object) -> object:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
