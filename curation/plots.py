"""Plots as inline SVG drawn on the server: no script, no style attribute, each with its numbers as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from curation.services.overview import Outcome
from workers.intervals import Estimate, Share

HEIGHT = 120
SLOT = 20
GAP = 4
WIDE = 1000


def per_day(points: Sequence[tuple[date, int]]) -> SafeString:
    """One bar a day. The drawing stretches with its frame; words stand outside of it, so that they do not."""
    top = nice_top(max((count for _, count in points), default=0))
    bars = format_html_join("", "{}", ((bar(place, day, count, top),) for place, (day, count) in enumerate(points)))
    width = SLOT * len(points)
    return format_html(
        '<svg class="plot__days" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<line class="axis" x1="0" x2="{}" y1="0.5" y2="0.5"/><line class="axis" x1="0" x2="{}" y1="{}" y2="{}"/>'
        '<line class="axis" x1="0" x2="{}" y1="{}" y2="{}"/>{}</svg>',
        *(width, HEIGHT, days_in_words(points), width, width, HEIGHT / 2, HEIGHT / 2, width, HEIGHT, HEIGHT, bars),
    )


def bar(place: int, day: date, count: int, top: int) -> SafeString:
    high = max(2.0, HEIGHT * count / top) if count else 0
    return format_html(
        '<g><title>{}: {}</title><rect class="bar__hit" x="{}" y="0" width="{}" height="{}"/>'
        '<rect class="bar" x="{}" y="{}" width="{}" height="{}"/></g>',
        *(f"{day:%-d %B}", count, place * SLOT, SLOT, HEIGHT),
        *(place * SLOT + GAP / 2, round(HEIGHT - high, 1), SLOT - GAP, round(high, 1)),
    )


def nice_top(most: int) -> int:
    """The smallest of 2, 4, 10, 20, 40, 100, … that holds `most`: even, so that the line in the middle is whole."""
    power = 1
    while most > 10 * power:
        power *= 10
    return next(step * power for step in (2, 4, 10) if most <= step * power)


def days_in_words(points: Sequence[tuple[date, int]]) -> str:
    total = sum(count for _, count in points)
    if not total:
        return f"No answers in the last {len(points)} days."
    best_day, best = max(points, key=lambda point: point[1])
    return f"{total} answers in the last {len(points)} days; most on {best_day:%-d %B}, {best}."


def balance(outcomes: Sequence[Outcome]) -> SafeString:
    """One bar around the middle of "tie": to the left what prefers the first response, to the right the second."""
    scale = [outcome for outcome in outcomes if outcome.side in ("first", "tie", "second")]
    tie = sum(outcome.count for outcome in scale if outcome.side == "tie")
    first = sum(outcome.count for outcome in scale if outcome.side == "first") + tie / 2
    second = sum(outcome.count for outcome in scale if outcome.side == "second") + tie / 2
    unit = WIDE / 2 / max(first, second, 1)
    at, parts = WIDE / 2 - first * unit, []
    for outcome in scale:
        wide = outcome.count * unit
        parts.append((css(outcome), round(at, 2), round(wide, 2), outcome.label, outcome.count))
        at += wide
    drawn = format_html_join(
        "",
        '<rect class="{}" x="{}" y="8" width="{}" height="32"><title>{}: {}</title></rect>',
        (part for part in parts if part[2]),
    )
    return format_html(
        '<svg class="plot__balance" viewBox="0 0 {} 48" preserveAspectRatio="none" role="img" aria-label="{}">'
        '{}<line class="middle" x1="{}" x2="{}" y1="0" y2="48"/></svg>',
        *(WIDE, balance_in_words(outcomes), drawn, WIDE / 2, WIDE / 2),
    )


def balance_in_words(outcomes: Sequence[Outcome]) -> str:
    return "; ".join(f"{outcome.label}: {outcome.count}" for outcome in outcomes) + "."


def css(outcome: Outcome) -> str:
    """The class that colours an outcome; the same in the drawing and in its legend."""
    return f"outcome--{outcome.side}-{outcome.strength}" if outcome.strength else f"outcome--{outcome.side}"


def interval(name: str, label: str, words: str, found: Estimate, reach: float) -> SafeString:
    """A 95 % interval and its middle on a line from -reach to reach, with no difference in the centre of it."""
    low, middle, high = (place(value, reach) for value in (found.low, found.value, found.high))
    return format_html(
        '<svg class="plot__interval{}" viewBox="0 0 {} 20" preserveAspectRatio="none" role="img"'
        ' aria-labelledby="interval-{}-title interval-{}-desc"><title id="interval-{}-title">{}</title>'
        '<desc id="interval-{}-desc">Difference and 95 % interval: {}. {}</desc>'
        '<rect class="interval__ground" x="0" y="2" width="{}" height="16"/>'
        '<line class="middle" x1="{}" x2="{}" y1="0" y2="20"/>'
        '<rect class="interval__range" x="{}" y="7" width="{}" height="6"/>'
        '<line class="interval__value" x1="{}" x2="{}" y1="3" y2="17"/></svg>',
        *("" if found.clear else " plot__interval--open", WIDE, name, name, name, label, name, words),
        "It leaves out zero." if found.clear else "It holds zero: no clear difference.",
        *(WIDE, WIDE / 2, WIDE / 2, low, round(max(2.0, high - low), 1), middle, middle),
    )


def place(value: float, reach: float) -> float:
    """Where a value stands on a line from -reach to reach; what lies beyond stands at the end."""
    return round(WIDE / 2 * (1 + max(-1.0, min(1.0, value / reach))), 1)


def share_bar(share: float) -> SafeString:
    """A bar as long as a share of 1; its number stands beside it."""
    return format_html(
        '<svg class="plot__share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="interval__ground" x="0" y="0" width="100" height="8"/>'
        '<rect class="bar" x="0" y="0" width="{}" height="8"/></svg>',
        round(100 * max(0.0, min(1.0, share)), 2),
    )


def share_interval(name: str, label: str, words: str, found: Share, least: float = 0.0) -> SafeString:
    """A share with its 95 % interval on a line from 0 to 1, and the share that is needed as a dashed line."""
    low, middle, high = (round(WIDE * (value or 0.0), 1) for value in (found.low, found.share, found.high))
    short = found.high is not None and found.high < least
    needed = format_html('<line class="middle" x1="{0}" x2="{0}" y1="0" y2="20"/>', round(WIDE * least, 1))
    return format_html(
        '<svg class="plot__interval{}" viewBox="0 0 {} 20" preserveAspectRatio="none" role="img"'
        ' aria-labelledby="share-{}-title share-{}-desc"><title id="share-{}-title">{}</title>'
        '<desc id="share-{}-desc">{}</desc><rect class="interval__ground" x="0" y="2" width="{}" height="16"/>{}'
        '<rect class="interval__range" x="{}" y="7" width="{}" height="6"/>'
        '<line class="interval__value" x1="{}" x2="{}" y1="3" y2="17"/></svg>',
        *(" plot__interval--short" if short else "", WIDE, name, name, name, label, name, words),
        *(WIDE, needed if least else "", low, round(max(2.0, high - low), 1), middle, middle),
    )
