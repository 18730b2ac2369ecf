"""How long do a page's records take from bytes to records, and back to bytes?

Pages of 100 of the guide's example, in one process. Every round runs all contenders, and each
decodes five pages one after another, as a walk does: the first one also pays for what the contender
before it left in the processor's caches.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import msgspec
import orjson
from cattrs.preconf.orjson import make_converter

from benchmarks import _harness
from harbour_async._decoding import decode_rows, to_json
from harbour_async.models import Verification

EXAMPLE = Path(__file__).parent.parent / "tests/decoding/fixtures/verification_list.json"
FIELDS = [field.name for field in attrs.fields(Verification) if field.name != "extra"]
PAYLOADS = ("latest_response", "verification_metadata", "verification_details")
MOMENTS = ("updated_at", "created_at", "last_status_at", "submitted_at")

PAGES = 5

Decode = Callable[[bytes], list[Any]]


def page(number: int = 0) -> bytes:
    envelope = json.loads(EXAMPLE.read_bytes())
    [item] = envelope["items"]
    envelope["items"] = [
        {**item, "verification_id": f"VERIFICATION-{n:045}", "created_at": f"{1685038116000 - n}"}
        for n in range(100 * number, 100 * number + 100)
    ]
    return json.dumps(envelope, separators=(",", ":")).encode()


def kinds(moment: Any, payload: Any) -> dict[str, Any]:
    """The fields' types; everything may be absent."""
    special = dict.fromkeys(MOMENTS, moment) | dict.fromkeys(PAYLOADS, payload)
    return {name: special.get(name, bool | None if name == "is_scan" else str | None)
            for name in FIELDS}  # fmt: skip


def by_structs() -> Decode:
    columns = [(name, kind, None) for name, kind in kinds(str | None, msgspec.Raw).items()]
    record: Any = msgspec.defstruct("Record", columns)
    envelope: Any = msgspec.defstruct("Envelope", [("items", list[record])])
    decode = msgspec.json.Decoder(envelope).decode
    return lambda body: decode(body).items


def by_cattrs() -> Decode:
    fields: dict[str, Any] = {
        name: attrs.field(type=kind, default=None)
        for name, kind in kinds(str | None, dict[str, Any] | None).items()
    }
    record = attrs.make_class("Record", fields, frozen=True, slots=True)
    hook = make_converter(detailed_validation=False).get_structure_hook(record)
    return lambda body: [hook(item, record) for item in orjson.loads(body)["items"]]


def by_pydantic() -> Decode:
    from pydantic import create_model

    fields: dict[str, Any] = {
        name: (kind, None) for name, kind in kinds(datetime | None, dict[str, Any] | None).items()
    }
    record: Any = create_model("Record", **fields)
    envelope: Any = create_model("Envelope", items=(list[record], ...))
    return lambda body: envelope.model_validate_json(body).items


def contenders() -> dict[str, Decode]:
    found = {
        "harbour_async": lambda body: decode_rows(Verification, body).items,
        "msgspec, payloads raw": by_structs(),
        "orjson.loads": lambda body: orjson.loads(body)["items"],
        "orjson + cattrs": by_cattrs(),
    }
    if importlib.util.find_spec("pydantic"):
        found["pydantic"] = by_pydantic()
    return found


def read_all(records: list[Any]) -> None:
    for record in records:
        for name in FIELDS:
            value = record.get(name) if isinstance(record, dict) else getattr(record, name)
            if isinstance(value, msgspec.Raw):
                msgspec.json.decode(value)


def write_all(records: list[Any]) -> None:
    for record in records:
        orjson.dumps(record) if isinstance(record, dict) else to_json(record)


def microseconds(work: Callable[[bytes], object], bodies: list[bytes]) -> float:
    """For each of the bodies."""
    took = 0.0
    for body in bodies:
        started = time.perf_counter()
        kept = work(body)  # so that freeing it is not measured
        took += time.perf_counter() - started
        del kept
    return took / len(bodies) * 1e6


def measured(name: str, decode: Decode, bodies: list[bytes]) -> _harness.Figures:
    figures = {
        "decode": microseconds(decode, bodies),
        "read": microseconds(lambda body: read_all(decode(body)), bodies),
    }
    if name in ("harbour_async", "orjson.loads"):
        figures["write"] = microseconds(lambda body: write_all(decode(body)), bodies)
    return figures


def bytes_held(decode: Decode, body: bytes, keep: Callable[[list[Any]], Any]) -> float:
    """Bytes allocated for each kept record, with the page's body if records refer to it."""
    decode(body)
    gc.collect()
    tracemalloc.start()
    kept = keep(decode(bytes(bytearray(body))))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held / len(kept)


def main() -> None:
    quick = _harness.arguments(__doc__).quick
    turns = 3 if quick else 150
    bodies = [page(number) for number in range(PAGES)]
    body = bodies[0]
    all_of_them = contenders()
    results: dict[str, list[_harness.Figures]] = {name: [] for name in all_of_them}
    for _ in range(turns):
        for name, decode in all_of_them.items():
            results[name].append(measured(name, decode, bodies))

    print(f"a page of {len(body) / 1000:.0f} kB, medians of {turns} rounds on {_harness.machine()}")
    print(f"  {'':<24} {'decode':>10} {'and read all':>13} {'held/record':>12} {'one kept':>10}")
    for name, decode in all_of_them.items():
        held = bytes_held(decode, body, lambda records: records)
        one = bytes_held(decode, body, lambda records: records[:1])
        times = [statistics.median(run[k] for run in results[name]) for k in ("decode", "read")]
        print(
            f"  {name:<24} {times[0]:>7.0f} µs {times[1]:>10.0f} µs {held:>10.0f} B {one:>8.0f} B"
        )

    def ratio(peer: str, figure: str) -> float:
        return _harness.median_ratio(results, "harbour_async", peer, figure)

    structs = ratio("msgspec, payloads raw", "decode")
    _harness.print_figure("decode / msgspec structs, payloads raw", structs, "≤ 2", structs <= 2)
    loads = ratio("orjson.loads", "decode")
    _harness.print_figure("decode / orjson.loads of the page", loads, "≤ 0.6", loads <= 0.6)
    for peer in list(all_of_them)[2:]:
        print(f"  against {peer}: decode {ratio(peer, 'decode'):.2f}, ", end="")
        print(f"decode and read all {ratio(peer, 'read'):.2f}")
    written = ratio("orjson.loads", "write")
    print(f"  decode and to_json against orjson.loads and dumps: {written:.2f}")


if __name__ == "__main__":
    main()
