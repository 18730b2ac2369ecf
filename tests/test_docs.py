"""The examples of the documents run, in the order in which a reader meets them."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from harbour_async import HarbourSession
from harbour_async.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
async def test_the_examples_run(
    document: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    async with Sandbox(verifications=230, webhooks=3, rate_limit=None) as sandbox:
        monkeypatch.setenv("HARBOUR_API_KEY", sandbox.api_key)
        monkeypatch.setenv("HARBOUR_BASE_URL", sandbox.url)
        async with HarbourSession() as harbour:
            names: dict[str, Any] = {"asyncio": asyncio, "harbour": harbour, "sandbox": sandbox}
            for block in BLOCK.findall(document.read_text()):
                await run(block, names, document.name)


async def run(code: str, names: dict[str, Any], source: str) -> None:
    """A block as it stands in the text: awaits and ``asyncio.run`` at the top level included."""
    code = code.replace("asyncio.run(main())", "await main()")
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compiled = compile(code, source, "exec", flags=flags, dont_inherit=True)
    result = eval(compiled, names)
    if inspect.isawaitable(result):
        await result


def test_the_documents_link_only_to_files_that_are_there() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
            assert "://" in target or (document.parent / target).exists(), f"{document}: {target}"
