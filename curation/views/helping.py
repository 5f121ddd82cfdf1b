"""The card of a project's page that says what the help of models does: numbers, words and small plots."""

from __future__ import annotations

from math import ceil
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from curation import access, plots
from curation.services import helping
from curation.services.helping import Comparison, Effect, Person
from curation.templatetags.chrome import duration
from workers.intervals import Estimate

LABELS = {
    "median_time": "Time per answer, median",
    "mean_time": "Time per answer, mean",
    "preferences": "Same preference as the model",
    "ranks": "Responses ranked as by the model",
    "verdicts": "Same answers to questions as the model",
    "spans": "Overlap of marked spans (F1)",
    "critiques": "Critiques per answer",
}
AGREED = {
    "preferences": "agreed with the model",
    "ranks": "ranked two responses as the model did",
    "verdicts": "answered as the model did",
    "spans": "marked what the model marked",
}
"""The measures of agreement, that which a sentence tells first in front."""
WHERE = {"shown": "With suggestions shown", "reveal": "With suggestions revealed after the first answer"}


@require_safe
def card(request: HttpRequest, slug: str) -> HttpResponse:
    """The card as a fragment: the page loads it once it stands."""
    project = access.project_for(request.user, slug, access.READ)
    effect = helping.effect(project)
    context = {
        "project": project,
        "effect": effect,
        "words": in_words(effect),
        "revealed": revealed(effect),
        "took": seconds(effect.reviews.accept_ms),
        "quick": percent(effect.reviews.quick_accepts),
        "people": [(person, cells(person, effect)) for person in effect.people],
        **drawn(effect),
    }
    return render(request, "projects/_help.html", context)


def drawn(effect: Effect) -> dict[str, Any]:
    """Each comparison with its words and its plot, all on one scale."""
    told = [comparison.hundredths for comparison in effect.comparisons]
    reach = plots.nice_top(max((ceil(max(abs(t.low), abs(t.high))) for t in told if t), default=0))
    reach = min(reach, 100)
    rows = [
        {
            "label": LABELS[comparison.measure],
            "helped": amount(comparison, comparison.helped),
            "held_out": amount(comparison, comparison.held_out),
            "comparison": comparison,
            "difference": difference(comparison),
            "plot": plots.interval(comparison.measure, LABELS[comparison.measure], difference(comparison), found, reach)
            if found
            else "",
        }
        for comparison, found in zip(effect.comparisons, told, strict=True)
    ]
    return {"rows": rows, "reach": reach, "plotted": any(told)}


def revealed(effect: Effect) -> list[tuple[str, int, str]]:
    """What became of answers after the reveal: label, count, and the share with its interval."""
    if effect.revealed is None:
        return []
    found = effect.revealed
    told = (("changed", found.changed), ("towards the model", found.towards), ("away from it", found.away))
    return [
        (label, each.count, f"{percent(each.share)} ({percent(each.low)} to {percent(each.high)})")
        for label, each in told
    ]


def cells(person: Person, effect: Effect) -> list[str]:
    """One person's row: the time, and what was made of suggestions where any were gone through."""
    time = "–" if person.time_percent is None else f"{signed(person.time_percent)} %"
    mine = person.reviews
    reviews = [percent(mine.accept_rate), seconds(mine.accept_ms), percent(mine.quick_accepts)]
    return [time, *(reviews if effect.reviews.count else [])]


def seconds(ms: float | None) -> str:
    """As `duration` says it, with tenths of a second where they tell something."""
    return (
        f"{ms / 1000:.1f} s" if ms is not None and 1000 <= ms < 10_000 else duration(None if ms is None else round(ms))
    )


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def amount(comparison: Comparison, value: float | None) -> str:
    if value is None:
        return "–"
    match comparison.unit:
        case "ms":
            return seconds(value)
        case "share":
            return percent(value)
    return f"{value:.2f}"


def difference(comparison: Comparison) -> str:
    """`−23 % (−34 to −11)`, of shares in points."""
    found = comparison.hundredths
    if found is None:
        return "too few yet" if comparison.difference is None else "–"
    unit = " points" if comparison.unit == "share" else " %"
    return f"{signed(found.value)}{unit} ({signed(found.low)} to {signed(found.high)})"


def signed(value: float) -> str:
    text = size(value)
    return text if not text.strip("0.") else ("−" if value < 0 else "+") + text


def size(value: float) -> str:
    return f"{abs(value):.0f}" if abs(value) >= 9.5 else f"{abs(value):.1f}".removesuffix(".0")


def in_words(effect: Effect) -> str:
    """The effect in one sentence, or why there is none yet."""
    if effect.mode == "off":
        return "Suggestions of models are not shown in this project."
    if not effect.enough and not effect.holdout:
        return "No share of the tasks is held out, so what help does cannot be told. The protocol says how many are."
    if not effect.enough:
        seen = "shown" if effect.mode == "shown" else "revealed"
        return (
            f"Too few answers yet to compare: {effect.helped} with suggestions {seen}, {effect.held_out} with them held"
            f" out at random. {effect.few} of each are needed."
        )
    parts = [part for part in (time_in_words(effect), agreement_in_words(effect)) if part]
    return f"{WHERE[effect.mode]}, people {' and '.join(parts)}." if parts else "Nothing can be compared yet."


def time_in_words(effect: Effect) -> str:
    comparison = effect.of("median_time")
    found = comparison.percent if comparison else None
    if found is None:
        return ""
    if not found.clear:
        return f"needed about as much time (95 % interval {signed(found.low)} to {signed(found.high)} %)"
    how = "less" if found.value < 0 else "more"
    return f"needed {size(found.value)} % {how} time (95 % interval {between(found)} %)"


def agreement_in_words(effect: Effect) -> str:
    comparison = effect.of(*AGREED)
    found = comparison.hundredths if comparison else None
    if comparison is None or found is None:
        return ""
    if not found.clear:
        return f"{AGREED[comparison.measure]} about as often ({signed(found.low)} to {signed(found.high)} points)"
    how = "more" if found.value > 0 else "less"
    return f"{AGREED[comparison.measure]} {size(found.value)} points {how} often ({between(found)})"


def between(found: Estimate) -> str:
    low, high = sorted((abs(found.low), abs(found.high)))
    return f"{size(low)} to {size(high)}"
