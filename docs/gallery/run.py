"""Run notebooks of the gallery again, and keep their outputs and a small picture of each.

``python docs/gallery/run.py`` runs all of them, ``python docs/gallery/run.py flip.ipynb`` one.
"""

import base64
import io
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parent
WIDTH = 360
"""Width in pixels of the small pictures."""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def run(path):
    """Return a notebook with the outputs of running it, and nothing that varies between runs."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, record_timing=False).execute(cwd=str(FOLDER))
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


def pictures(notebook):
    """Return the pictures of a notebook, as PNG files."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    found = (output.get("data", {}).get("image/png") for output in outputs)
    return [base64.b64decode(text) for text in found if text]


def main(names):
    paths = [FOLDER / name for name in names] or sorted(FOLDER.glob("*.ipynb"))
    for path in paths:
        start = time.perf_counter()
        notebook = run(path)
        path.write_text(nbformat.writes(notebook, indent=1) + "\n", encoding="utf-8")
        small = Image.open(io.BytesIO(pictures(notebook)[-1])).convert("RGB")
        small.thumbnail((WIDTH, WIDTH))
        small.quantize(64).save(path.with_suffix(".png"), optimize=True)
        print(f"{path.name}: {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
