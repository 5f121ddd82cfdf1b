"""What of a task can be decided: axes, questions, rankings and marked places, with everybody's answers and a proposal.

The proposal is what most people said; where nobody answered but models, what most of them said. Marks are laid over
each other first: those of one text that share much of their characters are one element with as many options as there
are ways in which they were marked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from curation.models import Annotation, Annotator, Critique, Project, Protocol, Task, TaskKind, Verdict
from curation.protocols import Asked, Question
from curation.services.desk import asked
from curation.services.label_names import Reading, current_names

TOGETHER = 0.3
"""Marks that share at least this share of the characters that either covers are about the same thing."""
REJECTED = "rejected"
POLES = {-1: "poor", 0: "neutral", 1: "good"}


@dataclass(slots=True)
class Option:
    """One way in which an element was, or can be, answered. `value` is what would be stored."""

    key: str
    words: str
    value: Any
    people: list[str] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)
    source: int | None = None
    """The critique or verdict that it is taken from, with its evidence."""
    comment: str = ""
    edit: str | None = None
    """Of a mark: what should stand there instead."""
    rewritten: bool = False
    """Whether who decides wrote that replacement, so that it is of whatever text the mark has now."""


@dataclass(slots=True)
class Element:
    """Something to decide. `place` names it among its task's; of a mark, `start` and `end` are the widest there are."""

    place: str
    kind: str
    title: str
    options: list[Option]
    proposal: str = ""
    disputed: bool = False
    response: int | None = None
    message: int = 0
    start: int | None = None
    end: int | None = None
    in_words: bool = False
    """Whether it is a question that is answered in words."""

    @property
    def said(self) -> int:
        """By how many it was answered."""
        return sum(len(option.people) + len(option.machines) for option in self.options)


@dataclass(frozen=True, slots=True)
class Answer:
    """A standing answer with what it says, and how its labels are read now."""

    annotation: Annotation
    name: str
    machine: bool
    reading: Reading


def answers_of(project: Project, task: Task) -> list[Answer]:
    """Everybody's standing answers on a task, people first."""
    found = Annotation.objects.answers().filter(task=task).select_related("annotator__user").order_by("pk")
    found = found.prefetch_related("preferences", "verdicts", "ranks", "critiques")
    names = current_names(project.protocol) if project.protocol else None
    made = [
        Answer(one, str(one.annotator.user or one.annotator.name), one.annotator.kind != Annotator.Kind.PERSON,
               names.of(one.protocol_id) if names else Reading())
        for one in found
    ]  # fmt: skip
    return sorted(made, key=lambda one: (one.machine, one.annotation.pk))


def elements_of(protocol: Protocol, kind: str, answers: Sequence[Answer], numbers: Mapping[int, int]) -> list[Element]:
    """What can be decided, disputed things first, then in the order of the protocol and the texts.

    `numbers`: the place of each response on the screen, from 1.
    """
    shape = asked(protocol)
    found: list[Element] = []
    if kind == TaskKind.PREFERENCE:
        found += [of_axis(protocol, axis, answers) for axis in protocol.axis_names]
    if kind == TaskKind.RANKING:
        found += of_ranking(answers, numbers)
    found += of_questions(shape, answers, numbers)
    found += of_marks(shape, answers, numbers)
    return sorted(found, key=lambda one: not one.disputed)


def settled(element: Element) -> Element:
    """With its proposal and whether those who answered differ."""
    votes = [option for option in element.options if option.people or option.machines]
    people = any(option.people for option in votes)

    def weight(option: Option) -> int:
        return len(option.people) if people else len(option.machines)

    ordered = sorted(votes, key=weight, reverse=True)
    if ordered and (len(ordered) == 1 or weight(ordered[0]) > weight(ordered[1])):
        element.proposal = ordered[0].key
    element.disputed = len(votes) > 1
    return element


def vote(options: Mapping[str, Option], key: str, answer: Answer) -> None:
    option = options[key]
    (option.machines if answer.machine else option.people).append(answer.name)


def of_axis(protocol: Protocol, axis: str, answers: Sequence[Answer]) -> Element:
    """The whole scale, so that something may be decided that nobody said."""
    steps = range(protocol.strengths, 0, -1)
    values: list[int | None] = [-n for n in steps]
    values += [0] if protocol.allow_tie else []
    values += reversed(steps)
    values += [None] if protocol.allow_both_bad else []
    given = {preference.value for one in answers for preference in read_axes(one, axis)}
    values += sorted(given - set(values), key=lambda value: (value is None, value or 0))
    options = {key_of(value): Option(key_of(value), in_words(value), value) for value in values}
    for one in answers:
        for preference in read_axes(one, axis)[-1:]:
            vote(options, key_of(preference.value), one)
    title = next((a.get("question") or axis for a in protocol.axes if a["name"] == axis), axis)
    return settled(Element(f"axis:{axis}", "axis", title, list(options.values())))


def read_axes(answer: Answer, axis: str) -> list[Any]:
    return [one for one in answer.annotation.preferences.all() if answer.reading.axis(one.axis) == axis]


def in_words(value: int | None) -> str:
    """A value of the scale, by the numbers of the responses as stored."""
    if value is None:
        return "both bad"
    if not value:
        return "tie"
    better = {1: "better", 2: "much better", 3: "very much better"}[abs(value)]
    return f"response {1 if value < 0 else 2} {better}"


def key_of(value: Any) -> str:
    """An answer as a key: the same for equal answers."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def of_ranking(answers: Sequence[Answer], numbers: Mapping[int, int]) -> list[Element]:
    options: dict[str, Option] = {}
    for one in answers:
        ranks = {str(rank.response_id): rank.rank for rank in one.annotation.ranks.all()}
        if not ranks:
            continue
        key = key_of(ranks)
        if key not in options:
            options[key] = Option(key, order_in_words(ranks, numbers), ranks)
        vote(options, key, one)
    return [settled(Element("ranking", "ranking", "Order of the responses", list(options.values())))] if options else []


def order_in_words(ranks: Mapping[str, int], numbers: Mapping[int, int]) -> str:
    by_rank: dict[int, list[str]] = defaultdict(list)
    for response, rank in ranks.items():
        by_rank[rank].append(str(numbers.get(int(response), "?")))
    return " > ".join(" = ".join(sorted(by_rank[rank])) for rank in sorted(by_rank))


def of_questions(shape: Asked, answers: Sequence[Answer], numbers: Mapping[int, int]) -> list[Element]:
    """Each question on each response, or each part of it, that anybody answered."""
    questions = {question.name: question for question in shape.questions}
    found: dict[tuple[str, int, int], Element] = {}
    options: dict[tuple[str, int, int], dict[str, Option]] = defaultdict(dict)
    for one in answers:
        for verdict in one.annotation.verdicts.all():
            name = one.reading.question(verdict.question)
            value = one.reading.answer(verdict.question, verdict.answer) if name else None
            if name is None or value is None or verdict.response_id not in numbers:
                continue
            place = (name, verdict.response_id, -1 if verdict.start is None else verdict.start)
            if place not in found:
                found[place] = about(questions.get(name), name, verdict, numbers)
                for each in possible(questions.get(name)):
                    options[place][key_of(each)] = Option(key_of(each), said(questions.get(name), each), each)
            key = key_of(value)
            option = options[place].setdefault(key, Option(key, said(questions.get(name), value), value))
            if option.source is None:
                option.source, option.comment = verdict.pk, verdict.comment
            vote(options[place], key, one)
    names = list(questions)
    for place, element in found.items():
        element.options = list(options[place].values())
        settled(element)
    order = sorted(found, key=lambda at: (numbers[at[1]], at[2], names.index(at[0]) if at[0] in names else len(names)))
    return [found[place] for place in order]


def about(question: Question | None, name: str, verdict: Verdict, numbers: Mapping[int, int]) -> Element:
    place = f"question:{name}:{verdict.response_id}" + ("" if verdict.start is None else f":{verdict.start}")
    title = f"Response {numbers[verdict.response_id]}: {question.question if question else name}"
    return Element(
        place, "question", title, [], response=verdict.response_id, start=verdict.start, end=verdict.end,
        in_words=question is not None and question.kind == "text",
    )  # fmt: skip


def possible(question: Question | None) -> list[Any]:
    """All answers of a question that has few."""
    if question is None or question.kind not in ("yesno", "choice", "rating"):
        return []
    if question.kind == "yesno":
        return [True, False]
    if question.kind == "choice":
        return [option.name for option in question.options]
    return list(range(question.low, question.high + 1)) if question.high - question.low < 10 else []


def said(question: Question | None, answer: Any) -> str:
    """An answer in words."""
    names = {option.name: option.words for option in question.options} if question else {}
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, list):
        return ", ".join(names.get(str(one), str(one)) for one in answer) or "none"
    return names.get(str(answer), str(answer))


@dataclass(frozen=True, slots=True)
class Mark:
    """A critique as it is read now."""

    row: Critique
    answer: Answer
    type: str
    severity: str

    @property
    def start(self) -> int:
        return -1 if self.row.start is None else self.row.start

    @property
    def end(self) -> int:
        return -1 if self.row.end is None else self.row.end

    @property
    def value(self) -> dict[str, Any]:
        return {
            "start": self.row.start, "end": self.row.end, "type": self.type, "severity": self.severity,
            "polarity": self.row.polarity, "omission": self.row.omission,
        }  # fmt: skip


def of_marks(shape: Asked, answers: Sequence[Answer], numbers: Mapping[int, int]) -> list[Element]:
    """Marked places, in the order of the texts: the ways in which each was marked, and not at all."""
    by_text: dict[tuple[int, int], list[Mark]] = defaultdict(list)
    for one in answers:
        for row in one.annotation.critiques.all():
            if row.review != Critique.Review.REJECTED and row.response_id in numbers:
                type_, severity = one.reading.type(row.type) or row.type, one.reading.severity(row.severity)
                by_text[row.response_id, row.message].append(Mark(row, one, type_, severity or row.severity))
    words = words_of(shape)
    people = {one.name for one in answers if not one.machine and looked(one, shape)}
    machines = {one.name for one in answers if one.machine and one.annotation.critiques.all()}
    found = []
    for response, message in sorted(by_text, key=lambda text: (numbers[text[0]], text[1])):
        for marks in clusters(by_text[response, message]):
            element = marked(response, message, marks, words)
            without(element, people, machines)
            element.title = f"Response {numbers[response]}: {element.title}"
            found.append(element)
    return found


def looked(answer: Answer, shape: Asked) -> bool:
    """Whether somebody was asked to mark: who marked nothing then says that there is nothing."""
    return shape.critiques.on or bool(answer.annotation.critiques.all())


def clusters(marks: Iterable[Mark]) -> list[list[Mark]]:
    """Marks about the same thing, in the order in which they begin; those on the whole text first."""
    found: list[list[Mark]] = []
    open_: list[list[Mark]] = []
    for mark in sorted(marks, key=lambda one: (one.start, one.end, one.row.pk)):
        open_ = [group for group in open_ if max(one.end for one in group) >= mark.start]
        home = next((group for group in open_ if any(alike(mark, one) for one in group)), None)
        if home is None:
            home = []
            found.append(home)
            open_.append(home)
        home.append(mark)
    return found


def alike(one: Mark, other: Mark) -> bool:
    """Of marks on the whole text, and of omissions at one place, the type tells them apart."""
    if one.end - one.start <= 0 or other.end - other.start <= 0:
        return (one.start, one.end, one.type) == (other.start, other.end, other.type)
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared >= TOGETHER * (max(one.end, other.end) - min(one.start, other.start))


def marked(response: int, message: int, marks: Sequence[Mark], words: Mapping[str, str]) -> Element:
    options: dict[str, Option] = {}
    for mark in marks:
        key = key_of(mark.value)
        if key not in options:
            told = mark_in_words(mark.value, mark.row.quote, words)
            options[key] = Option(
                key, told, mark.value, source=mark.row.pk, comment=mark.row.comment, edit=mark.row.edit
            )
        if mark.answer.name not in options[key].people + options[key].machines:
            vote(options, key, mark.answer)
    start, end = min(mark.start for mark in marks), max(mark.end for mark in marks)
    whole = start < 0
    longest = max(marks, key=lambda mark: mark.end - mark.start)
    title = "on the whole" if whole else f"“{longest.row.quote}”" if longest.row.quote else "something missing"
    place = f"span:{response}:{message}:{start}" + (f":{marks[0].type}" if whole else "")
    return Element(
        place, "span", title, list(options.values()), response=response, message=message,
        start=None if whole else start, end=None if whole else end,
    )  # fmt: skip


def mark_words(shape: Asked, value: Mapping[str, Any], quote: str) -> str:
    """A mark in words, under the labels of a protocol."""
    return mark_in_words(value, quote, words_of(shape))


def words_of(shape: Asked) -> dict[str, str]:
    return {label.name: label.words for label in (*shape.critiques.types, *shape.critiques.severities)}


def mark_in_words(value: Mapping[str, Any], quote: str, words: Mapping[str, str]) -> str:
    parts = [words.get(value["type"], value["type"]), words.get(value["severity"], value["severity"])]
    parts.append(POLES.get(value["polarity"], ""))
    told = " · ".join(part for part in parts if part) or "marked"
    return f"{told}: “{quote}”" if quote else told


def without(element: Element, people: set[str], machines: set[str]) -> None:
    """Adds the option that nothing is to be marked here, said by all who marked nothing here; a proposal needs half of
    the people (of the models where no person looked)."""
    marked_by = {name for option in element.options for name in option.people}
    by_machines = {name for option in element.options for name in option.machines}
    rejected = Option(REJECTED, "nothing to mark", None, sorted(people - marked_by), sorted(machines - by_machines))
    votes = list(element.options)
    element.options.append(rejected)
    mine, all_ = (marked_by, people) if people else (by_machines, machines)
    if 2 * len(mine) > len(all_):
        side = "people" if people else "machines"
        element.proposal = max(votes, key=lambda option: len(getattr(option, side))).key
    else:
        element.proposal = REJECTED if 2 * len(mine) < len(all_) else ""
    element.disputed = len(votes) > 1 or bool(rejected.people)
