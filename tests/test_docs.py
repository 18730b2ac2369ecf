"""The examples of the documents run in the order of the text, and their links work."""

from __future__ import annotations

import ast
import asyncio
import inspect
import pydoc
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import harbour_async
from docs import diagrams, docstrings
from harbour_async import (
    HarbourSession,
    Network,
    RateLimit,
    Retry,
    Timeout,
    Verification,
    Webhook,
    WebhookEvent,
    WebhookReceipt,
)
from harbour_async.sandbox import Sandbox
from tests.documents import DOCUMENTS, ROOT, examples, name_of
from tests.test_architecture import LAYERS

WITH_EXAMPLES = [document for document in DOCUMENTS if examples(document)]
each_document = pytest.mark.parametrize("document", WITH_EXAMPLES, ids=name_of)


@each_document
async def test_the_examples_run(
    document: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    async with opened(monkeypatch, verifications=230, webhooks=3) as names:
        await run_all(document, names)


async def test_the_examples_of_the_readme_run_where_nothing_is_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(monkeypatch, verifications=0, webhooks=0) as names:
        await run_all(ROOT / "README.md", names)


@asynccontextmanager
async def opened(monkeypatch: pytest.MonkeyPatch, **records: Any) -> AsyncIterator[dict[str, Any]]:
    """The names that examples may use; the environment variables name a sandbox."""
    async with Sandbox(**records, rate_limit=None) as sandbox:
        monkeypatch.setenv("HARBOUR_API_KEY", sandbox.api_key)
        monkeypatch.setenv("HARBOUR_BASE_URL", sandbox.url)
        async with HarbourSession() as harbour:
            yield {"asyncio": asyncio, "harbour": harbour, "sandbox": sandbox}


async def run_all(document: Path, names: dict[str, Any]) -> None:
    for code in examples(document):
        await run(code, names, name_of(document))


async def run(code: str, names: dict[str, Any], source: str) -> None:
    """A block as it stands in the text: awaits and ``asyncio.run`` at the top level included."""
    code = code.replace("asyncio.run(main())", "await main()")
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compiled = compile(code, source, "exec", flags=flags, dont_inherit=True)
    result = eval(compiled, names)
    if inspect.isawaitable(result):
        await result


def prose(document: Path) -> str:
    """The text without its blocks of code, in which brackets mean other things."""
    return re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_to_files_and_headings_that_exist(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)", prose(document)):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        linked = document.parent / name if name else document
        assert linked.exists(), f"{target}: no such file"
        assert not heading or heading in headings(linked), f"{target}: no such heading"


def headings(document: Path) -> set[str]:
    """The anchors of its headings, as GitHub and the site spell them."""
    found = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_files_that_are_named_in_the_text_exist(document: Path) -> None:
    for name in re.findall(r"`((?:docs|examples|tests)/[\w./-]+)`", prose(document)):
        assert (ROOT / name).exists(), f"{name}: no such file"


def test_every_link_of_the_readme_works_on_a_package_index() -> None:
    targets = re.findall(r"\]\(([^)\s]+)", prose(ROOT / "README.md"))
    assert [target for target in targets if not target.startswith("https://")] == []


def test_every_page_is_in_the_sites_navigation() -> None:
    index = (ROOT / "docs/index.md").read_text("utf-8").splitlines()
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")]
    listed = {str(page.with_suffix("")) for page in pages} & set(index)
    assert {str(page.with_suffix("")) for page in pages} - listed == {"index"}


def test_every_public_name_is_in_the_reference() -> None:
    pages = "\n".join(page.read_text("utf-8") for page in (ROOT / "docs/api").glob("*.md"))
    whole = {
        f"harbour_async.{name}" for name in re.findall(r"automodule:: harbour_async.(\w+)", pages)
    }
    for name in harbour_async.__all__:
        home = getattr(harbour_async, name).__module__
        assert home in whole or re.search(rf":: (\S+\.)?{name}$", pages, re.MULTILINE), name


@pytest.mark.parametrize("record", [Verification, Webhook, WebhookEvent, WebhookReceipt])
def test_no_field_of_a_record_has_the_help_text_of_the_standard_library(
    record: type[object],
) -> None:
    assert "attrgetter" not in pydoc.render_doc(record)


@pytest.mark.parametrize("settings", [RateLimit, Retry, Timeout, Network])
def test_a_setting_is_described_without_the_text_around_it(settings: type[object]) -> None:
    described = docstrings.described(inspect.getdoc(settings).splitlines())  # type: ignore[union-attr]
    texts = dict(part for part in described if isinstance(part, tuple))
    assert texts.keys() >= inspect.signature(settings).parameters.keys()
    assert [text for text in texts.values() if "above" in text or "below" in text] == []


def test_every_environment_variable_is_in_the_settings() -> None:
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    package = Path(harbour_async.__file__).parent.rglob("*.py")
    code = "\n".join(path.read_text("utf-8") for path in package)
    for name in set(re.findall(r"HARBOUR_[A-Z_]+", code)):
        assert f"`{name}`" in page


@pytest.mark.parametrize(
    ("name", "drawn"), [("layers.svg", diagrams.layers()), ("walk.svg", diagrams.walk())]
)
def test_the_diagrams_are_those_that_the_script_makes(name: str, drawn: str) -> None:
    assert (ROOT / "docs" / name).read_text("utf-8") == drawn, "run: python docs/diagrams.py"
    ElementTree.fromstring(drawn)


def test_the_diagram_shows_the_layers_that_are_checked() -> None:
    for level, _, modules in diagrams.LAYERS:
        assert set(modules) <= LAYERS[level]


async def test_an_example_that_fails_is_reported() -> None:
    with pytest.raises(AssertionError):
        await run("assert False", {}, "here")
    with pytest.raises(ZeroDivisionError):
        await run("import asyncio\nawait asyncio.sleep(0)\n1 / 0", {}, "here")
