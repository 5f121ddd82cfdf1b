"""Votes that come with a file: annotations of people, models and programs who were never here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from django.db.models import F
from django.utils import timezone

from curation import bulk
from curation.models import Annotation, Preference, Project
from curation.services.importing.answers import AnswerBox
from curation.services.importing.golden import GoldBox
from curation.services.importing.people import known_as, meet
from curation.services.importing.rows import short
from curation.services.reviewed import fixed_on
from workers.rows import VoteRow

ANNOTATION = (
    "id", "project_id", "task_id", "annotator_id", "protocol_id", "event", "source", "order", "rationale", "reason",
    "counted", "idempotency_key", "supersedes_id", "created_at",
)  # fmt: skip
PREFERENCE = ("annotation_id", "axis", "value", "both_bad", "probability")


class Place(NamedTuple):
    """Pair and task of two responses of a row; swapped where the pair has them the other way round."""

    pair_id: int
    task_id: int
    swapped: bool = False


class Cast(NamedTuple):
    """A vote on its pair, in the order of the pair."""

    pair_id: int
    task_id: int
    annotator: tuple[str, str]
    vote: VoteRow
    value: int | None
    probability: float | None


class Written(NamedTuple):
    """A vote as it is written: with a key of its own even when it goes back to what it once was."""

    id: int
    cast: Cast
    key: str
    supersedes: int | None


class VoteBox:
    """Collects the votes of a batch and writes them at its end; remembers annotators over batches."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.annotators: dict[tuple[str, str], int] = {}
        self.collected: list[Cast] = []
        self.unsure = False
        self.answers = AnswerBox(project)
        self.gold = GoldBox(project)

    def put(self, vote: VoteRow, where: Mapping[tuple[int, int], Place]) -> bool:
        """Take a vote if its pair is there; `where` gives pair and task by the places of two responses."""
        backwards = vote.first > vote.second
        place = where.get((vote.second, vote.first) if backwards else (vote.first, vote.second))
        if place is None:
            return False
        turned = backwards != place.swapped
        value = -vote.value if turned and vote.value is not None else vote.value
        probability = 1 - vote.probability if turned and vote.probability is not None else vote.probability
        who = known_as(vote.kind, vote.annotator)
        self.collected.append(Cast(place.pair_id, place.task_id, who, vote, value, probability))
        return True

    def flush(self) -> int:
        """Write what was collected, except votes that are there already; how many were new.

        `unsure` is set when a pair may have votes from before: then they are looked up, and a vote that an
        annotator has changed supersedes the standing one.
        """
        if not self.collected:
            return 0
        meet(self.project, {cast.annotator for cast in self.collected}, self.annotators)
        standing = self.standing() if self.unsure else {}
        fixed = fixed_on({cast.task_id for cast in self.collected}) if self.unsure else set()
        ids = iter(bulk.allocate_ids(Annotation, len(self.collected)))
        wanted: list[Written] = []
        for cast in self.collected:
            key = vote_key(self.project, cast)
            place = (cast.task_id, self.annotators[cast.annotator], cast.vote.axis)
            before = standing.get(place)
            if (before and before[1].startswith(key)) or place[:2] in fixed:
                continue
            made = Written(next(ids), cast, f"{key}-{before[0]}" if before else key, before[0] if before else None)
            standing[place] = (made.id, made.key)
            wanted.append(made)
        self.collected, self.unsure = [], False
        self.write(wanted)
        new = sum(vote.supersedes is None for vote in wanted)
        Project.objects.filter(pk=self.project.pk).update(vote_count=F("vote_count") + new)
        return len(wanted)

    def standing(self) -> dict[tuple[int, int, str], tuple[int, str]]:
        """Imported answers that stand on the collected tasks: id and key by task, annotator and axis."""
        tasks = {cast.task_id for cast in self.collected}
        found = Annotation.objects.answers().filter(task__in=tasks, source=Annotation.Source.IMPORT)
        rows = found.values_list("task_id", "annotator_id", "preferences__axis", "pk", "idempotency_key")
        return {(task, annotator, axis): (pk, key) for task, annotator, axis, pk, key in rows}

    def write(self, votes: list[Written]) -> None:
        now: Any = bulk.moment(timezone.now())
        project, protocol = self.project.pk, self.project.protocol_id
        bulk.insert(
            Annotation,
            ANNOTATION,
            (
                (v.id, project, v.cast.task_id, self.annotators[v.cast.annotator], protocol, "answer", "import", "")
                + (v.cast.vote.rationale, "", True, v.key, v.supersedes, now)
                for v in votes
            ),
        )
        bulk.insert(
            Preference,
            PREFERENCE,
            ((v.id, v.cast.vote.axis, v.cast.value, v.cast.vote.both_bad, v.cast.probability) for v in votes),
        )


def vote_key(project: Project, cast: Cast) -> str:
    """The idempotency key of an imported vote: the same vote on the same pair has the same key, however it was put."""
    vote = cast.vote
    said = (project.pk, cast.pair_id, vote.axis, cast.value, vote.both_bad, cast.probability, vote.rationale)
    return "import-" + short(orjson.dumps(said))
