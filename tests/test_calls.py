"""A call of the package's own functions has at most four arguments without a name."""

import ast
from pathlib import Path

import mcjax

ROOT = Path(mcjax.__file__).parent
MOST = 4


def trees():
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def called(function):
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)


def long_signatures():
    """Return the names of classes, and of functions that take more than MOST arguments by place."""
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) or (
                isinstance(node, ast.FunctionDef)
                and node.args.vararg is None
                and len(node.args.posonlyargs + node.args.args) > MOST
            ):
                yield node.name


def test_calls_name_their_arguments():
    own = set(long_signatures())
    assert {"condition", "Entry", "build_network"} <= own
    unnamed = [
        f"{path}:{node.lineno} calls {called(node.func)} with {count} arguments without a name"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node.func) in own
        for count in [sum(not isinstance(argument, ast.Starred) for argument in node.args)]
        if count > MOST
    ]
    assert unnamed == []
