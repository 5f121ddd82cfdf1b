"""Curves of a training as inline SVG: values over steps, axes with numbers, a table of the same beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, log10

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDE, HIGH = 360, 160
LINES = 8
"""So many colours there are; a ninth curve begins anew."""

Points = Sequence[tuple[int, float]]


def curves(label: str, lines: Mapping[str, Points], over: str = "step") -> SafeString:
    """One drawing with all curves; each tells its last number when it is pointed at.

    Over steps it begins at 0, over layers at the first one.
    """
    low, high = limits(lines, over)
    last = max((points[-1][0] for points in lines.values() if points), default=1) or 1
    first = 0 if over == "step" else min(1, last - 1)
    drawn = format_html_join(
        "",
        '<polyline class="curve curve--{}{}" points="{}"><title>{}: {} at {} {}</title></polyline>',
        (
            (
                n % LINES,
                "" if len(points) > 1 else " curve--point",
                path(points, (first, last), low, high),
                name.replace("_", " "),
                said(points[-1][1]),
                over,
                points[-1][0],
            )
            for n, (name, points) in enumerate(lines.items())
            if points
        ),
    )
    grid = format_html_join(
        "", '<line class="axis" x1="0" x2="{}" y1="{}" y2="{}"/>', ((WIDE, y, y) for y in (0.5, HIGH / 2, HIGH - 0.5))
    )
    return format_html(
        '<svg class="plot__curves" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        "{}{}</svg>",
        *(WIDE, HIGH, in_words(label, lines), grid, drawn),
    )


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest value, a little apart where they are the same."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def limits(lines: Mapping[str, Points], over: str) -> tuple[float, float]:
    """The lowest and the highest value that is drawn. Layers are compared by ratio, so there the ground is 0."""
    values = [value for points in lines.values() for _, value in points]
    return bounds([0.0, *values] if over == "layer" else values)


def path(points: Points, ends: tuple[int, int], low: float, high: float) -> str:
    """A point alone is a line to itself, which its style makes a dot."""
    first, last = ends
    return " ".join(
        f"{WIDE * (step - first) / (last - first):.1f},{HIGH - HIGH * (value - low) / (high - low):.1f}"
        for step, value in (points if len(points) > 1 else [*points, *points])
    )


def said(value: float) -> str:
    """Three figures, without an exponent where it can be."""
    if value == 0:
        return "0"
    size = floor(log10(abs(value)))
    if -4 <= size < 5:
        return f"{value:.{max(0, 2 - size)}f}"
    return f"{value:.1e}"


def in_words(label: str, lines: Mapping[str, Points]) -> str:
    told = [
        f"{name.replace('_', ' ')} from {said(points[0][1])} to {said(points[-1][1])}"
        for name, points in lines.items()
        if points
    ]
    return f"{label}: {'; '.join(told)}."
