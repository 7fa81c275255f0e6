"""Add to pages what the site has beyond them; as they are stored, they read well without it.

The map of ``index.md`` is the table of contents: each of its sections, with the pages that it
links, becomes a part of the sidebar. Pages of the repository outside of docs/ become pages too.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
REPOSITORY = {"contributing": "CONTRIBUTING.md", "changes": "CHANGELOG.md"}
"""Pages, and the files of the repository whose text they have on the site."""
LINK = re.compile(r"^- \[[^]]*\]\(([\w/-]+)\.(?:md|ipynb)\)", re.MULTILINE)


def with_contents(page: str, text: str) -> str:
    """Return the text of a map with the tables of contents of its sections."""
    parts = []
    for section in re.split(r"^(?=## )", text, flags=re.MULTILINE):
        heading = re.match(r"## (.*)", section)
        caption = f":caption: {heading[1]}\n" if heading and page == "index" else ""
        if pages := "\n".join(LINK.findall(section)):
            parts.append(f"```{{toctree}}\n:hidden:\n{caption}\n{pages}\n```\n")
    return "\n".join([text, *parts])


def complete(app: Sphinx, page: str, source: list[str]) -> None:
    """Add to the text of a page what the site has beyond it."""
    if page in REPOSITORY:
        text = (DOCS.parent / REPOSITORY[page]).read_text(encoding="utf-8")
        source[0] = text.replace("](docs/", "](")
    for name, file in REPOSITORY.items():
        source[0] = re.sub(rf"\]\((?:\.\./)*{file}", f"](/{name}.md", source[0])
    if page.split("/")[-1] == "index" and "{toctree}" not in source[0]:
        source[0] = with_contents(page, source[0])


def setup(app: Sphinx):
    app.connect("source-read", complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
