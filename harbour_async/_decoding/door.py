"""The functions that decode, over one converter that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

import attrs

from harbour_async._decoding.codec import encode_json, refuse_foreign
from harbour_async._decoding.converter import Data, WireConverter
from harbour_async._decoding.reader import Reader
from harbour_async._frames import dropped_frames
from harbour_async._record import Record
from harbour_async._rows import Rows
from harbour_async.errors import ConfigurationError
from harbour_async.models import Page

T = TypeVar("T")
R = TypeVar("R", bound=Record)


def from_json(cls: type[T], data: Data) -> T:
    """``data``, a JSON text as bytes or str, as ``cls``: reads what ``to_json`` wrote.

    The body of a request will do as well, if it has the wire's names. ``cls`` is a record class,
    ``Page[Verification]``, or a ``list``, ``tuple[..., ...]`` or ``Sequence`` of these.

    Raises DecodeError, whose ``path`` names the place, if ``data`` is not JSON or breaks a rule of
    the wire, and ConfigurationError for any other ``cls`` or type of ``data``.

    Example: ``verifications = from_json(list[Verification], path.read_bytes())``
    """
    with dropped_frames():
        if not _is_decodable(cls):
            raise ConfigurationError(
                f"cls must be a record class, Page[...] or a sequence of these, not {cls!r}"
            )
        return _converter().loads(data, cls)


def from_dict(cls: type[T], data: Any) -> T:
    """Plain JSON values as ``cls``: reads what ``to_dict`` made.

    The record has copies: changes to ``data`` do not reach it. ``cls`` and errors are those of
    `from_json`; values that have no JSON form, and datetimes without a time zone, raise
    ConfigurationError.

    Example: ``from_dict(Page[Webhook], {"items": [{"webhook_id": "w"}], "total": 1})``
    """
    with dropped_frames():
        refuse_foreign(data)
        return from_json(cls, encode_json(data))


def decode_record(cls: type[R], body: bytes) -> R:
    """A single object or receipt."""
    return _reader().record(body, cls)


def decode_page(cls: type[R], body: bytes) -> Page[R]:
    """A page of a listing, as a user wants it."""
    return _reader().page(body, cls)


def decode_rows(
    cls: type[R], body: bytes, *, key: str = "created_at", keep_invalid: bool = False
) -> Rows[Any]:
    """A page of a listing, as a walk wants it; ``key`` names the field that becomes its ``keys``.

    With ``keep_invalid`` a record that breaks a rule becomes an ``InvalidRecord`` in its place;
    without it is a DecodeError.
    """
    return _reader().rows(body, cls, key, keep_invalid)


@cache
def _converter() -> WireConverter:
    # Made when it is first needed: importing should cost nothing.
    return WireConverter()


@cache
def _reader() -> Reader:
    return Reader(_converter())


def _is_decodable(cls: Any) -> bool:
    origin, args = get_origin(cls), get_args(cls)
    if origin is None:
        return isinstance(cls, type) and issubclass(cls, Record) and attrs.has(cls)
    if origin is tuple and args[1:] != (...,):
        return False
    return origin in (Page, list, tuple, Sequence) and _is_decodable(args[0])
