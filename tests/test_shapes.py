"""Shapes in annotations are well formed, although nothing evaluates them when mcjax runs."""

import ast
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

import mcjax

ROOT = Path(mcjax.__file__).parent


def shapes():
    """Yield every shape, with the kind of array that it is given for."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
                kind, last = getattr(node.value, "id", None), node.slice.elts[-1]
                if isinstance(last, ast.Constant) and isinstance(
                    getattr(jaxtyping, str(kind), 0), type
                ):
                    yield kind, last.value


SHAPES = sorted(set(shapes()))


def test_shapes_are_found():
    assert ("Float", "q N") in SHAPES
    assert len(SHAPES) > 100


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_shape_is_well_formed(kind, shape):
    assert getattr(jaxtyping, kind)[np.ndarray, shape].dim_str == shape.strip()
