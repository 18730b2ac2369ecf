"""The bodies of "Create webhook" and "Update webhook", validated as FastAPI does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from harbour_async.sandbox._query import InvalidError, objection
from harbour_async.sandbox._records import EVENT_TYPES, Record

_SCHEMES = "'http' or 'https'"
_EVENT_TYPES = f"{', '.join(map(repr, EVENT_TYPES[:-1]))} or {EVENT_TYPES[-1]!r}"
_MAX_URL = 2083  # characters, as in pydantic
_NO_HOST = re.compile(r"[\s<>^|\\%]")
_JSON = re.compile(r"application/(json|[^;]+\+json)")

Where = tuple[str | int, ...]
Check = Callable[[Any, Where], list[Record]]


class UnreadableError(Exception):
    """The body is not text, or nested too deeply. It is answered with 400, as FastAPI does."""


async def webhook_changes(request: web.Request, *, creating: bool) -> Record:
    """The webhook's fields that the body sets. Raises ``InvalidError``, ``UnreadableError``.

    ``destination_url`` is required when creating; ``event_types`` and ``notification_email``
    never are. An update keeps the fields that it leaves out; null event types count as left out,
    and null clears the e-mail. Other names are ignored.
    """
    body = await _json_object(request)
    objections: list[Record] = []
    for name, check in (
        ("destination_url", _check_url),
        ("notification_email", _check_email),
        ("event_types", _check_event_types),
    ):
        where = ("body", name)
        if name in body:
            objections += check(body[name], where)
        elif creating and name == "destination_url":
            objections.append(objection("missing", where, "Field required", input=body))
    if objections:
        raise InvalidError(*objections)
    names = ("destination_url", "event_types")
    changes = {name: body[name] for name in names if body.get(name) is not None}
    if "notification_email" in body:
        email = body["notification_email"]
        changes["notification_emails"] = None if email is None else [email]
    return changes


async def _json_object(request: web.Request) -> dict[str, Any]:
    try:
        content = await request.read()
    except web.RequestPayloadError as error:
        raise UnreadableError from error
    if not content:
        raise InvalidError(objection("missing", ("body",), "Field required", input=None))
    body: Any
    try:
        # FastAPI passes a body of any other type on as text.
        if not _JSON.fullmatch(request.content_type):
            body = content.decode()
        else:
            body = json.loads(content)  # in UTF-8, with or without a mark, or in UTF-16 or 32
            # NaN, numbers out of range and lone surrogates could not be sent back as JSON.
            json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise InvalidError(
            objection(
                "json_invalid",
                ("body", error.pos),
                "JSON decode error",
                input={},
                ctx={"error": error.msg},
            )
        ) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableError from error
    if not isinstance(body, dict):
        message = "Input should be a valid dictionary or object to extract fields from"
        raise InvalidError(objection("model_attributes_type", ("body",), message, input=body))
    return body


def _check_url(value: Any, where: Where) -> list[Record]:
    if not isinstance(value, str):
        message = "URL input should be a string or URL"
        return [objection("url_type", where, message, input=value)]
    if len(value) > _MAX_URL:
        message = f"URL should have at most {_MAX_URL} characters"
        ctx = {"max_length": _MAX_URL}
        return [objection("url_too_long", where, message, input=value, ctx=ctx)]
    scheme, fault = _url_fault(value.strip())
    if fault:
        message = f"Input should be a valid URL, {fault}"
        return [objection("url_parsing", where, message, input=value, ctx={"error": fault})]
    if scheme not in ("http", "https"):
        message = f"URL scheme should be {_SCHEMES}"
        expected = {"expected_schemes": _SCHEMES}
        return [objection("url_scheme", where, message, input=value, ctx=expected)]
    return []


def _url_fault(url: str) -> tuple[str, str | None]:
    """The scheme of the URL, and what pydantic finds wrong with its other parts."""
    if not url:
        return "", "input is empty"
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", "invalid IPv6 address"
    if not parts.scheme:
        return "", "relative URL without a base"
    if parts.scheme not in ("http", "https"):
        return parts.scheme, None
    try:
        _ = parts.port
    except ValueError:
        return parts.scheme, "invalid port number"
    if not parts.hostname:
        return parts.scheme, "empty host"
    if _NO_HOST.search(parts.hostname):
        return parts.scheme, "invalid international domain name"
    return parts.scheme, None


def _check_email(value: Any, where: Where) -> list[Record]:
    if value is None:
        return []
    if not isinstance(value, str):
        return [objection("string_type", where, "Input should be a valid string", input=value)]
    reason = _email_fault(value)
    if reason is None:
        return []
    message = f"value is not a valid email address: {reason}"
    return [objection("value_error", where, message, input=value, ctx={"reason": reason})]


def _email_fault(email: str) -> str | None:
    name, at, domain = email.partition("@")
    if not at:
        return "An email address must have an @-sign."
    if not domain:
        return "There must be something after the @-sign."
    if not name:
        return "There must be something before the @-sign."
    if not name.isprintable() or " " in name:
        return "The email address contains invalid characters before the @-sign."
    if not domain.isprintable() or {" ", "@"} & set(domain):
        return "The part after the @-sign contains invalid characters."
    if "." not in domain.strip("."):
        return "The part after the @-sign is not valid. It should have a period."
    return None


def _check_event_types(value: Any, where: Where) -> list[Record]:
    if value is None:
        return []
    if not isinstance(value, list):
        return [objection("list_type", where, "Input should be a valid list", input=value)]
    message = f"Input should be {_EVENT_TYPES}"
    ctx = {"expected": _EVENT_TYPES}
    return [
        objection("literal_error", (*where, place), message, input=name, ctx=ctx)
        for place, name in enumerate(value)
        if name not in EVENT_TYPES
    ]
