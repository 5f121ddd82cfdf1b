"""Costs of safe and of unsafe texts as two histograms over one scale, with the thresholds between; as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDE, HALF = 1000, 70
GAP = 2


def costs(label: str, spread: Mapping[str, Any], thresholds: Mapping[str, float | None]) -> SafeString:
    """Safe texts stand upwards, unsafe ones hang below, each against its own largest bin; a dashed line a level."""
    low, high, count = spread["low"], spread["high"], len(spread["safe"])
    step = WIDE / count
    bars = format_html_join("", "{}", ((bars_of(spread, n, step),) for n in range(count)))
    lines = format_html_join(
        "",
        '<line class="gate__line" x1="{0}" x2="{0}" y1="0" y2="{1}"><title>{2} from {3}</title></line>',
        ((round(across(value, low, high), 1), 2 * HALF, name, f"{value:.2f}") for name, value in thresholds.items()
         if value is not None),
    )  # fmt: skip
    return format_html(
        '<svg class="plot__gate" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}'
        '<line class="axis" x1="0" x2="{}" y1="{}" y2="{}"/>{}</svg>',
        *(WIDE, 2 * HALF, label, bars, WIDE, HALF, HALF, lines),
    )


def bars_of(spread: Mapping[str, Any], n: int, step: float) -> SafeString:
    """Both bars of one bin, which tells its numbers when it is pointed at."""
    low, high, count = spread["low"], spread["high"], len(spread["safe"])
    ends = [low + (high - low) * (n + k) / count for k in (0, 1)]
    safe, unsafe = spread["safe"][n], spread["unsafe"][n]
    up, down = tall(safe, spread["safe"]), tall(unsafe, spread["unsafe"])
    x, wide = round(n * step + GAP / 2, 1), round(step - GAP, 1)
    return format_html(
        '<g><title>{} to {}: {} safe, {} unsafe</title><rect class="bar__hit" x="{}" y="0" width="{}" height="{}"/>'
        '<rect class="gate__safe" x="{}" y="{}" width="{}" height="{}"/>'
        '<rect class="gate__unsafe" x="{}" y="{}" width="{}" height="{}"/></g>',
        *(f"{ends[0]:.2f}", f"{ends[1]:.2f}", safe, unsafe, x, wide, 2 * HALF),
        *(x, round(HALF - up, 1), wide, up, x, HALF, wide, down),
    )


def tall(count: int, counts: list[int]) -> float:
    """The height of a bar; what is there is seen."""
    return max(2.0, round((HALF - 4) * count / (max(counts) or 1), 1)) if count else 0.0


def across(value: float, low: float, high: float) -> float:
    return WIDE * max(0.0, min(1.0, (value - low) / (high - low)))
