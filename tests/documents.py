"""The documents of the repository, and the Python examples in them.

``python -m tests.documents FOLDER`` writes the examples as modules, for type checkers.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from textwrap import indent

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

# A reader meets the library here first, so these examples have to pass the strictest checker.
TYPED = ["README.md", "docs/index.md", "docs/tutorial.md", "docs/howto/*.md"]

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEAD = """\
from harbour_async import HarbourSession
from harbour_async.sandbox import Sandbox

harbour: HarbourSession
sandbox: Sandbox
"""


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


def examples(document: Path) -> list[str]:
    return _BLOCK.findall(document.read_text(encoding="utf-8"))


def as_module(document: Path) -> str:
    """The examples as one module: those that await are the body of a coroutine function."""
    plain, awaiting = [_HEAD], ["    pass\n"]
    for code in examples(document):
        try:
            compile(code, "example", "exec", dont_inherit=True)
            plain.append(code)
        except SyntaxError:
            awaiting.append(indent(code, "    "))
    return "\n".join([*plain, "", "async def example() -> None:", *awaiting])


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for document in [found for pattern in TYPED for found in ROOT.glob(pattern)]:
        name = re.sub(r"\W", "_", name_of(document).removesuffix(".md"))
        (folder / f"{name}.py").write_text(as_module(document), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
