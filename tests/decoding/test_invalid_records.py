"""An invalid record on a page does not affect the others."""

from __future__ import annotations

import json
import pickle
import time
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from harbour_async import (
    DecodeError,
    InvalidRecord,
    Verification,
    Webhook,
    WebhookEvent,
    from_json,
    to_dict,
    to_json,
)
from harbour_async._decoding import decode_rows
from tests.decoding.support import RECORDS, dumps, guide, outcome, page_of
from tests.decoding.test_fast_path import objects

MOMENT = datetime(2023, 5, 25, 18, 8, 36, tzinfo=UTC)
GOOD = {**json.loads(guide("verification")), "created_at": "1685038116000"}
BAD = b'{"verification_id": "bad",\n "created_at": "1685038116000", "is_scan": "Jane 2.50"}'


def page_with(bad: bytes, at: int = 3, size: int = 100) -> bytes:
    items = [dumps({**GOOD, "verification_id": f"v{n}"}) for n in range(size)]
    items[at] = bad
    return b'{"items": [' + b",".join(items) + b'], "total": 100, "page": 1}'


def test_the_others_are_normal_records_and_the_bad_one_keeps_its_place() -> None:
    rows = decode_rows(Verification, page_with(BAD), keep_invalid=True)
    assert [type(item) for item in rows.items].count(Verification) == 99
    for n, item in enumerate(rows.items):
        if n != 3:
            alone = from_json(Verification, dumps({**GOOD, "verification_id": f"v{n}"}))
            assert item == alone
            assert to_json(item) == to_json(alone)
    assert rows.ids == [f"v{n}" if n != 3 else "bad" for n in range(100)]
    assert rows.keys == [1_685_038_116_000_000] * 100
    assert rows.total == 100


# Halves of surrogate pairs, and brackets and quotes that a search by characters would stumble on.
HALF = rb"""{"verification_id": "bad", "created_at": "1685038116000",
"latest_response": {"]\\\"}": ["\ud83d", {"a\\\\": ",]}"}], "\udc00": {}}}"""


def test_half_of_a_surrogate_pair_makes_its_own_record_invalid_only() -> None:
    rows = decode_rows(Verification, page_with(HALF), keep_invalid=True)
    assert [type(item) for item in rows.items].count(Verification) == 99
    assert rows.ids[3] == "bad"
    assert rows.keys == [1_685_038_116_000_000] * 100
    invalid = rows.items[3]
    assert invalid.raw == HALF
    assert str(invalid.error) == "$.items[3]: invalid JSON: half of a surrogate pair"
    assert json.loads(to_json(invalid)) == to_dict(invalid) == json.loads(HALF)
    assert b"\n" not in to_json(invalid)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_python_writes_for_no_number_makes_its_own_record_invalid_only(number: str) -> None:
    payload = '{"score": [1, ?], "]},NaN": "{NaN"}'.replace("?", number)
    bad = dumps({"verification_id": "bad", "created_at": 1685038116000, "latest_response": {}})
    bad = bad.replace(b"{}", payload.encode())
    rows = decode_rows(Verification, page_with(bad), keep_invalid=True)
    assert [isinstance(item, InvalidRecord) for item in rows.items].count(True) == 1
    assert (rows.ids[3], rows.keys) == ("bad", [1_685_038_116_000_000] * 100)
    invalid = rows.items[3]
    assert invalid.raw == bad
    assert str(invalid.error) == f"$.items[3]: invalid JSON: {number} is no number"
    assert repr(to_dict(invalid)) == repr(json.loads(bad))
    assert to_json(invalid) == bad
    with pytest.raises(DecodeError, match=r"^\$: invalid JSON: "):
        decode_rows(Verification, page_with(bad))


@pytest.mark.parametrize("line_break", [b"", b"\n"])
def test_a_record_nested_too_deeply_is_invalid_alone(line_break: bytes) -> None:
    deep = line_break + b"[" * 100_000 + b"]" * 100_000
    bad = (
        b'{"verification_id": "bad", "created_at": 1685038116000, "latest_response": ' + deep + b"}"
    )
    rows = decode_rows(Verification, page_with(bad), keep_invalid=True)
    assert (rows.ids[3], rows.keys) == ("bad", [1_685_038_116_000_000] * 100)
    invalid = rows.items[3]
    assert (invalid.record_id, invalid.created_at) == ("bad", MOMENT)
    assert str(invalid.error) == "$.items[3]: nested too deeply"
    assert to_json(invalid).split() == bad.split()


@pytest.mark.exhaustive
def test_a_body_of_too_many_values_is_not_taken_apart() -> None:
    body = page_with(b"[NaN" + b",[]" * (1 << 20) + b"]")
    with pytest.raises(DecodeError, match=r"^\$: invalid JSON"):
        decode_rows(Verification, body, keep_invalid=True)


def test_a_bare_event_with_nan_is_an_invalid_record() -> None:
    body = b'{"webhook_id": "w", "event_id": "e", "score": NaN}'
    rows = decode_rows(WebhookEvent, body, keep_invalid=True)
    assert (rows.ids, rows.total, rows.items[0].raw) == (["e"], 1, body)
    with pytest.raises(DecodeError):
        decode_rows(WebhookEvent, body.replace(b"NaN", b"garbage"), keep_invalid=True)


def test_a_string_that_does_not_end_takes_no_quadratic_time() -> None:
    body = b'{"items": [{"verification_id": "a", "payload": "{' + rb"\"a\"," * 20_000 + b"}"
    started = time.process_time()
    with pytest.raises(DecodeError):
        decode_rows(Verification, body, keep_invalid=True)
    assert time.process_time() - started < 5  # it took over a minute


def test_what_a_repeated_name_hides_has_to_be_json_too() -> None:
    body = b'{"items": [%s], "items": [{"verification_id": "a", "x": NaN}], "total": 1}'
    rows = decode_rows(Verification, body % b"{}", keep_invalid=True)
    assert rows.ids == ["a"]
    with pytest.raises(DecodeError):
        decode_rows(Verification, body % b"garbage", keep_invalid=True)


def test_an_id_with_half_of_a_surrogate_pair_is_no_id() -> None:
    bad = b'{"verification_id": "\\ud83d", "created_at": "1685038116000"}'
    rows = decode_rows(Verification, page_with(bad), keep_invalid=True)
    assert (rows.ids[3], rows.items[3].record_id) == (None, None)
    assert rows.items[3].created_at == MOMENT


def test_an_invalid_record_says_what_is_known() -> None:
    invalid = decode_rows(Verification, page_with(BAD), keep_invalid=True).items[3]
    assert type(invalid) is InvalidRecord
    assert invalid.raw == BAD
    assert (invalid.record_id, invalid.created_at) == ("bad", MOMENT)
    assert invalid.error.path == "$.items[3].is_scan"
    assert str(invalid.error) == "$.items[3].is_scan: expected a boolean, got a string"
    assert "Jane" not in repr(invalid)
    assert json.loads(to_json(invalid)) == json.loads(BAD)
    assert pickle.loads(pickle.dumps(invalid)) == invalid
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        invalid.raw = b""  # type: ignore[misc]


@pytest.mark.parametrize(
    ("bad", "path", "record_id", "created_at"),
    [
        (b"3", "$.items[3]", None, None),
        (b"null", "$.items[3]", None, None),
        (b'"Jane"', "$.items[3]", None, None),
        (b"{}", "$.items[3].verification_id", None, None),
        (b'{"verification_id": ""}', "$.items[3].verification_id", None, None),
        (b'{"verification_id": 7, "created_at": 0}', "$.items[3].verification_id", None,
         datetime(1970, 1, 1, tzinfo=UTC)),
        (b'{"verification_id": "a", "created_at": "Jane"}', "$.items[3].created_at", "a", None),
        (b'{"verification_id": "a", "created_at": [1]}', "$.items[3].created_at", "a", None),
        (b'{"verification_id": "a", "latest_response": [1e999]}', "$.items[3].latest_response",
         "a", None),
    ],
)  # fmt: skip
def test_the_id_or_date_of_an_invalid_record_is_none_if_it_cannot_be_read(
    bad: bytes, path: str, record_id: str | None, created_at: datetime | None
) -> None:
    rows = decode_rows(Verification, page_with(bad, size=5), keep_invalid=True)
    invalid = rows.items[3]
    assert (invalid.raw, invalid.error.path) == (bad, path)
    assert (invalid.record_id, invalid.created_at) == (record_id, created_at)
    assert rows.ids[3] == record_id
    assert rows.keys[3] == (None if created_at is None else 0)
    assert outcome(decode_rows, Verification, page_with(bad)) == ("DecodeError", path)


@pytest.mark.parametrize("keep_invalid", [False, True])
def test_the_key_may_be_updated_at(keep_invalid: bool) -> None:
    items: list[dict[str, Any]] = [
        {"verification_id": "a", "created_at": 1, "updated_at": 2},
        {"verification_id": "b", "created_at": 1, "updated_at": "1970-01-01T00:00:00.000003"},
        {"verification_id": "c", "created_at": 1},
    ]
    rows = decode_rows(Verification, page_of(*items), key="updated_at", keep_invalid=keep_invalid)
    assert rows.keys == [2000, 3, None]


def test_the_key_of_an_invalid_record_may_be_updated_at_too() -> None:
    bad = {"webhook_id": "w", "created_at": 1, "updated_at": 5, "service_status": 0}
    odd = {"webhook_id": "x", "created_at": 1, "updated_at": 6, "new": 1}
    rows = decode_rows(Webhook, page_of(bad, odd), key="updated_at", keep_invalid=True)
    assert rows.keys == [5000, 6000]
    assert rows.items[0].created_at == datetime.fromtimestamp(0.001, UTC)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"<html>", "$"),
        (b'{"items": [{"verification_id": "\\ud83d"}], "total": 1', "$"),
        (b'{"items": [{"verification_id": "a", "result": NaN}, nan], "total": 1}', "$"),
        (b'{"items": [{"verification_id": "a"}], "total": NaN}', "$"),
        (b'{"items": [NaN], "total": 1', "$"),
        (b'{"items": [NaN], "total": 1]', "$"),
        (b'{"items": [NaN], "total": 1}}', "$"),
        (b'{"items": [NaN], "total": 1} x', "$"),
        (b'\x0c{"items": [NaN], "total": 1}', "$"),
        (b'{"items": [NaN,], "total": 1}', "$"),
        (b'{"items": [NaN] 3, "total": 1}', "$"),
        (b'{"items": [NaN, {"a": 1 "b": 2}], "total": 1}', "$"),
        (b'{"items": [NaN, {"a": 1]}, {}], "total": 1}', "$"),
        (b'{"items": [NaN], , "total": 1}', "$"),
        (b'{"items": [NaN], 7, "total": 1}', "$"),
        (b'{"items": [NaN]}', "$.total"),
        ('{"items": [{"verification_id": "\\ud83d"}], "total": 1}'.encode("utf-16"), "$"),
        (b'{"items": [{}, "\xff"], "total": 1}', "$"),
        (b"[]", "$"),
        (b'{"items": 1, "total": 1}', "$.items"),
        (b'{"total": 1}', "$.items"),
        (b'{"items": [{}]}', "$.total"),
        (b'{"items": [{}], "total": -1}', "$.total"),
        (b'{"items": [{}], "total": 1, "pages": "x"}', "$.pages"),
    ],
)
def test_a_body_that_is_not_a_page_still_fails(body: bytes, path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_rows(Verification, body, keep_invalid=True)
    assert caught.value.path == path


def test_a_bare_event_may_be_invalid() -> None:
    [invalid] = decode_rows(WebhookEvent, b'{"event_id": "e"}', keep_invalid=True).items
    assert (invalid.record_id, invalid.error.path) == ("e", "$.items[0].webhook_id")


@pytest.mark.parametrize("cls", RECORDS)
@given(st.data())
@settings(max_examples=60)
def test_each_item_is_a_record_or_kept_as_it_came(cls: Any, data: st.DataObject) -> None:
    items = data.draw(st.lists(objects(cls), max_size=4))
    rows = decode_rows(cls, page_of(*items), keep_invalid=True)
    assert len(rows.items) == len(rows.ids) == len(rows.keys) == len(items)
    for item, sent in zip(rows.items, items, strict=True):
        if isinstance(item, InvalidRecord):
            assert json.loads(item.raw) == sent
            assert outcome(from_json, cls, dumps(sent))[0] == "DecodeError"
        else:
            assert item == from_json(cls, dumps(sent))
