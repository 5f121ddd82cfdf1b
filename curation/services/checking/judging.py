"""Figures of each annotator, and which of them stand out among all: what `Check` rows are made of.

A signal with a null hypothesis is a flag where Benjamini and Hochberg's procedure at 5 % over all annotators names it,
so that a project of hundreds does not flag twenty for nothing. One without (pace, stamping, circles, drift) is a flag
where its 95 % interval lies wholly beyond a line that is stated here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from curation.services.checking.gathering import Gathered, Habits
from workers.habits.chance import binomial_p, discoveries
from workers.habits.company import with_the_model, with_the_rest
from workers.habits.cycles import CHANCE, cycles
from workers.habits.drift import drift
from workers.habits.evading import NAIVE_BELOW, attacked
from workers.habits.origin import FALSE_ALARMS, Detector, fitted, tells, trained
from workers.habits.pace import pace, stamping
from workers.habits.position import leaning
from workers.habits.style import styled
from workers.intervals import wilson

FEWEST = 20
"""With fewer answers nothing is tested."""
TOO_FAST = 0.25
"""Answers faster than reading: a flag where the interval of their share begins above this."""
GLANCED = 0.25
"""Acceptances without a look, likewise."""
MOST_ITEMS = 50
"""So many items with circles are named."""
FEWEST_TEXTS = 10
"""A detector speaks of an annotator from so many texts on: one text alone tells next to nothing."""

MOST_WRITERS = 50
"""Those with most texts: each takes a fit of its own."""

Figures = dict[str, Any]
PARTS = ("pulls", "raw", "controlled")


def figures_of(gathered: Gathered, machines: set[int]) -> dict[int, Figures]:
    """Signals of each annotator; `machines` are those of models and programs."""
    by = gathered.by
    found = {pk: signals_of(habits) for pk, habits in by.items()}
    add_company(found, by, machines)
    return found


def judged(found: Mapping[int, Figures]) -> dict[int, tuple[Figures, list[str]]]:
    """The signals of each annotator with the flags that follow from all of them."""
    flags: dict[int, list[str]] = {pk: beyond(signals) for pk, signals in found.items()}
    for signal in ("position", "rest", "model", "repeats"):
        tested = [pk for pk, signals in found.items() if "p" in signals.get(signal, ()) and enough(signals[signal])]
        for pk, named in zip(tested, discoveries([found[pk][signal]["p"] for pk in tested]), strict=True):
            if named:
                flags[pk].append(signal)
    return {pk: (found[pk], flags[pk]) for pk in found}


def signals_of(habits: Habits) -> Figures:
    """What can be told of one annotator alone."""
    found: Figures = {"answers": habits.answers}
    if habits.sides:
        lean = leaning(habits.sides)
        found["position"] = {**asdict(lean.left), "p": lean.p}
    if habits.preferences:
        circles = cycles(habits.preferences)
        if circles.circles.n:
            found["circles"] = {**asdict(circles.circles), "items": circles.items[:MOST_ITEMS]}
    if habits.times:
        own = pace(habits.times)
        found["pace"] = {**asdict(own.too_fast), "median_ms": own.median_ms, "ratio": own.ratio}
    if habits.reviews:
        stamped = stamping(habits.reviews)
        found["stamping"] = {
            **asdict(stamped.glanced), "as_is": asdict(stamped.as_is), "median_ms": stamped.median_ms,
        }  # fmt: skip
    if habits.agreed:
        course = drift(habits.agreed)
        if course.slope:
            weeks = [[week, share.share, share.n] for week, share in course.weeks]
            found["drift"] = {**asdict(course.slope), "n": len(habits.agreed), "weeks": weeks}
    return found


def add_company(found: Mapping[int, Figures], by: Mapping[int, Habits], machines: set[int]) -> None:
    """Agreement with the rest, and siding with the model, each beside the other people's share."""
    agreed = {pk: [one for _, one in habits.agreed] for pk, habits in by.items()}
    sided = {pk: habits.sided for pk, habits in by.items()}
    for name, each, test in (("rest", agreed, with_the_rest), ("model", sided, with_the_model)):
        people = [pk for pk in each if pk not in machines]
        count, n = sum(sum(each[pk]) for pk in people), sum(len(each[pk]) for pk in people)
        for pk, own in each.items():
            if own:
                mine = (sum(own), len(own)) if pk not in machines else (0, 0)
                beside = test(own, (count - mine[0], n - mine[1]))
                found[pk][name] = {**asdict(beside.own), "others": beside.others, "p": beside.p}


def enough(figure: Figures) -> bool:
    return bool(figure["n"] >= FEWEST)


def beyond(signals: Figures) -> list[str]:
    """The signals whose whole interval lies beyond their line."""
    lines = {"circles": CHANCE / 2, "pace": TOO_FAST, "stamping": GLANCED}
    found = [
        name
        for name, line in lines.items()
        if name in signals and enough(signals[name]) and signals[name]["low"] > line
    ]
    if "drift" in signals and signals["drift"]["high"] < 0:
        found.append("drift")
    return found


def style_of(gathered: Gathered, seed: int) -> Figures | None:
    """Raw and style-controlled Bradley–Terry of people's preferences; None where there are too few.

    Raises ImportError where scikit-learn is not installed.
    """
    fit = styled(gathered.compared, seed=seed)
    if fit is None:
        return None
    told = {part: {name: asdict(one) for name, one in getattr(fit, part).items()} for part in PARTS}
    return {"n": fit.n, "of": gathered.seen, **told}


def origin_of(gathered: Gathered, seed: int) -> tuple[Figures, Detector | None]:
    """A detector of machine-written words with its error rates and what an attack does to it, or why there is none.

    Raises ImportError where scikit-learn is not installed.
    """
    texts = [text for habits in gathered.by.values() for text in habits.texts]
    try:
        detector = trained(texts, seed=seed)
    except ValueError as error:
        return {"why_not": str(error)}, None
    rounds = attacked(detector, texts, seed=seed)
    reference = next(one for one in rounds if one.attack == "reference")
    told = {
        "auc": detector.rates.auc,
        "caught": asdict(detector.rates.caught),
        "accused": asdict(detector.rates.accused),
        "people": detector.trained_on[0],
        "machines": detector.trained_on[1],
        "attacks": [asdict(one) for one in rounds],
        "naive": reference.auc < NAIVE_BELOW,
    }
    return told, detector


def add_origin(
    judgements: Mapping[int, tuple[Figures, list[str]]], gathered: Gathered, detector: Detector, machines: set[int]
) -> None:
    """Of each person with enough texts: how many are above the threshold, tested against the held-out false alarms.

    A person's texts are judged by a fit on everybody else's: one that had learned them as a person's would defend them.
    """
    usual = max(detector.rates.accused.high or 0.0, FALSE_ALARMS)
    texts = {pk: [one for one in habits.texts if tells(one.text)] for pk, habits in gathered.by.items()}
    tested = [pk for pk, own in texts.items() if pk not in machines and len(own) >= FEWEST_TEXTS]
    tested = sorted(tested, key=lambda pk: -len(texts[pk]))[:MOST_WRITERS]
    for pk in tested:
        others = [one for other, own in texts.items() if other != pk for one in own]
        if len({one.machine for one in others}) < 2:
            continue
        model = fitted([one.text for one in others], [one.machine for one in others])
        odds = [float(value) for value in model.decision_function([one.text for one in texts[pk]])]
        above = sum(value > detector.threshold for value in odds)
        judgements[pk][0]["origin"] = {
            **asdict(wilson(above, len(odds))), "log_odds": sum(odds), "others": usual,
            "p": binomial_p(above, len(odds), usual, side="more"),
        }  # fmt: skip
    judged_now = [pk for pk in tested if "origin" in judgements[pk][0]]
    for pk, named in zip(judged_now, discoveries([judgements[pk][0]["origin"]["p"] for pk in judged_now]), strict=True):
        if named:
            judgements[pk][1].append("origin")
