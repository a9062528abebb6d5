"""Line charts as plain SVG: panels side by side, the x axis logarithmic."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import log10

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 340, 260, 56, 40, 60
_COLOURS = ("#1b6ca8", "#c2571a", "#3a7d44", "#7a3e9d")


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: points (x, y) by the name of their line."""

    title: str
    lines: dict[str, list[tuple[float, float]]]


def chart(panels: list[Panel], x_name: str) -> str:
    """All panels as one SVG document."""
    width = _WIDTH * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}">',
        "<style>text { font: 11px sans-serif }</style>",
        f'<rect width="{width}" height="{_HEIGHT}" fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate({number * _WIDTH} 0)">')
        parts += _panel(panel, x_name)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, x_name: str) -> list[str]:
    points = [point for line in panel.lines.values() for point in line]
    first, last = (log10(edge(x for x, _ in points)) for edge in (min, max))
    top = _round_up(max(y for _, y in points))
    bottom = _HEIGHT - _BOTTOM

    def place(x: float, y: float) -> str:
        across = (log10(x) - first) / ((last - first) or 1)
        left = _LEFT + across * (_WIDTH - _LEFT - 20)
        return f"{left:.1f},{bottom - y / top * (bottom - _TOP):.1f}"

    parts = [_text(_LEFT, 20, panel.title, weight="bold")]
    for step in range(5):
        y = top * step / 4
        start = place(10**first, y)
        end = place(10**last, y)
        parts.append(f'<path d="M{start} L{end}" stroke="#ddd"/>')
        parts.append(_text(_LEFT - 6, float(start.split(",")[1]) + 4, f"{y:g}", "end"))
    for x in sorted({x for x, _ in points}):
        left = float(place(x, 0).split(",")[0])
        parts.append(_text(left, bottom + 16, f"{x:.0e}".replace("e+0", "e"), "middle"))
    parts.append(_text(_WIDTH / 2 + 20, bottom + 32, x_name, "middle"))
    for number, (name, line) in enumerate(panel.lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " L".join(place(x, y) for x, y in line)
        parts.append(
            f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        left = _LEFT + number * 95
        parts.append(_text(left, _HEIGHT - 10, name, colour=colour))
    return parts


def _text(
    x: float,
    y: float,
    text: str,
    anchor: str = "start",
    *,
    weight: str = "normal",
    colour: str = "black",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _round_up(value: float) -> float:
    """The next of 1, 2, 4 or 8 times a power of ten."""
    size = 10.0 ** int(log10(value) - (value < 1)) if value > 0 else 1.0
    return next(size * step for step in (1, 2, 4, 8, 10, 20) if size * step >= value)
