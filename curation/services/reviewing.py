"""Checked answers as rows, and what became of the suggestions that they were derived from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rapidfuzz.distance import Levenshtein

from curation.errors import Invalid
from curation.models import Critique, Rank, Verdict
from curation.services.answering import Answer, Judged, Said
from curation.services.evidence import as_stored
from curation.services.label_names import names_under
from curation.services.taking import ShownResponse


@dataclass(frozen=True, slots=True)
class Suggested:
    """The suggestions that an answer was derived from, by id."""

    critiques: Mapping[int, Critique] = field(default_factory=dict)
    verdicts: Mapping[int, Verdict] = field(default_factory=dict)


def suggested_for(answer: Answer, task_id: int, protocol_id: int) -> Suggested:
    """What the answer says it was derived from, its labels as `protocol_id` calls them.

    Raises Invalid for what no model suggested on this task.
    """
    critiques = {said.derived_from for said in answer.critiques if said.derived_from}
    verdicts = {judged.derived_from for judged in answer.verdicts if judged.derived_from}
    if not critiques and not verdicts:
        return Suggested()
    machine = {"annotation__task": task_id, "annotation__annotator__kind__in": ("model", "program")}
    found = Suggested(
        Critique.objects.filter(**machine).select_related("annotation").in_bulk(critiques),
        Verdict.objects.filter(**machine).select_related("annotation").in_bulk(verdicts),
    )
    if critiques - found.critiques.keys() or verdicts - found.verdicts.keys():
        raise Invalid("names no suggestion for this task", field="derived_from")
    read_as(protocol_id, found)
    return found


def read_as(protocol_id: int, found: Suggested) -> None:
    """Name the labels of suggestions as a later protocol does; only here, not where they are stored."""
    made = [one.annotation.protocol_id for one in found.critiques.values()]
    names = names_under(protocol_id, made + [one.annotation.protocol_id for one in found.verdicts.values()])
    if names is None:
        return
    for said in found.critiques.values():
        reading = names.of(said.annotation.protocol_id)
        said.type, said.severity = reading.type(said.type) or "", reading.severity(said.severity) or ""
    for judged in found.verdicts.values():
        reading = names.of(judged.annotation.protocol_id)
        judged.answer = reading.answer(judged.question, judged.answer)
        judged.question = reading.question(judged.question) or ""


def write(
    annotation_id: int, shown: Sequence[ShownResponse], answer: Answer, suggested: Suggested, order: str = ""
) -> None:
    """Insert what a checked answer says; `order` is how the responses were shown."""
    critiques = [critique_row(annotation_id, shown, said, suggested.critiques, order) for said in answer.critiques]
    Critique.objects.bulk_create(critiques)
    verdicts = [verdict_row(annotation_id, shown, judged, suggested.verdicts, order) for judged in answer.verdicts]
    Verdict.objects.bulk_create(verdicts)
    Rank.objects.bulk_create(
        Rank(annotation_id=annotation_id, response_id=shown[place].id, rank=rank)
        for place, rank in enumerate(answer.ranks)
    )


def verdict_row(
    annotation_id: int, shown: Sequence[ShownResponse], judged: Judged, suggested: Mapping[int, Verdict], order: str
) -> Verdict:
    source = suggested.get(judged.derived_from) if judged.derived_from else None
    row = Verdict(
        annotation_id=annotation_id,
        response_id=shown[judged.response].id,
        question=judged.question,
        answer=judged.answer,
        comment=judged.comment,
        start=judged.start,
        end=judged.end,
        evidence=as_stored(judged.evidence, order),
        derived_from=source,
        review_ms=judged.review_ms if source else None,
    )
    if source is not None:
        same = all(getattr(row, name) == getattr(source, name) for name in JUDGED)
        row.review = Critique.Review.ACCEPTED if same else Critique.Review.EDITED
    return row


def critique_row(
    annotation_id: int, shown: Sequence[ShownResponse], said: Said, suggested: Mapping[int, Critique], order: str
) -> Critique:
    source = suggested.get(said.derived_from) if said.derived_from else None
    row = Critique(
        annotation_id=annotation_id,
        response_id=shown[said.response].id,
        message=said.message,
        unit=said.unit,
        start=said.start,
        end=said.end,
        quote=said.quote or "",
        type=said.type,
        severity=said.severity,
        polarity=said.polarity,
        comment=said.comment,
        edit=said.edit,
        omission=said.omission,
        evidence=as_stored(said.evidence, order),
        derived_from=source,
        review_ms=said.review_ms if source else None,
    )
    if source is not None:
        for name in (*PLACE, *REVIEWED) if said.rejected else ():
            setattr(row, name, getattr(source, name))
        row.review = reviewed_as(row, source, rejected=said.rejected)
        row.edit_distance = distance(row, source)
    return row


PLACE = ("unit", "quote")
REVIEWED = (
    "response_id", "message", "start", "end", "type", "severity", "polarity", "comment", "edit", "omission", "evidence",
)  # fmt: skip
JUDGED = ("response_id", "question", "start", "end", "answer", "comment", "evidence")
"""What makes an accepted critique or verdict an edited one when it differs."""


def reviewed_as(row: Critique, source: Critique, *, rejected: bool) -> str:
    if rejected:
        return Critique.Review.REJECTED
    same = all(getattr(row, name) == getattr(source, name) for name in REVIEWED)
    return Critique.Review.ACCEPTED if same else Critique.Review.EDITED


def distance(row: Critique, source: Critique) -> int:
    """Characters inserted, deleted or replaced in the comment and the suggested edit (Levenshtein)."""
    return Levenshtein.distance(source.comment, row.comment) + Levenshtein.distance(source.edit or "", row.edit or "")
