"""Shares with their intervals, and how sure decisions are, as inline SVG; numbers stand beside the drawings."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDE = 1000
HEIGHT = 96
GAP = 2


def share_interval(low: float, value: float, high: float) -> SafeString:
    """A share with its 95 % interval on a line from 0 to 1, one half marked; what it says is told beside it."""
    left, middle, right = (round(WIDE * max(0.0, min(1.0, one)), 1) for one in (low, value, high))
    return format_html(
        '<svg class="plot__interval" viewBox="0 0 {} 20" preserveAspectRatio="none" aria-hidden="true"'
        ' focusable="false"><rect class="interval__ground" x="0" y="2" width="{}" height="16"/>'
        '<line class="middle" x1="{}" x2="{}" y1="0" y2="20"/>'
        '<rect class="interval__range" x="{}" y="7" width="{}" height="6"/>'
        '<line class="interval__value" x1="{}" x2="{}" y1="3" y2="17"/></svg>',
        *(WIDE, WIDE, WIDE / 2, WIDE / 2, left, round(max(2.0, right - left), 1), middle, middle),
    )


def histogram(label: str, bins: Sequence[int]) -> SafeString:
    """Counts in equal bins of a share from 0 to 1; each bar tells its own when it is pointed at."""
    total = sum(bins)
    told = [f"{100 * n / len(bins):.0f} to {100 * (n + 1) / len(bins):.0f} %: {count}" for n, count in enumerate(bins)]
    sure = sum(bins[-max(1, len(bins) // 10) :])
    words = f"{label}: {sure} of {total} are at least 90 % sure." if total else f"{label}: nothing decided."
    return drawn(words, bins, told)


def scores_histogram(label: str, low: float, high: float, bins: Sequence[int]) -> SafeString:
    """Counts in equal bins of a score from `low` to `high`; each bar tells its own when it is pointed at."""
    step, total = (high - low) / max(1, len(bins)), sum(bins)
    told = [f"{low + n * step:.3g} to {low + (n + 1) * step:.3g}: {count}" for n, count in enumerate(bins)]
    most = max(range(len(bins)), key=lambda n: bins[n]) if total else 0
    words = f"{label}: {total}, most of them with a score of {told[most]}." if total else f"{label}: none."
    return drawn(words, bins, told)


def drawn(words: str, bins: Sequence[int], told: Sequence[str]) -> SafeString:
    """Bars side by side, each with its own words."""
    top, wide = max(bins, default=0) or 1, WIDE / max(1, len(bins))
    bars = format_html_join(
        "",
        '<g><title>{}</title><rect class="bar__hit" x="{}" y="0" width="{}" height="{}"/>'
        '<rect class="bar" x="{}" y="{}" width="{}" height="{}"/></g>',
        (
            (
                told[n],
                *(round(n * wide, 1), round(wide, 1), HEIGHT),
                *(round(n * wide + GAP, 1), round(HEIGHT - tall(count, top), 1)),
                *(round(wide - 2 * GAP, 1), round(tall(count, top), 1)),
            )
            for n, count in enumerate(bins)
        ),
    )
    return format_html(
        '<svg class="plot__days" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}'
        '<line class="axis" x1="0" x2="{}" y1="{}" y2="{}"/></svg>',
        *(WIDE, HEIGHT, words, bars, WIDE, HEIGHT, HEIGHT),
    )


def tall(count: int, top: int) -> float:
    """The height of a bar; what is there is seen."""
    return max(2.0, HEIGHT * count / top) if count else 0.0
