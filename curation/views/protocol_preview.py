"""A sample task as annotators would see it under a protocol that is being edited; nothing of it is stored."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from curation.models import Project, Task, TaskKind
from curation.protocols import Asked, Question
from curation.rendering import conversation, markdown
from curation.segmenting import units_of

COLOURS = ("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown", "grey")
"""What a type without a colour gets, by its place."""
LONGEST = 900
MOST_RESPONSES = 3
PROMPT = "Why is the sky blue?"
RESPONSES = (
    "Sunlight holds all colours. Air scatters blue light far more than red, so blue reaches us from every side.\n\n"
    "At sunset the way through the air is longer, and most of the blue is gone before it arrives.",
    "The sky is blue because it reflects the oceans.\n\nThat is why it looks grey over land in winter.",
    "Because of the ozone layer, which is blue.",
)
HEADINGS = {TaskKind.RESPONSE: "Judge this response", TaskKind.RANKING: "Rank these responses, best first"}
PIECE = re.compile(r'<span data-o="(\d+)">([^<]*)</span>')
POLARITIES = {
    "good": ("Good", "green", "+"),
    "neutral": ("Neutral", "grey", "."),
    "poor": ("Poor", "red", "\u2212"),
}


@dataclass(frozen=True, slots=True)
class Chip:
    """One thing to choose: its words, colour and key."""

    words: str
    colour: str = ""
    key: str = ""
    about: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """The texts of a task."""

    prompt: list[dict[str, Any]]
    responses: list[str]
    made_up: bool = False


def sample_of(project: Project) -> Sample:
    """The project's first task, or a made-up one where there is none."""
    related = ("pair__first", "pair__second", "pair__item", "response__item", "item")
    task = Task.objects.filter(project=project, kind=project.kind).select_related(*related).order_by("pk").first()
    if task is None:
        wanted = {TaskKind.PREFERENCE: 2, TaskKind.RESPONSE: 1}.get(TaskKind(project.kind), 3)
        return Sample([{"role": "user", "content": PROMPT}], list(RESPONSES[:wanted]), made_up=True)
    if task.pair:
        return Sample(task.pair.item.prompt, [task.pair.first.text, task.pair.second.text])
    if task.response:
        return Sample(task.response.item.prompt, [task.response.text])
    assert task.item is not None
    return Sample(task.item.prompt, [response.text for response in task.item.responses.order_by("position")])


def context(project: Project, values: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """What `protocols/_preview.html` shows of valid values."""
    sample = sample_of(project)
    asked = Asked.model_validate({name: values[name] for name in ("unit", "critiques", "questions", "help")})
    types = type_chips(asked)
    colour = (types[0].colour if types else "teal") if asked.critiques.on else ""
    shown = sample.responses[:MOST_RESPONSES]
    return {
        "kind": kind,
        "sample": sample,
        "prompt": conversation([{**turn, "content": cut(str(turn.get("content", "")))} for turn in sample.prompt[-2:]]),
        "responses": [marked_response(text, asked, colour if n == 0 else "") for n, text in enumerate(shown)],
        "more": len(sample.responses) - len(shown),
        "heading": HEADINGS.get(TaskKind(kind)),
        "axes": values["axes"] if kind == TaskKind.PREFERENCE else [],
        "choices": list(choices(values)) if kind == TaskKind.PREFERENCE else [],
        "rationale": values["rationale"],
        "critique": critique_card(asked, types, colour, cut(shown[0])),
        "questions": [question_shown(question) for question in asked.questions],
        "asked": asked,
        "holdout": f"{100 * asked.help.holdout:g}",
        "guidelines": markdown(values["guidelines"]) if values["guidelines"].strip() else "",
    }


def cut(text: str) -> str:
    """The beginning of a text, to the end of a paragraph or word."""
    if len(text) <= LONGEST:
        return text
    end = max(text.rfind("\n\n", LONGEST // 3, LONGEST), 0) or max(text.rfind(" ", 0, LONGEST), LONGEST // 2)
    return text[:end] + " …"


def type_chips(asked: Asked) -> list[Chip]:
    return [
        Chip(
            label.words, label.color or COLOURS[n % len(COLOURS)], label.key or numbered(n), label.about, chosen=n == 0
        )
        for n, label in enumerate(asked.critiques.types)
    ]


def numbered(place: int, shift: str = "") -> str:
    return f"{shift}{place + 1}" if place < 9 else ""


def critique_card(asked: Asked, types: list[Chip], colour: str, text: str) -> dict[str, Any] | None:
    """The example critique, with everything that one may carry."""
    critiques = asked.critiques
    if not critiques.on:
        return None
    quote = next((text[start:end] for start, end in example(text, asked.unit)), "")
    return {
        "quote": quote if len(quote) <= 90 else quote[:88] + "…",
        "colour": colour,
        "polarities": [Chip(*POLARITIES[name], chosen=n == 0) for n, name in enumerate(critiques.polarities)],
        "types": types,
        "severities": [
            Chip(label.words, label.color, label.key or numbered(n, "⇧"), weighed(label.weight, label.about), n == 0)
            for n, label in enumerate(critiques.severities)
        ],
        "asks": critiques,
    }


def weighed(weight: float, about: str) -> str:
    return f"{about} (weight {weight:g})" if about else f"weight {weight:g}"


def example(text: str, unit: str) -> Sequence[tuple[int, int]]:
    """The units of a text in which a critique could stand."""
    return () if unit == "response" else units_of(text, "step" if unit == "step" else "sentence")


def marked_response(text: str, asked: Asked, colour: str) -> SafeString:
    """A response with its units, the first of them marked as critiqued where `colour` says so."""
    shown = cut(text)
    units = example(shown, asked.unit)
    spans = [(start, end, f"sample__mark hue--{colour}") for start, end in units[:1] if colour]
    if asked.unit in ("sentence", "step"):
        spans += [(start, end, "sample__unit") for start, end in units[len(spans) :]]
    return marked(markdown(shown), spans)


def marked(rendered: str, spans: Sequence[tuple[int, int, str]]) -> SafeString:
    """Rendered Markdown with spans of its source in elements of these classes, where its pieces are plain text."""

    def piece(found: re.Match[str]) -> str:
        at, text = int(found[1]), html.unescape(found[2])
        parts, done = [], 0
        for start, end, name in sorted(spans):
            first, last = max(start - at, done), min(end - at, len(text))
            if first < last:
                parts += [html.escape(text[done:first]), f'<span class="{name}">{html.escape(text[first:last])}</span>']
                done = last
        return "".join([*parts, html.escape(text[done:])])

    return mark_safe(PIECE.sub(piece, rendered))  # noqa: S308 - what nh3 cleaned, its texts escaped again


def question_shown(question: Question) -> dict[str, Any]:
    return {
        "question": question,
        "chips": list(answers_to(question)),
        "needing": " or ".join(said(answer) for answer in question.comment_for),
        "when": [
            f"only where “{name}” is {' or '.join(said(answer) for answer in answers)}"
            for name, answers in question.when.items()
        ],
    }


def answers_to(question: Question) -> Iterator[Chip]:
    match question.kind:
        case "yesno":
            yield from (Chip("Yes", "green", "1"), Chip("No", "red", "2"))
        case "rating":
            values = list(range(question.low, question.high + 1))
            words = {option.name: option.words for option in question.options}
            for value in values if len(values) <= 11 else [*values[:5], *values[-1:]]:
                yield Chip(words.get(str(value), str(value).replace("-", "\u2212")))
        case "choice" | "choices":
            for n, option in enumerate(question.options):
                yield Chip(option.words, option.color, option.key or numbered(n), option.about)


def said(answer: Any) -> str:
    return {True: "yes", False: "no"}[answer] if isinstance(answer, bool) else str(answer)


def choices(values: Mapping[str, Any]) -> Iterator[Chip]:
    """The decisions of the scale, from the first response much better to the second."""
    steps = {1: ("better",), 2: ("better", "much better"), 3: ("slightly better", "better", "much better")}
    words = steps[values["strengths"]]
    yield from (Chip(f"1 {word}", "first") for word in reversed(words))
    if values["allow_tie"]:
        yield Chip("Tie", "grey")
    if values["allow_both_bad"]:
        yield Chip("Both bad", "grey")
    yield from (Chip(f"2 {word}", "second") for word in words)
