"""Agreement over weeks as inline SVG: each week's figure with its interval, a link to the items behind it."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from workers.agreeing.figures import Figure

HIGH, SLOT, MARK = 160, 24, 16
WIDE = 1000


def floor_of(figures: Sequence[Figure]) -> float:
    """Where the scale begins: at nothing, or at the half below the lowest interval."""
    lowest = min((f.low if f.low is not None else f.value for f in figures if f.value is not None), default=0.0)
    return 0.0 if lowest >= 0 else -0.5 if lowest >= -0.5 else -1.0


def over_weeks(label: str, weeks: Sequence[tuple[str, Figure, str]]) -> SafeString:
    """Weeks by their Mondays, with figures and addresses; a week without a figure is left empty."""
    low = floor_of([figure for _, figure, _ in weeks])
    width = SLOT * max(8, len(weeks))
    grid = format_html_join(
        "", '<line class="axis" x1="0" x2="{}" y1="{}" y2="{}"/>', ((width, y, y) for y in (0.5, HIGH / 2, HIGH - 0.5))
    )
    marks = format_html_join("", "{}", ((mark(n, *week, low=low),) for n, week in enumerate(weeks)))
    return format_html(
        '<svg class="plot__days" viewBox="0 0 {} {}" preserveAspectRatio="none" role="group" aria-label="{}">{}{}'
        "</svg>",
        *(width, HIGH, label, grid, marks),
    )


def mark(place: int, week: str, figure: Figure, href: str, *, low: float) -> SafeString:
    if figure.value is None:
        return SafeString("")
    x = place * SLOT + SLOT / 2
    ends = [height(end, low) for end in (figure.low, figure.high) if end is not None]
    span = format_html('<line class="agreement__span" x1="{}" x2="{}" y1="{}" y2="{}"/>', x, x, *ends) if ends else ""
    y = height(figure.value, low)
    return format_html(
        '<a href="{}" aria-label="Week of {}: {}"><title>Week of {}: {}</title>'
        '<rect class="bar__hit" x="{}" y="0" width="{}" height="{}"/>{}'
        '<line class="interval__value" x1="{}" x2="{}" y1="{}" y2="{}"/></a>',
        *(href, week, in_words(figure), week, in_words(figure), place * SLOT, SLOT, HIGH, span),
        *(x - MARK / 2, x + MARK / 2, y, y),
    )


def height(value: float, low: float) -> float:
    return round(HIGH * (1 - (max(low, min(1.0, value)) - low) / (1 - low)), 1)


def in_words(figure: Figure) -> str:
    """A figure in words: `0.62 (0.55 to 0.68), 120 units`, or why there is none."""
    if figure.value is None:
        return f"undefined: {figure.why}"
    between = "" if figure.low is None or figure.high is None else f" ({said(figure.low)} to {said(figure.high)})"
    return f"{said(figure.value)}{between}, {counted(figure.n)}"


def note(figure: Figure, unit: str = "unit") -> str:
    """What stands below a figure: its interval and of how many units it is, or why it is undefined."""
    if figure.value is None:
        return figure.why
    between = "" if figure.low is None or figure.high is None else f"{said(figure.low)} to {said(figure.high)}, "
    return between + counted(figure.n, unit)


def counted(n: int, unit: str = "unit") -> str:
    return f"{n:,} {unit}{'s' if n != 1 else ''}".replace(",", "\u202f")


def said(value: float) -> str:
    """Two places, with a proper minus sign; nothing is never negative."""
    text = f"{abs(value):.2f}"
    return f"−{text}" if value < 0 and text.strip("0.") else text


def range_bar(figure: Figure, low: float) -> SafeString:
    """A figure with its interval on a line from `low` to 1."""
    if figure.value is None:
        return SafeString("")
    left, at, right = (across(v, low) for v in (figure.low, figure.value, figure.high))
    return format_html(
        '<svg class="plot__interval" viewBox="0 0 {} 20" preserveAspectRatio="none" aria-hidden="true"'
        ' focusable="false"><rect class="interval__ground" x="0" y="2" width="{}" height="16"/>'
        '<rect class="interval__range" x="{}" y="7" width="{}" height="6"/>'
        '<line class="interval__value" x1="{}" x2="{}" y1="3" y2="17"/></svg>',
        *(WIDE, WIDE, left if left is not None else at, round((right or at or 0) - (left or at or 0), 1), at, at),
    )


def across(value: float | None, low: float) -> float | None:
    return None if value is None else round(WIDE * (max(low, min(1.0, value)) - low) / (1 - low), 1)
