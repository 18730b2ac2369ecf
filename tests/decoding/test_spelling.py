"""Values are written as the server spelled them, and can be read back."""

from __future__ import annotations

import copy
import json
import math
import pickle
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest

from harbour_async import (
    ConfigurationError,
    DecodeError,
    HarbourError,
    InvalidRecord,
    Page,
    Verification,
    VerificationResult,
    Webhook,
    WebhookEvent,
    WebhookEventType,
    from_dict,
    from_json,
    to_dict,
    to_json,
)
from harbour_async._decoding import scan
from tests.decoding.support import RECORDS, dumps, guide, ids, page_of

ODD: dict[str, Any] = {
    "verification_id": "v",
    "result": "VERIFIED",
    "status": "Accepted",
    "verification_type": "Panel_Drug",
    "verification_tier": None,
    "latest_response": {"n": [1, 2.5, None, "é"]},
    "verification_metadata": {},
    "updated_at": "01685038116000",
    "created_at": 1685038116001,
    "last_status_at": "2023-05-04T21:33:03.023949",
    "submitted_at": "2023-05-04T21:33:03+02:00",
    "new": {"x": 1e400},
}


def read(record: Any) -> Any:
    for field in attrs.fields(type(record)):
        getattr(record, field.name)
    return record


HANDLED: list[Callable[[Any], Any]] = [
    lambda record: record,
    read,
    copy.copy,
    copy.deepcopy,
    lambda record: pickle.loads(pickle.dumps(record)),
    lambda record: read(pickle.loads(pickle.dumps(read(record)))),
    lambda record: from_json(Verification, to_json(record)),
    lambda record: from_dict(Verification, to_dict(record)),
    lambda record: from_json(list[Verification], to_json([record]))[0],
]


@pytest.mark.parametrize("handle", HANDLED)
@pytest.mark.parametrize("learned", [False, True])
def test_every_spelling_is_written_as_it_came(handle: Callable[[Any], Any], learned: bool) -> None:
    body = dumps(ODD).replace(b"Infinity", b"1e400")
    if learned:
        from_json(Verification, body)
    record = handle(from_json(Verification, body))
    absent = {field.name: None for field in attrs.fields(Verification) if field.name != "extra"}
    assert json.loads(to_json(record)) == absent | json.loads(body)
    assert b"1e400" in to_json(record)


def test_unread_numbers_keep_their_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_scanners", {})
    body = b'{"verification_id":"a","latest_response":{"x":2.50},"more":[1.0E2]}'
    from_json(Verification, body)
    sent = to_json(from_json(Verification, body))
    assert b'"latest_response":{"x":2.50}' in sent
    assert b'"more":[1.0E2]' in sent


def test_a_list_of_enums_keeps_letter_case_and_changes() -> None:
    webhook = from_json(Webhook, b'{"webhook_id":"w","event_types":["VERIFICATION","Other"]}')
    assert webhook.event_types == [WebhookEventType.VERIFICATION, "Other"]
    assert to_dict(webhook)["event_types"] == ["VERIFICATION", "Other"]
    webhook.event_types.insert(0, WebhookEventType.AGREEMENT_SIGNED)
    assert to_dict(webhook)["event_types"] == ["agreement.signed", "VERIFICATION", "Other"]
    webhook.event_types.clear()
    assert to_dict(webhook)["event_types"] == []


def test_one_value_that_came_in_several_spellings_keeps_each() -> None:
    webhook = from_json(
        Webhook, b'{"webhook_id":"w","event_types":["VERIFICATION","Verification"]}'
    )
    assert webhook.event_types is not None
    assert to_dict(webhook)["event_types"] == ["VERIFICATION", "Verification"]
    webhook.event_types.append(WebhookEventType.VERIFICATION)
    assert to_dict(webhook)["event_types"] == ["VERIFICATION", "Verification", "verification"]


def test_changed_values_are_written_as_they_are_now() -> None:
    record = from_json(Verification, dumps({**ODD, "new": 1}))
    assert record.latest_response is not None
    record.latest_response["n"] = 0
    record.extra["new"] = 2
    assert to_dict(record)["latest_response"] == {"n": 0}
    assert to_dict(record)["new"] == 2
    evolved = attrs.evolve(record, result=VerificationResult.REJECTED)
    assert to_dict(evolved)["result"] == "rejected"


@pytest.mark.parametrize("odd", [math.nan, b"a", Decimal(1), {"a"}, [{"x": math.inf}], {b"a": 1}])
@pytest.mark.parametrize("name", ["latest_response", "extra", "event_types", "notification_emails"])
def test_what_was_put_into_a_record_is_checked_when_it_is_written(name: str, odd: Any) -> None:
    cls: Any = Verification if name in ("latest_response", "extra") else Webhook
    sent = {**ids(cls), "latest_response": {}, "event_types": [], "notification_emails": []}
    record = from_dict(cls, {key: sent[key] for key in sent if key in attrs.fields_dict(cls)})
    field = getattr(record, name)
    to_json(record)
    if isinstance(field, dict):
        field["odd"] = odd
    else:
        field.append(odd)
    with pytest.raises(ConfigurationError, match="no JSON form"):
        to_json(record)


SECOND = datetime(2023, 5, 25, 18, 8, 36, tzinfo=UTC)
MILLI, MICRO = SECOND + timedelta(milliseconds=7), SECOND + timedelta(microseconds=7)


@pytest.mark.parametrize(
    ("came", "wire", "ms", "iso"),
    [
        ("1685038116000", "1685038116000", 1685038116000, "2023-05-25T18:08:36Z"),
        (1685038116000, 1685038116000, 1685038116000, "2023-05-25T18:08:36Z"),
        ("2023-05-25T20:08:36+02:00", "2023-05-25T20:08:36+02:00", 1685038116000,
         "2023-05-25T18:08:36Z"),
        (SECOND, 1685038116000, 1685038116000, "2023-05-25T18:08:36Z"),
        (SECOND.astimezone(timezone(timedelta(hours=5))), 1685038116000, 1685038116000,
         "2023-05-25T18:08:36Z"),
        (MILLI, 1685038116007, 1685038116007, "2023-05-25T18:08:36.007000Z"),
        (MICRO, "2023-05-25T18:08:36.000007Z", 1685038116000, "2023-05-25T18:08:36.000007Z"),
        (None, None, None, None),
    ],
)  # fmt: skip
def test_dates_are_written_in_three_spellings(came: Any, wire: Any, ms: Any, iso: Any) -> None:
    own = isinstance(came, datetime)
    record = Webhook("w", created_at=came) if own else from_dict(Webhook, {"webhook_id": "w", "created_at": came})  # fmt: skip  # noqa: E501
    assert to_dict(record)["created_at"] == wire
    assert to_dict(record, dates="wire")["created_at"] == wire
    assert to_dict(record, dates="ms")["created_at"] == ms
    assert to_dict(record, dates="iso")["created_at"] == iso
    for sent in (to_json(record), to_json(record, dates="iso")):
        assert from_json(Webhook, sent) == record


def test_dates_of_pages_and_sequences_are_spelled_alike() -> None:
    page = from_json(Page[Verification], guide("verification_list"))
    iso = to_dict(page[0], dates="iso")
    assert iso["created_at"] == "2023-05-25T18:08:36Z"
    assert to_dict(page, dates="iso")["items"] == [iso]
    assert to_dict(page.items, dates="iso") == to_dict(tuple(page), dates="iso") == [iso]
    assert to_dict([page], dates="iso") == [to_dict(page, dates="iso")]


@pytest.mark.parametrize("dates", ["wire", "ms", "iso"])
@pytest.mark.parametrize(
    ("moment", "problem"),
    [
        (datetime(2023, 1, 1), "created_at must have a time zone"),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))), "created_at is out of range"),
    ],
)
def test_a_datetime_without_a_zone_or_out_of_range_is_refused(
    moment: datetime, problem: str, dates: Any
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        to_json(Webhook("w", created_at=moment), dates=dates)


@pytest.mark.parametrize("cls", RECORDS)
@pytest.mark.parametrize("dates", ["wire", "ms", "iso"])
def test_every_shape_is_read_back(cls: Any, dates: Any) -> None:
    [name] = (f.name for f in attrs.fields(cls) if f.name in ("created_at", "event_datetime"))
    sent: dict[str, Any] = {**ids(cls), name: "1685038116000", "odd": [1]}
    record = from_dict(cls, sent)
    page: Page[Any] = Page([record, record], total=2, extra={"more": {}})
    shapes: list[tuple[Any, Any]] = [
        (cls, record),
        (Page[cls], page),
        (list[cls], [record, record]),
        (tuple[cls, ...], (record, record)),
        (Sequence[cls], [record]),
        (list[Page[cls]], [page, page]),
    ]
    for shape, value in shapes:
        assert from_json(shape, to_json(value, dates=dates)) == value
        assert from_dict(shape, to_dict(value, dates=dates)) == value


def test_json_may_be_text_or_any_buffer() -> None:
    body = guide("verification")
    expected = from_json(Verification, body)
    for data in (body.decode(), bytearray(body), memoryview(body)):
        assert from_json(Verification, data) == expected


def test_from_dict_copies() -> None:
    data: dict[str, Any] = {"verification_id": "a", "latest_response": {"x": [1]}, "new": {}}
    record = from_dict(Verification, data)
    data["latest_response"]["x"].append(2)
    data["new"]["y"] = 1
    assert record.latest_response == {"x": [1]}
    assert record.extra == {"new": {}}


def test_a_bare_event_reads_as_a_page() -> None:
    page = from_json(Page[WebhookEvent], guide("event_list"))
    assert (len(page), page.total) == (1, 1)


class NotATime(datetime):
    """As the NaT of pandas, which raises ValueError."""

    def utcoffset(self) -> timedelta:
        raise ValueError("NaTType does not support utcoffset")


WRONG: list[tuple[Callable[[], Any], type[HarbourError]]] = [
    (lambda: to_json("text"), ConfigurationError),
    (lambda: to_json(b"{}"), ConfigurationError),
    (lambda: to_json(None), ConfigurationError),
    (lambda: to_json({"verification_id": "a"}), ConfigurationError),
    (lambda: to_json(Verification), ConfigurationError),
    (lambda: to_json([Verification("a"), 3]), ConfigurationError),
    (lambda: to_dict(v for v in [Verification("a")]), ConfigurationError),
    (lambda: to_json(Verification("a"), dates="utc"), ConfigurationError),  # type: ignore[arg-type]
    (lambda: to_json(Verification("a"), dates=[]), ConfigurationError),  # type: ignore[arg-type]
    (lambda: to_json(Verification("a", latest_response={"x": object()})), ConfigurationError),
    (lambda: to_json(Verification("a", latest_response={"x": "\ud800"})), ConfigurationError),
    (lambda: to_json(Verification("a", latest_response={(1, 2): 3})), ConfigurationError),  # type: ignore[dict-item]
    (lambda: to_json(Verification("a", extra=["x"])), ConfigurationError),  # type: ignore[arg-type]
    (lambda: to_json(Page(3, total=1)), ConfigurationError),  # type: ignore[arg-type]
    (lambda: from_json(dict, b"{}"), ConfigurationError),
    (lambda: from_json(Page, b"{}"), ConfigurationError),
    (lambda: from_json(list, b"[]"), ConfigurationError),
    (lambda: from_json(list[int], b"[]"), ConfigurationError),
    (lambda: from_json(tuple[Verification, Webhook], b"[]"), ConfigurationError),
    (lambda: from_json("Verification", b"{}"), ConfigurationError),  # type: ignore[arg-type]
    (lambda: from_json(InvalidRecord, b"{}"), ConfigurationError),
    (lambda: from_json(Verification, None), ConfigurationError),  # type: ignore[arg-type]
    (lambda: from_json(Verification, {}), ConfigurationError),  # type: ignore[arg-type]
    (lambda: from_json(Verification, "\ud800"), DecodeError),
    (lambda: from_json(Verification, ""), DecodeError),
    (lambda: from_json(Verification, b"[]"), DecodeError),
    (lambda: from_json(list[Verification], b"{}"), DecodeError),
    (lambda: from_dict(Verification, object()), ConfigurationError),
    (lambda: from_dict(Verification, []), DecodeError),
    (lambda: from_dict(Verification, b"{}"), ConfigurationError),
    (lambda: from_dict(Verification, {"verification_id": b"a"}), ConfigurationError),
    (lambda: from_dict(Verification, {"verification_id": Decimal(1)}), ConfigurationError),
    (lambda: from_dict(Webhook, {"webhook_id": "w", "event_types": {"a"}}), ConfigurationError),
    (lambda: from_dict(Webhook, {"webhook_id": "w", "new": {"x": [math.nan]}}), ConfigurationError),
    (lambda: to_json(Verification("a", latest_response={"x": math.inf})), ConfigurationError),
    (lambda: to_json(Verification("a", latest_response={"x": b"a"})), ConfigurationError),
    (lambda: to_json(Verification("a", extra={"x": [{"y": math.nan}]})), ConfigurationError),
    (lambda: to_json(Verification("a", organization_id=math.nan)), ConfigurationError),  # type: ignore[arg-type]
    (lambda: to_json(Verification("a", organization_id=b"a")), ConfigurationError),  # type: ignore[arg-type]
    (lambda: to_json(Webhook("a", event_types=[math.inf])), ConfigurationError),  # type: ignore[list-item]
    (lambda: to_json(Page(items=[], total=math.nan)), ConfigurationError),  # type: ignore[arg-type]
    (lambda: to_json(Page(items=[], total=1, extra={"x": math.nan})), ConfigurationError),
    (lambda: from_dict(Verification, {"verification_id": 1}), DecodeError),
    (lambda: from_dict(Verification, {"verification_id": "a", b"new": 1}), ConfigurationError),
    (
        lambda: from_dict(Webhook, {"webhook_id": "w", "created_at": datetime(2023, 1, 1)}),
        ConfigurationError,
    ),
    (
        lambda: to_json(Verification("a", latest_response={"x": datetime(2023, 1, 1)})),
        ConfigurationError,
    ),
    (lambda: to_json(Webhook("w", created_at=NotATime(2023, 1, 1))), ConfigurationError),
    (lambda: to_json(Verification("a", latest_response={b"x": 1})), ConfigurationError),  # type: ignore[dict-item]
    (lambda: to_json(Verification("a", extra={"x": {math.nan: 1}})), ConfigurationError),
]


@pytest.mark.parametrize(("call", "error"), WRONG)
def test_a_wrong_argument_is_a_harbour_error_without_a_context(
    call: Callable[[], Any], error: type[HarbourError]
) -> None:
    with pytest.raises(error) as caught:
        call()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_page_with_an_invalid_record_is_written_as_it_came() -> None:
    invalid = InvalidRecord(raw=b'{"is_scan":\n"yes"}', error=DecodeError("wrong"))
    assert to_json(invalid) == b'{"is_scan":"yes"}'
    page: Page[Any] = Page([invalid, Webhook("w")], total=2)
    assert to_dict(page)["items"][0] == {"is_scan": "yes"}


def test_an_invalid_record_with_nan_costs_the_others_of_its_page_nothing() -> None:
    invalid = InvalidRecord(raw=b'{"score":NaN,"half":"\\ud83d"}', error=DecodeError("wrong"))
    page: Page[Any] = Page([invalid, Webhook("w")], total=2)
    for first, second in (to_dict(page)["items"], to_dict(page.items)):
        assert math.isnan(first["score"])
        assert (first["half"], second["webhook_id"]) == ("\ud83d", "w")


def test_a_page_is_iterable_sized_and_indexable() -> None:
    page = from_json(Page[Webhook], page_of({"webhook_id": "a"}, {"webhook_id": "b"}))
    assert [webhook.webhook_id for webhook in page] == ["a", "b"]
    assert len(page) == 2
    assert page[-1] is page.items[1]
    assert page[:1] == page.items[:1]
    assert page[0] in page
    assert not Page([], total=0)
    with pytest.raises(IndexError):
        page[2]
