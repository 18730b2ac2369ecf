"""Do memory and CPU per record stay constant over a stream of a million records?"""

from __future__ import annotations

from benchmarks import _harness
from benchmarks._server import served


def main() -> None:
    quick = _harness.arguments(__doc__).quick
    small, middle, large = (200, 400, 800) if quick else (10_000, 20_000, 1_000_000)
    with served(large) as url:
        run = {
            n: _harness.run_child("benchmarks._streams", "proved", url, n) for n in (middle, large)
        }
        # Short runs are noisy: the median of several.
        short = [
            _harness.run_child("benchmarks._streams", "proved", url, small)["cpu"] / small
            for _ in range(1 if quick else 5)
        ]
    print(f"proved stream ({_harness.machine()})")
    growth = (run[large]["peak_kib"] - run[middle]["peak_kib"]) / 1024
    _harness.print_figure(
        f"peak memory, {large:,} records less {middle:,} (MiB)", growth, "≤ 10", growth <= 10
    )
    ratio = run[large]["cpu"] / large / sorted(short)[len(short) // 2]
    _harness.print_figure(
        f"CPU per record, {large:,} records / {small:,}", ratio, "≤ 1.1", ratio <= 1.1
    )


if __name__ == "__main__":
    main()
