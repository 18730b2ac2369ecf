"""The fast path gives what the slow path gives, is taken where it should be, and leaks nothing."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from harbour_async._decoding import (
    WireConverter,
    columns,
    decode_page,
    decode_record,
    decode_rows,
    scan,
    to_json,
    write,
)
from harbour_async.errors import DecodeError
from harbour_async.models import Verification, Webhook
from tests.decoding.support import (
    RECORDS,
    chunk_items,
    dumps,
    explained,
    explained_items,
    guide,
    ids,
    outcome,
    page_of,
)

usual = ["1685038116000", 1685038116000, "2023-05-04T21:33:03Z", "Verified", "panel 5"]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4),
    st.sampled_from(usual),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def objects(cls: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the record's own names, mostly, and any values."""
    names = st.sampled_from([*write._names(cls), "extra", "new_field"])
    required = st.fixed_dictionaries({name: st.text(min_size=1, max_size=3) for name in ids(cls)})
    anything = st.dictionaries(names | st.text(max_size=3), json_values, max_size=3)
    return st.builds(lambda a, b: {**a, **b}, required, anything)


@pytest.mark.exhaustive
@pytest.mark.parametrize("cls", RECORDS)
@given(st.data())
@settings(max_examples=150)
def test_both_paths_agree_on_any_json(cls: Any, data: st.DataObject) -> None:
    items = data.draw(st.lists(objects(cls), max_size=3))
    page = page_of(*items)
    assert outcome(chunk_items, cls, page) == outcome(explained_items, cls, page)
    for item in items:
        assert outcome(decode_record, cls, dumps(item)) == outcome(explained, cls, dumps(item))


DAMAGE = [b"", b'"', b"\xff", b"1e999", b"9" * 5000, b"\\ud800", b"null", b"[", b"}", b" "]


@given(st.data())
@settings(max_examples=400)
def test_both_paths_agree_on_damaged_bodies(data: st.DataObject) -> None:
    body = bytearray(guide("verification_list").replace(b"  ", b""))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(st.sampled_from(DAMAGE))
    found = outcome(chunk_items, Verification, bytes(body))
    assert found == outcome(explained_items, Verification, bytes(body))


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    def explain(*_: Any) -> None:
        raise AssertionError("this page should have taken the fast path")

    monkeypatch.setattr(WireConverter, "structure", explain)


@pytest.mark.parametrize(
    ("name", "cls"), [("verification_list", Verification), ("webhook_list", Webhook)]
)
def test_the_guides_pages_take_the_fast_path(
    name: str, cls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch)
    assert decode_rows(cls, guide(name)).items


@pytest.mark.parametrize(
    "field",
    [
        {"created_at": 1685038116000},
        {"created_at": "2023-05-04T21:33:03.023949"},
        {"verification_metadata": None},
        {"latest_response": {"x": "é€😀"}},
        {"status": "ACCEPTED"},
    ],
)
def test_usual_variations_take_the_fast_path(
    field: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch)
    body = json.dumps({"verification_id": "a", **field}, ensure_ascii=False).encode()
    assert decode_record(Verification, body).verification_id == "a"
    assert decode_rows(Verification, page_of({"verification_id": "b"}, json.loads(body))).items


def test_unknown_fields_that_come_again_take_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_scanners", {})
    body = page_of(
        {"verification_id": "a", "risk": {"score": 1}, "é": 1.5},
        {"verification_id": "b", "flag": None},
        {"verification_id": "c"},
    )
    first = decode_rows(Verification, body).items
    forbid(monkeypatch)
    again = decode_rows(Verification, body).items
    assert again == first
    assert [record.extra for record in again] == [
        {"risk": {"score": 1}, "é": 1.5},
        {"flag": None},
        {},
    ]
    assert [to_json(record) for record in again] == [to_json(record) for record in first]


def test_the_number_of_learned_fields_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_scanners", {})
    for number in range(scan.MAX_LEARNED + 10):
        body = dumps({"webhook_id": "w", f"field_{number}": number})
        assert decode_record(Webhook, body).extra == {f"field_{number}": number}
    assert len(scan.scanner_of(Webhook).learned) == scan.MAX_LEARNED


def test_an_error_does_not_carry_the_fast_paths_error_as_its_context() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_record(Verification, b"{}")
    error: BaseException | None = caught.value
    while error:
        assert not type(error).__module__.startswith("msgspec")
        error = error.__context__


def test_the_names_written_out_for_verifications_are_those_of_the_record() -> None:
    scanner = scan.scanner_of(Verification)
    items = scanner._scan_page(guide("verification_list")).items
    names = ["verification_id", *(f"raw_{name}" for name in scanner._moments)]
    assert columns.reading(names) is columns._read_verifications
    assert columns.reading(names)(items) == [columns.column(items, name) for name in names]
    assert scanner._settle_payloads is columns._settle_verifications


@pytest.mark.parametrize("learned", [False, True])
def test_a_record_does_not_keep_its_page_alive(learned: bool) -> None:
    fields = {"latest_response": {"x": "y"}, "verification_metadata": {}, "risk": {"score": 1}}
    body = page_of(*({"verification_id": n, **fields} for n in "abcdefgh"))
    if learned:
        decode_rows(Verification, body)
    references = sys.getrefcount(body)
    record = decode_rows(Verification, body).items[0]
    assert sys.getrefcount(body) == references
    assert record.extra == {"risk": {"score": 1}}


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"9" * 5000, b"-" + b"9" * 5000])
def test_a_number_beyond_double_in_a_payload_is_kept_as_it_came(number: bytes) -> None:
    body = b'{"verification_id": "a", "latest_response": {"x": [' + number + b"]}}"
    lazy, eager = decode_record(Verification, body), explained(Verification, body)
    assert number in to_json(lazy)
    assert lazy == eager
    assert number in to_json(lazy)
    assert number in to_json(eager)


def test_an_empty_page_and_a_page_beyond_the_end_have_no_items() -> None:
    page = decode_page(Verification, b'{"items": [], "total": "7", "page": 9, "size": 50}')
    assert (page.items, page.total, page.page) == ([], 7, 9)
    rows = decode_rows(Verification, b'{"items": [], "total": 0}')
    assert (rows.items, rows.ids, rows.keys, rows.total) == ([], [], [], 0)
