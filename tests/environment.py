"""The environment of commands that tests start, without the developer's own settings."""

from __future__ import annotations

import os

BARE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
# With these, a child process is measured as well when the tests run under coverage.
BARE |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
