"""URLs, headers, parameters and error answers: pure functions."""

from __future__ import annotations

import json
import math
import time
from email.utils import formatdate
from enum import IntEnum, StrEnum
from importlib.metadata import PackageNotFoundError
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, strategies as st
from yarl import URL

from harbour_async import _wire, errors
from harbour_async._wire import _endpoint
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
def test_https_and_loopback_base_urls_are_accepted(url: str) -> None:
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
        "https://ho st/",
        "https://host/a b",
        "https://host/a\nb",
        "https://a..b/",
        "https://xn--/",
        f"https://{'a' * 64}.com",
        "https://\u2100.com",
        "https://exa\u00adple\ud800/",
        "https://[::1",
        "https://host:0/",
        "https://h%20x/",
        "https://host/?",
        "https://host/#",
        "https://host:99999/",
        17,
    ],
)
def test_other_base_urls_are_refused(url: Any) -> None:
    with pytest.raises(ConfigurationError):
        _wire.base_url(url)


def test_spaces_around_a_base_url_are_stripped() -> None:
    assert str(_wire.base_url(" https://host/v2/ \n")) == "https://host/v2"


def test_a_listed_host_may_be_used_without_tls() -> None:
    assert str(_wire.base_url("http://Sandbox:8080/v2", ("sandbox",))) == "http://sandbox:8080/v2"
    with pytest.raises(ConfigurationError, match="insecure_hosts"):
        _wire.base_url("http://sandbox.example/v2", ("sandbox",))


def test_the_base_url_falls_back_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARBOUR_BASE_URL", "https://other.example/v2")
    assert str(_wire.base_url(None)) == "https://other.example/v2"
    monkeypatch.delenv("HARBOUR_BASE_URL")
    assert str(_wire.base_url(None)) == _wire.DEFAULT_BASE_URL


def test_a_refused_base_url_is_not_quoted_with_its_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        _wire.base_url("https://user:hunter2@a..b/")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_package_without_metadata_has_a_user_agent_without_a_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(_endpoint, "version", missing)
    assert _wire.default_user_agent() == "harbour-async"


@pytest.mark.parametrize("agent", ["a\r\nx-evil: 1", "né"])
def test_a_user_agent_cannot_smuggle_headers(agent: str) -> None:
    with pytest.raises(ConfigurationError):
        _wire.headers(agent)


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "a/b", "../x", "a\\b", "a\x00", "\n", "\ud800", None, 3]
)
def test_ids_that_could_reach_another_resource_are_refused(bad: Any) -> None:
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
    url = _wire.Request("GET", "verifications", _wire.query(params.items())).url(
        URL("https://host/v2")
    )
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
def test_an_order_that_is_not_a_field_and_a_direction_is_refused(bad: Any) -> None:
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
        (599, errors.InternalServerError),
        (600, errors.APIStatusError),
        (999, errors.APIStatusError),
    ],
)
def test_each_status_has_its_error(status: int, cls: type[errors.APIStatusError]) -> None:
    error = _error(status, b"")
    assert type(error) is cls
    assert error.status == status


def _error(status: int, body: bytes, **headers: str) -> errors.APIStatusError:
    request = _wire.Request("GET", "verifications", page=2)
    return _wire.error_from(request, status=status, headers=headers, body=body)


def test_the_guides_error_envelope_is_read() -> None:
    error = _error(
        401, b'{"detail":"D","error":2002,"message":"M","more_info":"https://k.example/2002"}'
    )
    assert (error.code, error.message, error.detail) == (2002, "M", "D")
    assert error.more_info == "https://k.example/2002"
    assert "2002" in str(error)
    assert str(error) == "GET /verifications (page 2) answered 401 (error 2002): M"


def test_the_newer_error_envelope_is_read() -> None:
    error = _error(400, b'{"code":3001,"message":"M","docs":"https://d","errors":[{"path":"x"}]}')
    assert (error.code, error.more_info, error.errors) == (3001, "https://d", [{"path": "x"}])


def test_a_null_in_an_error_envelope_does_not_hide_the_other_envelopes_field() -> None:
    error = _error(400, b'{"error":null,"code":3001,"more_info":null,"docs":"https://d"}')
    assert (error.code, error.more_info) == (3001, "https://d")


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


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Tokyo"])
@pytest.mark.parametrize(
    "spelling",
    [
        lambda moment: formatdate(moment),  # ends in -0000
        lambda moment: time.asctime(time.gmtime(moment)),
    ],
)
def test_a_date_without_a_zone_is_utc_wherever_the_host_is(
    zone: str, spelling: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        headers = {"Retry-After": spelling(1_000_030), "Date": formatdate(1_000_000, usegmt=True)}
        assert _error(429, b"", **headers).retry_after == 30.0
        headers["Date"] = formatdate(1_000_000)
        assert _error(429, b"", **headers).retry_after == 30.0
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_error_has_the_headers_as_a_plain_dict_and_the_request_id() -> None:
    error = _error(503, b"", **{"X-Request-ID": "r-1", "Server": "x"})
    assert type(error.headers) is dict
    assert error.headers == {"X-Request-ID": "r-1", "Server": "x"}
    assert error.request_id == "r-1"
    assert _error(503, b"").request_id is None


def test_the_early_nested_error_is_read() -> None:
    error = _error(400, b'{"error": {"type": "bad_request", "message": "M"}}')
    assert (error.code, error.message) == ("bad_request", "M")


@pytest.mark.parametrize(
    "body",
    [
        b'{"message": {"a": 1}, "code": [1], "more_info": 3, "errors": {}}',
        b'{"error": true, "message": 5}',
        b'{"error": {"type": {}}}',
    ],
)
def test_error_fields_of_other_types_are_ignored(body: bytes) -> None:
    error = _error(400, body)
    assert (error.code, error.message, error.more_info, error.errors) == (None,) * 4


def test_a_byte_order_mark_before_an_error_is_ignored() -> None:
    assert _error(400, b'\xef\xbb\xbf{"message": "M"}').message == "M"


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("text/html; charset=utf-8", "text/html"),
        ("Application/JSON", "application/json"),
        ("text/jane-doe", "of another type"),
        ("", None),
    ],
)
def test_only_known_kinds_of_body_are_named(header: str, kind: str | None) -> None:
    for name in ("Content-Type", "content-type", "CONTENT-TYPE"):
        assert _wire.content_type({"X-Other": "text/css", name: header}) == kind


class Markup(str):
    def __str__(self) -> str:
        return f"<markup {str.__str__(self)}>"

    __repr__ = __str__
    __format__ = lambda self, _: str(self)  # noqa: E731


class Scalar(float):
    def __repr__(self) -> str:
        return f"scalar({float(self)})"

    __str__ = __repr__


class Colour(StrEnum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


def test_subclasses_of_builtin_types_are_sent_by_their_value() -> None:
    metadata = {Markup("m"): Markup("<b>"), "s": Scalar(0.5), "e": Colour.RED, "n": Number.ONE}
    params = _wire.filters(Markup("find"), metadata)
    assert params["search"] == "find"
    assert type(params["search"]) is str
    sent = json.loads(params["verification_metadata"])
    assert sent == {"m": "<b>", "s": 0.5, "e": "red", "n": 1}
    assert _wire.segment("id", Markup("a b")) == "a%20b"
    assert _wire.text("url", Markup("x")) == "x"
    assert (
        _wire.query(_wire.extra("q", {Markup("k"): Markup("v"), "s": Scalar(2.5)})) == "k=v&s=2.5"
    )
    assert json.loads(_wire.body({"a": [Markup("x"), Scalar(1.5), Number.ONE, True]})) == {
        "a": ["x", 1.5, 1, True]
    }
    assert f"{_wire.whole('n', Number.ONE, low=1)}" == "1"


@pytest.mark.parametrize(
    ("given_path", "sent"),
    [
        ("/organizations/me", "organizations/me"),
        ("organizations/me", "organizations/me"),
        ("a b/ü", "a%20b/%C3%BC"),
        ("a%20b", "a%20b"),
        ("verification/x:y@z", "verification/x:y@z"),
        ("...", "..."),
    ],
)
def test_a_path_is_escaped_once(given_path: str, sent: str) -> None:
    assert _wire.path(given_path) == sent


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "/",
        "https://evil.example/",
        "//evil.example",
        "a/../b",
        "..",
        "a/%2e%2E/b",
        "a/%252e%252e/b",
        "a%2f..%2fb",
        "a\\..\\b",
        "a?x=1",
        "a#x",
        "a%zz",
        "a\nb",
        "\ud800",
        5,
        None,
    ],
)
def test_a_path_outside_the_base_url_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigurationError):
        _wire.path(bad)


@given(st.text(min_size=1))
def test_a_path_always_stays_below_the_base_url(text: str) -> None:
    try:
        path = _wire.path(text)
    except ConfigurationError:
        return
    url = _wire.Request("GET", path).url(URL("https://host/v2"))
    assert url.host == "host"
    assert url.raw_path.startswith("/v2/")
    assert str(URL(str(url))).startswith("https://host/v2/")


@pytest.mark.parametrize("bad", ["CONNECT", "TRACE", "GE T", "", None, 5])
def test_other_methods_are_refused(bad: Any) -> None:
    with pytest.raises(ConfigurationError):
        _wire.method(bad)
    assert _wire.method("get") == "GET"


def test_parameters_may_be_of_many_types() -> None:
    pairs = _wire.extra("params", {"a": None, "b": True, "c": [1, "x"], "d": 1.5, "e": ""})
    assert pairs == [("b", "true"), ("c", "1"), ("c", "x"), ("d", "1.5"), ("e", "")]


@pytest.mark.parametrize("bad", [{"a": {}}, {1: "a"}, {"": "a"}, "a=b", {"a": float("nan")}, [1]])
def test_parameters_that_cannot_be_sent_are_refused(bad: Any) -> None:
    with pytest.raises(ConfigurationError):
        _wire.extra("params", bad)


@pytest.mark.parametrize("name", ["page", "size", "order_by", "search", "verification_metadata"])
def test_extra_query_cannot_replace_the_parameters_of_a_listing(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        _wire.extra("extra_query", {name: "1"}, own=True)


def test_a_body_that_is_not_json_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    for bad in (object(), {"a": float("inf")}, endless, {"a": {1, object()}}, "\ud800"):
        with pytest.raises(ConfigurationError):
            _wire.body(bad)


@pytest.mark.parametrize(
    "bad", [b'{"a": 1}', {"a": [bytearray(b"b")]}, {b"a": 1}, {math.nan: 1}, {"a": {math.inf}}]
)
def test_a_body_that_would_be_sent_as_null_or_base64_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigurationError, match="no JSON form"):
        _wire.body(bad)
