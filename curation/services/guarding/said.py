"""What people said of the safety of responses and of prompts: gold first, else the majority of the answers that stand.

A question named `safe` is answered yes for what is safe, one named `unsafe` yes for what is not; `severity` is one of
none, minor, moderate, severe, or 0 to 3. The same questions about a prompt are asked with any of its responses and
belong to the item: `prompt_safe`, `prompt_unsafe`, `prompt_severity`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from curation.models import Annotation, Annotator, Gold, Item, Project, TaskKind, Verdict
from curation.services.candidates import in_range
from curation.services.deciding import settled
from curation.services.gold.reading import expected_of, names_for
from curation.services.label_names import CurrentNames, Reading
from workers.guarding import LEVELS
from workers.readers.pku_saferlhf import SEVERITIES

OF_RESPONSE = ("safe", "unsafe", "severity")
PROMPT = "prompt_"
OF_PROMPT = tuple(f"{PROMPT}{name}" for name in OF_RESPONSE)
QUESTIONS = (*OF_RESPONSE, *OF_PROMPT)
YES, NO = ("yes", "true"), ("no", "false")
OPPOSITE = {"safe": "unsafe", "unsafe": "safe"}
ITEM_OF = {
    TaskKind.PREFERENCE: "task__pair__item",
    TaskKind.RESPONSE: "task__response__item",
    TaskKind.RANKING: "task__item",
}


@dataclass(frozen=True, slots=True)
class Safety:
    """`severity` is the place of the level; None of what is unsafe without anybody having said how bad."""

    unsafe: bool
    severity: int | None


Answers = dict[str, list[Any]]
"""Answers by question, one of each person."""


def judged_items(project: Project, *, gold_only: bool) -> QuerySet[Item]:
    """Items of which people said whether a response or the prompt is safe."""
    of_item = {ITEM_OF[TaskKind(project.kind)]: OuterRef("pk")}
    known = Q(Exists(Gold.objects.filter(project=project, retired_at=None, **of_item)))
    if not gold_only:
        people = Verdict.objects.filter(
            response__item=OuterRef("pk"),
            start=None,
            question__in=QUESTIONS,
            annotation__annotator__kind=Annotator.Kind.PERSON,
        )
        known |= Q(Exists(people))
    return Item.objects.filter(known, project=project, deleted_at=None)


def said(
    project: Project, spec: Mapping[str, Any], *, as_of: int, gold_only: bool
) -> tuple[dict[int, Safety], dict[int, Safety]]:
    """(by response, by item: of its prompt) what people said of the items in a range of ids."""
    items = dict(in_range(Item.objects.filter(project=project), dict(spec)).values_list("pk", "pk"))
    right = expected(project, items)
    answers: tuple[dict[int, Answers], dict[int, Answers]] = ({}, {})
    if not gold_only:
        answers = given(project, spec, as_of)
    responses, prompts = (
        {
            key: found
            for key in sorted({*mine, *sure})
            if (found := safety({**mine.get(key, {}), **sure.get(key, {})})) is not None
        }
        for mine, sure in zip(answers, right, strict=True)
    )
    return responses, prompts


def of_people(project: Project) -> QuerySet[Verdict]:
    """Verdicts on whole responses in answers of people that stand; found by their responses."""
    later = Annotation.objects.filter(supersedes=OuterRef("annotation"))
    return Verdict.objects.filter(
        ~Exists(later),
        annotation__project=project,
        annotation__event=Annotation.Event.ANSWER,
        annotation__counted=True,
        annotation__annotator__kind=Annotator.Kind.PERSON,
        start=None,
    )


def given(project: Project, spec: Mapping[str, Any], as_of: int) -> tuple[dict[int, Answers], dict[int, Answers]]:
    """Answers of people that stand; of several of one person on one thing the latest."""
    items = {"response__item__gte": spec["from"], "response__item__lte": spec["to"]}
    rows = of_people(project).filter(annotation__lte=as_of, **items).order_by("annotation_id", "pk")
    values = ("response_id", "response__item_id", "annotation__annotator_id", "annotation__protocol_id")
    told = list(rows.values_list(*values, "question", "answer"))
    names = names_for(project, {row[3] for row in told}) if project.protocol_id else None
    latest: dict[tuple[bool, int, str, int], Any] = {}
    for response, item, person, protocol, question, answer in told:
        called, read = renamed(names, protocol, question, answer)
        if called in QUESTIONS and read is not None:
            of_prompt = called.startswith(PROMPT)
            latest[of_prompt, item if of_prompt else response, called, person] = read
    found: tuple[dict[int, Answers], dict[int, Answers]] = (defaultdict(dict), defaultdict(dict))
    for (of_prompt, key, question, _), answer in latest.items():
        found[of_prompt][key].setdefault(question.removeprefix(PROMPT), []).append(answer)
    return found


def renamed(names: CurrentNames | None, protocol: int, question: str, answer: Any) -> tuple[str | None, Any]:
    reading = names.of(protocol) if names else Reading()
    return reading.question(question), reading.answer(question, answer)


def expected(project: Project, items: Mapping[int, int]) -> tuple[dict[int, Answers], dict[int, Answers]]:
    """What gold says is right: it goes before what people answered."""
    of_item = ITEM_OF[TaskKind(project.kind)]
    golds = list(Gold.objects.filter(project=project, retired_at=None, suspect_at=None, **{f"{of_item}__in": items}))
    items_by_task = dict(Gold.objects.filter(pk__in=[one.pk for one in golds]).values_list("pk", f"{of_item}_id"))
    names = names_for(project, {one.protocol_id for one in golds}) if golds else None
    found: tuple[dict[int, Answers], dict[int, Answers]] = (defaultdict(dict), defaultdict(dict))
    for gold in sorted(golds, key=lambda one: one.pk):
        for one in expected_of(gold, names).get("verdicts", ()):
            if one.get("start") is None and one["question"] in QUESTIONS:
                of_prompt = one["question"].startswith(PROMPT)
                key = items_by_task[gold.pk] if of_prompt else one["response"]
                found[of_prompt][key][one["question"].removeprefix(PROMPT)] = [one["answer"]]
    return found


# --- In words -----------------------------------------------------------------------------------------


def safety(answers: Mapping[str, Sequence[Any]]) -> Safety | None:
    """What several people's answers come to; None where they are undecided, or where nobody said anything."""
    bad = votes("unsafe", answers.get("unsafe", ())) + [not one for one in votes("safe", answers.get("safe", ()))]
    unsure = len(answers.get("unsafe", ())) + len(answers.get("safe", ())) - len(bad)
    levels = [place for given in answers.get("severity", ()) if (place := level_of(given)) is not None]
    severity = settled(levels) if levels else None
    if not bad:
        return None if unsure or severity is None else Safety(severity > 0, severity)
    unsafe = settled([*bad, *["unsure"] * unsure])
    if not isinstance(unsafe, bool):
        return None
    if not unsafe:
        return Safety(False, 0)
    return Safety(True, severity or None)  # unsafe and "none": nobody said how bad


def votes(question: str, answers: Sequence[Any]) -> list[bool]:
    """Yes and no, also by the question's own word or its opposite; what is neither is left out."""
    words = [str(one).strip().lower() for one in answers]
    yes, no = (*YES, question), (*NO, OPPOSITE[question])
    return [one in yes for one in words if one in yes or one in no]


def level_of(answer: Any) -> int | None:
    """The place of a level: by its name, or as a number from 0 to 3."""
    if isinstance(answer, bool):
        return None
    if isinstance(answer, int):
        return answer if 0 <= answer < len(LEVELS) else None
    word = str(answer).strip().lower()
    names = LEVELS if word in LEVELS else SEVERITIES
    return names.index(word) if word in names else None
