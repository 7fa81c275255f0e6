"""Generators: four functions of a user's own, in Python or in a file, and real data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mcjax.arguments import checked
from mcjax.calls import explained
from mcjax.errors import InputError
from mcjax.files import read_bytes
from mcjax.models.user import run_file, source_digest

TAKES = {
    "init": "init(key)",
    "fit": "fit(key, params, rows)",
    "sample": "sample(key, params, n)",
    "measure": "measure(key, params, rows)",
}
"""Signatures of the four functions."""
REAL = "real(key, n), or an array of real rows"
SHOW = "show(rows)"


@explained
@dataclass(frozen=True, eq=False)
class Generator:
    """A model that is known by how it learns and generates, and by nothing else.

    The functions are of one model and one chain. They are traced by JAX, draw from their keys
    alone, and keep nothing. Parameters are any pytree of arrays, and so are rows, whose arrays all
    have one leading axis.

    Attributes
    ----------
    init : callable
        ``init(key) -> params``, where a fit begins.
    fit : callable
        ``fit(key, params, rows) -> params``, begun at some parameters.
    sample : callable
        ``sample(key, params, n) -> rows``, like real rows; n is a Python number.
    measure : callable
        ``measure(key, params, rows) -> dict`` of numbers or small vectors by name, of a model and
        the rows that it was just fitted to.
    real : callable, or pytree of arrays
        ``real(key, n) -> rows``, or the rows of a population, drawn with replacement.
    name : str
        Name in tables.
    digest : str
        What tells the code from other code, where results are kept on disk; a digest of the source
        of the functions unless given.
    show : callable, optional
        ``show(rows) -> texts``, or pictures, one for each row: what reports show of a model. It is
        called with NumPy's arrays, and is not traced.
    about : str
        What real rows are, for people.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> gaussian = mcjax.Generator(
    ...     init=lambda key: 0.0,
    ...     fit=lambda key, params, rows: rows.mean(),
    ...     sample=lambda key, params, n: params + jax.random.normal(key, n),
    ...     measure=lambda key, params, rows: {"mean": params},
    ...     real=lambda key, n: jax.random.normal(key, n),
    ...     name="gaussian",
    ... )
    >>> gaussian.name
    'gaussian'
    """

    init: Callable[..., Any]
    fit: Callable[..., Any]
    sample: Callable[..., Any]
    measure: Callable[..., Any]
    real: Any
    name: str = "generator"
    digest: str = ""
    show: Callable[[Any], Any] | None = None
    about: str = ""

    def __post_init__(self) -> None:
        for field, takes in TAKES.items():
            if not callable(getattr(self, field)):
                raise InputError(f"family.{field}", f"is not a function; define {takes}")
        if self.show is not None and not callable(self.show):
            raise InputError("family.show", f"is not a function; define {SHOW}, or leave it out")
        functions = [getattr(self, field) for field in TAKES]
        if callable(self.real):
            functions.append(self.real)
        else:
            object.__setattr__(self, "real", _population(self.real))
        if not self.digest:
            digest = source_digest(*functions)
            if not callable(self.real):
                leaves, structure = jax.tree.flatten(self.real)
                about = f"{digest} {structure} {[(leaf.shape, leaf.dtype.str) for leaf in leaves]}"
                parts = [about.encode(), *(leaf.tobytes() for leaf in leaves)]
                digest = hashlib.sha256(b"".join(parts)).hexdigest()[:16]
            object.__setattr__(self, "digest", digest)

    def real_rows(self, key: jax.Array, count: int) -> Any:
        """Return so many real rows."""
        if callable(self.real):
            return self.real(key, count)
        size = len(jax.tree.leaves(self.real)[0])
        chosen = jax.random.randint(key, (count,), 0, size)
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[chosen], self.real)


@checked
def generator_from_file(path: str | Path, name: str | None = None) -> Generator:
    """Return the generator that a Python file defines.

    Parameters
    ----------
    path : str or Path
        The file, with functions ``init``, ``fit``, ``sample`` and ``measure``, with ``real``, a
        function or an array, and perhaps with a function ``show`` and a text ``about``.
    name : str, optional
        Name in tables; defaults to the name of the file.

    Returns
    -------
    Generator
        The generator.

    Raises
    ------
    InputError
        If the file cannot be run, or does not define all of them.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import mcjax
    >>> code = '''
    ... import jax
    ...
    ... def init(key):
    ...     return 0.0
    ...
    ... def fit(key, params, rows):
    ...     return rows.mean()
    ...
    ... def sample(key, params, n):
    ...     return params + jax.random.normal(key, n)
    ...
    ... def measure(key, params, rows):
    ...     return {"mean": params}
    ...
    ... def real(key, n):
    ...     return jax.random.normal(key, n)
    ... '''
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "gaussian.py")
    ...     _ = path.write_text(code, encoding="utf-8")
    ...     generator = mcjax.generator_from_file(path)
    ...
    >>> generator.name
    'gaussian'
    """
    path = Path(path)
    names = run_file(path)
    for field, takes in (*TAKES.items(), ("real", REAL)):
        if field not in names:
            every = ", ".join((*TAKES.values(), REAL))
            problem = f"is missing; define {takes} (a generator has {every})"
            raise InputError(field, problem, str(path))
    optional = {field: names[field] for field in ("show", "about") if field in names}
    parts = {field: names[field] for field in (*TAKES, "real")} | optional
    digest = hashlib.sha256(read_bytes(path)).hexdigest()[:16]
    try:
        return Generator(**parts, name=name or path.stem, digest=digest)
    except InputError as error:
        raise InputError(error.field, error.message, str(path)) from error


def _population(rows: Any) -> Any:
    """Return real rows, whose arrays all have one leading axis."""
    leaves = jax.tree.leaves(rows)
    if not leaves or not all(hasattr(leaf, "dtype") and np.ndim(leaf) for leaf in leaves):
        raise InputError("family.real", f"is {type(rows).__name__}; give {REAL}")
    sizes = {len(leaf) for leaf in leaves}
    if len(sizes) > 1 or 0 in sizes:
        told = " and ".join(map(str, sorted(sizes)))
        raise InputError("family.real", f"has {told} rows; give arrays of one positive length")
    if any(leaf.dtype.kind not in "biuf" for leaf in leaves):
        raise InputError("family.real", "has entries that are no real numbers; give numbers")
    if not all(np.isfinite(leaf).all() for leaf in leaves):
        raise InputError("family.real", "has values that are not finite; drop these rows")
    return jax.tree.map(np.array, rows)
