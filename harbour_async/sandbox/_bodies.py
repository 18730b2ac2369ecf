"""The bodies of "Create webhook" and "Update webhook", validated as FastAPI would."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from harbour_async.sandbox._query import InvalidError, objection
from harbour_async.sandbox._records import EVENT_TYPES, Record


async def webhook_changes(request: web.Request, *, creating: bool) -> Record:
    """The webhook's fields that the body sets. Raises ``InvalidError``.

    ``destination_url`` is required when creating; ``event_types`` and ``notification_email``
    never are. What an update leaves out stays; null clears the e-mail. Other names are ignored.
    """
    body = await _json_object(request)
    objections: list[Record] = []
    changes: Record = {}

    def check(name: str, good: bool, message: str) -> bool:
        if not good:
            where = ("body", name)
            objections.append(objection("value_error", where, message, input=body[name]))
        return good

    if "destination_url" in body:
        url = body["destination_url"]
        if check("destination_url", _is_url(url), "Input should be an http or https URL"):
            changes["destination_url"] = url
    elif creating:
        where = ("body", "destination_url")
        objections.append(objection("missing", where, "Field required", input=body))
    if "notification_email" in body:
        email = body["notification_email"]
        if check("notification_email", _is_email(email), "Input should be an e-mail address"):
            changes["notification_emails"] = None if email is None else [email]
    if "event_types" in body:
        types = body["event_types"]
        message = f"Input should be a list of {', '.join(EVENT_TYPES)}"
        if check("event_types", _are_event_types(types), message):
            changes["event_types"] = types
    if objections:
        raise InvalidError(*objections)
    return changes


async def _json_object(request: web.Request) -> dict[str, Any]:
    text = await request.read()
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        message = "JSON decode error"
        raise InvalidError(objection("json_invalid", ("body", 0), message, input={})) from error
    # FastAPI hands a body of any other type on as mere text.
    if request.content_type != "application/json" or not isinstance(body, dict):
        message = "Input should be a valid dictionary or object to extract fields from"
        raise InvalidError(objection("model_attributes_type", ("body",), message, input=repr(text)))
    return body


def _is_url(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and _is_one_word(value)
    except ValueError:
        return False


def _is_email(value: object) -> bool:
    if value is None:
        return True
    name, at, domain = value.partition("@") if isinstance(value, str) else ("", "", "")
    return bool(name and at and domain) and "@" not in domain and _is_one_word(name + domain)


def _is_one_word(value: str) -> bool:
    return value.isprintable() and " " not in value


def _are_event_types(value: object) -> bool:
    return isinstance(value, list) and all(name in EVENT_TYPES for name in value)
