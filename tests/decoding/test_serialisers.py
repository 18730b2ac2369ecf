"""Common serialisers write a record's fields correctly, or refuse the record."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from abc import ABC
from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs
import cattrs
import httpx
import msgspec
import orjson
import pydantic
import pydantic_core
import pytest
from cattrs.preconf import json as cattrs_json, msgspec as cattrs_msgspec, orjson as cattrs_orjson
from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder

from harbour_async import Page, Verification, WireConverter, to_dict
from harbour_async._decoding import decode_record
from tests.decoding.support import RECORDS, dumps, ids


@attrs.frozen
class Mine(Verification, ABC):
    """A user's own record, without a field of its own."""


def decoded(cls: Any) -> Any:
    fields: dict[str, Any] = {f.name: None for f in attrs.fields(cls) if f.name != "extra"}
    fields |= {name: "1685038116000" for name in fields if name.endswith(("_at", "_datetime"))}
    return decode_record(cls, dumps({**fields, **ids(cls), "new": {"x": [1]}}))


def read(cls: Any) -> Any:
    record = decoded(cls)
    repr(record)
    return record


def constructed(cls: Any) -> Any:
    record = decoded(cls)
    return cls(**{field.name: getattr(record, field.name) for field in attrs.fields(cls)})


CASES = [(make, cls) for make in (decoded, read, constructed) for cls in RECORDS]
cases = pytest.mark.parametrize(
    ("make", "cls"), [*CASES, (lambda cls: cls("a", extra={"new": {"x": [1]}}), Mine)]
)
Make = Callable[[Any], Any]


def plain(value: Any) -> Any:
    """Timestamps as text in one ISO form, because serialisers use several."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, str) and value[:2] == "20" and value[10:11] == "T":
        return datetime.fromisoformat(value).isoformat()
    return value.isoformat() if isinstance(value, datetime) else value


def fields_of(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in attrs.fields(type(record))}


def default(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else attrs.asdict(value)


FIELDS: dict[str, Callable[[Any], Any]] = {
    "attrs.asdict": attrs.asdict,
    "attrs.astuple": lambda r: dict(zip(fields_of(r), attrs.astuple(r), strict=True)),
    "cattrs": cattrs.unstructure,
    "cattrs json": lambda r: json.loads(cattrs_json.make_converter().dumps(r)),
    "cattrs orjson": lambda r: json.loads(cattrs_orjson.make_converter().dumps(r)),
    "cattrs msgspec": lambda r: json.loads(cattrs_msgspec.make_converter().dumps(r)),
    "pickle": lambda r: fields_of(pickle.loads(pickle.dumps(r))),
    "copy": lambda r: fields_of(copy.copy(r)),
    "deepcopy": lambda r: fields_of(copy.deepcopy(r)),
    "json, default": lambda r: json.loads(json.dumps(r, default=default)),
    "orjson, default=attrs.asdict": lambda r: orjson.loads(orjson.dumps(r, default=attrs.asdict)),
}


@cases
@pytest.mark.parametrize("name", FIELDS)
def test_these_serialisers_give_every_field(name: str, make: Make, cls: Any) -> None:
    record = make(cls)
    assert plain(FIELDS[name](record)) == plain(fields_of(record))


unpacked = msgspec.msgpack.decode

WIRE: dict[str, Callable[[Any], Any]] = {
    "json, default=to_dict": lambda r: json.loads(json.dumps(r, default=to_dict)),
    "orjson, default=to_dict": lambda r: orjson.loads(orjson.dumps(r, default=to_dict)),
    "WireConverter.dumps": lambda r: json.loads(WireConverter().dumps(r)),
    "WireConverter.unstructure": lambda r: WireConverter().unstructure(r),
}
HOOKED: dict[str, Callable[[Any], Any]] = {
    "msgspec json": lambda r: json.loads(msgspec.json.encode(r, enc_hook=to_dict)),
    "msgspec msgpack": lambda r: unpacked(msgspec.msgpack.encode(r, enc_hook=to_dict)),
    "msgspec to_builtins": lambda r: msgspec.to_builtins(r, enc_hook=to_dict),
}


@cases
@pytest.mark.parametrize("name", WIRE)
def test_these_serialisers_give_the_wires_names(name: str, make: Make, cls: Any) -> None:
    record = make(cls)
    assert WIRE[name](record) == to_dict(record)


@pytest.mark.parametrize(("make", "cls"), CASES)
@pytest.mark.parametrize("name", HOOKED)
def test_msgspec_with_to_dict_as_its_hook_gives_the_wires_names(
    name: str, make: Make, cls: Any
) -> None:
    record = make(cls)
    assert HOOKED[name](record) == to_dict(record)


REFUSE: dict[str, Callable[[Any], Any]] = {
    "msgspec json": msgspec.json.encode,
    "msgspec msgpack": msgspec.msgpack.encode,
    "msgspec to_builtins": msgspec.to_builtins,
    "json": json.dumps,
    "orjson": orjson.dumps,
    "dataclasses.asdict": dataclasses.asdict,
    "dict": dict,
    "vars": vars,
}


@cases
@pytest.mark.parametrize("name", REFUSE)
def test_serialisers_that_do_not_know_records_refuse_them(name: str, make: Make, cls: Any) -> None:
    with pytest.raises(TypeError):
        REFUSE[name](make(cls))


@cases
@pytest.mark.parametrize("encode", [jsonable_encoder, pydantic_core.to_jsonable_python])
def test_fastapi_and_pydantic_refuse_a_record_without_a_model(
    encode: Callable[[Any], Any], make: Make, cls: Any
) -> None:
    with pytest.raises(ValueError, match=r"not iterable|unknown type"):
        encode(make(cls))


def model(cls: Any) -> Any:
    fields: Any = {field.name: (Any, ...) for field in attrs.fields(cls)}
    config = pydantic.ConfigDict(from_attributes=True)
    return pydantic.create_model(f"{cls.__name__}Model", __config__=config, **fields)


@cases
def test_pydantic_reads_the_attributes(make: Make, cls: Any) -> None:
    record = make(cls)
    assert model(cls).model_validate(record).model_dump() == fields_of(record)


@pytest.mark.parametrize(("make", "cls"), CASES)
async def test_fastapi_answers_with_a_response_model(make: Make, cls: Any) -> None:
    record = make(cls)
    app = FastAPI()
    app.get("/record", response_model=model(cls))(lambda: record)
    app.get("/records", response_model=list[model(cls)])(lambda: Page([record], total=1).items)  # type: ignore[misc]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://app"
    ) as client:
        one, several = await client.get("/record"), await client.get("/records")
    assert plain(one.json()) == plain(fields_of(record))
    assert [plain(item) for item in several.json()] == [plain(fields_of(record))]


@pytest.mark.parametrize("items", [[], [Verification("a")]])
@pytest.mark.parametrize("encode", [jsonable_encoder, dict, vars])
def test_a_page_is_not_taken_for_a_mapping(encode: Callable[[Any], Any], items: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"mapping|__dict__"):
        encode(Page(items, total=0))


def test_a_users_class_that_holds_records_goes_through_the_converter() -> None:
    @attrs.frozen
    class Report:
        at: datetime
        found: list[Verification]
        page: Page[Verification]

    record = decoded(Verification)
    report = Report(at=record.created_at, found=[record], page=Page([record], total=1))
    sent = WireConverter().dumps(report)
    assert json.loads(sent)["found"] == [to_dict(record)]
    globals()["Report"] = Report
    assert WireConverter().loads(sent, Report) == report
