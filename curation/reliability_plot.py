"""A reliability diagram as inline SVG: how sure a model was of its side, against how often it was right.

Equal scales on both axes, so what can be trusted lies on the diagonal; words and numbers stand outside of the drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

SIZE = 240
MARK = 4
STEPS = 10

Bins = Sequence[Mapping[str, Any]]
"""{confidence, accuracy, count} by rising confidence, as `Calibration.report` keeps them."""


def floor_of(*told: Bins) -> float:
    """Where both axes begin: at one half, or at the tenth below the bin that is least often right."""
    lowest = min((one["accuracy"] for bins in told for one in bins), default=0.5)
    return min(STEPS // 2, floor(lowest * STEPS + 1e-9)) / STEPS


def reliability(label: str, before: Bins, after: Bins) -> SafeString:
    """Both curves over the diagonal: hollow squares before, filled dots after the calibration."""
    low = floor_of(before, after)
    grid = format_html_join(
        "",
        '<line class="axis" x1="0" x2="{}" y1="{}" y2="{}"/><line class="axis" x1="{}" x2="{}" y1="0" y2="{}"/>',
        ((SIZE, at, at, at, at, SIZE) for at in lines(low)),
    )
    return format_html(
        '<svg class="plot__reliability" viewBox="-6 -6 {} {}" role="img" aria-label="{}">{}'
        '<line class="middle" x1="0" y1="{}" x2="{}" y2="0"/>{}{}</svg>',
        *(SIZE + 12, SIZE + 12, label, grid, SIZE, SIZE),
        curve(before, low, "before"),
        curve(after, low, "after"),
    )


def lines(low: float) -> list[float]:
    """Where each tenth stands, on either axis."""
    count = round((1 - low) * STEPS)
    return [round(SIZE * n / count, 2) for n in range(count + 1)]


def curve(bins: Bins, low: float, when: str) -> SafeString:
    """One line through its points; each point tells its numbers when it is pointed at."""
    points = [(across(one["confidence"], low), SIZE - across(one["accuracy"], low), one) for one in bins]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    shape = (
        '<rect x="{}" y="{}" width="8" height="8"><title>{}</title></rect>'
        if when == "before"
        else '<circle cx="{}" cy="{}" r="4"><title>{}</title></circle>'
    )
    shift = MARK if when == "before" else 0
    marks = format_html_join(
        "", shape, ((f"{x - shift:.1f}", f"{y - shift:.1f}", in_words(one, when)) for x, y, one in points)
    )
    return format_html('<g class="reliability reliability--{}"><polyline points="{}"/>{}</g>', when, path, marks)


def across(share: float, low: float) -> float:
    return SIZE * max(0.0, (share - low) / (1 - low))


def in_words(one: Mapping[str, Any], when: str) -> str:
    sure, right = 100 * one["confidence"], 100 * one["accuracy"]
    return f"{when}: sure by {sure:.0f} %, right in {right:.0f} % of {one['count']} pairs"
