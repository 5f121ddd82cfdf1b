"""Critiques, verdicts and ranks that come with a file: answers of people, models and programs elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import orjson
from django.db.models import F
from django.utils import timezone

from curation import bulk
from curation.models import Annotation, Critique, Project, Rank, Task, Verdict
from curation.services.importing.people import Who, known_as, meet
from curation.services.importing.rows import short
from curation.services.reviewed import fixed_on
from workers.rows import AnswerRow, CritiqueRow

ANNOTATION = (
    "id", "project_id", "task_id", "annotator_id", "protocol_id", "event", "source", "order", "rationale", "reason",
    "active_ms", "version", "score", "counted", "idempotency_key", "supersedes_id", "created_at",
)  # fmt: skip
CRITIQUE = (
    "annotation_id", "response_id", "message", "unit", "start", "end", "quote", "type", "severity", "polarity",
     "comment", "edit", "omission", "evidence", "review",
)  # fmt: skip
VERDICT = ("annotation_id", "response_id", "question", "answer", "comment", "start", "end", "evidence", "review")
RANK = ("annotation_id", "response_id", "rank")
PREFIX = "answer-"
"""Of the keys of imported answers; imported votes have another one."""


class Given(NamedTuple):
    """All that one annotator of a file says on one task, with the ids of the responses that it speaks of."""

    task_id: int
    who: Who
    said: list[tuple[int, AnswerRow]]
    responses: Sequence[int]

    @property
    def first(self) -> AnswerRow:
        return self.said[0][1]

    @property
    def ranks(self) -> Sequence[int]:
        """The place of each response, where they were ranked."""
        return next((answer.ranks for _, answer in self.said if answer.ranks), ())


class AnswerBox:
    """Collects the answers of a batch and writes them at its end; remembers annotators over batches."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.annotators: dict[Who, int] = {}
        self.collected: dict[tuple[int, Who], Given] = {}
        self.unsure = False

    def put(self, answers: Sequence[AnswerRow], responses: Sequence[int], tasks: Mapping[int, int]) -> None:
        """Take the answers of one item; `tasks` names the task on which each response's are kept."""
        for answer in answers:
            response = responses[answer.response]
            if response not in tasks:
                continue
            who = known_as(answer.kind, answer.annotator)
            given = self.collected.setdefault((tasks[response], who), Given(tasks[response], who, [], responses))
            given.said.append((response, answer))

    def flush(self) -> int:
        """Write what was collected, except what is there already; how many answers were new or changed.

        `unsure` is set when pairs may have changed: then answers on the same responses are looked for on other tasks.
        """
        if not self.collected:
            return 0
        meet(self.project, {given.who for given in self.collected.values()}, self.annotators)
        standing, fixed = self.standing(), fixed_on({task_id for task_id, _ in self.collected})
        ids = iter(bulk.allocate_ids(Annotation, len(self.collected)))
        elsewhere = self.elsewhere() if self.unsure else {}
        wanted: list[tuple[int, Given, str, int | None]] = []
        undone: list[tuple[int, int, int]] = []
        fresh = 0
        for given in self.collected.values():
            who, key = self.annotators[given.who], key_of(self.project, given)
            before, key_before = standing.get((given.task_id, who), (None, ""))
            if (before and key_before.startswith(key)) or (given.task_id, who) in fixed:
                continue
            earlier = taken_from(elsewhere, who, [response for response, _ in given.said])
            if before is None:
                before = next((pk for pk, _ in earlier), None)
            fresh += before is None
            undone += [(who, pk, task) for pk, task in earlier if pk != before]
            made = next(ids)
            wanted.append((made, given, f"{key}-{made}", before))
        self.collected, self.unsure = {}, False
        self.write(wanted)
        self.undo(undone)
        Project.objects.filter(pk=self.project.pk).update(vote_count=F("vote_count") + fresh)
        return len(wanted)

    def standing(self) -> dict[tuple[int, int], tuple[int, str]]:
        """Imported answers that stand on the collected tasks: id and key by task and annotator."""
        tasks = {task_id for task_id, _ in self.collected}
        found = Annotation.objects.answers().filter(task__in=tasks, idempotency_key__startswith=PREFIX)
        rows = found.values_list("task_id", "annotator_id", "pk", "idempotency_key")
        return {(task, annotator): (pk, key) for task, annotator, pk, key in rows}

    def undo(self, answers: list[tuple[int, int, int]]) -> None:
        """Take back answers, given by annotator, id and task, in whose place there is more than one now, or less."""
        now: Any = bulk.moment(timezone.now())
        project, protocol = self.project.pk, self.project.protocol_id
        nothing = ("undo", "import", "", "", "", None, "", None, True)
        rows = [
            (pk, project, task, who, protocol, *nothing, f"{PREFIX}undo-{before}", before, now)
            for pk, (who, before, task) in zip(bulk.allocate_ids(Annotation, len(answers)), answers, strict=True)
        ]
        if rows:
            bulk.insert(Annotation, ANNOTATION, rows)

    def elsewhere(self) -> dict[tuple[int, int], tuple[int, int]]:
        """Imported answers on the collected items that nothing collected takes the place of: id and task.

        They are named by annotator and response. What a response is compared with has changed, and with it the task
        on which what is said of it is kept.
        """
        tasks = {task_id for task_id, _ in self.collected}
        beside = Task.objects.filter(pair__item__pairs__tasks__in=tasks).values("pk")
        rows = Annotation.objects.answers().filter(task__in=beside, idempotency_key__startswith=PREFIX)
        mine = {(task_id, self.annotators[who]) for task_id, who in self.collected}
        found = {}
        for said in ("critiques", "verdicts"):
            told = rows.exclude(**{f"{said}__response": None})
            for who, response, pk, task in told.values_list("annotator_id", f"{said}__response", "pk", "task_id"):
                if (task, who) not in mine:
                    found[who, response] = pk, task
        return found

    def write(self, answers: list[tuple[int, Given, str, int | None]]) -> None:
        now: Any = bulk.moment(timezone.now())
        project, protocol = self.project.pk, self.project.protocol_id
        bulk.insert(
            Annotation,
            ANNOTATION,
            (
                (pk, project, given.task_id, self.annotators[given.who], protocol, "answer", "import", "")
                + (rationale_of(given), "", given.first.active_ms, given.first.version[:100], given.first.score)
                + (True, key, before, now)
                for pk, given, key, before in answers
            ),
        )
        everything = [(pk, response, answer) for pk, given, *_ in answers for response, answer in given.said]
        bulk.insert(
            Critique, CRITIQUE, (critique(pk, response, c) for pk, response, a in everything for c in a.critiques)
        )
        bulk.insert(
            Verdict,
            VERDICT,
            (
                (pk, response, v.question, dumped(v.answer), v.comment, v.start, v.end, dumped(v.evidence), "")
                for pk, response, a in everything
                for v in a.verdicts
            ),
        )
        ranks = (
            (pk, response, rank)
            for pk, given, *_ in answers
            for response, rank in zip(given.responses, given.ranks, strict=False)
        )
        bulk.insert(Rank, RANK, ranks)


def taken_from(
    elsewhere: dict[tuple[int, int], tuple[int, int]], who: int, responses: Iterable[int]
) -> list[tuple[int, int]]:
    """The answers of `who` on the responses, each with its task; they are taken out, so that each is found once."""
    found = list(dict.fromkeys(elsewhere[who, one] for one in responses if (who, one) in elsewhere))
    for key in [key for key, value in elsewhere.items() if value in found]:
        del elsewhere[key]
    return found


def critique(annotation: int, response: int, said: CritiqueRow) -> tuple[Any, ...]:
    return (
        (annotation, response, said.message, said.unit, said.start, said.end, said.quote)
        + (said.type, said.severity, said.polarity, said.comment, said.edit, said.omission, dumped(said.evidence), "")
    )  # fmt: skip


def rationale_of(given: Given) -> str:
    return "\n\n".join(dict.fromkeys(answer.rationale for _, answer in given.said if answer.rationale))


def dumped(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def key_of(project: Project, given: Given) -> str:
    """The idempotency key of an imported answer: the same answer on the same task has the same key."""
    said = [(response, asdict(answer)) for response, answer in given.said]
    return PREFIX + short(orjson.dumps((project.pk, given.task_id, said)))
