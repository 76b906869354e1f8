"""How Sphinx makes the site: `make docs` writes it to build/docs."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "mlip-core"
version = release = version_of("mlip-core")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "from_code"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"mlip-core {version}"
html_copy_source = False
html_show_copyright = False

default_role = "literal"  # in docstrings `this` is code, as in Markdown
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
python_use_unqualified_type_names = True
