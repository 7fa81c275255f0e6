"""Settings of the documentation site: ``sphinx-build -W --keep-going -b html docs OUT``."""

import shutil
import sys
from pathlib import Path

import mcjax

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
sys.modules["mcjax.topologies"] = mcjax.topologies  # where its functions are called

project = "mcjax"
version = release = mcjax.__version__
language = "en"
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "commands",
    "contents",
    "math_ml",
    "offline",
    "study_file",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]

# Pages are Markdown that also reads well where nothing renders it.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # notebooks show the outputs that they were kept with

autosummary_generate = True
# a public name that is gone would leave its page behind
shutil.rmtree(Path(__file__).parent / "reference" / "generated", ignore_errors=True)
autodoc_typehints = "none"  # numpydoc shows the types that docstrings give
numpydoc_show_class_members = False

html_theme = "furo"  # the whole map beside every page; nothing is loaded from elsewhere
html_title = f"mcjax {release}"
html_math_renderer = "mathml"
html_show_copyright = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
