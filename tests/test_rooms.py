"""Data flow one way: a room imports only from rooms above it in the package's own list."""

import ast
import re
from pathlib import Path

import mcjax

ROOT = Path(mcjax.__file__).parent
ROOMS = ["errors", *re.findall(r"^    (\w+) +\w", mcjax.__doc__, re.M)]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mcjax."):
            yield node.module.split(".")[1]


def test_every_room_is_listed():
    rooms = {p.stem for p in ROOT.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert rooms - {"__init__", "__main__"} == set(ROOMS)


def test_imports_go_one_way():
    wrong = [
        f"{path.relative_to(ROOT)} imports {other}"
        for path in ROOT.rglob("*.py")
        if path.parent != ROOT or path.stem in ROOMS
        for other in imported(path)
        for room in [path.relative_to(ROOT).parts[0].removesuffix(".py")]
        if ROOMS.index(other) > ROOMS.index(room)
    ]
    assert not wrong
