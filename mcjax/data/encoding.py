"""Encoding of the columns of a frame as covariates and labels. Does not import JAX."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.errors import InputError, did_you_mean
from mcjax.numbers import how_many
from mcjax.solvers.conditioning import condition_number

if TYPE_CHECKING:
    import pandas as pd
    from jaxtyping import Float

MOST_LEVELS = 50
"""Largest number of different texts of a column that becomes indicators."""
COLLINEAR = 1e12
"""Condition number of second moments, with a unit diagonal, from which columns are collinear."""
INTERCEPT = "intercept"
FIELD = "data.covariates"


@dataclass(frozen=True)
class Encoding:
    """Encoding of columns as numbers, fitted to one frame and applied unchanged to others.

    Attributes
    ----------
    target : str
        The column of labels.
    columns : tuple of str
        The columns of covariates.
    positive : tuple
        Labels that count as 1 while all others are 0; empty if labels are numbers.
    pair : tuple
        The two labels of which the last counts as 1, because nothing was said of them; or empty.
    classes : tuple
        Labels in the order of the classes; empty if labels are numbers, or 0 and 1.
    levels : dict of str to tuple
        For columns of texts, their values; the first one has no indicator.
    intercept : bool
        Whether the first covariate is 1.
    names : tuple of str
        Names of the covariates.
    centre, scale : ndarray, shape (k,)
        What is subtracted from the numbers of the columns, and what they are divided by.
    directions : ndarray, shape (k, c), or None
        Principal directions, onto which these are projected.
    """

    target: str
    columns: tuple[str, ...]
    positive: tuple[Any, ...]
    pair: tuple[Any, ...]
    classes: tuple[Any, ...]
    levels: dict[str, tuple[Any, ...]]
    intercept: bool
    names: tuple[str, ...]
    centre: Float[np.ndarray, " k"]
    scale: Float[np.ndarray, " k"]
    directions: Float[np.ndarray, "k c"] | None = None

    def covariates(self, frame: pd.DataFrame) -> Float[np.ndarray, "n q"]:
        """Return the covariates of each row of a frame, (n, q)."""
        check_complete(frame, [*self.columns, self.target])
        x = (_numbers(frame, self.columns, self.levels)[0] - self.centre) / self.scale
        if self.directions is not None:
            x = x @ self.directions
        return np.column_stack([np.ones(len(x)), x]) if self.intercept else x

    def labels(self, frame: pd.DataFrame) -> Float[np.ndarray, " n"]:
        """Return the label of each row of a frame, (n,)."""
        column = frame[self.target]
        outside = ~column.isin(self.pair)
        if self.pair and outside.any():
            one, other = self.pair
            raise InputError(
                "data.positive",
                f"is missing: labels are {one!r} and {other!r}, and those of"
                f" {how_many(int(outside.sum()), 'row')} are not, such as"
                f" {str(column[outside].iloc[0])[:40]!r}; say which labels count as 1",
            )
        if self.positive:
            return np.asarray(column.isin(self.positive), float)
        if self.classes:
            return _places(column, self.classes)
        return _column(column)


def columns_of(
    frame: pd.DataFrame, target: str | None, covariates: tuple[str, ...] | None
) -> tuple[str, tuple[str, ...]]:
    """Return the target and the columns of covariates, in which no value is missing.

    Raises
    ------
    InputError
        If a column is missing, incomplete or named twice.
    """
    names = list(frame.columns)
    if target is None:
        raise InputError("data.target", f"is missing; name one of {', '.join(map(str, names[:9]))}")
    columns = tuple(name for name in names if name != target) if covariates is None else covariates
    for field, given in (("data.target", (target,)), (FIELD, columns)):
        for name in given:
            if name not in names:
                hint = did_you_mean(name, map(str, names))
                raise InputError(field, f"names {name!r}, which is no column of the file{hint}")
    if target in columns or len(set(columns)) < len(columns):
        raise InputError(FIELD, "names a column twice, or the target; name each once")
    check_complete(frame, [*columns, target])
    return target, columns


def encoding_of(
    frame: pd.DataFrame,
    chosen: tuple[str, tuple[str, ...]],
    *,
    positive: tuple[Any, ...],
    classes: tuple[Any, ...],
    intercept: bool,
    standardise: bool,
    components: int | None,
) -> Encoding:
    """Return the encoding that is fitted to a frame.

    Parameters
    ----------
    frame : DataFrame
        The rows.
    chosen : tuple
        See :func:`columns_of`.
    positive, classes, intercept, standardise, components : optional
        As in ``Data.from_frame``.

    Raises
    ------
    InputError
        If a column is constant or not numbers, or labels are not those of the target.
    """
    target, columns = chosen
    if positive and classes:
        raise InputError("data.classes", "and `positive` exclude each other; keep one")
    for field, given in (("data.positive", positive), ("data.classes", classes)):
        _check_labels(field, given, frame[target])
    levels = {name: _levels(frame[name]) for name in columns if not _is_numeric(frame[name])}
    x, plain = _numbers(frame, columns, levels)
    centre, scale = np.zeros(x.shape[1]), np.ones(x.shape[1])
    if standardise or components is not None:
        centre = x.mean(0)
    spread = x.std(0)
    if components is None and (standardise or intercept) and not spread.all():
        constant = [plain[k] for k in np.flatnonzero(spread == 0)]
        raise InputError(
            FIELD,
            f"has {how_many(len(constant), 'constant column')}, such as {constant[0]!r}; name other"
            " columns, or give components",
        )
    if standardise:
        scale = np.where(spread > 0, spread, 1.0)
    pair = () if classes or positive else _two_labels(frame[target])
    made = Encoding(
        target=target,
        columns=columns,
        positive=positive or pair[1:],
        pair=pair,
        classes=classes,
        levels=levels,
        intercept=intercept,
        names=(),
        centre=centre,
        scale=scale,
    )
    if components is not None:
        directions = _directions((x - centre) / scale, components)
        plain = [f"component{k + 1}" for k in range(components)]
        made = replace(made, directions=directions)
    made = replace(made, names=(*([INTERCEPT] if intercept else []), *plain))
    if not made.names:
        raise InputError(FIELD, "is empty; name columns, or give an intercept")
    for name in made.names:
        if made.names.count(name) > 1:
            raise InputError(FIELD, f"has two covariates {name!r}; rename or leave out a column")
    return made


def check_regular(x: Float[np.ndarray, "n q"], names: tuple[str, ...]) -> None:
    """Raise InputError if rows do not determine a parameter for each covariate."""
    if len(x) <= len(names):
        raise InputError(
            "data.file",
            f"leaves {how_many(len(x), 'row')} for {how_many(len(names), 'covariate')}; give more"
            " rows or fewer covariates",
        )
    if not condition_number(x.T @ x / len(x)) < COLLINEAR:
        raise InputError(
            FIELD,
            "are collinear, so that parameters are not determined; drop one, or give components",
        )


def check_complete(frame: pd.DataFrame, columns: list[str]) -> None:
    """Raise InputError if values are missing in some columns, which must be there."""
    for name in columns:
        if name not in frame.columns:
            raise InputError(FIELD, f"names {name!r}, which is no column of the file")
    missing = {name: int(frame[name].isna().sum()) for name in columns}
    total = sum(missing.values())
    if total:
        worst = max(missing, key=lambda name: missing[name])
        raise InputError(
            FIELD,
            f"have {how_many(total, 'missing value')}, {missing[worst]:,} of them in {worst!r};"
            " drop these rows or columns, or fill them in",
        )


def _is_numeric(column: pd.Series) -> bool:
    return column.dtype.kind in "iuf"


def _column(column: pd.Series) -> np.ndarray:
    """Return a column of numbers, which must be finite."""
    if not _is_numeric(column):
        raise InputError("data.target", f"{column.name!r} has no numbers; see `positive`")
    numbers = column.to_numpy(float)
    infinite = int((~np.isfinite(numbers)).sum())
    if infinite:
        raise InputError(
            FIELD,
            f"have {how_many(infinite, 'infinite value')} in {column.name!r}; drop these rows",
        )
    return numbers


def _levels(column: pd.Series) -> tuple[Any, ...]:
    """Return the different texts of a column, in order."""
    found = tuple(sorted(column.unique().tolist(), key=str))
    if len(found) > MOST_LEVELS:
        raise InputError(
            FIELD,
            f"has the column {column.name!r} of {len(found):,} different texts, such as"
            f" {str(found[0])[:40]!r}; name other columns, or make it one of numbers",
        )
    return found


def _check_labels(field: str, given: tuple[Any, ...], column: pd.Series) -> None:
    """Raise InputError unless labels that are named are different ones of some rows."""
    for label in given:
        if given.count(label) > 1:
            raise InputError(field, f"has {label!r} twice; name each label once")
        if not column.isin([label]).any():
            hint = did_you_mean(str(label), map(str, column.unique().tolist()[:MOST_LEVELS]))
            raise InputError(field, f"has {label!r}, a label of no row{hint}")


def _places(column: pd.Series, classes: tuple[Any, ...]) -> np.ndarray:
    """Return the place of each label among the classes."""
    outside = ~column.isin(classes)
    if outside.any():
        first = str(column[outside].iloc[0])[:40]
        rows = how_many(int(outside.sum()), "row")
        problem = f"does not name {first!r}, and the labels of {rows} in all"
        raise InputError("data.classes", f"{problem}; name the labels of all rows")
    places: np.ndarray = np.argmax([column == label for label in classes], axis=0).astype(float)
    return places


def _two_labels(column: pd.Series) -> tuple[Any, ...]:
    """Return the two texts of a column; nothing for a column of numbers."""
    if _is_numeric(column):
        return ()
    found = _levels(column)
    if len(found) != 2:
        raise InputError(
            "data.positive",
            f"is missing; the target has {how_many(len(found), 'different text')}: say which of"
            f" them count as 1, for example [{str(found[-1])!r}], or give all as `classes`",
        )
    return found


def _numbers(
    frame: pd.DataFrame, columns: tuple[str, ...], levels: dict[str, tuple[Any, ...]]
) -> tuple[np.ndarray, list[str]]:
    """Return the numbers of columns, with indicators of texts, and their names."""
    parts, names = [np.zeros((len(frame), 0))], []
    for name in columns:
        if name not in levels:
            parts.append(_column(frame[name])[:, None])
            names.append(str(name))
            continue
        unknown = set(frame[name].unique().tolist()) - set(levels[name])
        if unknown:
            raise InputError(
                FIELD,
                f"has {str(min(unknown, key=str))[:40]!r} in {name!r}, a text of no row that"
                " models are fitted to; drop its rows, or give them another text",
            )
        values = frame[name].to_numpy(object)
        parts.append(
            np.array([values == level for level in levels[name][1:]], float)
            .reshape(-1, len(frame))
            .T
        )
        names += [f"{name}={level}" for level in levels[name][1:]]
    return np.concatenate(parts, axis=1), names


def _directions(x: Float[np.ndarray, "n k"], components: int) -> Float[np.ndarray, "k c"]:
    """Return principal directions; the largest loading of each is positive."""
    wide = len(x) < x.shape[1]  # then there are fewer rows than columns to solve for
    values, vectors = np.linalg.eigh((x @ x.T if wide else x.T @ x) / len(x))
    rank = int((values > 1e-12 * values[-1]).sum())
    if not 1 <= components <= rank:
        raise InputError("data.components", f"is {components}; give a number from 1 to {rank}")
    chosen = vectors[:, ::-1][:, :components]
    if wide:
        chosen = x.T @ chosen
        chosen = chosen / np.linalg.norm(chosen, axis=0)
    largest = np.abs(chosen).argmax(0)
    return np.asarray(chosen * np.sign(chosen[largest, np.arange(components)]))
