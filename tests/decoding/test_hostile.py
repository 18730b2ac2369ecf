"""Any input gives a record or a HarbourError, also when the record is read later."""

from __future__ import annotations

import contextlib
import math
import typing
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from harbour_async import (
    ConfigurationError,
    DecodeError,
    HarbourError,
    InvalidRecord,
    Page,
    Verification,
    WireConverter,
    from_dict,
    from_json,
    to_dict,
    to_json,
)
from harbour_async._decoding import decode_any, decode_page, decode_record, decode_rows
from harbour_async._record import Record
from harbour_async._rows import Rows
from tests.decoding.support import RECORDS, dumps, guide
from tests.decoding.test_fast_path import DAMAGE, json_values, objects
from tests.exposed import exposed_text

DECODERS: list[Callable[[Any, bytes], Any]] = [
    decode_record,
    decode_page,
    decode_rows,
    lambda cls, body: decode_rows(cls, body, key="updated_at", keep_invalid=True),
    from_json,
    lambda cls, body: from_json(Page[cls], body),  # type: ignore[valid-type]
    lambda cls, body: from_json(list[cls], body),  # type: ignore[valid-type]
    lambda cls, body: from_json(cls, body.decode(errors="surrogateescape")),
    lambda cls, body: WireConverter().loads(body, list[Page[cls]]),  # type: ignore[valid-type]
    lambda _, body: decode_any(body),
]


def decode_all(cls: Any, body: bytes) -> None:
    """Every decoder, and then every way to look at what it made."""
    for decode in DECODERS:
        with contextlib.suppress(HarbourError):
            for record in records_in(decode(cls, body)):
                look_at(record)


def records_in(made: Any) -> list[Any]:
    if isinstance(made, Record | InvalidRecord):
        return [made]
    found = made.items if isinstance(made, Rows | Page) else made
    return [r for item in found for r in records_in(item)] if isinstance(found, list) else []


def look_at(record: Any) -> None:
    dates: Any
    for dates in ("wire", "ms", "iso"):
        to_json(record, dates=dates)
        to_dict(record, dates=dates)
    assert repr(record)


almost = st.sampled_from(RECORDS).flatmap(lambda cls: st.tuples(st.just(cls), objects(cls)))


@given(almost, json_values, st.integers(0, 3))
@settings(max_examples=150)
def test_json_of_any_shape_is_a_record_or_a_harbour_error(
    pair: Any, other: Any, wrapped: int
) -> None:
    cls, item = pair
    envelopes: list[Any] = [
        item,
        [item, other],
        {"items": [item, other], "total": 2},
        {"items": other, "total": other, "page": item, "new": other},
    ]
    decode_all(cls, dumps(envelopes[wrapped]))


@given(st.sampled_from(RECORDS), st.binary(max_size=40))
@settings(max_examples=150)
def test_any_bytes_are_a_record_or_a_harbour_error(cls: Any, body: bytes) -> None:
    decode_all(cls, body)


@given(st.data())
@settings(max_examples=150)
def test_damaged_bodies_are_a_record_or_a_harbour_error(data: st.DataObject) -> None:
    body = bytearray(guide(data.draw(st.sampled_from(["verification", "webhook_list"]))))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(st.sampled_from(DAMAGE))
    decode_all(data.draw(st.sampled_from(RECORDS)), bytes(body))


@given(st.sampled_from(RECORDS), json_values, st.sampled_from([Page, list, None]))
@settings(max_examples=150)
def test_plain_values_of_any_shape_are_a_record_or_a_harbour_error(
    cls: Any, value: Any, outer: Any
) -> None:
    shape = outer[cls] if outer else cls
    for decode in (from_dict, lambda shape, value: WireConverter().structure(value, shape)):
        with contextlib.suppress(HarbourError):
            for record in records_in(decode(shape, value)):
                look_at(record)


def nested(depth: int, opening: bytes, closing: bytes) -> bytes:
    return opening * depth + b"1" + closing * depth


DEPTHS = [100, 900, *range(930, 1000, 5), 3_000, 100_000]
"""Around the interpreter's limit of 1,000 too, where one function may do what another cannot."""


@pytest.mark.exhaustive
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b"[\n", b"]")])
@pytest.mark.parametrize("field", [b"latest_response", b"new", b"status"])
def test_json_of_any_depth_is_a_record_or_a_harbour_error(
    field: bytes, opening: bytes, closing: bytes
) -> None:
    for depth in DEPTHS:
        item = b'{"verification_id": "a", "%s": {"x": %s}}'
        item %= field, nested(depth, opening, closing)
        for body in (item, b"[" + item + b"]", b'{"items": [' + item + b'], "total": 1}'):
            for decode in DECODERS:
                with contextlib.suppress(HarbourError):
                    for record in records_in(decode(Verification, body)):
                        nest_out(record)


def nest_out(record: Any) -> None:
    ways: list[Callable[[Any], Any]] = [
        to_json,
        to_dict,
        lambda r: to_json(r, dates="iso"),
        lambda r: getattr(r, "latest_response", None),
        lambda r: getattr(r, "extra", None),
        to_json,
        to_dict,
        lambda r: to_dict([Page([r], total=1)]),
        WireConverter().dumps,
        WireConverter().unstructure,
    ]
    for way in ways:
        with contextlib.suppress(HarbourError):
            way(record)


@pytest.mark.exhaustive
def test_python_values_nested_too_deeply_are_configuration_errors() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    for record in (Verification("a", {"x": deep}), Verification("a", extra={"x": deep})):  # type: ignore[arg-type]
        for write in (to_json, to_dict, WireConverter().dumps, WireConverter().unstructure):
            with pytest.raises(ConfigurationError, match="nested too deeply"):
                write(record)
    for value in (deep, {"verification_id": "a", "latest_response": {"x": deep}}):
        with pytest.raises(ConfigurationError, match="nested too deeply"):
            from_dict(Verification, value)


@pytest.mark.parametrize(
    "body", [b'"\xff"', b"[1e999, NaN]", b'[1e999, "\\ud800"]', b"[1e999", b"nope", b"[" * 100_000]
)
def test_errors_of_broken_json_hold_none_of_it(body: bytes) -> None:
    for decode in DECODERS:
        with pytest.raises(DecodeError) as caught:
            decode(Verification, body)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        assert "ff" not in str(caught.value)


WRONG = [
    ("created_at", "Jane"), ("created_at", {"Jane": 1}), ("created_at", 10**30),
    ("is_scan", "Jane"), ("is_scan", ["Jane"]), ("latest_response", "Jane"),
    ("latest_response", ["Jane"]), ("status", {"Jane": 1}), ("status", ["Jane"]),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_errors_of_wrong_types_hold_none_of_the_value(field: str, value: Any) -> None:
    body = dumps({"verification_id": "Jane", field: value, "Jane": 1})
    with pytest.raises(DecodeError) as caught:
        from_json(Verification, body)
    assert "Jane" not in str(caught.value)
    assert caught.value.path == f"$.{field}"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


PERSON = {"verification_id": "Jane", "is_scan": "Jane", "latest_response": {"name": "Jane"}}
OWN = Verification("Jane", latest_response={"name": "Jane", "score": math.nan})
REFUSED: list[Callable[[], Any]] = [
    lambda: from_json(Verification, dumps(PERSON)),
    lambda: from_json(list[Verification], dumps([PERSON])),
    lambda: from_json(Page[Verification], dumps({"items": [PERSON], "total": 1})),
    lambda: from_json(Verification, dumps(PERSON)[:-1]),
    lambda: from_json(InvalidRecord, dumps(PERSON)),
    lambda: from_dict(Verification, PERSON),
    lambda: from_dict(Verification, {**PERSON, "score": math.nan}),
    lambda: WireConverter().loads(dumps(PERSON), Verification),
    lambda: WireConverter().structure(PERSON, Verification),
    lambda: to_json(OWN),
    lambda: to_dict([OWN]),
    lambda: to_dict(OWN, dates="utc"),  # type: ignore[call-overload]
    lambda: WireConverter().dumps({"a": OWN}),
]


@pytest.mark.parametrize("call", REFUSED)
def test_no_traceback_with_locals_shows_a_record(call: Callable[[], Any]) -> None:
    with pytest.raises(HarbourError) as caught:
        call()
    assert "Jane" not in exposed_text(caught.value)


@pytest.mark.parametrize(
    "public",
    [*RECORDS, Page, InvalidRecord, WireConverter.loads, WireConverter.dumps,
     to_json, to_dict, from_json, from_dict, Page.__getitem__],
)  # fmt: skip
def test_annotations_can_be_read_at_run_time(public: Any) -> None:
    assert typing.get_type_hints(public)
