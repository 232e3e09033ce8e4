"""How Sphinx builds these pages: `sphinx-build -W docs docs/_build/html`."""

import re
from pathlib import Path

project = "Keystead"
author = "The Keystead authors"
release = re.search(
    r'__version__ = "(.+)"', (Path(__file__).parent.parent / "src/keystead/__init__.py").read_text()
).group(1)

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"Keystead {release}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]
nitpicky = True
# A command's argument may go on over several lines, which the lexer of consoles does not know.
suppress_warnings = ["misc.highlighting_failure"]
