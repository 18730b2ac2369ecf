"""A Sphinx extension that reads our docstrings.

In a docstring, a line ``name: what it is`` describes an argument or attribute, and goes on until
the next such line or an empty one. Here they become a list; and the directive ``settings`` lists
a class's arguments with their defaults, so that the page cannot differ from the code.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from importlib import import_module
from operator import attrgetter
from typing import Any

import attrs
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_ARGUMENT = re.compile(r"(?P<names>\*{0,2}[a-z_]+(?:, \*{0,2}[a-z_]+)*): (?P<said>.+)")


def described(lines: Iterable[str]) -> list[tuple[str, str] | str]:
    """The docstring's lines; each description of arguments is a pair (names, text)."""
    found: list[tuple[str, str] | str] = []
    for line in lines:
        last = found[-1] if found else ""
        if match := _ARGUMENT.fullmatch(line):
            found.append((match["names"], match["said"]))
        elif isinstance(last, tuple) and line.strip():
            found[-1] = (last[0], f"{last[1]} {line.strip()}")
        else:
            found.append(line)
    return found


def _as_list(_app: Sphinx, _what: str, _name: str, _obj: Any, _opt: Any, lines: list[str]) -> None:
    listed: list[str] = []
    for part in described(lines):
        if isinstance(part, str):
            listed.append(part)
            continue
        names = ", ".join(f"``{name}``" for name in part[0].split(", "))
        if listed and listed[-1].strip() and not listed[-1].startswith("- "):
            listed.append("")
        listed.append(f"- {names}: {part[1]}")
    lines[:] = listed


def _no_field(
    _app: Sphinx, _what: str, _name: str, obj: Any, _skip: bool, _opt: Any
) -> bool | None:
    """Leave out the fields of records one by one: the docstring of the class describes them."""
    return True if isinstance(obj, property) and isinstance(obj.fget, attrgetter) else None


def _made_each_time(
    _app: Sphinx, _what: str, _name: str, _obj: Any, _opt: Any, arguments: str | None, gives: str
) -> tuple[str | None, str]:
    """Show what attrs' factory makes: that of ``extra`` is the only one in a signature."""
    return arguments and arguments.replace(" = NOTHING", " = {}"), gives


class Settings(SphinxDirective):
    """``{settings} harbour_async.Retry``: the arguments of that class, one by one."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].rpartition(".")
        cls = getattr(import_module(module), name)
        lines = (inspect.getdoc(cls) or "").splitlines()
        texts = dict(part for part in described(lines) if isinstance(part, tuple))
        # The page is Markdown, the docstrings are reStructuredText.
        listed = ["```{eval-rst}"]
        for argument, parameter in inspect.signature(cls).parameters.items():
            listed += [f"``{argument}``{_default(parameter)}", f"    {texts[argument]}", ""]
        return self.parse_text_to_nodes(StringList([*listed, "```"], source=self.arguments[0]))


def _default(parameter: inspect.Parameter) -> str:
    value = parameter.default
    if value is inspect.Parameter.empty or value is attrs.NOTHING:
        return ""  # required, or worked out: the description says how
    if attrs.has(type(value)):
        return f" = ``{type(value).__name__}()``"
    return f" = ``{value!r}``"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("settings", Settings)
    app.connect("autodoc-process-docstring", _as_list)
    app.connect("autodoc-process-signature", _made_each_time)
    app.connect("autodoc-skip-member", _no_field)
    return {"parallel_read_safe": True}
