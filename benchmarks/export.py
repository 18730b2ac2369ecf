"""How fast is an export, and does its memory grow with the number of records?

200,000 records of a fast local server into a file, beside dlt's own REST source and a plain loop
with httpx, pydantic and ``json.dumps``, each in a process of its own, one after the other.

Run: ``python -m benchmarks.export`` (minutes).
"""

from __future__ import annotations

import tempfile

from benchmarks import _harness
from benchmarks._server import served

CONTENDERS = {
    "ours_jsonl": "harbour_async, JSON lines",
    "ours_csv": "harbour_async, CSV",
    "ours_parquet": "harbour_async, Parquet",
    "loop": "httpx + pydantic + json.dumps, JSON lines",
    "dlt_jsonl": "dlt's REST source, JSON lines",
    "dlt_parquet": "dlt's REST source, Parquet",
}


def measure(records: int) -> dict[str, _harness.Figures]:
    with served(records) as url, tempfile.TemporaryDirectory() as folder:
        return {
            name: _harness.run_child("benchmarks._exports", name, url, records, folder)
            for name in CONTENDERS
        }


def main() -> None:
    asked = _harness.arguments(__doc__)
    few, many = (500, 1_000) if asked.quick else (20_000, 200_000)
    print(f"{many:,} records; {_harness.machine()}")
    small, large = measure(few), measure(many)
    print(f"{'':<42} records/s   CPU s  peak MiB  at {few:,}")
    for name, label in CONTENDERS.items():
        found = large[name]
        print(
            f"{label:<42} {found['per_second']:9,.0f} {found['cpu']:7.1f} "
            f"{found['peak_mib']:9.0f} {small[name]['peak_mib']:9.0f}"
        )


if __name__ == "__main__":
    main()
