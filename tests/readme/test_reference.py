"""The reference of the documentation site is complete."""

import re
from pathlib import Path

import mcjax

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_every_public_name_is_listed_once():
    listed = [
        name
        for page in REFERENCE.glob("*.md")
        for name in re.findall(r"^   mcjax\.([\w.]+)$", page.read_text(encoding="utf-8"), re.M)
    ]
    public = [name for name in mcjax.__all__ if name not in ("__version__", "plot", "topologies")]
    public += [f"plot.{name}" for name in mcjax.plot.__all__]
    public += [f"topologies.{name}" for name in mcjax.topologies.TOPOLOGIES]
    assert sorted(listed) == sorted(public)
