"""How Sphinx builds the site: `make docs`. Nothing is fetched."""

import sys
from pathlib import Path

import harbour_async

sys.path.insert(0, str(Path(__file__).parent))  # for the extension beside this file

project = "harbour_async"
copyright = "the harbour_async maintainers"  # noqa: A001 - the name that Sphinx reads
version = release = harbour_async.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "docstrings"]
exclude_patterns = ["_build"]
root_doc = "index"
default_role = "code"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_inherit_docstrings = False
maximum_signature_line_length = 72
python_use_unqualified_type_names = True
add_module_names = False

html_theme = "furo"
html_title = f"harbour_async {release}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
pygments_style = "default"
