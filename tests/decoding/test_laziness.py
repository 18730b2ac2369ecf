"""A record behaves the same whether or not its fields have been read."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref
from abc import ABC
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

from harbour_async._decoding import decode_record, to_dict, to_json
from harbour_async._record import source_of
from harbour_async.models import Page, Verification, Webhook, WebhookEvent
from tests.decoding.support import RECORDS, dumps, guide, ids

BODY = guide("verification").rstrip()[:-1] + b', "score": {"risk": [1, 2]}}'


def untouched() -> Verification:
    decode_record(Verification, BODY)  # by now the decoder has learned the unknown fields
    return decode_record(Verification, BODY)


def partly_read() -> Verification:
    record = untouched()
    assert record.status == "Accepted"
    assert record.verification_metadata == {"your_internal_user_id": 123}
    return record


def wholly_read() -> Verification:
    record = untouched()
    assert "Accepted" in repr(record)
    return record


def constructed() -> Verification:
    return Verification(**attrs.asdict(untouched(), recurse=False))


STATES = [untouched, partly_read, wholly_read, constructed]
states = pytest.mark.parametrize("make", STATES)
Make = Callable[[], Verification]


def test_each_state_leaves_unread_the_payloads_that_it_names() -> None:
    assert unread(untouched()) == {"latest_response", "verification_metadata"}
    assert unread(partly_read()) == {"latest_response"}
    assert unread(wholly_read()) == set()
    assert unread(constructed()) == set()


@states
@pytest.mark.parametrize("other", STATES)
def test_equality_and_hash_do_not_depend_on_what_was_read(make: Make, other: Make) -> None:
    assert make() == other()
    assert hash(make()) == hash(other())
    assert make() != attrs.evolve(other(), is_scan=True)
    assert {make(), other()} == {make()}


@states
@pytest.mark.parametrize(
    "view",
    [repr, lambda r: to_dict(r, dates="ms")["created_at"], attrs.asdict, attrs.astuple,
     lambda r: r.extra, lambda r: r.latest_response, lambda r: r.created_at],
)  # fmt: skip
def test_every_view_is_the_same_whatever_was_read(make: Make, view: Callable[[Any], Any]) -> None:
    assert view(make()) == view(wholly_read())


@states
@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy]
    + [
        lambda r, p=protocol: pickle.loads(pickle.dumps(r, p))
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    ],
)
def test_copies_and_pickles_are_equal_records(make: Make, duplicate: Callable[[Any], Any]) -> None:
    record = make()
    twin = duplicate(record)
    assert type(twin) is Verification
    assert twin == record == make()
    assert to_json(twin) == to_json(record)
    assert to_json(twin, dates="iso") == to_json(record, dates="iso")


@states
def test_an_evolved_record_is_equal_but_for_the_change(make: Make) -> None:
    assert attrs.evolve(make()) == make()
    assert attrs.evolve(make(), is_scan=True).latest_response == make().latest_response
    assert attrs.evolve(make(), is_scan=True) != make()


@states
def test_a_change_to_a_payload_stays(make: Make) -> None:
    record, deep = make(), copy.deepcopy(make())
    assert record.latest_response is not None
    record.latest_response["mine"] = 1
    record.extra["mine"] = 2
    assert record.latest_response["mine"] == 1
    assert record != deep
    assert to_dict(record)["latest_response"]["mine"] == 1
    assert to_dict(record)["mine"] == 2


@states
def test_a_record_put_into_its_own_payload_can_be_collected(make: Make) -> None:
    record = make()
    assert record.latest_response is not None
    record.latest_response["me"] = record.extra["me"] = record
    alive = weakref.ref(record)
    del record
    gc.collect()
    assert alive() is None


@states
def test_changing_the_dict_of_to_dict_changes_nothing_else(make: Make) -> None:
    record = make()
    to_dict(record)["latest_response"].clear()
    assert record == make()


@states
def test_records_are_frozen(make: Make) -> None:
    record = make()
    with pytest.raises(FrozenInstanceError):
        record.status = "x"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del record.status
    assert not hasattr(record, "__dict__")


@states
def test_unknown_attributes_are_errors(make: Make) -> None:
    record = make()
    assert not hasattr(record, "nonsense")
    with pytest.raises(AttributeError, match="'Verification' object has no attribute 'nonsense'"):
        record.nonsense  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(make(), "__deepcopy__")
    assert record == make()


def test_an_object_made_without_its_constructor_has_no_attributes() -> None:
    assert not hasattr(object.__new__(Verification), "status")


def test_threads_that_read_at_once_get_equal_values() -> None:
    expected = wholly_read()
    for _ in range(50):
        record = untouched()
        start = threading.Barrier(4)
        seen: list[Any] = []

        def read(
            record: Verification = record,
            start: threading.Barrier = start,
            seen: list[Any] = seen,
        ) -> None:
            start.wait()
            seen.append((record.latest_response, record.status, record.extra))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [(expected.latest_response, expected.status, expected.extra)] * 4
        assert record == expected
        assert record.latest_response is record.latest_response
        assert record.extra is record.extra


def test_a_change_to_a_list_stays_whatever_is_read_next() -> None:
    for first in ("event_types", "webhook_id", "created_at"):
        webhook = decode_record(Webhook, guide("webhook"))
        getattr(webhook, first)
        assert webhook.event_types is not None
        webhook.event_types.append("mine")
        assert webhook.destination_url == "https://destination.url"
        assert webhook.event_types[-1] == "mine"


def unread(record: Verification) -> set[str]:
    source = source_of(record)
    names = [field.name for field in attrs.fields(Verification)]
    return {name for name in names if type(getattr(source, f"raw_{name}", None)) is bytes}


def test_reading_scalars_parses_no_payload() -> None:
    record = untouched()
    assert (record.is_scan, record.status) == (False, "Accepted")
    assert unread(record) == {"latest_response", "verification_metadata"}


def test_reading_one_payload_parses_no_other() -> None:
    record = untouched()
    assert record.verification_metadata == {"your_internal_user_id": 123}
    assert unread(record) == {"latest_response"}


@attrs.frozen
class Slotted(Verification, ABC):
    note: str = ""


@attrs.frozen(slots=False)
class Loose(Verification):
    note: str = ""


@pytest.mark.parametrize("cls", [Slotted, Loose])
def test_a_users_subclass_is_a_record_too(cls: type[Any]) -> None:
    mine = cls(verification_id="a", latest_response={}, note="n")
    assert to_dict(mine)["note"] == "n"
    assert hash(mine) == hash(attrs.evolve(mine))
    assert attrs.evolve(mine, status="x").status == "x"
    assert mine != Verification(verification_id="a", latest_response={})


@pytest.mark.parametrize("cls", RECORDS)
def test_only_the_id_is_required(cls: Any) -> None:
    assert cls(**ids(cls)) == decode_record(cls, dumps(ids(cls)))
    with pytest.raises(TypeError):
        cls()


def test_events_of_one_webhook_have_different_hashes() -> None:
    assert len({hash(WebhookEvent("w", event_id=f"{n}")) for n in range(9)}) == 9


def test_pages_are_compared_hashed_and_copied_by_value() -> None:
    page = Page(items=[untouched()], total=1)
    assert page == Page(items=[wholly_read()], total=1)
    assert hash(page) == hash(Page(items=[], total=1))
    assert pickle.loads(pickle.dumps(page)) == copy.deepcopy(page) == page
    assert to_dict(page)["items"] == [to_dict(untouched())]
