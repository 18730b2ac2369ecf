"""Which JSON values each kind of field accepts, and which it refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from harbour_async._decoding import decode_page, decode_record, decode_rows, to_dict
from harbour_async.errors import DecodeError
from harbour_async.models import (
    Page,
    Verification,
    VerificationReceipt,
    VerificationResult,
    VerificationStatus,
    VerificationSubStatus,
    VerificationSubtype,
    VerificationTier,
    VerificationType,
    Webhook,
    WebhookEvent,
    WebhookEventType,
)
from tests.decoding.support import RECORDS, dumps, ids, outcome, page_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.datetimes(timezones=st.just(UTC))
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def created(value: Any) -> datetime | None:
    body = dumps({"verification_id": "x", "created_at": value})
    record = decode_record(Verification, body)
    [key] = decode_rows(Verification, page_of(json.loads(body))).keys
    if record.created_at is not None:
        assert record.created_at.tzinfo is UTC
        assert key == (record.created_at - EPOCH) // timedelta(microseconds=1)
    else:
        assert key is None
    return record.created_at


@given(moments | st.datetimes(datetime(2000, 1, 1), datetime(2300, 1, 1), timezones=st.just(UTC)))
def test_timestamps_may_be_epoch_milliseconds_as_int_or_string(moment: datetime) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    milliseconds = (moment - EPOCH) // timedelta(milliseconds=1)
    assert created(milliseconds) == moment
    assert created(str(milliseconds)) == moment


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), zones)
def test_iso_8601_in_any_zone_keeps_microseconds(naive: datetime, zone: timezone) -> None:
    aware = naive.replace(tzinfo=zone)
    assert created(aware.isoformat()) == aware
    assert created(naive.isoformat()) == naive.replace(tzinfo=UTC)
    assert created(naive.isoformat() + "Z") == naive.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        True, 1.0, 1e20, 10**15, -(10**15), 10**400, "1" * 16, "9" * 5000, "", " 1", "1 ", "1,2",
        "+1", "1.5", "--1", "1e3", "0x1", "²", "٧", "now", "2023-13-01",  # noqa: RUF001
        "0001-01-01T00:00:00+10:00", [], {}, [1],
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["created_at", "updated_at", "submitted_at", "last_status_at"])
def test_other_values_are_not_accepted_as_timestamps(field: str, value: Any) -> None:
    record = {"verification_id": "x", field: value}
    assert outcome(decode_record, Verification, dumps(record)) == ("DecodeError", f"$.{field}")
    # In a column that is otherwise as usual, too.
    page = page_of({"verification_id": "y", field: "1685038116000"}, record)
    assert outcome(decode_rows, Verification, page) == ("DecodeError", f"$.items[1].{field}")


@pytest.mark.parametrize("value", ["007", "-0", "-5", "0", "00"])
def test_unusual_digits_are_accepted_as_numbers(value: str) -> None:
    assert created(value) == EPOCH + timedelta(milliseconds=int(value))


ENUMS = {
    "status": VerificationStatus,
    "result": VerificationResult,
    "sub_status": VerificationSubStatus,
    "verification_type": VerificationType,
    "verification_subtype": VerificationSubtype,
    "verification_tier": VerificationTier,
}


@given(st.data())
def test_known_values_become_members_in_any_letter_case(data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(ENUMS)))
    member = data.draw(st.sampled_from(list(ENUMS[field])))
    upper = data.draw(st.lists(st.booleans(), min_size=len(member), max_size=len(member)))
    sent = "".join(c.upper() if up else c for c, up in zip(member, upper, strict=True))
    record = decode_record(Verification, dumps({"verification_id": "x", field: sent}))
    assert getattr(record, field) is member


@given(st.text())
def test_unknown_enum_values_stay_strings(text: str) -> None:
    sent = {"webhook_id": "x", "event_types": ["Agreement.Viewed", f"?{text}"]}
    event_types = decode_record(Webhook, dumps(sent)).event_types
    assert event_types is not None
    assert event_types[0] is WebhookEventType.AGREEMENT_VIEWED
    assert event_types[1] == f"?{text}"
    assert type(event_types[1]) is str


EXAMPLES: dict[str, Any] = {
    "a string": "text",
    "a boolean": True,
    "an integer": 1,
    "a fraction": 1.5,
    "an object": {"a": 1},
    "an array": ["text"],
    "numbers": [1],
    "beyond a double": float("inf"),
}


def accepted(shape: str) -> set[str]:
    if "datetime" in shape:
        return {"an integer"}
    if "list" in shape:
        return {"an array"}
    if "dict" in shape:
        return {"an object"}
    return {"a boolean"} if "bool" in shape else {"a string"}


FIELDS = [
    (cls, field.name, kind)
    for cls in RECORDS
    for field in attrs.fields(cls)
    for kind in EXAMPLES
    if field.name != "extra" and kind not in accepted(str(field.type))
]


@pytest.mark.parametrize(("cls", "field", "kind"), FIELDS)
def test_no_type_is_coerced_into_another(cls: Any, field: str, kind: str) -> None:
    wrong = {**ids(cls), field: EXAMPLES[kind]}
    index = "[0]" if kind == "numbers" and "list" in str(attrs.fields_dict(cls)[field].type) else ""
    # json.dumps writes what is beyond a double as Infinity; the wire could only say 1e999.
    body = dumps(wrong).replace(b"Infinity", b"1e999")
    assert outcome(decode_record, cls, body) == ("DecodeError", f"$.{field}{index}")
    page = page_of(ids(cls), wrong).replace(b"Infinity", b"1e999")
    assert outcome(decode_rows, cls, page) == ("DecodeError", f"$.items[1].{field}{index}")
    assert outcome(decode_page, cls, page) == ("DecodeError", f"$.items[1].{field}{index}")


@pytest.mark.parametrize("cls", RECORDS)
@pytest.mark.parametrize("value", [None, 1, "", ["x"]])
def test_an_id_must_be_a_string_that_is_not_empty(cls: Any, value: Any) -> None:
    [field] = ids(cls)
    assert outcome(decode_record, cls, dumps({field: value})) == ("DecodeError", f"$.{field}")
    assert outcome(decode_record, cls, b"{}") == ("DecodeError", f"$.{field}")


def test_an_event_id_may_be_absent_but_not_empty() -> None:
    assert decode_record(WebhookEvent, b'{"webhook_id": "w", "event_id": null}').event_id is None
    empty = b'{"webhook_id": "w", "event_id": ""}'
    assert outcome(decode_record, WebhookEvent, empty) == ("DecodeError", "$.event_id")


@pytest.mark.parametrize("cls", RECORDS)
def test_null_means_absent(cls: Any) -> None:
    optional = {f.name: None for f in attrs.fields(cls) if f.default is None}
    record = decode_record(cls, dumps({**optional, **ids(cls)}))
    assert record == decode_record(cls, dumps(ids(cls)))
    assert all(getattr(record, name) is None for name in optional)


NO_COUNT: list[Any] = [True, 7.0, -1, "-1", "", " 7", "7.0", "²", "1" * 5000, [], {}]


@pytest.mark.parametrize("field", ["total", "page", "size", "pages"])
def test_counts_are_integers_or_digits(field: str) -> None:
    for value in (7, "7", "007"):
        page = decode_page(Webhook, page_of(**{field: value}))
        assert getattr(page, field) == 7
    for wrong in NO_COUNT:
        body = page_of(**{field: wrong})
        assert outcome(decode_page, Webhook, body) == ("DecodeError", f"$.{field}")
        assert outcome(decode_rows, Webhook, body) == ("DecodeError", f"$.{field}")


def with_payload(payload: bytes) -> bytes:
    item = b'{"verification_id": "a", "latest_response": ' + payload + b"}"
    return b'{"items": [' + item + b'], "total": 1}'


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", "$"),
        (b"<html>", "$"),
        (b"{", "$"),
        (b"null", "$"),
        (b"[]", "$"),
        (b'"\xff"', "$"),
        (b"[" * 100_000 + b"]" * 100_000, "$"),
        (b"{}", "$.items"),
        (b'{"items": []}', "$.total"),
        (b'{"items": {}, "total": 0}', "$.items"),
        (b'{"items": [null], "total": 0}', "$.items[0]"),
        (b'{"items": [{"verification_id": "a"}, 3], "total": 2}', "$.items[1]"),
        (b'{"items": [], "total": null}', "$.total"),
        (with_payload(b'{"x": "\xff"}'), "$"),
        (with_payload(b'{"x": "\\ud800"}'), "$"),
        (with_payload(b'{"x": NaN}'), "$"),
        (with_payload(b'{}, "unknown": "\xff"'), "$"),
        (with_payload(b"[]"), "$.items[0].latest_response"),
        (b'{"verification_id": "a"}', "$.items"),
    ],
)
def test_a_broken_page_is_a_decode_error_that_names_the_path(body: bytes, path: str) -> None:
    assert outcome(decode_rows, Verification, body) == ("DecodeError", path)
    assert outcome(decode_page, Verification, body) == ("DecodeError", path)


def test_errors_do_not_repeat_personal_data() -> None:
    body = dumps({"verification_id": "x", "created_at": "Jane Doe", "is_scan": True})
    with pytest.raises(DecodeError, match="expected a timestamp") as caught:
        decode_record(Verification, body)
    assert "Jane" not in str(caught.value)


def test_unknown_fields_of_records_and_pages_are_kept_whatever_their_names() -> None:
    unknown = {
        "extra": {"a": 1},
        "\x7f": 1,
        'q"\\\n': 1,
        "x0": None,
        "_source": [],
        "é": "ü",
        "": 1.5,
    }
    record = decode_record(VerificationReceipt, dumps({"verification_id": "x", **unknown}))
    assert record.extra == unknown
    assert to_dict(record) == {"verification_id": "x", "event_datetime": None, **unknown}
    page: Page[Webhook] = decode_page(Webhook, page_of({"webhook_id": "w", **unknown}, **unknown))
    assert page.extra == unknown
    assert page.items[0].extra == unknown
