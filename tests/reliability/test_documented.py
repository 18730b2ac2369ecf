"""docs/reliability.md names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
DOCUMENT = TESTS.parent / "docs" / "reliability.md"
NAMED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")


def names_in(module: Path) -> set[str]:
    tree = ast.parse(module.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


def test_every_test_that_the_document_names_exists() -> None:
    named = NAMED.findall(DOCUMENT.read_text())
    assert len(named) > 30
    for path, name in named:
        assert (TESTS / path).is_file(), path
        assert not name or name in names_in(TESTS / path), f"{path}::{name}"


def test_the_document_names_every_test_of_this_package() -> None:
    named = {name for _, name in NAMED.findall(DOCUMENT.read_text())}
    for module in Path(__file__).parent.glob("test_*.py"):
        if module != Path(__file__):
            tests = {name for name in names_in(module) if name.startswith("test_")}
            assert tests <= named, module.name
