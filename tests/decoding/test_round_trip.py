"""A record that is written and read again is the same record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from harbour_async._decoding import (
    decode_any,
    decode_record,
    encode_json,
    from_dict,
    to_dict,
    to_json,
)
from harbour_async.errors import ConfigurationError, DecodeError
from harbour_async.models import Verification, VerificationStatus, VerificationTier, Webhook
from tests.decoding.support import dumps
from tests.decoding.test_fast_path import json_values

texts = st.text(max_size=5)
moments = st.none() | st.datetimes(timezones=st.just(UTC))
payloads = st.none() | st.dictionaries(texts, json_values, max_size=3)
extras = st.dictionaries(texts.map("new_{}".format), json_values, max_size=2)

verifications = st.builds(
    Verification,
    verification_id=st.text(min_size=1),
    status=st.none() | st.sampled_from(list(VerificationStatus)) | texts.map("?{}".format),
    verification_tier=st.none() | st.sampled_from(list(VerificationTier)),
    is_scan=st.none() | st.booleans(),
    latest_response=payloads,
    verification_details=payloads,
    created_at=moments,
    submitted_at=moments,
    organization_id=st.none() | texts,
    extra=extras,
)


@given(verifications)
@settings(max_examples=200)
def test_a_record_survives_the_wire(record: Verification) -> None:
    sent = to_json(record)
    assert json.loads(sent) == to_dict(record)
    received = decode_record(Verification, sent)
    assert json.loads(to_json(received)) == json.loads(sent)  # untouched
    assert received == record == from_dict(Verification, to_dict(record))
    assert json.loads(to_json(received)) == json.loads(sent)  # read


def test_json_is_one_line_even_if_the_server_indents() -> None:
    body = b'{"verification_id": "a", "latest_response": {\r\n  "a": [1,\n 2.50]\r}}'
    sent = to_json(decode_record(Verification, body))
    assert sent.split() == [sent]
    assert b'"latest_response":{"a":[1,2.50]}' in sent


@given(st.lists(st.text(), max_size=3), st.lists(texts, max_size=3))
def test_lists_survive_the_wire(emails: list[str], types: list[str]) -> None:
    body = dumps({"webhook_id": "w", "notification_emails": emails, "event_types": types})
    record = decode_record(Webhook, body)
    assert record.notification_emails == emails
    assert decode_record(Webhook, to_json(record)) == record


def test_all_fields_are_there_and_extras_beside_them() -> None:
    record = Webhook("w", extra={"plan": "gold", "created_by": "somebody else"})
    assert to_dict(record) == {
        "webhook_id": "w",
        "created_at": None,
        "updated_at": None,
        "destination_url": None,
        "event_types": None,
        "notification_emails": None,
        "created_by": None,  # an extra never hides a field
        "updated_by": None,
        "service_status": None,
        "organization_id": None,
        "plan": "gold",
    }


@pytest.mark.parametrize(
    ("moment", "spelling"),
    [
        (datetime(2023, 5, 25, 18, 8, 36, tzinfo=UTC), 1685038116000),
        (datetime(2023, 5, 25, 18, 8, 36, 123000, tzinfo=UTC), 1685038116123),
        (datetime(2023, 5, 25, 18, 8, 36, 123456, tzinfo=UTC), "2023-05-25T18:08:36.123456Z"),
        (datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC), -1),
    ],
)
def test_timestamps_go_out_as_milliseconds_where_that_is_exact(
    moment: datetime, spelling: Any
) -> None:
    assert to_dict(Webhook("w", created_at=moment))["created_at"] == spelling


@given(json_values)
def test_encoded_values_are_read_back_by_any_json_parser(value: Any) -> None:
    assert json.loads(encode_json(value)) == value
    assert decode_any(encode_json(value)) == value


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'"\xff"', b"NaN", b"<html>", b"[" * 99999])
def test_decode_any_raises_decode_errors_only(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_any(body)


def test_a_value_without_a_json_form_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="object has no JSON form"):
        encode_json({"a": object()})
