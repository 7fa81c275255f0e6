"""The reference of the documentation site is complete."""

import ast
import inspect
import itertools
import re
from pathlib import Path

import mcjax
from mcjax.study import tables
from mcjax.study.tables import TABLES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
TEXTS = ("REAL", "__version__")
"""Names of texts, which have no docstring."""


def test_every_public_name_is_listed_once():
    listed = [
        name
        for page in REFERENCE.glob("*.md")
        for name in re.findall(r"^   mcjax\.([\w.]+)$", page.read_text(encoding="utf-8"), re.M)
    ]
    prose = "".join(page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md"))
    assert all(f"`mcjax.{name}`" in prose for name in TEXTS)
    public = [name for name in mcjax.__all__ if name not in (*TEXTS, "plot", "topologies")]
    public += [f"plot.{name}" for name in mcjax.plot.__all__]
    public += [f"topologies.{name}" for name in mcjax.topologies.TOPOLOGIES]
    assert sorted(listed) == sorted(public)


def test_every_field_of_the_study_file_is_described():
    """The site shows these texts, where the page has a place for the table."""
    page = (REFERENCE / "study-file.md").read_text(encoding="utf-8")
    places = set(re.findall(r"<!-- fields of ([\w.]+) -->", page))
    assert places == {name or "file" for name in TABLES} - {"network.first"}  # that of feeds
    source = ast.parse(inspect.getsource(tables))
    for table in (node for node in source.body if isinstance(node, ast.ClassDef)):
        for field, text in itertools.pairwise([*table.body, None]):
            if isinstance(field, ast.AnnAssign):
                described = isinstance(text, ast.Expr) and isinstance(text.value.value, str)
                assert described, f"{table.name}.{field.target.id}"
