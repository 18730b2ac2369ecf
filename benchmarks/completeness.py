"""Records lost and repeated, and requests sent, while records come and go: three ways to page.

One simulated listing of 1,454 records changes at every request, the same for all: read by page
numbers as most SDKs do, by dlt's paginator, and by ``Pager``. The server counts at one moment and
reads the rows at another. In the last rows three records share each created_at, and come in another
order in every answer. Means of 20 seeds.

Run: ``python -m benchmarks.completeness`` (seconds). Draws ``docs/completeness.svg``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any, NamedTuple

from benchmarks._harness import arguments, machine
from harbour_async.pagination import Pager
from tests.pagination.world import World

RECORDS, SIZE = 1454, 100
RATES = [(0, 0), (0, 5), (1, 1), (5, 0), (5, 5), (10, 10), (20, 0), (20, 20)]
PLOT = Path(__file__).parent.parent / "docs" / "completeness.svg"


class Figures(NamedTuple):
    lost: float
    repeated: float
    requests: float


def plain(world: World) -> list[str]:
    """Pages one after the other until there are no more."""
    given: list[str] = []
    page, pages = 1, 1
    while page <= pages:
        answer = world.snapshot(page, SIZE)
        given += [str(record_id) for record_id in answer.ids]
        page, pages = page + 1, -(-answer.total // SIZE)
    return given


def dlt(world: World) -> list[str]:
    """dlt's PageNumberPaginator, configured for pages that count from 1."""
    from dlt.sources.helpers.requests import Request, Response
    from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

    paginator = PageNumberPaginator(base_page=1, page_param="page", total_path="pages")
    params: dict[str, Any] = {}
    request = Request(params=params)
    paginator.init_request(request)
    given: list[str] = []
    while paginator.has_next_page:
        answer = world.snapshot(int(params["page"]), SIZE)
        given += [str(record_id) for record_id in answer.ids]
        response = Response()
        response._content = json.dumps({"pages": -(-answer.total // SIZE)}).encode()
        paginator.update_state(response, answer.ids)
        paginator.update_request(request)
    return given


def pager(concurrency: int) -> Callable[[World], list[str]]:
    def read(world: World) -> list[str]:
        walk = Pager(
            world.fetch,
            listing="records",
            order="created_at ASC" if world.ascending else "created_at DESC",
            page_size=SIZE,
            concurrency=concurrency,
        )
        records = asyncio.run(walk.to_list())
        return [record.id for record in records]

    return read


def measure(
    read: Callable[[World], list[str]],
    ascending: bool,
    rate: tuple[int, int],
    ties: int,
    seeds: int,
) -> Figures:
    def once(seed: int) -> Figures:
        world = World(Random(seed), ascending=ascending, delay=3, shuffled=ties > 1)
        for n in range(RECORDS):
            world.ties = float(n % ties > 0)
            world.create(1)
        world.ties = 0.0
        due: list[bool] = []

        def change(w: World) -> None:
            # Called before the count and again before the rows: changes the list at one of them.
            if not due:
                due.extend(w.random.choice([(True, False), (False, True)]))
            if due.pop():
                w.churn(*rate)

        world.change, world.between = change, 1.0
        given = read(world)
        lost = (world.watched or set()) - set(given)
        return Figures(len(lost), len(given) - len(set(given)), len(world.totals))

    figures = [once(seed) for seed in range(seeds)]
    return Figures(*(mean(column) for column in zip(*figures, strict=True)))


def draw(rows: list[tuple[str, dict[str, Figures]]]) -> str:
    """Two bars a contender: records lost or repeated, and requests."""
    parts = []
    for i, (label, figures) in enumerate(rows):
        y = 40 + i * 62
        parts.append(f'<text x="8" y="{y + 22}">{label}</text>')
        for j, (name, figure) in enumerate(figures.items()):
            wrong, top = figure.lost + figure.repeated, y + j * 13
            parts.append(f'<text x="190" y="{top + 9}" text-anchor="end">{name}</text>')
            parts.append(f'<rect x="200" y="{top}" width="{wrong}" height="9" fill="#c0392b"/>')
            parts.append(f'<text x="{206 + wrong}" y="{top + 9}">{wrong:.0f}</text>')
            width = figure.requests * 4
            parts.append(f'<rect x="520" y="{top}" width="{width}" height="9" fill="#2c6fbb"/>')
            parts.append(f'<text x="{526 + width}" y="{top + 9}">{figure.requests:.0f}</text>')
    height = 40 + len(rows) * 62
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{height}" '
        'font-family="sans-serif" font-size="10"><rect width="100%" height="100%" fill="#fff"/>'
        '<text x="200" y="24" font-weight="bold">records lost or repeated</text>'
        '<text x="520" y="24" font-weight="bold">requests</text>' + "".join(parts) + "</svg>\n"
    )


def main() -> None:
    quick = arguments(__doc__).quick
    contenders: dict[str, Any] = {
        "plain": plain,
        "dlt": dlt,
        "Pager": pager(1),
        "Pager x4": pager(4),
    }
    try:
        import dlt as _  # noqa: F401
    except ImportError:
        print("dlt is not installed, and left out: pip install dlt")
        del contenders["dlt"]
    seeds = 2 if quick else 20
    print(f"{RECORDS} records, pages of {SIZE}, {seeds} seeds; {machine()}")
    print(f"{'order':5} {'-/+ a request':13} " + "".join(f"{name:>24}" for name in contenders))
    print(" " * 20 + f"{'lost repeated requests':>24}" * len(contenders))
    rows = []
    for ascending in (False, True):
        for rate, ties in [*((rate, 1) for rate in RATES), ((0, 0), 3), ((5, 5), 3)]:
            order = "ASC" if ascending else "DESC"
            figures = {
                n: measure(read, ascending, rate, ties, seeds) for n, read in contenders.items()
            }
            cells = "".join(
                f"{f.lost:>7.1f}{f.repeated:>9.1f}{f.requests:>8.1f}" for f in figures.values()
            )
            changes = f"-{rate[0]} +{rate[1]}{' tied' if ties > 1 else ''}"
            print(f"{order:5} {changes:13} {cells}", flush=True)
            if rate in ((5, 5), (20, 0), (20, 20)) or ties > 1:
                rows.append((f"{order} {changes}", figures))
    if not quick:
        PLOT.write_text(draw(rows))
        print(f"drawn: {PLOT.name}")


if __name__ == "__main__":
    main()
