"""The notebooks of the gallery run, and say what they were saved with."""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "gallery"
PATHS = sorted(FOLDER.glob("*.ipynb"))
VERDICT = re.compile(r"verified|refuted|inconclusive|collapse|stable|decided")
DECIMAL = re.compile(r" *-?\d+\.\d+")
LARGEST = 300_000
"""Bytes of a notebook, so that it opens at once."""


def notebooks(function):
    return pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)(function)


def texts(notebook):
    """Return the text that each cell printed or returned, by its id."""
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            found[cell.id] = found.get(cell.id, "") + text + "\n"
    return found


def verdicts(notebook):
    """Return the lines of output that tell verdicts and diagnoses, by cell, without decimals."""
    return {
        name: [DECIMAL.sub("#", line) for line in text.splitlines() if VERDICT.search(line)]
        for name, text in texts(notebook).items()
    }


@notebooks
def test_a_notebook_is_kept_clean_with_its_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < LARGEST
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert all(not cell.metadata for cell in notebook.cells)
    assert any(
        "image/png" in o.get("data", {}) for c in notebook.cells for o in c.get("outputs", ())
    )
    code = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert code == list(range(1, len(code) + 1))  # run from the top, once


@notebooks
def test_links_of_a_notebook_lead_to_pages_and_sections(path):
    text = "\n".join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == "markdown")
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", text)
    assert links
    for target in links:
        file, _, section = target.partition("#")
        page = FOLDER / file
        assert page.exists(), target
        headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
        slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert not section or section in slugs, target


def test_the_map_of_the_gallery_lists_every_notebook():
    text = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^- \[.*?\]\((.*?\.ipynb)\): .*\.$", text, re.M)) == [
        path.name for path in PATHS
    ]


@pytest.mark.system
@notebooks
def test_a_notebook_runs_to_the_verdicts_that_it_shows(path):
    spec = importlib.util.spec_from_file_location("gallery", FOLDER / "run.py")
    gallery = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gallery)
    kept = nbformat.read(path, as_version=4)
    assert sum(map(len, verdicts(kept).values()))
    assert verdicts(gallery.run(path)) == verdicts(kept)
