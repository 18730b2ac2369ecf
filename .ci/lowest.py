"""Print a constraint for each dependency of a user: the lowest version pyproject.toml allows.

Those of the package and of its extras. Tools of the tests stay as new as may be.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

LOWEST = re.compile(r"([A-Za-z0-9_.-]+)\s*>=\s*([0-9.]+)")

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
requirements = [*project["dependencies"]]
for extra in project["optional-dependencies"].values():
    requirements += extra
for requirement in requirements:
    found = LOWEST.match(requirement)
    if found is None:
        raise SystemExit(f"{requirement!r} has no lower bound")
    print(f"{found[1]}=={found[2]}")
