"""WireConverter, used as any cattrs converter is."""

from __future__ import annotations

import json
import math
import pickle
from collections import deque
from collections.abc import MutableSequence, MutableSet, Set
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any, Literal, NamedTuple

import attrs
import pytest

from harbour_async import (
    ConfigurationError,
    DecodeError,
    Page,
    Verification,
    VerificationStatus,
    Webhook,
    WebhookEvent,
    WireConverter,
    from_dict,
    from_json,
    to_dict,
    to_json,
)
from tests.decoding.support import RECORDS, dumps, guide, ids, outcome, page_of


@attrs.frozen
class Delivery:
    """A user's own class, as the body of a request might be."""

    verification: Verification
    at: datetime
    status: VerificationStatus | str | None = None
    attempts: int = 0
    weight: float = 1.0
    others: tuple[Webhook, ...] = ()


converter = WireConverter()


@pytest.mark.parametrize("cls", RECORDS)
def test_loads_and_dumps_agree_with_from_json_and_to_json(cls: Any) -> None:
    body = dumps({**ids(cls), "new": 1})
    record = converter.loads(body, cls)
    assert type(record) is cls
    assert record == from_json(cls, body)
    assert converter.dumps(record) == to_json(record)
    assert converter.loads(converter.dumps([record]), list[cls]) == [record]


def test_the_converter_reads_and_writes_pages() -> None:
    page = converter.loads(guide("verification_list"), Page[Verification])
    assert page == from_json(Page[Verification], guide("verification_list"))
    assert converter.dumps(page, dates="iso") == to_json(page, dates="iso")


@pytest.mark.parametrize("value", [Verification("a"), {"a": Verification("a")}, 1])
def test_an_unknown_spelling_of_dates_is_refused_for_every_value(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="dates must be"):
        converter.dumps(value, dates="utc")  # type: ignore[arg-type]


def test_structure_and_unstructure_agree_with_from_dict_and_to_dict() -> None:
    plain = json.loads(guide("verification"))
    record = converter.structure(plain, Verification)
    assert record == from_json(Verification, guide("verification"))
    assert converter.unstructure(record) == to_dict(record)
    assert converter.structure({"items": [plain], "total": 1}, Page[Verification])[0] == record


def test_classes_of_the_user_follow_the_rules() -> None:
    sent: dict[str, Any] = {
        "verification": {"verification_id": "a", "new": 1},
        "at": "1685038116000",
        "status": "COMPLETED",
        "attempts": 2,
        "weight": 3,
        "others": [{"webhook_id": "w"}],
    }
    delivery = converter.loads(dumps(sent), Delivery)
    assert delivery.verification.extra == {"new": 1}
    assert delivery.at == datetime(2023, 5, 25, 18, 8, 36, tzinfo=UTC)
    assert delivery.status is VerificationStatus.COMPLETED
    assert delivery.others == (Webhook("w"),)
    assert converter.loads(converter.dumps(delivery), Delivery) == delivery
    assert converter.loads(converter.dumps([delivery]), list[Delivery]) == [delivery]
    for wrong, path in (
        ({"at": "soon"}, "$.at"),
        ({"attempts": "2"}, "$.attempts"),
        ({"attempts": True}, "$.attempts"),
        ({"weight": "3"}, "$.weight"),
        ({"others": {}}, "$.others"),
        ({"others": [{"webhook_id": "w"}, {}]}, "$.others[1].webhook_id"),
        ({"verification": {"verification_id": 1}}, "$.verification.verification_id"),
    ):
        assert outcome(converter.loads, dumps({**sent, **wrong}), Delivery) == ("DecodeError", path)


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Email(str):
    """A string type of a user's own."""


class Pair(NamedTuple):
    one: str
    other: str


def test_enums_and_string_types_of_the_user_become_what_the_class_says() -> None:
    assert converter.loads(b'"STARTED"', VerificationStatus) is VerificationStatus.STARTED
    assert converter.loads(b'["Red"]', list[Colour]) == [Colour.RED]
    assert converter.loads(b"1", Level) is Level.LOW
    assert type(converter.loads(b'"a@b"', Email)) is Email


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (b'"gone"', VerificationStatus),
        (b'"gone"', VerificationStatus | None),
        (b"1", Colour),
        (b"2", Level),
        (b"true", Level),
        (b"1", Email),
        (b'"abc"', set[str]),
        (b'"abc"', frozenset[str]),
        (b'"abc"', list),
        (b'"abc"', tuple),
        (b'["ab"]', dict),
        (b'"ab"', tuple[str, str]),
        (b'["a"]', tuple[str, str]),
        (b'"ab"', Pair),
        (b'"ab"', deque[str]),
        (b'{"a": "b"}', MutableSequence[str]),
        (b'{"a": "b"}', Set[str]),
        (b'"ab"', MutableSet[str]),
        (b"5", bytes),
    ],
)
def test_no_value_is_coerced_into_a_type_of_the_user(body: bytes, shape: Any) -> None:
    assert outcome(converter.loads, body, shape) == ("DecodeError", "$")


@pytest.mark.parametrize(
    ("shape", "made"),
    [
        (tuple[str, str], ("a", "b")),
        (Pair, Pair("a", "b")),
        (deque[str], deque(["a", "b"])),
        (MutableSequence[str], ["a", "b"]),
        (Set[str], frozenset({"a", "b"})),
        (MutableSet[str], {"a", "b"}),
    ],
)
def test_an_array_becomes_what_the_annotation_says(shape: Any, made: Any) -> None:
    value = converter.loads(b'["a", "b"]', shape)
    assert (type(value), value) == (type(made), made)


def test_an_error_in_a_tuple_names_its_place() -> None:
    body = b'[["a", {"webhook_id": 1}]]'
    shape = list[tuple[str, Webhook]]
    assert outcome(converter.loads, body, shape) == ("DecodeError", "$[0][1].webhook_id")


@attrs.frozen
class Picky:
    word: Literal["ours"] | None = None
    name: str = attrs.field(default="", validator=attrs.validators.max_len(3))
    pair: tuple[str, str] | None = None


@pytest.mark.parametrize(
    ("field", "value"), [("word", "secret"), ("name", "secret"), ("pair", ["secret"])]
)
def test_errors_of_other_rules_hold_none_of_the_value(field: str, value: Any) -> None:
    with pytest.raises(DecodeError) as caught:
        converter.loads(dumps({field: value}), Picky)
    assert "secret" not in f"{caught.value!r} {caught.value} {pickle.dumps(caught.value)!r}"
    assert caught.value.__context__ is None


@pytest.mark.parametrize("made", [set, frozenset])
def test_sets_are_arrays_in_json(made: Any) -> None:
    records = made([Verification("a"), Verification("b")])
    for each in (converter, converter.copy()):
        assert each.loads(each.dumps(records), made[Verification]) == records


@attrs.frozen
class Annotated(Verification):
    """A user's subclass of a record."""

    note: str = ""


def test_a_subclass_of_a_record_is_read_too() -> None:
    body = b'{"verification_id": "a", "note": "n", "created_at": 5, "new": 1}'
    record = converter.loads(body, Annotated)
    assert (record.note, record.extra) == ("n", {"new": 1})
    assert from_json(Annotated, to_json(record)) == record
    assert from_json(Page[Annotated], page_of(json.loads(body)))[0] == record


@attrs.frozen(kw_only=True)
class Watched(Verification):
    """A user's subclass that holds moments and records."""

    seen_at: datetime
    polls: list[datetime] = attrs.field(factory=list)
    webhook: Webhook | None = None
    events: tuple[WebhookEvent, ...] = ()


@pytest.mark.parametrize(
    ("dates", "spelled"),
    [("wire", 7), ("ms", 7), ("iso", "1970-01-01T00:00:00.007000Z")],
)
def test_moments_and_records_in_a_subclass_are_written_as_any_others(
    dates: Any, spelled: Any
) -> None:
    moment = datetime(1970, 1, 1, 0, 0, 0, 7000, tzinfo=UTC)
    mine = Watched(
        verification_id="a",
        seen_at=moment,
        polls=[moment],
        webhook=Webhook("w", created_at=moment),
        events=(WebhookEvent("w", event_datetime=moment),),
    )
    written = to_dict(mine, dates=dates)
    assert (written["seen_at"], written["polls"]) == (spelled, [spelled])
    assert written["webhook"]["created_at"] == written["events"][0]["event_datetime"] == spelled
    assert from_dict(Watched, written) == mine


@pytest.mark.parametrize("shape", [object(), object, "Verification", 3, Page])
def test_a_shape_that_cannot_be_decoded_is_a_harbour_error(shape: Any) -> None:
    with pytest.raises((ConfigurationError, DecodeError)) as caught:
        converter.loads(b"{}", shape)
    assert caught.value.__context__ is None


def test_a_copy_follows_the_rules_too() -> None:
    twin = converter.copy()
    assert outcome(twin.loads, b'{"webhook_id": 1}', Webhook) == ("DecodeError", "$.webhook_id")
    assert twin.dumps(Webhook("w")) == to_json(Webhook("w"))


def test_values_nested_too_deeply_are_a_harbour_error() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        converter.dumps(deep)


@attrs.frozen
class Reading:
    value: Any


@pytest.mark.parametrize("value", [math.nan, -math.inf, b"a", {b"a": 1}, {math.nan: 1}, {math.inf}])
def test_what_would_be_written_as_null_or_base64_is_refused(value: Any) -> None:
    for given in (value, [value], {"a": value}, Reading(value)):
        with pytest.raises(ConfigurationError, match="no JSON form"):
            converter.dumps(given)


def test_hooks_can_be_added() -> None:
    mine = WireConverter()
    mine.register_structure_hook(complex, lambda value, _: complex(value))
    assert mine.loads(b'"1j"', complex) == 1j
    with pytest.raises(ConfigurationError, match="no JSON form"):
        mine.dumps(1j)
