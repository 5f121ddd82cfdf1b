"""A learning curve as inline SVG: measured errors with their intervals, the law through them, and how it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log
from typing import Any

from django.utils.html import format_html, format_html_join

WIDE, HIGH = 720, 240
STEPS = 60
TICK = 5


def learning_curve(told: dict[str, Any]) -> dict[str, Any]:
    """The drawing, over the logarithm of the number of labels, with the words of its axes."""
    points, law = told["points"], told["law"]
    now, last = told["labels"], told["ahead"][-1][0]
    least, most = points[0][0], max(last, points[-1][0])
    low, high = limits(points, told["ahead"])

    def x(n: float) -> float:
        return round(WIDE * log(n / least) / log(most / least), 1) if most > least else 0.0

    def y(error: float) -> float:
        return round(HIGH * (high - error) / (high - low), 1)

    def path(first: float, end: float) -> str:
        steps = [first * (end / first) ** (n / STEPS) for n in range(STEPS + 1)]
        return " ".join(f"{x(n)},{y(law['a'] + law['b'] * n ** -law['c'])}" for n in steps)

    ranges = format_html_join(
        "",
        '<g><title>{} labels: error {}</title><line class="learning__range" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        '<line class="learning__point" x1="{}" x2="{}" y1="{}" y2="{}"/></g>',
        (
            (n, percents(value, below, above), x(n), x(n), y(below), y(above), x(n) - TICK, x(n) + TICK, y(value),
             y(value))
            for n, value, below, above in points
        ),
    )  # fmt: skip
    grid = format_html_join(
        "",
        '<line class="axis" x1="0" x2="{}" y1="{}" y2="{}"/>',
        ((WIDE, at, at) for at in (0.5, HIGH / 2, HIGH - 0.5)),
    )
    drawn = format_html(
        '<svg class="plot__learning" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}{}'
        '<polyline class="learning__law" points="{}"/>'
        '<polyline class="learning__law learning__law--ahead" points="{}"/>'
        '<line class="middle" x1="{}" x2="{}" y1="0" y2="{}"/></svg>',
        *(WIDE, HIGH, in_words(told), grid, ranges, path(least, now), path(now, most), x(now), x(now), HIGH),
    )
    return {
        "drawing": drawn, "low": f"{100 * low:.0f} %", "high": f"{100 * high:.0f} %",
        "middle": f"{50 * (low + high):.0f} %", "first": least, "last": most,
    }  # fmt: skip


def limits(points: Sequence[Sequence[float]], ahead: Sequence[Sequence[float]]) -> tuple[float, float]:
    """From a whole number of tens of percent to another, around everything that is drawn."""
    low = min(min(one[2] for one in points), min(one[1] for one in ahead))
    high = max(one[3] for one in points)
    return max(0.0, floor(20 * low) / 20), min(1.0, ceil(20 * high + 1e-9) / 20)


def percents(value: float, low: float, high: float) -> str:
    return f"{100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def in_words(told: dict[str, Any]) -> str:
    first, last, ahead = told["points"][0], told["points"][-1], told["ahead"][-1]
    return (
        f"Held-out error from {100 * first[1]:.1f} % with {first[0]} labels to {100 * last[1]:.1f} % with {last[0]}; "
        f"{100 * ahead[1]:.1f} % expected with {ahead[0]}."
    )
