"""Wire structs: what msgspec scans a record into, and what the record is then a view of.

Texts and flags are there at once. What costs more is made when it is read, and what can be changed
is then kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, cast

import msgspec
from msgspec import Meta, Raw, Struct

from harbour_async._decoding.fields import Fields, scanned_as
from harbour_async._decoding.generated import generate

_NOTHING = Annotated[int, Meta(gt=0, lt=0)]  # no value is of this type

_UNSENT = "\x7f"  # stands in for the wire name of what never comes over the wire


class Wire(Struct):
    """One record as scanned; ``raw_x`` is what came for a field ``x`` that is made when read."""

    moments: ClassVar[Sequence[str]]

    settle: ClassVar[Callable[[Sequence[Wire]], Sequence[list[Any]]]]
    """Finish what was scanned; the columns of the own ids and of each of `moments`.

    TypeError for a payload that is not an object.
    """

    outgoing: ClassVar[Callable[[Any], dict[str, Any]]]
    """The fields, ``extra`` aside, as they go out; what nobody has read is not made for it."""


def derive(fields: Fields) -> type[Wire]:
    """The wire struct of a record class."""
    required, *optional = fields.shapes
    columns: list[Any] = [(required, scanned_as(fields.shapes[required]))]
    for name in optional:
        attribute = f"raw_{name}" if name in fields.made else name
        columns.append(_column(attribute, scanned_as(fields.shapes[name]), name))
    columns += [_column(x, Raw, name) for x, name in fields.unknown.items()]
    columns.append(_column("raw_extra", _NOTHING, _UNSENT))
    functions = generate(fields)
    wire: Any = msgspec.defstruct(
        "Wire",
        columns,
        bases=(Wire,),
        namespace={name: property(functions[f"get_{name}"]) for name in (*fields.made, "extra")},
        forbid_unknown_fields=True,
    )
    wire.moments = fields.moments
    wire.settle = staticmethod(functions["settle"])
    wire.outgoing = functions["outgoing"]
    return cast(type[Wire], wire)


def _column(attribute: str, kind: Any, name: str) -> tuple[str, Any, Any]:
    return attribute, kind, msgspec.field(default=None, name=name)
