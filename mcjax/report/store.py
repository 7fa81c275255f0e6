"""Keep the results of a study on disk, with everything that is needed to read or repeat them.

A folder holds ``study.json`` (conditions, settings, study file, versions, device), ``tallies.npz``
(moments and counts of every condition), ``verification.json`` (what ``--json`` prints), and a table
of cells as ``cells.csv`` and ``cells.parquet``. The command line adds pages and ``results.nc``.
Files are replaced atomically.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcjax.engine.moments import TILE, EndMoments, ErrorMoments, Moments, not_pooled
from mcjax.engine.outcome import Outcome, Tally, all_statuses
from mcjax.engine.powers import Powers
from mcjax.errors import InputError
from mcjax.files import STANDARD_INPUT, read_text
from mcjax.report.folder import ResultFolder, require_powers
from mcjax.report.tabular import parquet
from mcjax.report.verification import cell_rows, verification_json
from mcjax.study.identity import describe, identity
from mcjax.study.load import builtin_name
from mcjax.study.local_files import located_files
from mcjax.study.study import Study
from mcjax.verdicts.judge import Verification

TALLIES = "tallies.npz"


class Store:
    """A folder with the results of one study.

    Parameters
    ----------
    folder : Path
        The folder, which is created if it does not exist.
    study : Study
        The study.
    file : Path, optional
        The study file, if the study comes from one.
    files : sequence of str
        Files of the user's that a built-in study takes, as ``NAME=FILE``.

    Raises
    ------
    InputError
        See :func:`mcjax.study.identity.describe` and :class:`mcjax.report.folder.ResultFolder`.
    """

    def __init__(
        self, folder: Path, study: Study, file: Path | None = None, files: Sequence[str] = ()
    ):
        self.study = study
        about = describe(study) | {"source": None if file is None else source_of(file, files)}
        self._folder = ResultFolder(folder, about, identity(study))

    def load(self) -> list[Tally[Outcome]] | None:
        """Load the tallies of earlier runs; None if there are none.

        Raises
        ------
        InputError
            If they are damaged, or of an earlier version, and no chains can be added.
        """

        def unpack(data: Any) -> list[Tally[Outcome]]:
            tallies = [
                Tally(*(_unpack(data, f"{i}/{part}") for part in Tally._fields))
                for i in range(len(self.study.conditions))
            ]
            if any(tally.tiled % TILE for tally in tallies):
                raise InputError(
                    "--out",
                    "holds sums over smaller tiles of chains, of an earlier version of mcjax, to"
                    " which no chains can be added; name another folder",
                )
            return tallies

        return self._folder.read_arrays(TALLIES, unpack)

    def save(self, tallies: Sequence[Tally[Outcome]]) -> None:
        """Keep the tallies; the previous file stays until the new one is complete."""
        arrays: dict[str, Any] = {}
        for i, tally in enumerate(tallies):
            for part, outcome in zip(Tally._fields, tally, strict=True):
                if outcome is not None:
                    arrays |= _pack(outcome, f"{i}/{part}")
        self._folder.write_arrays(TALLIES, arrays)

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, device and the time at which the run began."""
        return self._folder.environment

    def finish(
        self, verification: Verification, files: Mapping[str, str | bytes] | None = None
    ) -> None:
        """Keep the verdicts as JSON, CSV and Parquet, and further files by name."""
        for name, content in (files or {}).items():
            if isinstance(content, str):
                self._folder.write_text(name, content)
            else:
                self._folder.write_bytes(name, content)
        self._folder.write_json("verification.json", verification_json(self.study, verification))
        self._folder.write_csv("cells.csv", cell_rows(verification.cells), ["condition"])
        self._folder.write_bytes("cells.parquet", parquet(verification.cells))


def source_of(file: Path, files: Sequence[str] = ()) -> dict[str, Any]:
    """Return where a study comes from, and what it was given ``--with``, as plain data."""
    if name := builtin_name(file):  # a path of this installation
        return {"builtin": name} | ({"with": located_files(files)} if files else {})
    if file == STANDARD_INPUT:
        return {"text": read_text(file)}
    # links are not resolved, because the study's relative paths start at the link
    return {"file": str(file.absolute()), "text": read_text(file)}


def _pack(outcome: Outcome, prefix: str) -> dict[str, Any]:
    plain = set(Outcome._fields) - {"moments"}
    arrays = {f"{prefix}/{name}": getattr(outcome, name) for name in plain}
    for name, moments in outcome.moments._asdict().items():
        arrays |= {f"{prefix}/{name}/{k}": v for k, v in moments._asdict().items()}
    return arrays


def _unpack(data: Any, prefix: str) -> Outcome | None:
    if f"{prefix}/chains" not in data:
        return None
    require_powers(f"{prefix}/squared/mean" not in data or f"{prefix}/powers/ends" in data)
    parts = {
        name: Moments(*(data[f"{prefix}/{name}/{k}"] for k in Moments._fields))
        for name in set(ErrorMoments._fields) - {"ends", "powers"}
        if f"{prefix}/{name}/chains" in data  # the pooled estimator came later than such folders
    }
    parts = {"pooled": not_pooled(parts["squared"].chains.shape), **parts}
    ends = EndMoments.nothing(*parts["functional"].chains.shape[1:])
    if f"{prefix}/ends/chains" in data:  # as did joint moments of functionals
        ends = EndMoments(*(data[f"{prefix}/ends/{k}"] for k in EndMoments._fields))
    powers = Powers(*(data[f"{prefix}/powers/{k}"] for k in Powers._fields))
    moments = ErrorMoments(**parts, ends=ends, powers=powers)
    steps, chains = int(data[f"{prefix}/steps"]), int(data[f"{prefix}/chains"])
    names = ("sample", "largest", "highest", "fits")
    sample, largest, highest, fits = (data[f"{prefix}/{name}"] for name in names)
    return Outcome(
        moments=moments,
        sample=sample,
        largest=largest,
        highest=highest,
        fits=all_statuses(fits),
        steps=steps,
        chains=chains,
    )
