"""Draw the diagrams of the documentation: `python docs/diagrams.py` writes layers.svg and walk.svg.

Plain SVG: text, boxes and lines on a light background, so that they are readable in a dark theme.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

INK, FAINT, PAPER, ACCENT = "#1f2933", "#8593a3", "#ffffff", "#0b6e99"
FILLS = ("#fdf3dc", "#e6f1ea", "#dcedf5", "#e8e4f4", "#f7e3e3", "#eceff2")

# What each layer is about, and its modules that a reader should know. Imports only point down. A
# test compares this with the layers that tests/test_architecture.py checks.
LAYERS = [
    (5, "what a user starts or plugs in", ["cli", "pytest_plugin", "integrations"]),
    (4, "what a program calls directly", ["session", "export", "reconcile"]),
    (3, "one call, one listing", ["_caller", "pagination", "resources"]),
    (2, "when to send, and one attempt", ["_retry", "budget", "_transport"]),
    (1, "the wire, without any I/O", ["_decoding", "_wire", "_keys"]),
    (0, "plain values", ["errors", "models", "catalog", "settings"]),
]


class Drawing:
    """Shapes on a white sheet, in the order in which they are added."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._size = width, height
        self._parts = [f"<title>{escape(title)}</title>"]
        self.box(0, 0, width, height, fill=PAPER, line="none", round_by=0)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str,
        line: str = INK,
        round_by: int = 4,
        dashed: bool = False,
    ) -> None:
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round_by}" '
            f'fill="{fill}" stroke="{line}"{dashes}/>'
        )

    def text(
        self, x: float, y: float, said: str, *, size: int = 14, anchor: str = "start",
        fill: str = INK, mono: bool = False,
    ) -> None:  # fmt: skip
        family = "monospace" if mono else "sans-serif"
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" font-family="{family}" font-size="{size}" '
            f'text-anchor="{anchor}" fill="{fill}">{escape(said)}</text>'
        )

    def svg(self) -> str:
        width, height = self._size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">'
        )
        return "\n".join([head, *self._parts, "</svg>", ""])


def layers() -> str:
    """The layers, the highest on top."""
    row, left, column_width = 62, 16, 128
    drawing = Drawing(700, 16 + row * len(LAYERS) + 34, "The layers of harbour_async")
    for place, (level, idea, modules) in enumerate(LAYERS):
        y = 12 + place * row
        drawing.box(left, y, 556, row - 8, fill=FILLS[level])
        drawing.text(left + 10, y + 18, f"{level} · {idea}", size=12, fill="#52606d")
        for column, name in enumerate(modules):
            drawing.text(left + 10 + column * column_width, y + 42, name, mono=True)
    bottom = row * len(LAYERS)
    drawing.box(588, 12, 98, bottom - 8, fill="#f4f4f4", dashed=True)
    drawing.text(637, 36, "sandbox", anchor="middle", mono=True)
    for line, said in enumerate(["shares", "nothing with", "the client"]):
        drawing.text(637, 60 + 16 * line, said, size=12, anchor="middle", fill="#52606d")
    drawing.text(left, bottom + 32, "Imports only point down.", size=13, fill="#52606d")
    return drawing.svg()


def walk() -> str:
    """Windows over a list of which three records are deleted between two requests."""
    cell, left = 22, 128
    drawing = Drawing(700, 372, "A walk: windows that overlap, and one that had to be repaired")

    def rows(y: float, first: int, last: int, fill: str, names: int = 0) -> None:
        for index in range(first, last):
            drawing.box(left + index * cell, y, cell, 24, fill=fill, line=FAINT, round_by=0)
            name = chr(ord("a") + index + names)
            drawing.text(left + (index + 0.5) * cell, y + 17, name, size=13, anchor="middle")

    def window(y: float, first: int, last: int, label: str, note: str, ink: str = ACCENT) -> None:
        x, width = left + first * cell, (last - first) * cell
        drawing.box(x - 2, y - 4, width + 4, 32, fill="none", line=ink, round_by=3)
        drawing.text(14, y + 17, label, size=13, fill=ink)
        drawing.text(x, y + 46, note, size=12, fill="#52606d")

    shown = FILLS[2]
    drawing.text(14, 24, "Positions in the list, newest record first. Each answer shows a window.")
    rows(48, 0, 10, shown)
    window(48, 0, 10, "1st answer", "starts at index 0, so it joins; yields a to j")
    rows(124, 8, 18, shown)
    window(124, 8, 18, "2nd answer", "shows i and j again: nothing was skipped; yields k to r")
    drawing.text(14, 206, "Then k, l and m are deleted. Every later record moves three places.")
    rows(226, 16, 23, "#f7e3e3", names=3)
    window(226, 16, 23, "3rd answer", "begins with t, after r: s may be missing", "#b3261e")
    rows(302, 13, 23, shown, names=3)
    window(302, 13, 23, "asked again", "from further up: shows q and r again; yields s to z")
    return drawing.svg()


def write(folder: Path) -> None:
    """Write both drawings into ``folder``."""
    for name, draw in (("layers.svg", layers), ("walk.svg", walk)):
        (folder / name).write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).parent)
