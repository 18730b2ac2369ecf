"""Bytes to records and back: every wire rule, and the only user of msgspec and cattrs."""

from harbour_async._decoding.codec import decode_any, encode_json, refuse_lost
from harbour_async._decoding.converter import WireConverter
from harbour_async._decoding.door import (
    decode_page,
    decode_record,
    decode_rows,
    from_dict,
    from_json,
)
from harbour_async._decoding.lines import join_line, split_line
from harbour_async._decoding.write import to_dict, to_json

__all__ = [
    "WireConverter",
    "decode_any",
    "decode_page",
    "decode_record",
    "decode_rows",
    "encode_json",
    "from_dict",
    "from_json",
    "join_line",
    "refuse_lost",
    "split_line",
    "to_dict",
    "to_json",
]
