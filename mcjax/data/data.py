"""Real data: rows of covariates and labels, as they come from files and frames."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mcjax.arguments import checked
from mcjax.calls import explained
from mcjax.data.encoding import Encoding, check_regular, columns_of, encoding_of
from mcjax.data.frames import read_frame
from mcjax.errors import InputError, did_you_mean, naming
from mcjax.numbers import check_between, how_many
from mcjax.summaries import Summarised, Summary

if TYPE_CHECKING:
    from jaxtyping import Float

SyntheticCovariates = Literal["rows", "normal"]
"""Source of the covariates of rows that models generate."""
MOST_ROWS = 2**31 - 1
"""Largest number of rows, which 32 bits count."""


@explained
@dataclass(frozen=True, eq=False, repr=False)
class Data(Summarised):
    """Rows of real data, which are a population: samples are drawn from them with replacement.

    Use :meth:`from_file` or :meth:`from_frame` to make one.

    Attributes
    ----------
    x : ndarray
        Covariates, shape (n, q); read-only.
    y : ndarray
        Labels, shape (n,); read-only.
    encoding : Encoding
        How columns became these, with the ``names`` of the covariates.
    source : str
        Where the rows come from.
    synthetic_covariates : {"rows", "normal"}
        Whether models generate labels for covariates of these rows, or for those of a normal
        distribution with their mean and covariance.
    held_out : Data or None
        Rows that were kept out.

    Examples
    --------
    >>> import mcjax
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [30.0, 41, 25, 60], "loan": ["no", "yes", "no", "yes"]})
    >>> data = mcjax.Data.from_frame(frame, target="loan")
    >>> data.names, data.y.tolist()
    (('intercept', 'age'), [0.0, 1.0, 0.0, 1.0])
    """

    x: Float[np.ndarray, "n q"]
    y: Float[np.ndarray, " n"]
    encoding: Encoding
    source: str = "a frame"
    synthetic_covariates: SyntheticCovariates = "rows"
    held_out: Data | None = None

    @classmethod
    @checked
    def from_file(
        cls,
        file: str | Path,
        target: str | None = None,
        *,
        labels: str | None = None,
        **choices: Any,
    ) -> Data:
        """Read a file: CSV, Parquet, npz, idx, CIFAR-10's binary batches; or a package's data set.

        Parameters
        ----------
        file : str or Path
            A path, or a name such as ``"sklearn:digits"`` or ``"statsmodels:engel"``.
        target : str, optional
            The column of labels; defaults to the target that the data set names.
        labels : str, optional
            For images in an idx file, the file of their labels.
        **choices : optional
            As in :meth:`from_frame`.

        Returns
        -------
        Data
            The rows.

        Raises
        ------
        InputError
            If the file is malformed, or as in :meth:`from_frame`.

        Examples
        --------
        >>> import mcjax
        >>> engel = mcjax.Data.from_file("statsmodels:engel", "foodexp")
        >>> engel.x.shape, engel.names
        ((235, 2), ('intercept', 'income'))
        """
        frame = read_frame(str(file), Path(), labels)
        named = {"source": str(file)} | choices
        return cls.from_frame(frame.columns, target or frame.target, **named)

    @classmethod
    @checked
    def from_frame(
        cls,
        frame: Any,
        target: str | None,
        *,
        covariates: tuple[str, ...] | None = None,
        positive: Any = (),
        classes: tuple[Any, ...] = (),
        intercept: bool = True,
        standardise: bool = False,
        components: int | None = None,
        rows: int | None = None,
        held_out: float = 0.0,
        seed: int = 0,
        synthetic_covariates: SyntheticCovariates = "rows",
        source: str = "a frame",
    ) -> Data:
        """Take the columns of a frame of pandas or polars.

        Parameters
        ----------
        frame : DataFrame
            The columns.
        target : str
            The column of labels.
        covariates : sequence of str, optional
            Columns of covariates; defaults to all others. A column of texts or truth values becomes
            an indicator for each of them but the first.
        positive : value or sequence, optional
            Labels that count as 1, while all others are 0; of two texts, by default, the last.
        classes : sequence, optional
            All labels, in the order of the classes, of which the first is the reference; needed
            unless labels are the numbers of the classes, from 0 on.
        intercept : bool
            Whether the first covariate is 1.
        standardise : bool
            Whether columns are centred and divided by their standard deviations.
        components : int, optional
            Number of principal components to which the columns are reduced.
        rows : int, optional
            Number of rows that are taken, at random; defaults to all.
        held_out : float
            Share of these rows that is kept out, at random.
        seed : int
            Seed of both.
        synthetic_covariates : {"rows", "normal"}
            Where the covariates of rows that models generate come from.
        source : str
            Where the rows come from, for people.

        Returns
        -------
        Data
            The rows.

        Raises
        ------
        InputError
            If a column is missing, incomplete, constant or of too many texts, columns are
            collinear, or there are too few rows.
        """
        import pandas as pd

        table = (
            frame
            if isinstance(frame, pd.DataFrame) or not hasattr(frame, "to_pandas")
            else (frame.to_pandas())
        )
        if not isinstance(table, pd.DataFrame):
            raise InputError(
                "frame", f"is {type(frame).__name__}; give a frame of pandas or polars"
            )
        choices = get_args(SyntheticCovariates)
        if synthetic_covariates not in choices:
            hint = did_you_mean(synthetic_covariates, choices)
            problem = f"is {synthetic_covariates!r}, not one of {choices}{hint}"
            raise InputError("data.synthetic_covariates", problem)
        kept, out = _chosen(len(table), rows=rows, held_out=held_out, seed=seed)
        several = isinstance(positive, list | tuple | set)
        taken = table if rows is None else table.iloc[np.concatenate([kept, out])]
        encoding = encoding_of(
            table.iloc[kept],
            columns_of(taken, target, covariates),
            positive=tuple(positive) if several else (positive,),
            classes=classes,
            intercept=intercept,
            standardise=standardise,
            components=components,
        )
        apart = None if not len(out) else cls._encoded(table.iloc[out], encoding, source)
        made = cls._encoded(table.iloc[kept], encoding, source, synthetic_covariates, apart)
        check_regular(made.x, encoding.names)
        return made

    @classmethod
    def _encoded(cls, table: Any, encoding: Encoding, *others: Any) -> Data:
        x, y = encoding.covariates(table), encoding.labels(table)
        for array in (x, y):
            array.setflags(write=False)
        return cls(x, y, encoding, *others)

    def like(self, file: str | Path, labels: str | None = None) -> Data:
        """Return the rows of another file, whose columns are encoded as these.

        Parameters
        ----------
        file : str or Path
            As in :meth:`from_file`.
        labels : str, optional
            As in :meth:`from_file`.

        Raises
        ------
        InputError
            If the file is malformed, lacks a column, or has no rows.
        """
        frame = read_frame(str(file), Path(), labels)
        with naming(file):
            _check_count(len(frame.columns))
            return self._encoded(frame.columns, self.encoding, str(file), self.synthetic_covariates)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the covariates."""
        return self.encoding.names

    @cached_property
    def second_moments(self) -> Float[np.ndarray, "q q"]:
        """The mean of ``x x'`` over the rows, shape (q, q)."""
        return np.asarray(self.x.T @ self.x / len(self.x))

    @cached_property
    def digest(self) -> str:
        """A digest of the numbers, by which results on disk are told apart."""
        about = f"{self.names} {self.synthetic_covariates} {self.x.shape}"
        numbers = np.ascontiguousarray(self.x).tobytes() + np.ascontiguousarray(self.y).tobytes()
        if self.held_out is not None:
            numbers += self.held_out.digest.encode()
        return hashlib.sha256(about.encode() + numbers).hexdigest()[:16]

    @property
    def note(self) -> str:
        """Return one line that says what was read."""
        target = self.encoding.target
        if self.encoding.positive:
            target += f" (1 for {', '.join(map(str, self.encoding.positive))}, 0 for others)"
        if self.encoding.classes:
            target += f" (classes {', '.join(map(str, self.encoding.classes))})"
        counts = how_many(len(self.x), "row"), how_many(len(self.names), "covariate")
        apart = "" if self.held_out is None else f", {len(self.held_out.x):,} held out"
        texts = ", ".join(self.encoding.levels)
        indicators = f", indicators of the texts of {texts}" if texts else ""
        return f"{', '.join(counts)} from {self.source}, target {target}{indicators}{apart}"

    def _summary(self) -> Summary:
        columns = zip(self.names, self.x.mean(0), self.x.std(0), strict=True)
        rows = ((name, f"mean {mean:.4g}", f"deviation {sd:.4g}") for name, mean, sd in columns)
        return Summary(f"Data: {self.note}", rows, len(self.names), "covariate")


def _chosen(
    count: int, *, rows: int | None, held_out: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the rows that are kept, and of those that are held out."""
    _check_count(count)
    if not 0 <= held_out < 1:
        raise InputError(
            "data.held_out", f"is {held_out!r}; give a share of rows, from 0 to below 1"
        )
    if rows is not None:
        check_between("data.rows", rows, 1, count)
    check_between("data.seed", seed, 0, 2**63 - 1)
    if rows is None and not held_out:
        return np.arange(count), np.arange(0)
    places = np.random.default_rng(seed).permutation(count)[:rows]
    apart = int(held_out * len(places))
    return np.sort(places[apart:]), np.sort(places[:apart])


def _check_count(rows: int) -> None:
    """Raise InputError for a number of rows that no data have."""
    if not 1 <= rows <= MOST_ROWS:
        raise InputError("data.file", f"has {how_many(rows, 'row')}; give 1 to {MOST_ROWS:,}")
