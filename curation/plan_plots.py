"""The accuracy of each round of a plan with its interval, as inline SVG; the numbers stand in a table beside it."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from workers.intervals import Share

WIDE, HIGH = 360, 160
THICK = 12


def accuracies(rounds: Sequence[tuple[int, Share]]) -> SafeString:
    """A bar from low to high for each round and a line at its share, on a scale from `ground(rounds)` to 1."""
    low = ground(rounds)
    slot = WIDE / max(1, len(rounds))
    bars = format_html_join("", "{}", ((bar(n, one, low, slot * (at + 0.5)),) for at, (n, one) in enumerate(rounds)))
    grid = format_html_join(
        "", '<line class="axis" x1="0" x2="{}" y1="{}" y2="{}"/>', ((WIDE, y, y) for y in (0.5, HIGH / 2, HIGH - 0.5))
    )
    return format_html(
        '<svg class="plot__curves" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        "{}{}</svg>",
        *(WIDE, HIGH, in_words(rounds), grid, bars),
    )


def ground(rounds: Sequence[tuple[int, Share]]) -> float:
    """The lowest share on the scale: a tenth below the lowest interval, in steps of a tenth."""
    lowest = min((one.low or 0.0 for _, one in rounds), default=0.0)
    return max(0.0, int(lowest * 10 - 0.5) / 10)


def bar(number: int, one: Share, low: float, middle: float) -> SafeString:
    bottom, top, value = (y_of(share, low) for share in (one.low, one.high, one.share))
    return format_html(
        '<g><title>{}</title><rect class="interval__range" x="{}" y="{}" width="{}" height="{}"/>'
        '<line class="interval__value" x1="{}" x2="{}" y1="{}" y2="{}"/></g>',
        *(f"Round {number}: {said(one)}", round(middle - THICK / 2, 1), top, THICK, round(max(2.0, bottom - top), 1)),
        *(round(middle - THICK, 1), round(middle + THICK, 1), value, value),
    )


def y_of(share: float | None, low: float) -> float:
    return round(HIGH * (1 - ((share or 0.0) - low) / (1 - low)), 1)


def said(one: Share) -> str:
    """The share with its interval, in percent."""
    if one.share is None:
        return "–"
    return f"{100 * one.share:.1f} % ({100 * (one.low or 0):.1f} to {100 * (one.high or 0):.1f}) of {one.n}"


def in_words(rounds: Sequence[tuple[int, Share]]) -> str:
    told = "; ".join(f"round {number} {said(one)}" for number, one in rounds)
    return f"Accuracy on held-out gold: {told}."
