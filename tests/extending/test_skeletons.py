"""The skeletons in ``docs/extending/`` run as they stand, from study to verdict."""

import re
import runpy
import sys
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "extending"


@pytest.mark.by_default("law.md", "quantity.md")
@pytest.mark.parametrize("page", sorted(path.name for path in PAGES.glob("*.md")))
def test_a_skeleton_runs(page, tmp_path, monkeypatch):
    """The first block of a page is a file, which the second imports and judges."""
    text = (PAGES / page).read_text(encoding="utf-8")
    [skeleton] = re.findall(
        r"^<!-- skeleton: begin -->$(.*)^<!-- skeleton: end -->$", text, re.S | re.M
    )
    definition, use = re.findall(r"^```python\n(.*?)^```$", skeleton, re.S | re.M)
    name = re.match(r"# (\w+)\.py\n", definition)[1]
    assert f"from {name} import" in use
    assert "assert" in use
    (tmp_path / f"{name}.py").write_text(definition, encoding="utf-8")
    (tmp_path / "use.py").write_text(use, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    try:
        assert "result" in runpy.run_path(str(tmp_path / "use.py"))
    finally:
        sys.modules.pop(name, None)
