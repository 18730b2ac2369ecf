"""A list's query parameters, read as FastAPI and fastapi-pagination read them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harbour_async.sandbox._kinds import Kind
from harbour_async.sandbox._records import Record

MAX_SIZE = 100
_INTEGER = re.compile(r"[+-]?[0-9]+(?:_[0-9]+)*(?:\.0+)?")  # what pydantic takes for a whole number


class InvalidError(Exception):
    """Answered with 422; ``detail`` lists every objection as FastAPI does."""

    def __init__(self, *detail: Record) -> None:
        super().__init__(detail)
        self.detail = list(detail)


@dataclass(frozen=True)
class Query:
    """Which records a list shows, in which order, and which page of them (from 1)."""

    page: int
    size: int
    order_by: str
    descending: bool
    search: str = ""
    pairs: tuple[str, ...] = ()
    webhook_id: str | None = None


def objection(kind: str, where: tuple[str | int, ...], message: str, **more: Any) -> Record:
    """One entry of FastAPI's list of objections."""
    return {"type": kind, "loc": list(where), "msg": message, **more}


def parse(kind: Kind, query: Mapping[str, str], *, webhook_id: str | None = None) -> Query:
    """The guide's parameters ("List verifications", "List webhooks"); others are ignored.

    Raises ``InvalidError`` with everything that is wrong.
    """
    objections: list[Record] = []
    given = {name: text for name, text in query.items() if name in kind.filters}
    page = _integer(query, "page", 1, None, objections)
    size = _integer(query, "size", 50, MAX_SIZE, objections)
    order_by, descending = _order(kind, given.get("order_by"), objections)
    pairs = _metadata(given.get("verification_metadata", "{}"), objections)
    if objections:
        raise InvalidError(*objections)
    return Query(page, size, order_by, descending, given.get("search", ""), pairs, webhook_id)


def metadata_pairs(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Each pair as one comparable text.

    Metadata comes from URL parameters, so values are compared as text: 123 equals "123".
    """
    return tuple(json.dumps([name, _as_text(value)]) for name, value in metadata.items())


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _integer(
    given: Mapping[str, str], name: str, default: int, most: int | None, objections: list[Record]
) -> int:
    text = given.get(name)
    if text is None:
        return default
    where = ("query", name)
    number = text.strip()
    if not _INTEGER.fullmatch(number):
        message = "Input should be a valid integer, unable to parse string as an integer"
        objections.append(objection("int_parsing", where, message, input=text))
        return default
    try:
        value = int(number.partition(".")[0])
    except ValueError:
        message = "Unable to parse input string as an integer, exceeded maximum size"
        objections.append(objection("int_parsing_size", where, message, input=text))
        return default
    if value < 1:
        message = "Input should be greater than or equal to 1"
        objections.append(
            objection("greater_than_equal", where, message, input=text, ctx={"ge": 1})
        )
    elif most is not None and value > most:
        message = f"Input should be less than or equal to {most}"
        objections.append(
            objection("less_than_equal", where, message, input=text, ctx={"le": most})
        )
    return value


def _order(kind: Kind, text: str | None, objections: list[Record]) -> tuple[str, bool]:
    if text is None:
        return kind.fields[0], True
    match text.split():
        case [name, ("ASC" | "DESC" | "asc" | "desc") as direction] if name in kind.fields:
            return name, direction.upper() == "DESC"
        case [name] if name in kind.fields:
            return name, False  # as SQL has it
    fault = f"order_by must be one of {', '.join(kind.fields)}, then ASC or DESC"
    objections.append(
        objection(
            "value_error",
            ("query", "order_by"),
            f"Value error, {fault}",
            input=text,
            ctx={"error": fault},
        )
    )
    return kind.fields[0], True


def _metadata(text: str, objections: list[Record]) -> tuple[str, ...]:
    where = ("query", "verification_metadata")
    try:
        value = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError) as error:
        fault = str(error)
        objections.append(
            objection(
                "json_invalid", where, f"Invalid JSON: {fault}", input=text, ctx={"error": fault}
            )
        )
        return ()
    if not isinstance(value, dict):
        message = "Input should be a valid dictionary"
        value = text if "Infinity" in json.dumps(value) else value
        objections.append(objection("dict_type", where, message, input=value))
        return ()
    return metadata_pairs(value)
