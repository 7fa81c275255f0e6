"""Write a self-contained HTML page, for screens of every width, light or dark."""

from __future__ import annotations

import html
from collections.abc import Mapping

from mcjax.text import shown

CSS = """
:root{color-scheme:light dark;--ink:#222;--paper:#fff;--box:#f4f4f4;--line:#ccc}
@media (prefers-color-scheme:dark){:root{--ink:#ddd;--paper:#181818;--box:#262626;--line:#555}}
body{font:16px/1.5 sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;
color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.2rem;margin-top:2rem}
p,h1,figcaption,caption{overflow-wrap:anywhere}
.drawings{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));gap:1rem}
figure{margin:0}figcaption{font-size:.85rem}
svg,img{height:auto;border-radius:4px}img{max-width:100%}svg:not(.net){width:100%;background:#fff}
.wide,pre{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;margin:1rem 0}
caption{text-align:left;font-weight:bold;padding:.3rem 0;max-width:calc(100vw - 2rem)}
th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line)}
tbody th{font-weight:normal}.number{text-align:right;font-variant-numeric:tabular-nums}
pre{background:var(--box);padding:.8rem;font-size:.8rem;line-height:1.35}
.phone{display:none}@media (max-width:46rem){.phone{display:block}.desk{display:none}}
"""


def document(title: str, lead: str, sections: Mapping[str, str], mark: str = "") -> str:
    """Return an HTML page.

    Parameters
    ----------
    title, lead : str
        Its heading, and the sentence below it.
    sections : dict of str to str
        HTML, by the headings of sections. One that is empty is left out.
    mark : str, optional
        A first line, a comment.
    """
    body = "".join(
        f"<section>\n<h2>{heading}</h2>\n{part}\n</section>\n"
        for heading, part in sections.items()
        if part
    )
    heading = html.escape(shown(title))
    return (
        f'{mark}<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{heading}</title>\n<style>{CSS}</style></head>\n<body>\n<main>\n"
        f"<h1>{heading}</h1>\n<p><strong>{html.escape(lead)}</strong></p>\n{body}</main>\n"
        "</body>\n</html>\n"
    )
