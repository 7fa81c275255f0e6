"""Generators: four functions of a user's own, in Python or in a file, and real data."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
from mcjax.network import REAL as REAL_SOURCE

WEIGHTS = "weights"
"""The argument of a fit that is for weights of rows."""
TAKES = {
    "init": "init(key)",
    "fit": "fit(key, params, rows)",
    "sample": "sample(key, params, n)",
    "measure": "measure(key, params, rows)",
}
"""Signatures of the four functions."""
REAL = "real(key, n), or an array of real rows"
SHOW = "show(rows)"
OPTIONAL = {
    "show": SHOW,
    "expected": "expected(key, params, n)",
    "compare": "compare(key, params, others)",
}
"""Signatures of functions that a generator need not have."""


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
        ``fit(key, params, rows) -> params``, begun at some parameters; or ``fit(key, params, rows,
        weights)``, whose weights are those of the rows in the loss, up to a factor.
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
    expected : callable, optional
        ``expected(key, params, n) -> rows``, which ``show`` gets in place of generated rows because
        they are easier to see, such as grey values of black and white pixels. Reports say that they
        are expectations. No model reads them.
    about : str
        What real rows are, for people.
    sources : mapping, optional
        Real data of further sources, by the names that networks have for them.
    compare : callable, optional
        ``compare(key, params, others) -> dict`` of numbers by name, which say how alike two models
        are. A model has the mean over all others.

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
    sources: Mapping[str, Any] = field(default_factory=dict)
    compare: Callable[..., Any] | None = None
    expected: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        functions = []
        for name, takes in TAKES.items():
            if not callable(getattr(self, name)):
                raise InputError(f"family.{name}", f"is not a function; define {takes}")
            functions.append(getattr(self, name))
        for name, takes in OPTIONAL.items():
            function = getattr(self, name)
            if function is not None and not callable(function):
                problem = f"is not a function; define {takes}, or leave it out"
                raise InputError(f"family.{name}", problem)
        if self.expected is not None and self.show is None:
            raise InputError("family.expected", f"is for show, which is missing; define {SHOW}")
        if not isinstance(self.sources, Mapping):
            problem = f"is {type(self.sources).__name__}; give a dictionary by name, each {REAL}"
            raise InputError("family.sources", problem)
        object.__setattr__(self, "real", _population(self.real, "family.real"))
        sources = {k: _population(v, f"family.sources.{k}") for k, v in self.sources.items()}
        object.__setattr__(self, "sources", sources)
        if not self.digest:
            real = [self.real, *sources.values()]
            functions += [f for f in (*real, self.compare) if callable(f)]
            rows = [one for one in real if not callable(one)]
            digest = source_digest(*functions)
            if rows:
                leaves, structure = jax.tree.flatten(rows[0] if len(rows) == 1 else rows)
                about = f"{digest} {structure} {[(leaf.shape, leaf.dtype.str) for leaf in leaves]}"
                parts = [about.encode(), *(leaf.tobytes() for leaf in leaves)]
                digest = hashlib.sha256(b"".join(parts)).hexdigest()[:16]
            object.__setattr__(self, "digest", digest)

    @property
    def weighs(self) -> bool:
        """True if fits take weights of rows."""
        try:
            return WEIGHTS in inspect.signature(self.fit).parameters
        except (TypeError, ValueError):  # some functions have no signature
            return False

    def real_rows(self, key: jax.Array, count: int, source: str = REAL_SOURCE) -> Any:
        """Return so many real rows of a source."""
        real = self.real if source == REAL_SOURCE else self.sources[source]
        if callable(real):
            return real(key, count)
        size = len(jax.tree.leaves(real)[0])
        chosen = jax.random.randint(key, (count,), 0, size)
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[chosen], real)


@checked
def generator_from_file(path: str | Path, name: str | None = None) -> Generator:
    """Return the generator that a Python file defines.

    Parameters
    ----------
    path : str or Path
        The file, with functions ``init``, ``fit``, ``sample`` and ``measure``, with ``real``, a
        function or an array, and perhaps with other attributes of a :class:`Generator`.
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
    for part, takes in (*TAKES.items(), ("real", REAL)):
        if part not in names:
            every = ", ".join((*TAKES.values(), REAL))
            problem = f"is missing; define {takes} (a generator has {every})"
            raise InputError(part, problem, str(path))
    further = (*OPTIONAL, "about", "sources")
    optional = {part: names[part] for part in further if part in names}
    parts = {part: names[part] for part in (*TAKES, "real")} | optional
    digest = hashlib.sha256(read_bytes(path)).hexdigest()[:16]
    try:
        return Generator(**parts, name=name or path.stem, digest=digest)
    except InputError as error:
        raise InputError(error.field, error.message, str(path)) from error


def _population(rows: Any, field: str) -> Any:
    """Return real rows, whose arrays all have one leading axis, or the function that draws them."""
    if callable(rows):
        return rows
    leaves = jax.tree.leaves(rows)
    if not leaves or not all(hasattr(leaf, "dtype") and np.ndim(leaf) for leaf in leaves):
        raise InputError(field, f"is {type(rows).__name__}; give {REAL}")
    sizes = {len(leaf) for leaf in leaves}
    if len(sizes) > 1 or 0 in sizes:
        told = " and ".join(map(str, sorted(sizes)))
        raise InputError(field, f"has {told} rows; give arrays of one positive length")
    if any(leaf.dtype.kind not in "biuf" for leaf in leaves):
        raise InputError(field, "has entries that are no real numbers; give numbers")
    if not all(np.isfinite(leaf).all() for leaf in leaves):
        raise InputError(field, "has values that are not finite; drop these rows")
    return jax.tree.map(np.array, rows)
