"""Gold in words: what is right on a task, what somebody said there, and how everybody does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from curation.errors import NotFound
from curation.models import Annotation, Annotator, Gold, GoldResult, Progress, Project, Task, TaskKind
from curation.protocols import Question
from curation.services.desk import Desk, asked
from curation.services.gold.reading import Said, answer_of, expected_of, names_for, with_all
from curation.services.gold.rules import rules_of
from curation.services.taking import Shown, shuffled
from workers.gold import SIDES
from workers.intervals import Share, wilson

MOST_PEOPLE = 200
MOST_RESULTS = 200
WHOLE = ("task__pair__item", "task__response__item", "task__item", "project__protocol")
Line = tuple[str, str]
"""What it is about, and the words."""


def lines(project: Project, said: Said, numbers: Mapping[int, int]) -> list[Line]:
    """An answer, or what is expected of one, in words; responses are called by their `numbers`, from 1."""
    found: list[Line] = []
    for axis, value in (said.get("preferences") or {}).items():
        sides = value if isinstance(value, list) else [value]
        found.append((question_on(project, axis), " or ".join(side_words(side, numbers) for side in sides)))
    questions = {one.name: one for one in asked(project.protocol).questions} if project.protocol else {}
    for one in said.get("verdicts") or ():
        question = questions.get(one["question"])
        about = question.question if question else one["question"]
        found.append((f"{called(one['response'], numbers)}: {about}", answer_words(one["answer"], question)))
    ranked = sorted((said.get("ranks") or {}).items(), key=lambda pair: pair[1])
    if ranked:
        found.append(("Order", ", ".join(f"{rank}. {called(int(pk), numbers)}" for pk, rank in ranked)))
    if "critiques" in said:
        found += critique_lines(project, said["critiques"], numbers)
    return found


def critique_lines(project: Project, critiques: Sequence[Mapping[str, Any]], numbers: Mapping[int, int]) -> list[Line]:
    if not critiques:
        return [("Critiques", "none")] if project.protocol and asked(project.protocol).critiques.on else []
    types = {label.name: label.words for label in asked(project.protocol).critiques.types} if project.protocol else {}
    found = []
    for one in critiques:
        quote = one.get("quote") or (f"{one['start']} to {one['end']}" if one.get("start") is not None else "")
        kind = types.get(one.get("type") or "", one.get("type") or "")
        words = " · ".join(part for part in (kind, f"“{quote}”" if quote else "as a whole", one.get("comment")) if part)
        found.append((called(one["response"], numbers), words))
    return found


def question_on(project: Project, axis: str) -> str:
    axes = project.protocol.axes if project.protocol else []
    return next((one["question"] for one in axes if one["name"] == axis), axis)


def side_words(side: str, numbers: Mapping[int, int]) -> str:
    """A side of a pair, whose responses are numbered in the order of the pair."""
    if side in ("tie", "both_bad"):
        return {"tie": "a tie", "both_bad": "both are bad"}[side]
    if side not in SIDES:
        return "undecided"
    each = list(numbers.values()) or [1, 2]
    return f"Response {each[side == 'second']} is better"


def called(response_id: Any, numbers: Mapping[int, int]) -> str:
    return f"Response {numbers[response_id]}" if response_id in numbers else "A response put away"


def answer_words(answer: Any, question: Question | None) -> str:
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    names = {option.name: option.words for option in question.options} if question else {}
    if isinstance(answer, list):
        return ", ".join(names.get(str(one), str(one)) for one in answer) or "none"
    return names.get(str(answer), str(answer))


def numbers_of(task: Task, order: str = "") -> dict[int, int]:
    """The number of each response of a task: as stored, or as it was shown in `order`."""
    if task.pair is not None:
        first, second = task.pair.first_id, task.pair.second_id
        return {first: 2, second: 1} if order == "ba" else {first: 1, second: 2}
    if task.response is not None:
        return {task.response.pk: 1}
    assert task.item is not None
    live = list(task.item.responses.filter(deleted_at=None).order_by("position").values_list("pk", flat=True))
    places = [int(place) for place in order.split(",")] if "," in order else list(range(len(live)))
    return {live[place]: n + 1 for n, place in enumerate(places) if place < len(live)}


def right_answer(gold: Gold) -> list[Line]:
    """What is right, as managers read it: responses by their stored numbers."""
    names = names_for(gold.project, [gold.protocol_id])
    return lines(gold.project, expected_of(gold, names), numbers_of(gold.task))


@dataclass(frozen=True, slots=True)
class Told:
    """One result as both sides may read it once it is shown, responses by the numbers under which they stood."""

    result: GoldResult
    said: list[Line]
    right: list[Line]
    opening: str

    @property
    def gold(self) -> Gold:
        return self.result.gold


def told(results: QuerySet[GoldResult]) -> list[Told]:
    """Results in words, the newest first."""
    rows = list(
        results.select_related("annotator__user", *(f"gold__{one}" for one in WHOLE)).order_by("-pk")[:MOST_RESULTS]
    )
    answers = with_all(Annotation.objects.filter(pk__in=[one.annotation_id for one in rows])).in_bulk()
    return [in_words(one, answers[one.annotation_id]) for one in rows]


def in_words(result: GoldResult, answer: Annotation) -> Told:
    gold, project = result.gold, result.gold.project
    names = names_for(project, [gold.protocol_id, answer.protocol_id])
    order = answer.order
    if gold.task.kind == TaskKind.RANKING and not order:
        count = gold.task.item.responses.filter(deleted_at=None).count() if gold.task.item else 0
        order = ",".join(map(str, shuffled(count, project.seed, gold.task_id, result.annotator_id)))
    numbers = numbers_of(gold.task, order)
    return Told(
        result,
        lines(project, answer_of(answer, names), numbers),
        lines(project, expected_of(gold, names), numbers),
        opening(gold.task),
    )


def opening(task: Task, most: int = 160) -> str:
    """The beginning of what a task asks of."""
    item = task.item or (task.pair or task.response).item  # type: ignore[union-attr]
    text = " ".join(str(item.prompt[-1].get("content", "") if item.prompt else "")[: 4 * most].split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


# --- How people do --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """How one annotator does on hidden gold, and whether training is over."""

    annotator: Annotator
    progress: Progress
    all: Share
    """Of all gold that still counts."""
    now: Share
    """Of what was not shown yet: what a pause goes by."""
    training: str
    """not needed, passed, under way, or not begun."""


def standings(project: Project) -> list[Standing]:
    """Everybody who has begun, those first who are right least often."""
    rows = Progress.objects.filter(project=project).exclude(done=0, skipped=0)
    everybody = list(rows.select_related("annotator__user").order_by("-done", "pk")[:MOST_PEOPLE])
    made = [standing(project, progress) for progress in everybody]
    return sorted(made, key=lambda one: (one.all.share is None, one.all.share or 0, -one.all.n))


def standing(project: Project, progress: Progress) -> Standing:
    return Standing(
        progress.annotator,
        progress,
        wilson(progress.gold_total_right, progress.gold_total),
        wilson(progress.gold_right, progress.gold_answered),
        training_words(project, progress),
    )


def training_words(project: Project, progress: Progress) -> str:
    needed = min(rules_of(project).training, project.training_count)
    if progress.trained_at:
        return "over"
    if not needed:
        return "not asked"
    return f"{progress.training_answered} of {needed}" if progress.training_answered else "not begun"


def standing_of(project: Project, annotator_id: int) -> Standing:
    found = Progress.objects.filter(project=project, annotator=annotator_id).select_related("annotator__user").first()
    if found is None:
        raise NotFound("no such annotator")
    return standing(project, found)


def shown_to(annotator: Annotator) -> QuerySet[GoldResult]:
    """The results whose right answers an annotator may see: training, and what was shown with a pause."""
    return GoldResult.objects.filter(annotator=annotator, revealed_at__isnull=False)


def lesson(annotator_id: int, task_id: int) -> Told:
    """What was right on a task, once its annotator may know. Raises NotFound before, and for all that is no gold."""
    found = told(GoldResult.objects.filter(annotator=annotator_id, gold__task=task_id, revealed_at__isnull=False))
    if not found:
        raise NotFound("nothing is told of this task")
    return found[0]


def training_of(desk: Desk, task: Shown | None) -> str:
    """Where in the training a task stands, in words; empty for a task that is none of it."""
    if task is None or desk.gold is None or not desk.gold.training:
        return ""
    if not Gold.objects.filter(task=task.task_id, phase=Gold.Phase.TRAINING, retired_at=None).exists():
        return ""
    answered = desk.gold.training_answered
    return f"{min(answered + 1, desk.gold.training)} of {desk.gold.training}: you are told what is right after each."


def after_lesson(desk: Desk) -> str:
    """What comes after a task of the training."""
    gold = desk.gold
    if gold is None or gold.trained:
        return "The training is over. From here on the tasks are real."
    if gold.paused:
        return "The training is over, and not passed. Whoever manages this project decides how it goes on."
    now = Progress.objects.get(annotator=desk.annotator_id)
    if not now.training_answered and now.training_round:
        return (
            f"This round is not passed: {gold.rules.pass_share} % must be right. Another one begins, with other tasks."
        )
    return (
        f"{now.training_answered} of {gold.training} answered, {now.training_right} of them right; "
        f"{gold.rules.pass_share} % must be right."
    )


def object_to(*, annotator: Annotator, result_id: int, words: str) -> GoldResult:
    """Say why gold that one missed is held to be wrong. Raises NotFound for what one has not been shown."""
    found = shown_to(annotator).filter(pk=result_id).first()
    if found is None:
        raise NotFound("no such result")
    found.objection = " ".join(words.replace("\0", "").split())[:1000]
    found.save(update_fields=["objection"])
    return found
