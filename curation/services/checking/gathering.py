"""The answers that stand, task by task, sorted by who gave them: what the checks of `workers/habits` are made from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from statistics import median
from typing import Any

from django.db.models.functions import Length

from curation.models import Annotation, Annotator, Critique, Pair, Project, Response, Task
from curation.services.agreeing import Content, contents, order, side
from curation.services.deciding import annotated_tasks
from workers.habits.origin import Written
from workers.habits.style import Compared

AT_ONCE = 300
"""So many tasks are read at a time."""
MOST_COMPARED = 5_000
"""Of all preferences so many, drawn at random, go into the fit of style: their texts are kept in memory."""
MOST_TEXTS = 4_000
"""So many critiques and rationales of people, and as many of models, go into the detector."""
EPOCH = datetime(2020, 1, 6)
"""A Monday; weeks are counted from it."""


@dataclass(slots=True)
class Habits:
    """What one annotator did, in the shapes that `workers/habits` takes."""

    answers: int = 0
    sides: list[tuple[str, int]] = field(default_factory=list)
    preferences: list[tuple[int, int, int, float]] = field(default_factory=list)
    times: list[tuple[int, int, float | None]] = field(default_factory=list)
    reviews: list[tuple[str, int | None]] = field(default_factory=list)
    agreed: list[tuple[int, bool]] = field(default_factory=list)
    """Week, and whether the answer is that of most of the other people."""
    sided: list[bool] = field(default_factory=list)
    """On tasks where most other people contradict a model that was there: whether the answer is the model's."""
    texts: list[Written] = field(default_factory=list)


@dataclass(slots=True)
class Gathered:
    """Everything that was read."""

    by: dict[int, Habits] = field(default_factory=lambda: defaultdict(Habits))
    compared: list[Compared] = field(default_factory=list)
    seen: int = 0
    """Preferences of people, of which `compared` is a sample."""


@dataclass(frozen=True, slots=True)
class Said:
    """One answer that stands."""

    pk: int
    task: int
    annotator: int
    machine: bool
    order: str
    ms: int | None
    rationale: str
    at: datetime
    content: Content


@dataclass(frozen=True, slots=True)
class About:
    """What a task shows."""

    item: int
    responses: tuple[int, ...]
    characters: int


def gather(project: Project, seed: int) -> Iterator[Gathered]:
    """The same object over and over, after each batch of tasks, until all answers are in it."""
    gathered, chance, last = Gathered(), Random(seed), 0
    axis = main_axis(project)
    while tasks := annotated_tasks(project, after=last, most=AT_ONCE):
        last = tasks[-1]
        said = answers(project, tasks)
        about = shown(tasks)
        add_compared(gathered, said, about, axis, chance)
        by_task: dict[int, list[Said]] = defaultdict(list)
        for one in said:
            by_task[one.task].append(one)
        for task, each in by_task.items():
            if task in about:
                add_task(gathered, each, about[task], axis)
        yield gathered


def main_axis(project: Project) -> str:
    """The axis that the signals are about."""
    return project.protocol.axis_names[0] if project.protocol and project.protocol.axis_names else "overall"


def answers(project: Project, tasks: Sequence[int]) -> list[Said]:
    """What stands on some tasks, with what it says, under the present names of labels."""
    columns = ("pk", "task_id", "annotator_id", "annotator__kind", "order", "active_ms", "rationale", "created_at")
    rows = list(Annotation.objects.answers().filter(task__in=tasks).order_by("task_id", "pk").values_list(*columns))
    said = contents(project, [row[0] for row in rows])
    return [
        Said(pk, task, annotator, kind != Annotator.Kind.PERSON, shown, ms, rationale, at, said[pk])
        for pk, task, annotator, kind, shown, ms, rationale, at in rows
    ]


def shown(tasks: Sequence[int]) -> dict[int, About]:
    """Item, responses and their length in characters, of tasks that still ask of something."""
    rows = Task.objects.filter(pk__in=tasks).values_list("pk", "pair_id", "response_id", "item_id")
    pairs = {
        pk: (item, first, second)
        for pk, item, first, second in Pair.objects.filter(pk__in=[row[1] for row in rows if row[1]]).values_list(
            "pk", "item_id", "first_id", "second_id"
        )
    }
    items = [row[3] for row in rows if row[3]]
    wanted = [row[2] for row in rows if row[2]] + [response for pair in pairs.values() for response in pair[1:]]
    found = Response.objects.filter(pk__in=wanted) | Response.objects.filter(item__in=items, deleted_at=None)
    lengths, owner = {}, {}
    by_item: dict[int, list[int]] = defaultdict(list)
    for pk, item, length in found.annotate(length=Length("text")).order_by("pk").values_list("pk", "item_id", "length"):
        lengths[pk], owner[pk] = length, item
        by_item[item].append(pk)
    about = {}
    for task, pair, response, item in rows:
        if pair:
            home, *asked = pairs[pair]
        elif response:
            home, asked = owner[response], [response]
        else:
            home, asked = item, by_item[item]
        about[task] = About(home, tuple(asked), sum(lengths[one] for one in asked))
    return about


def add_task(gathered: Gathered, said: Sequence[Said], about: About, axis: str) -> None:
    """One task's answers into the habits of those who gave them."""
    people = [one for one in said if not one.machine]
    machines = [one for one in said if one.machine]
    labels = {one.pk: labelled(one.content) for one in said}
    for one in said:
        habits = gathered.by[one.annotator]
        habits.answers += 1
        habits.reviews += one.content.reviews
        add_preferences(habits, one, about, axis)
        add_time(habits, one, people, about)
        others = [labels[other.pk] for other in people if other.annotator != one.annotator]
        if others:
            agreed = like(labels[one.pk], most(others))
            if agreed is not None:
                habits.agreed.append(((one.at.replace(tzinfo=None) - EPOCH).days // 7, agreed))
            if not one.machine:
                add_sided(habits, labels[one.pk], most(others), [labels[model.pk] for model in machines])


def labelled(content: Content) -> dict[Any, Any]:
    """What an answer says, as labels that others can share: sides of preferences, verdicts, the order of two."""
    found: dict[Any, Any] = {("axis", axis): side(outcome) for axis, outcome in content.preferences.items()}
    found |= {("verdict", *key): answer for key, answer in content.verdicts.items()}
    ranked = sorted(content.ranks)
    for place, one in enumerate(ranked):
        for other in ranked[place + 1 :]:
            found["rank", one, other] = order(content.ranks, (one, other))
    return found


def most(others: Sequence[Mapping[Any, Any]]) -> dict[Any, Any]:
    """The label that most of the others gave, where one was given by more than any other."""
    votes: dict[Any, Counter[Any]] = defaultdict(Counter)
    for labels in others:
        for key, label in labels.items():
            votes[key][label] += 1
    found = {}
    for key, counts in votes.items():
        first, *rest = counts.most_common(2)
        if not rest or first[1] > rest[0][1]:
            found[key] = first[0]
    return found


def like(labels: Mapping[Any, Any], others: Mapping[Any, Any]) -> bool | None:
    """Whether an answer is the others' in more than half of what both say; None where they say nothing in common."""
    keys = labels.keys() & others.keys()
    return sum(labels[key] == others[key] for key in keys) * 2 > len(keys) if keys else None


def add_sided(
    habits: Habits, mine: Mapping[Any, Any], others: Mapping[Any, Any], models: Sequence[Mapping[Any, Any]]
) -> None:
    """Where the latest model contradicts most of the others: whether this answer is the model's, once a task."""
    if not models:
        return
    model = models[-1]
    apart = [key for key in model.keys() & others.keys() & mine.keys() if model[key] != others[key]]
    if apart:
        habits.sided.append(sum(mine[key] == model[key] for key in apart) * 2 > len(apart))


def add_preferences(habits: Habits, one: Said, about: About, axis: str) -> None:
    outcome = one.content.preferences.get(axis)
    if outcome is not None and outcome != "both_bad" and len(about.responses) == 2:
        value = int(outcome)
        habits.sides.append((one.order, value))
        habits.preferences.append((about.item, *about.responses, value))
    ranked = sorted(one.content.ranks)
    for place, first in enumerate(ranked):
        for second in ranked[place + 1 :]:
            habits.preferences.append((about.item, first, second, order(one.content.ranks, (first, second))))


def add_time(habits: Habits, one: Said, people: Sequence[Said], about: About) -> None:
    if one.ms is None or one.machine:
        return
    others = [other.ms for other in people if other.annotator != one.annotator and other.ms is not None]
    habits.times.append((one.ms, about.characters, median(others) if others else None))


def add_compared(
    gathered: Gathered, said: Sequence[Said], about: Mapping[int, About], axis: str, chance: Random
) -> None:
    """A sample of people's preferences with the texts, every preference as likely (Vitter 1985, algorithm R); and the
    words of critiques and rationales."""
    chosen: list[tuple[int, Said]] = []
    for one in said:
        outcome = one.content.preferences.get(axis)
        if one.machine or outcome in (None, "both_bad") or len(about[one.task].responses) != 2:
            continue
        gathered.seen += 1
        place = len(gathered.compared) + len(chosen)
        if place >= MOST_COMPARED:
            place = chance.randrange(gathered.seen)
        if place < MOST_COMPARED:
            chosen.append((place, one))
    wanted = {response for _, one in chosen for response in about[one.task].responses}
    texts = {
        pk: (text, model)
        for pk, text, model in Response.objects.filter(pk__in=wanted).values_list("pk", "text", "model")
    }
    for place, one in chosen:
        first, second = (texts[response] for response in about[one.task].responses)
        value = int(one.content.preferences[axis])
        row = Compared(first[0], second[0], first[1], second[1], 0.5 if not value else float(value > 0))
        if place < len(gathered.compared):
            gathered.compared[place] = row
        else:
            gathered.compared.append(row)
    add_texts(gathered, said, about)


def add_texts(gathered: Gathered, said: Sequence[Said], about: Mapping[int, About]) -> None:
    """Rationales and comments that annotators wrote themselves, one text an answer; of models what they suggested."""
    own = Critique.objects.filter(annotation__in=[one.pk for one in said], review=Critique.Review.OWN).exclude(
        comment=""
    )
    comments: dict[int, list[str]] = defaultdict(list)
    for pk, comment in own.order_by("pk").values_list("annotation_id", "comment"):
        comments[pk].append(comment)
    for one in said:
        words = "\n".join(part for part in (one.rationale, *comments[one.pk]) if part)
        if words and one.task in about and len(gathered.by[one.annotator].texts) < MOST_TEXTS:
            gathered.by[one.annotator].texts.append(Written(about[one.task].item, words, one.machine))
