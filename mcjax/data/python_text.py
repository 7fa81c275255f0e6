"""Text that ships with Python: its help, its documentation strings and its code.

Text differs between versions of Python, so it comes with a digest and with a sentence on what was
read. Nothing is downloaded. Does not import JAX.
"""

from __future__ import annotations

import ast
import hashlib
import platform
import sysconfig
import warnings
from collections.abc import Iterator
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import NamedTuple

from mcjax.errors import InputError

MODULES = 160
"""Modules of the standard library that are read, the first by name."""
LEAST = 100_000
"""Characters of each text, at least."""


class PythonText(NamedTuple):
    """Three texts, of different style.

    Attributes
    ----------
    code : str
        Modules of the standard library, without documentation strings and whole lines of comments.
    docstrings : str
        Their documentation strings.
    topics : str
        The topics of ``help()``: prose about the language.
    """

    code: str
    docstrings: str
    topics: str

    @property
    def about(self) -> str:
        """Description of the texts that were read."""
        sizes = ", ".join(f"{len(text):,} of {name}" for name, text in self._asdict().items())
        return f"characters that ship with Python {platform.python_version()}: {sizes}"

    @property
    def digest(self) -> str:
        """Hash that identifies these texts."""
        return hashlib.sha256("\0".join(self).encode("utf-8", "replace")).hexdigest()[:16]


@cache
def python_text() -> PythonText:
    """Return the texts of the Python that runs.

    Raises
    ------
    InputError
        If this Python comes without its help or the source of its library.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        problem = "needs the topics of help(), which this Python lacks; install a full Python"
        raise InputError("family.name", problem) from error
    folder = Path(sysconfig.get_path("stdlib"))
    parts = [_split(path) for path in sorted(folder.glob("*.py"))[:MODULES]]
    code, docstrings = ("\n".join(part[k] for part in parts) for k in range(2))
    found = PythonText(code, docstrings, "\n".join(topics.values()))
    for name, text in found._asdict().items():
        if len(text) < LEAST:
            problem = f"needs the {name} of Python's library, and {folder} has {len(text):,}"
            remedy = "characters of them; install a Python with the source of its library"
            raise InputError("family.name", f"{problem} {remedy}")
    return found


def _split(path: Path) -> tuple[str, str]:
    """Return the code of a module, and its documentation strings."""
    source = path.read_text(encoding="utf-8", errors="ignore")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old escapes in the library
        tree = ast.parse(source)
    found = list(_documentation(tree))
    lines = {line for node in found for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    code = (
        line
        for number, line in enumerate(source.split("\n"), 1)
        if number not in lines and line.strip() and not line.strip().startswith("#")
    )
    return "\n".join(code), "\n".join(cleandoc(str(node.value)) for node in found)


def _documentation(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield the documentation strings of a module, its classes and its functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body:
            match node.body[0]:
                case ast.Expr(ast.Constant(str()) as text):
                    yield text
