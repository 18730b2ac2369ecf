"""URLs, headers, parameters and error answers: pure functions."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, strategies as st
from yarl import URL

from harbour_async import _wire, errors
from harbour_async.errors import ConfigurationError


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/v2",
        "http://127.0.0.1/v2",
        "http://127.9.9.9/v2",
        "http://[::1]:1/v2",
        "https://api.myharbourshare.com/v2/",
    ],
)
def test_https_and_loopback_base_urls_are_taken(url: str) -> None:
    assert str(_wire.base_url(url)) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.myharbourshare.com/v2",
        "http://localhost.evil.example/v2",
        "http://127.0.0.1.evil.example",
        "http://0.0.0.0/v2",
        "ftp://localhost/",
        "api.myharbourshare.com/v2",
        "https://",
        "",
        "https://user:secret@host/v2",
        "https://host/v2?x=1",
        "https://host/v2#x",
        "https://host/\n",
        "https://host:99999/",
        17,
    ],
)
def test_other_base_urls_are_refused(url: Any) -> None:
    with pytest.raises(ConfigurationError):
        _wire.base_url(url)


def test_settings_fall_back_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARBOUR_API_KEY", "from-env")
    monkeypatch.setenv("HARBOUR_BASE_URL", "https://other.example/v2")
    assert _wire.api_key(None) == "from-env"
    assert _wire.api_key("given") == "given"
    assert str(_wire.base_url(None)) == "https://other.example/v2"
    monkeypatch.delenv("HARBOUR_BASE_URL")
    assert str(_wire.base_url(None)) == _wire.DEFAULT_BASE_URL


@pytest.mark.parametrize("key", ["", "  ", "a\nb", "a\rb", "\x00", "schlüssel", 5])
def test_an_unusable_key_is_refused_and_never_shown(key: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _wire.api_key(key)
    if isinstance(key, str) and key.strip():
        assert key not in str(caught.value)


def test_a_missing_key_says_where_to_put_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARBOUR_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="HARBOUR_API_KEY"):
        _wire.api_key(None)


@pytest.mark.parametrize("agent", ["a\r\nx-evil: 1", "né"])
def test_a_user_agent_cannot_smuggle_headers(agent: str) -> None:
    with pytest.raises(ConfigurationError):
        _wire.headers("key", agent)


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "a/b", "../x", "a\\b", "a\x00", "\n", "\ud800", None, 3]
)
def test_ids_that_could_reach_elsewhere_are_refused(bad: Any) -> None:
    with pytest.raises(ConfigurationError):
        _wire.segment("verification_id", bad)


@given(st.text(min_size=1))
def test_an_id_is_always_one_path_segment(text: str) -> None:
    try:
        escaped = _wire.segment("webhook_id", text)
    except ConfigurationError:
        return
    url = _wire.Request("GET", f"webhooks/{escaped}").url(URL("https://host/v2"))
    assert url.raw_path == f"/v2/webhooks/{escaped}"
    assert url.raw_query_string == ""
    assert url.parts == ("/", "v2", "webhooks", text)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.text(st.characters(exclude_categories=["Cs"]))
        | st.integers(-(2**63), 2**63)
        | st.booleans()
        | st.none(),
    )
)
def test_metadata_arrives_as_it_was_given(pairs: dict[str, Any]) -> None:
    params = _wire.filters(None, pairs)
    url = _wire.Request("GET", "verifications", _wire.query(params)).url(URL("https://host/v2"))
    arrived = parse_qs(urlsplit(str(url)).query, strict_parsing=True)
    assert json.loads(arrived["verification_metadata"][0]) == pairs


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": {"b": 1}},
        {"a": [1]},
        {1: "a"},
        "a=b",
        [("a", "b")],
        {"a": float("nan")},
        {"a": "\ud800"},
    ],
)
def test_metadata_that_is_not_a_flat_mapping_is_refused(metadata: Any) -> None:
    with pytest.raises(ConfigurationError):
        _wire.filters(None, metadata)


@pytest.mark.parametrize("search", ["a\nb", "\ud800", 5])
def test_a_search_that_cannot_be_sent_is_refused(search: Any) -> None:
    with pytest.raises(ConfigurationError):
        _wire.filters(search)


@pytest.mark.parametrize(
    ("given_order", "sent"),
    [
        (None, "created_at DESC"),
        ("created_at", "created_at ASC"),
        ("updated_at desc", "updated_at DESC"),
        ("created_at ASC", "created_at ASC"),
    ],
)
def test_orders_are_spelled_out(given_order: str | None, sent: str) -> None:
    assert _wire.order(given_order) == sent


@pytest.mark.parametrize("bad", ["", "a, b", "created_at UP", "a;drop", "a  DESC", 3])
def test_an_order_that_is_no_field_and_direction_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigurationError):
        _wire.order(bad)


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (302, errors.APIStatusError),
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (418, errors.APIStatusError),
        (422, errors.UnprocessableEntityError),
        (429, errors.RateLimitError),
        (500, errors.InternalServerError),
        (503, errors.InternalServerError),
    ],
)
def test_each_status_has_its_error(status: int, cls: type[errors.APIStatusError]) -> None:
    error = _error(status, b"")
    assert type(error) is cls
    assert error.status == status


def _error(status: int, body: bytes, **headers: str) -> errors.APIStatusError:
    return _wire.error_from(
        status=status, method="GET", url="/verifications", headers=headers, body=body
    )


def test_the_guides_error_envelope_is_read() -> None:
    error = _error(
        401, b'{"detail":"D","error":2002,"message":"M","more_info":"https://k.example/2002"}'
    )
    assert (error.code, error.message, error.detail) == (2002, "M", "D")
    assert error.more_info == "https://k.example/2002"
    assert "2002" in str(error)
    assert "M D" in str(error)


def test_the_newer_error_envelope_is_read() -> None:
    error = _error(400, b'{"code":3001,"message":"M","docs":"https://d","errors":[{"path":"x"}]}')
    assert (error.code, error.more_info, error.errors) == (3001, "https://d", [{"path": "x"}])


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_any_other_error_body_is_kept_as_text(body: bytes) -> None:
    error = _error(502, body)
    assert error.body == body.decode(errors="replace")
    assert error.code is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("inf", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_in_seconds(text: str, seconds: float | None) -> None:
    assert _error(429, b"", **{"Retry-After": text}).retry_after == seconds


def test_retry_after_as_a_date_is_measured_by_the_servers_clock() -> None:
    headers = {
        "Retry-After": formatdate(1_000_030, usegmt=True),
        "Date": formatdate(1_000_000, usegmt=True),
    }
    assert _error(429, b"", **headers).retry_after == 30.0


def test_retry_after_in_the_past_means_now() -> None:
    assert _error(429, b"", **{"Retry-After": formatdate(0, usegmt=True)}).retry_after == 0.0
