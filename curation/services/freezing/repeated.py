"""What people said when they were asked again, for the file of raw answers: beside the answers, and none of them.

A row is known by `repeat_of`, the annotation that it repeats; its own number lies where no annotation's can. Nothing
else of a version reads repeats. They are read as they stood when the version was asked for, out of their events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Max

from curation.models import Annotation, DatasetVersion, Project, Repeat
from curation.models.repeats import event_number
from curation.services.freezing.moments import in_utc

COLUMN = ("repeat_of", "whole")
AT_ONCE = 500
BOTH_BAD = "both_bad"


def told(version: DatasetVersion) -> bool:
    """Whether a version tells of repeats; those made before they were told are made again without."""
    return "repeats_upto" in version.lineage


def last_said(project: Project) -> str | None:
    """The moment of the latest event of a repeat: later ones do not change a version. None where there is none."""
    latest = Repeat.objects.filter(project=project).aggregate(at=Max("committed_at"))["at"]
    return latest.isoformat() if latest else None


def answers(version: DatasetVersion) -> Iterator[dict[str, Any]]:
    """A row for each axis of each standing answer to a repeat, in the order of their numbers."""
    if not version.lineage.get("repeats_upto"):
        return
    upto = datetime.fromisoformat(version.lineage["repeats_upto"])
    asked = Repeat.objects.filter(project=version.dataset.project_id, asked_at__lte=upto).order_by("pk")
    asked, last = asked.select_related("annotator", "task", "first__protocol"), 0
    while some := list(asked.filter(pk__gt=last)[:AT_ONCE]):
        last = some[-1].pk
        for repeat in some:
            yield from rows_of(repeat, upto)


def rows_of(repeat: Repeat, upto: datetime) -> Iterator[dict[str, Any]]:
    """What stood of one repeat at a moment: nothing unless its last event by then was an answer."""
    before = [n for n, commit in enumerate(repeat.commits) if datetime.fromisoformat(commit["at"]) <= upto]
    place = before[-1] if before else None
    if place is None or repeat.commits[place]["event"] != Annotation.Event.ANSWER:
        return
    commit: Mapping[str, Any] = repeat.commits[place]
    # the words of answers from before events kept them are in the row, as long as nothing came after
    rationale = commit.get("rationale", repeat.rationale if place == len(repeat.commits) - 1 else "")
    for axis, said in commit.get("preferences", {}).items():
        yield {
            "annotation": event_number(repeat.pk, place),
            "task": repeat.task_id,
            "pair": repeat.task.pair_id,
            "annotator_kind": repeat.annotator.kind,
            "annotator": repeat.annotator.name,
            "protocol": repeat.first.protocol.version,
            "help": "",
            "shown_order": repeat.order,
            "active_ms": commit["active_ms"],
            "created_at": in_utc(commit["at"]),
            "rationale": rationale,
            "version": "",
            "axis": axis,
            "value": None if said == BOTH_BAD else said,
            "both_bad": said == BOTH_BAD,
            "repeat_of": repeat.first_id,
        }
