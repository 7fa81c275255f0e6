"""Warn of pages that would load something from elsewhere: the site needs no network."""

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|link(?![^>]*rel="canonical"))\b[^>]*?"""
    r"""\b(?:src|href)=["'](?:https?:)?//[^"']+"""
)
logger = logging.getLogger(__name__)


def look(app: Sphinx, problem: Exception | None) -> None:
    """Look at every page that was written."""
    if problem is not None or app.builder.format != "html":
        return
    for page in sorted(Path(app.outdir).rglob("*.html")):
        for found in LOADED.findall(page.read_text(encoding="utf-8")):
            logger.warning("%s loads from the network: %s", page.name, found)
    for sheet in sorted(Path(app.outdir).rglob("*.css")):
        if re.search(r"url\([\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")):
            logger.warning("%s loads from the network", sheet.name)


def setup(app: Sphinx):
    app.connect("build-finished", look)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
