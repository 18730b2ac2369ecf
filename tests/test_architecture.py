"""The layers, the public names, and what importing the package loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import harbour_async

PACKAGE = Path(harbour_async.__file__).parent

# Imports point down only. A package counts as one module.
LAYERS = [
    {
        "errors",
        "models",
        "catalog",
        "settings",
        "_report",
        "_rows",
        "_record",
        "events",
        "_logging",
    },
    {"_decoding", "_wire", "_keys", "_response", "_fork", "_frames", "_callbacks"},
    {"_transport", "_retry", "budget", "_lifetime"},
    {"_caller", "_emitter", "pagination", "resources"},
    {"session", "export", "reconcile", "_sides"},
    {"cli", "integrations", "pytest_plugin", "__main__"},
]
LEVEL = {module: level for level, names in enumerate(LAYERS) for module in names}

# The only modules that may import a dependency.
OWNERS = {
    "aiohttp": {"_transport", "sandbox"},
    "aiolimiter": {"budget"},
    "backoff": {"_retry"},
    "cattrs": {"_decoding"},
    "dlt": {"integrations"},
    "logging": {"_logging", "cli"},  # the command silences the log of its sandbox
    "msgspec": {"_decoding"},
    "opentelemetry": {"integrations"},
    "pyarrow": {"export"},
    "redis": {"budget"},
    "rich": {"cli"},
    "typer": {"cli"},
}


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        found.append((module, path))
    return found


def imports(path: Path) -> set[str]:
    """Names of modules that are imported when the code runs: not those for type checkers."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and getattr(branch.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def modules_used(path: Path) -> set[str]:
    used = {name.split(".")[1] for name in imports(path) if name.startswith("harbour_async.")}
    return {module for module in used if module in LEVEL or module == "sandbox"}


@pytest.mark.parametrize(
    ("module", "path"), modules(), ids=lambda value: getattr(value, "stem", "")
)
def test_imports_point_down(module: str, path: Path) -> None:
    if module in ("__init__", "_public"):  # they make up the public index
        return
    used = modules_used(path)
    if module == "sandbox":
        assert used <= {"sandbox"}, "the sandbox imports the client, whose mistakes it would share"
        return
    assert module in LEVEL, f"{module} has no place in LAYERS"
    if LEVEL[module] < LEVEL["cli"]:
        assert "sandbox" not in used
    for other in used - {module, "sandbox"}:
        assert LEVEL[other] <= LEVEL[module], f"{module} imports {other}, which is above it"


@pytest.mark.parametrize(
    ("module", "path"), modules(), ids=lambda value: getattr(value, "stem", "")
)
def test_each_dependency_is_imported_in_one_place(module: str, path: Path) -> None:
    for name in imports(path):
        owners = OWNERS.get(name.split(".")[0])
        assert owners is None or module in owners, f"{module} imports {name}"


def test_the_public_names_are_sorted_and_exist() -> None:
    names = harbour_async.__all__
    assert names == sorted(names)
    assert all(hasattr(harbour_async, name) for name in names)
    assert dir(harbour_async) == names


@pytest.mark.parametrize("name", ["catalog", "errors", "events", "export", "reconcile", "sandbox"])
def test_public_modules_are_attributes_of_the_package(name: str) -> None:
    code = f"import harbour_async; print(harbour_async.{name}.__name__)"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == f"harbour_async.{name}"


def test_the_version_is_that_of_the_installed_package() -> None:
    assert harbour_async.__version__ == version("harbour-async")
    assert "__version__" in vars(harbour_async)  # looked up once, then kept


PUBLIC = """
APIConnectionError APIStatusError APITimeoutError AuthenticationError BadRequestError Budget
BudgetSnapshot ConfigurationError ConflictError DeadlineExceededError DecodeError HarbourError
HarbourSession IncompleteListingError InternalServerError InvalidRecord Network NotFoundError Page
Pager PagingReport PermissionDeniedError Priority RateLimit RateLimitError RedisBudget RequestInfo
Response ResponseTooLargeError Retry SessionClosedError Timeout UnprocessableEntityError
Verification VerificationReceipt VerificationResult VerificationStatus VerificationSubStatus
VerificationSubtype VerificationTier VerificationType Webhook WebhookEvent WebhookEventType
WebhookReceipt WireConverter from_dict from_json to_dict to_json
"""


def test_the_public_names_are_those_listed_here() -> None:
    assert set(harbour_async.__all__) == set(PUBLIC.split())


def test_importing_the_package_alone_imports_no_dependency() -> None:
    """pytest imports it at every start, because of the plugin."""
    code = "import sys, harbour_async; print([m for m in ('aiohttp', 'attrs') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_session_imports_no_extra() -> None:
    code = (
        "import sys; from harbour_async import HarbourSession; "
        "print([m for m in ('redis', 'limits', 'typer', 'rich', 'orjson', 'pytest', 'sqlite3') "
        "if m in sys.modules])"
    )
    # An empty environment: with ours, coverage may be measured there as well, and it uses sqlite3.
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={}
    )
    assert done.stdout.strip() == "[]"


MODULES = sorted({module for module, _ in modules()} - {"__init__", "cli"})


@pytest.mark.exhaustive
@pytest.mark.parametrize("module", MODULES)
def test_every_module_can_be_imported_first(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import harbour_async.{module}"], check=True)
