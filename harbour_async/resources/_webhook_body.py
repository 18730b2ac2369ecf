"""Check the fields of a webhook, and make the body of a request from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from harbour_async._decoding import encode_json
from harbour_async._wire import text
from harbour_async.errors import ConfigurationError


def webhook_body(
    destination_url: str | None, event_types: Iterable[str] | None, notification_email: str | None
) -> bytes:
    """The request body ("Create webhook", "Update webhook"): only what was given."""
    body: dict[str, Any] = {}
    if destination_url is not None:
        body["destination_url"] = checked_destination(destination_url)
    if event_types is not None:
        body["event_types"] = checked_event_types(event_types)
    if notification_email is not None:
        body["notification_email"] = text("notification_email", notification_email)
    if not body:
        raise ConfigurationError("nothing to send: give at least one of the webhook's fields")
    return encode_json(body)


def checked_destination(given: str) -> str:
    """An absolute http or https URL."""
    url = text("destination_url", given)
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ConfigurationError(f"destination_url is not a URL: {error}") from error
    # urlsplit strips spaces, and does not mind them inside.
    if not known or any(map(str.isspace, url)):
        raise ConfigurationError(f"destination_url must be an absolute http(s) URL, not {url!r}")
    return url


def checked_event_types(types: Iterable[str]) -> list[str]:
    """Event types as plain strings."""
    if isinstance(types, str) or not isinstance(types, Iterable):
        raise ConfigurationError(f"event_types must be a list of event types, not {types!r}")
    return [text("an event type", event_type) for event_type in types]
