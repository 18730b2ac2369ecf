"""Horizontal bars as SVG, for the README."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

LABELS, BARS, ROW = 230, 400, 24
OURS, PEERS = "#2c6fbb", "#9aa5b1"


def bars(path: Path, title: str, rows: Mapping[str, float], *, ours: str, unit: str) -> None:
    """One bar a row, to one scale from 0; the rows whose name begins with ``ours`` stand out."""
    longest = max(rows.values())
    parts = [f'<text x="8" y="20" font-weight="bold">{escape(title)}</text>']
    for place, (name, value) in enumerate(rows.items()):
        top, width = 34 + place * ROW, BARS * value / longest
        colour = OURS if name.startswith(ours) else PEERS
        parts += [
            f'<text x="{LABELS - 8}" y="{top + 13}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LABELS}" y="{top}" width="{width:.1f}" height="17" fill="{colour}"/>',
            f'<text x="{LABELS + width + 6:.1f}" y="{top + 13}">{value:.1f} {escape(unit)}</text>',
        ]
    width, height = LABELS + BARS + 90, 42 + len(rows) * ROW
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        + "".join(parts)
        + "</svg>\n"
    )
