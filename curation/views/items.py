"""Items as people browse them: the list, and one item with everything that anybody said of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.views.decorators.http import require_safe

from curation import access
from curation.models import Annotation, Annotator, Critique, Gold, Item, Response, Verdict
from curation.protocols import Asked
from curation.rendering import Picture, Turn, markdown, pictures_of, raw
from curation.services import browsing, commenting, removing
from curation.services.aggregating import showing
from curation.services.browsing import Choice, Whole
from curation.services.desk import asked
from curation.services.evidence import document_text
from curation.services.gold import telling
from curation.services.gold.marking import golds_on
from curation.services.locating import tasks_on
from curation.views import decisions, scored
from curation.views.people import own
from workers.critics.voting import read_back

SHOWN = 50
FIRST_WORDS = 180
TASKS = 50
"""Of an item that are offered to be made gold."""
KINDS = {-1: "poor", 0: "neutral", 1: "good"}
REVIEWED = {"accepted": "accepted from", "edited": "changed from", "rejected": "rejected from"}
HELPED = {
    "shown": "saw suggestions",
    "before": "answered before the reveal",
    "revealed": "answered after the reveal",
    "held_out": "saw no suggestions, by chance",
}


@require_safe
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """The list. `after` is the key that the page before gave."""
    project = access.project_for(request.user, slug, access.READ)
    given = {name: request.GET.get(name, "").replace("\0", "").strip() for name in ("q", "order", "after")}
    given |= {name: "yes" if request.GET.get(name) else "" for name in ("critiques", "removed")}
    choice = Choice(
        start=given["q"][:200],
        critiqued=bool(given["critiques"]),
        newest=given["order"] != "oldest",
        key=given["after"][:200],
        removed=bool(given["removed"]),
    )
    page = browsing.list_page(project, choice, SHOWN)
    kept = {name: value for name, value in given.items() if value and name != "after"}
    context = {
        "project": project,
        "rows": [(row, first_words(row.item.prompt)) for row in page.rows],
        "given": given,
        "filtered": bool(choice.start or choice.critiqued or choice.removed),
        "kept": urlencode(kept),
        "page": page,
        "first": f"?{urlencode(kept)}" if given["after"] else "",
        "following": f"?{urlencode(kept | {'after': page.next})}" if page.next else "",
        "can": access.capabilities(request.user, project),
    }
    return render(request, "items/index.html", context)


def first_words(prompt: list[dict[str, Any]]) -> str:
    """The beginning of the last thing that was asked."""
    text = " ".join(str(prompt[-1].get("content", "") if prompt else "")[: 4 * FIRST_WORDS].split())
    return text if len(text) <= FIRST_WORDS else f"{text[:FIRST_WORDS]}…"


@require_safe
def page(request: HttpRequest, slug: str, item_id: int) -> HttpResponse:
    """One item: what was asked, its responses, and what everybody said of them, drawn on them by items.js."""
    project = access.project_for(request.user, slug, access.READ)
    can = access.capabilities(request.user, project)
    item = browsing.item_of(project, item_id)
    found = browsing.whole(item)
    protocol = asked(project.protocol) if project.protocol else Asked()
    as_source = bool(request.GET.get("source"))
    documents = item.context.get("documents") or []
    reader = Reader(protocol, found, [document_text(document) for document in documents])
    cards = [reader.card(response, as_source) for response in found.responses]
    context = {
        "project": project,
        "item": item,
        "as_source": as_source,
        "prompt": [Turn(str(m.get("role", "")), shown(str(m.get("content", "")), as_source)) for m in item.prompt],
        "pictures": [*pictures_in(item.prompt), *pictures_of(item.context.get("images"))],
        "documents": [
            (title_of(document, n), shown(text, as_source))
            for n, (document, text) in enumerate(zip(documents, reader.documents, strict=True))
        ],
        "more_context": pretty({name: value for name, value in item.context.items() if name != "documents"}),
        "metadata": pretty(item.metadata),
        "cards": cards,
        "earlier": [reader.earlier(response, as_source) for response in found.earlier],
        "marked": any(card["groups"] for card in cards),
        "answers": [reader.row(answer) for answer in found.answers if reader.is_row(answer)],
        "people": reader.people(),
        "decided": decisions.of_item(showing.of_tasks(project, found.tasks), reader.names),
        "types": orjson.dumps([{"name": t.name, "color": t.color} for t in protocol.critiques.types]).decode(),
        "can": can,
        "removal": removing.removal_of(item),
        "gold": gold_on(item, found) if access.MANAGE in can else [],
        "phases": Gold.Phase.choices,
        "comments": commenting.on(item, own(request)),
        "more": found.more,
        "most": browsing.MOST_ANSWERS,
    }
    return render(request, "items/page.html", context)


def gold_on(item: Item, found: Whole) -> list[dict[str, Any]]:
    """The tasks on an item, each with its gold, or with the answers that it could be made of."""
    tasks = tasks_on(item.project, [item.pk])[:TASKS]
    golden = golds_on(task for task, _ in tasks)
    places = found.places
    rows = []
    for task, on in tasks:
        if any(pk not in places for pk in on.responses):
            continue  # nobody is asked it any more
        answers = [(answer.pk, name_of(answer.annotator)) for answer in found.answers if answer.task_id == task]
        gold = golden.get(task)
        named = [f"Response {places[pk] + 1}" for pk in on.responses if pk in places]
        right = telling.right_answer(gold) if gold else []
        rows.append({"task": task, "on": " and ".join(named), "gold": gold, "right": right, "answers": answers})
    return rows


def pictures_in(messages: Any) -> list[Picture]:
    """The pictures of some messages, in their order."""
    return [picture for message in messages or () for picture in pictures_of(message.get("images"))]


def shown(text: str, as_source: bool) -> SafeString:
    return raw(text) if as_source else markdown(text)


def title_of(document: Any, number: int) -> str:
    title = document.get("title") if isinstance(document, dict) else ""
    return str(title or f"Document {number + 1}")


def pretty(value: Any) -> str:
    """JSON as a person reads it; empty for nothing."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() if value else ""


@dataclass
class Group:
    """What one answer says of one response."""

    answer: Annotation
    name: str
    helped: str
    rationale: str = ""
    critiques: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def said(self) -> bool:
        return bool(self.critiques or self.verdicts or self.rationale)


class Reader:
    """Answers as the page of an item tells them."""

    def __init__(self, protocol: Asked, found: Whole, documents: list[str]) -> None:
        self.found = found
        self.documents = documents
        wanted = protocol.critiques
        self.labels = {label.name: label.words for label in [*wanted.types, *wanted.severities]}
        self.questions = {question.name: question for question in protocol.questions}
        self.numbers = {response.pk: n for n, response in enumerate(found.responses)}
        self.names = browsing.names_of(found)
        self.scores = scored.by_response(self.names)
        self.texts = {response.pk: texts_of(response) for response in found.responses}
        self.critiques: defaultdict[tuple[int, int], list[Critique]] = defaultdict(list)
        self.verdicts: defaultdict[tuple[int, int], list[Verdict]] = defaultdict(list)
        for answer in found.answers:
            for critique in answer.critiques.all():
                self.critiques[critique.response_id, answer.pk].append(critique)
            for verdict in answer.verdicts.all():
                self.verdicts[verdict.response_id, answer.pk].append(verdict)

    def card(self, response: Response, as_source: bool) -> dict[str, Any]:
        """A response with its texts, and who said what of it."""
        groups = [self.group(answer, response) for answer in sorted(self.found.answers, key=self.order)]
        number = self.numbers[response.pk]
        messages = response.as_messages()
        turns = [
            (f"{number}.{n}", str(message.get("role", "")), shown(text, as_source))
            for n, (message, text) in enumerate(zip(messages, self.texts[response.pk], strict=True))
        ]
        return {
            "number": number,
            "name": capfirst(self.names[response.pk]),
            "response": response,
            "scores": self.scores.get(response.pk, []),
            "turns": turns,
            "pictures": pictures_in(messages),
            "roles": len(turns) > 1,
            "groups": [group for group in groups if group.said],
        }

    def earlier(self, response: Response, as_source: bool) -> dict[str, Any]:
        """A response put away that was compared: what was judged, to be read, not to draw on."""
        return {
            "name": capfirst(self.names[response.pk]),
            "response": response,
            "scores": self.scores.get(response.pk, []),
            "texts": [shown(text, as_source) for text in texts_of(response)],
            "pictures": pictures_in(response.as_messages()),
        }

    def order(self, answer: Annotation) -> tuple[bool, int, int]:
        """People first, and all that one annotator says together."""
        return answer.annotator.kind != Annotator.Kind.PERSON, answer.annotator_id, answer.pk

    def group(self, answer: Annotation, response: Response) -> Group:
        key = (response.pk, answer.pk)
        made = Group(answer, name_of(answer.annotator), HELPED.get(answer.help, ""))
        made.critiques = [self.critique(one) for one in sorted(self.critiques.get(key, []), key=by_place)]
        made.verdicts = [self.verdict(one) for one in sorted(self.verdicts.get(key, []), key=by_place)]
        if answer.task.response_id == response.pk:
            made.rationale = answer.rationale
        return made

    def critique(self, row: Critique) -> dict[str, Any]:
        """A critique in words, and where it is drawn. One whose text is not there as quoted is said to be lost."""
        texts = self.texts[row.response_id]
        whole = row.start is None or row.end is None
        text = texts[row.message] if row.message < len(texts) else ""
        lost = not whole and (row.message >= len(texts) or text[row.start : row.end] != row.quote)
        lost = lost or (row.end or 0) > len(text)
        return {
            "row": row,
            "text": f"{self.numbers[row.response_id]}.{row.message}",
            "whole": whole,
            "lost": lost,
            "gap": not whole and row.start == row.end,
            "around": around(text, row.start or 0),
            "kind": KINDS.get(row.polarity, "") if row.polarity is not None else "",
            "type": self.labels.get(row.type, row.type),
            "severity": self.labels.get(row.severity, row.severity),
            "evidence": self.evidence(row.evidence),
            "review": REVIEWED.get(row.review, ""),
            "origin": name_of(row.derived_from.annotation.annotator) if row.derived_from else "",
        }

    def verdict(self, row: Verdict) -> dict[str, Any]:
        question = self.questions.get(row.question)
        names = {option.name: option.words for option in question.options} if question else {}
        text = self.texts[row.response_id][0]
        unit = row.start is not None and row.end is not None
        lost = unit and (row.end or 0) > len(text)
        return {
            "row": row,
            "text": f"{self.numbers[row.response_id]}.0",
            "question": question.question if question else row.question,
            "answer": answer_words(row.answer, names),
            "unit": unit,
            "lost": lost,
            "quote": text[row.start : row.end] if unit and not lost else "",
            "evidence": self.evidence(row.evidence),
        }

    def evidence(self, given: Any) -> dict[str, Any] | None:
        """What proves something: its words, and where they stand on the page, or elsewhere."""
        if not isinstance(given, dict) or not given:
            return None
        if url := given.get("url"):
            safe = str(url).startswith(("http://", "https://"))
            return {"url": url if safe else "", "where": str(url), "quote": given.get("quote") or ""}
        where, text = "", ""
        if isinstance(place := given.get("document"), int) and place < len(self.documents):
            where, text = f"Document {place + 1}", f"document.{place}"
        elif isinstance(place := given.get("response"), int) and place < len(self.found.responses):
            where, text = f"Response {place + 1}", f"{place}.0"
        span = {name: given.get(name) for name in ("start", "end")}
        return {"where": where, "text": text, "quote": given.get("quote") or "", **span}

    def is_row(self, answer: Annotation) -> bool:
        """Whether an answer is about several responses, and so has a row in the table."""
        return bool(
            answer.preferences.all() or answer.ranks.all() or (answer.rationale and not answer.task.response_id)
        )

    def row(self, answer: Annotation) -> dict[str, Any]:
        """Preferences and ranks of one answer, in words."""
        pair = answer.task.pair
        names = [self.called(pk) for pk in (pair.first_id, pair.second_id)] if pair else []
        ranks = sorted(answer.ranks.all(), key=lambda one: one.rank)
        machine = answer.annotator.kind != Annotator.Kind.PERSON
        return {
            "answer": answer,
            "strip": read_back(answer.rationale) if machine else None,
            "name": name_of(answer.annotator),
            "pair": " and ".join(names),
            "preferences": [(p.axis, outcome_words(p, names), p.probability) for p in answer.preferences.all()],
            "ranks": [(one.rank, self.called(one.response_id)) for one in ranks],
        }

    def called(self, response: int) -> str:
        return self.names.get(response, browsing.PUT_AWAY)

    def people(self) -> list[tuple[Annotator, str, int]]:
        """Everybody who said something that can be drawn or listed beside a response, and how many critiques."""
        counts: dict[int, int] = {}
        for answer in sorted(self.found.answers, key=self.order):
            rows = [one for one in answer.critiques.all() if one.review != Critique.Review.REJECTED]
            counts[answer.annotator_id] = counts.get(answer.annotator_id, 0) + len(rows)
        annotators = {answer.annotator_id: answer.annotator for answer in self.found.answers}
        return [(annotators[pk], name_of(annotators[pk]), count) for pk, count in counts.items()]


def by_place(row: Critique | Verdict) -> tuple[int, int, int]:
    return (row.start if row.start is not None else -1, row.end or 0, row.pk)


def texts_of(response: Response) -> list[str]:
    return [str(message.get("content", "")) for message in response.as_messages()]


def name_of(annotator: Annotator) -> str:
    return str(annotator.user) if annotator.user else annotator.name


def around(text: str, place: int) -> str:
    """The words before a place where something is missing."""
    return f"…{text[max(0, place - 30) : place]}" if place else "the beginning"


def answer_words(answer: Any, names: dict[str, str]) -> str:
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, list):
        return ", ".join(names.get(str(one), str(one)) for one in answer) or "none"
    return names.get(str(answer), str(answer))


def outcome_words(preference: Any, names: list[str]) -> str:
    """A preference in words, by the numbers of the responses."""
    if preference.both_bad or preference.value is None:
        return "both bad"
    if not preference.value:
        return "tie"
    steps = {1: "better", 2: "much better", 3: "very much better"}
    better = names[preference.value > 0] if names else ("first", "second")[preference.value > 0]
    return f"{better} {steps[abs(preference.value)]}"
