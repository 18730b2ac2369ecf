"""Bytes to records and back: every wire rule, and the only user of msgspec and cattrs."""

from harbour_async._decoding.codec import decode_any, encode_json
from harbour_async._decoding.lines import join_line, split_line
from harbour_async._decoding.records import (
    decode_page,
    decode_record,
    decode_rows,
    to_dict,
    to_json,
)

__all__ = [
    "decode_any",
    "decode_page",
    "decode_record",
    "decode_rows",
    "encode_json",
    "join_line",
    "split_line",
    "to_dict",
    "to_json",
]
