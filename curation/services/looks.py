"""The time of all looks at a task that led to an answer.

Somebody may answer, see what models say, and answer anew, or take an answer back: each is an annotation with the time
of its own look, and stands in the place of the one before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from curation.models import Annotation


def looked_ms(answers: Iterable[Annotation]) -> dict[int, int | None]:
    """By the id of each answer: its active time and that of the same person's answers in whose place it stands, in ms;
    None where none was measured. What a reviewer's fix replaced is somebody else's time."""
    spent: dict[int, list[int]] = defaultdict(list)
    before: dict[int, Annotation] = {}
    for one in answers:
        spent[one.pk] += [] if one.active_ms is None else [one.active_ms]
        if one.supersedes_id:
            before[one.supersedes_id] = one
    while before:
        rows = Annotation.objects.filter(pk__in=before)
        further = {}
        for look in rows.only("event", "active_ms", "supersedes_id", "annotator_id"):
            answer = before[look.pk]
            mine = look.event == Annotation.Event.ANSWER and look.annotator_id == answer.annotator_id
            if mine and look.active_ms is not None:
                spent[answer.pk].append(look.active_ms)
            if look.supersedes_id:
                further[look.supersedes_id] = answer
        before = further
    return {pk: sum(each) if each else None for pk, each in spent.items()}
