"""Keeping the sums of agreement up with the answers: from the start task by task, afterwards annotation by annotation.

Annotations are only ever added, so what a task added to the sums before can be worked out again: what stood on it when
the last counted annotation was written. A new answer, an undo or an edit is then what the task adds now, less that.
What is not an annotation and changes the sums makes them anew: labels renamed by a new version of the protocol,
metadata corrected where it tells items apart, and an annotation committed after a later one had been counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from django.db import connection, transaction
from django.db.models import Max, Min, QuerySet

from curation.errors import Invalid
from curation.models import AgreementState, AgreementSum, Annotation, Change, Project, Protocol
from curation.services.concord.speaking import Book, spoken
from curation.services.concord.summing import Name, Sums, add_all
from curation.services.deciding import last_annotation
from curation.services.past import last_change

ROWS = 10_000
"""Annotations that are read at once, about."""
TAIL = 20_000
"""Ids before the last counted one, among which a late commit is noticed."""
MOST_SLICES = 2_000
LONGEST_FIELD = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """The sums of a project as they are: `done` from 0 to 1."""

    state: AgreementState
    done: float

    @property
    def complete(self) -> bool:
        return self.done >= 1


def kept_up(project: Project, by: str = "", seconds: float = 1.0) -> Kept:
    """The sums of a project, brought further for about so long. Raises Invalid for a field that tells nothing apart.

    While somebody else brings them further, they are given as they are.
    """
    if by and not (by == "source" or (by.startswith("metadata.") and 9 < len(by) <= LONGEST_FIELD)):
        raise Invalid("must be source, or metadata. and a key", field="field")
    state, _ = AgreementState.objects.get_or_create(project=project, field=by)
    until = monotonic() + seconds
    while True:
        with transaction.atomic():
            locked = lock(state.pk)
            if locked is None:
                return Kept(state, min(0.99, share(state)))
            state, before = locked, (locked.protocol_id, locked.change)
            more = step(project, state)
            if before != (state.protocol_id, state.change):
                state.save()
        if not more or monotonic() > until:
            return Kept(state, share(state) if more else 1.0)


def lock(pk: int) -> AgreementState | None:
    skip = connection.features.has_select_for_update_skip_locked
    return AgreementState.objects.select_for_update(skip_locked=skip).filter(pk=pk).first()


def share(state: AgreementState) -> float:
    """How much is counted: by ids, which are about as far apart everywhere."""
    rows = Annotation.objects.filter(project=state.project_id)
    if state.task is not None:
        ends = rows.aggregate(low=Min("task"), high=Max("task"))
        low, high, at = ends["low"] or 0, ends["high"] or 0, state.task
    else:
        low, high, at = 0, last_annotation(state.project), state.upto
    return max(0.0, min(0.99, (at - low + 1) / (high - low + 1))) if high else 0.99


def step(project: Project, state: AgreementState) -> bool:
    """Count some more; whether there is still more. The state is locked."""
    if begins_anew(project, state):
        state.sums.all().delete()
        state.protocol, state.task = project.protocol, 0
        state.upto, state.change = last_annotation(project), last_change(project)
        state.tail = tail(project, state.upto)
        state.save()
    if state.task is not None:
        return by_tasks(project, state)
    return by_annotations(project, state)


def begins_anew(project: Project, state: AgreementState) -> bool:
    if state.task == 0 and not state.upto:
        return True
    return relabelled(project, state) or corrected(project, state) or tail(project, state.upto) != state.tail


def corrected(project: Project, state: AgreementState) -> bool:
    """Whether an item since has another value of the field, going by what was corrected of it."""
    if not state.field:
        return False
    changes = Change.objects.filter(project=project, pk__gt=state.change).order_by("pk")
    seen = list(changes.values_list("pk", "fields")[:ROWS])
    state.change = seen[-1][0] if seen else state.change
    return any(state.field.partition(".")[0] in fields for _, fields in seen)


def relabelled(project: Project, state: AgreementState) -> bool:
    """Whether a version of the protocol since reads labels under other names."""
    if state.protocol_id == project.protocol_id:
        return False
    if state.protocol is None or project.protocol is None:
        return True
    since = Protocol.objects.filter(project=project, version__gt=state.protocol.version)
    if any(since.values_list("relabelled", flat=True)):
        return True
    state.protocol = project.protocol
    return False


def tail(project: Project, upto: int) -> int:
    """Annotations among the ids up to the last counted one: one that is committed late makes it grow."""
    return Annotation.objects.filter(project=project, pk__gt=upto - TAIL, pk__lte=upto).count()


def by_tasks(project: Project, state: AgreementState) -> bool:
    """The next tasks, each once, as they stood at the annotation up to which the sums are made."""
    rows = Annotation.objects.filter(project=project, task__gt=state.task, pk__lte=state.upto).order_by("task_id")
    found = list(rows.values_list("task_id", flat=True)[:ROWS])
    tasks = list(dict.fromkeys(found))
    if len(found) == ROWS:
        tasks = tasks[:-1] or tasks
    sums = Sums()
    if tasks:
        add_all(sums, spoken(Book.of(project), tasks, state.upto, state.field))
        write(state, sums)
    state.task = tasks[-1] if tasks and len(found) == ROWS else None
    state.save()
    return state.task is not None or state.upto < last_annotation(project)


def by_annotations(project: Project, state: AgreementState) -> bool:
    """The next annotations: what their tasks add now, less what they added before."""
    rows = Annotation.objects.filter(project=project, pk__gt=state.upto).order_by("pk").values_list("pk", "task_id")
    found = list(rows[:ROWS])
    if not found:
        return False
    upto, tasks = found[-1][0], sorted({task for _, task in found})
    sums, book = Sums(), Book.of(project)
    add_all(sums, spoken(book, tasks, state.upto, state.field), -1)
    add_all(sums, spoken(book, tasks, upto, state.field))
    write(state, sums)
    state.upto, state.tail = upto, tail(project, upto)
    state.save()
    return len(found) == ROWS


def write(state: AgreementState, sums: Sums) -> None:
    """Add sums to the rows; names and rows that come to nothing go, so that rows are what they are made from."""
    changed = [name for name, keys in sums.rows.items() if any(keys.values()) or sums.n[name]]
    there = rows_named(state, changed)
    made, gone = [], []
    for name in changed:
        pk, n, told = there.get(name) or (0, 0, {})
        for key, amount in sums.rows[name].items():
            if amount:
                told[key] = told.get(key, 0) + amount
                if not told[key]:
                    del told[key]
        if told:
            label, part, slice_, key = name
            n += sums.n[name]
            made.append(AgreementSum(state=state, label=label, part=part, slice=slice_, key=key, n=n, sums=told))
        elif pk:
            gone.append(pk)
    AgreementSum.objects.filter(pk__in=gone).delete()
    AgreementSum.objects.bulk_create(
        made,
        batch_size=100,
        update_conflicts=True,
        unique_fields=["state", "part", "label", "slice", "key"],
        update_fields=["n", "sums"],
    )
    if state.field and too_many(state.sums.all()):
        raise Invalid(f"this tells more than {MOST_SLICES} slices apart; choose another", field="field")


def too_many(rows: QuerySet[AgreementSum]) -> bool:
    return len(rows.values_list("slice", flat=True).distinct()[: MOST_SLICES + 1]) > MOST_SLICES


def rows_named(state: AgreementState, names: list[Name]) -> dict[Name, tuple[int, int, dict[str, int]]]:
    """Id, n and sums of the rows that are there, found by label, part and slice, with their keys."""
    keys: dict[tuple[str, str, str], list[str]] = {}
    for label, part, slice_, key in names:
        keys.setdefault((label, part, slice_), []).append(key)
    found: dict[Name, tuple[int, int, dict[str, int]]] = {}
    for (label, part, slice_), some in keys.items():
        rows = AgreementSum.objects.filter(state=state, label=label, part=part, slice=slice_, key__in=some)
        for key, *told in rows.values_list("key", "pk", "n", "sums"):
            found[label, part, slice_, key] = (told[0], told[1], told[2])
    return found
