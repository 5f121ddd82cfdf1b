"""Files to import, and what must be true of a project whenever an import has ended."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.db.models import Count, F, Q, Sum

from curation.models import (
    GONE,
    Annotation,
    Annotator,
    Assignment,
    Item,
    Pair,
    Preference,
    Progress,
    Project,
    Response,
    Task,
)
from curation.services import importing
from curation.services.desk import progress_now
from curation.services.queueing import settled

TABLES = (Item, Response, Pair, Task, Assignment, Annotator, Annotation, Preference, Progress)


def row(name: str | None, *texts: Any, **more: Any) -> dict[str, Any]:
    """A row of Touchstone's own format."""
    given = {"prompt": f"Question {name}?", "responses": list(texts or (f"yes {name}", f"no {name}"))} | more
    return given if name is None else {"id": name} | given


def file_of(rows: Iterable[dict[str, Any] | bytes], name: str = "given.jsonl") -> Path:
    """A file with a row a line; bytes are a line as they are."""
    path: Path = settings.VAR_DIR / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(r if isinstance(r, bytes) else orjson.dumps(r) for r in rows) + b"\n")
    return path


def bring(project: Project, *rows: dict[str, Any] | bytes, **options: Any) -> dict[str, Any]:
    """Import rows; the result, once the project was found to be in order."""
    return bring_file(project, file_of(rows), **options)


def bring_file(project: Project, path: Path, **options: Any) -> dict[str, Any]:
    run = importing.import_now(project=project, user=None, path=path, **options)
    assert run.state == "succeeded", f"{run.error}\n{run.log}"
    in_order(project)
    return run.result


def counts(result: dict[str, Any]) -> tuple[int, int, int, int]:
    """Created, updated, unchanged, rejected."""
    return result["created"], result["updated"], result["unchanged"], result["rejected"]


def refusals(result: dict[str, Any]) -> list[tuple[int, str, str]]:
    """Line, field and reason of every refused row that the report shows."""
    return [(problem["line"], problem["field"], problem["reason"]) for problem in result["problems"]]


def snapshot(project: Project) -> list[Any]:
    """Every row of every table, and the project's counters: equal when nothing at all has changed."""
    project.refresh_from_db()
    rows = [list(table._default_manager.order_by("pk").values_list()) for table in TABLES]
    return [project.item_count, project.task_count, *rows]


def in_order(project: Project) -> None:
    """The counters say what the tables hold, and no row hangs in the air."""
    project.refresh_from_db()
    tasks = Task.objects.filter(project=project)
    assert project.item_count == Item.objects.filter(project=project, deleted_at=None).count()
    assert project.task_count == tasks.exclude(state=Task.State.RETIRED).count()
    pairs = Pair.objects.filter(item__project=project)
    assert not pairs.exclude(first__item=F("item"), second__item=F("item")).exists()
    live = pairs.filter(deleted_at=None, item__deleted_at=None)
    assert not live.exclude(first__deleted_at=None, second__deleted_at=None).exists()
    assert not live.exclude(tasks__state__in=[Task.State.OPEN, Task.State.COMPLETE]).exists()
    assert not tasks.filter(GONE, state=Task.State.OPEN).exists()
    assert pairs.count() == tasks.count()
    tasks_in_order(project)
    for progress in Progress.objects.filter(project=project):
        progress_in_order(project, progress)


def tasks_in_order(project: Project) -> None:
    """Tasks count the hands that hold them and the answers that were given."""
    state, answered = Assignment.State, Q(assignments__state=Assignment.State.ANSWERED)
    held = answered | Q(assignments__state=state.RESERVED)
    tasks = Task.objects.filter(project=project)
    counted = tasks.annotate(hands=Count("assignments", filter=held), given=Count("assignments", filter=answered))
    assert not counted.exclude(taken=F("hands"), done=F("given")).exists()
    closed = Progress.objects.filter(project=project).aggregate(n=Sum("closed"))["n"] or 0
    assert closed == tasks.filter(state=Task.State.COMPLETE).count()


def progress_in_order(project: Project, progress: Progress) -> None:
    """An annotator's counters are what counting would say."""
    mine = Assignment.objects.filter(annotator=progress.annotator)
    over = mine.filter(state__in=[Assignment.State.ANSWERED, Assignment.State.SKIPPED])
    assert progress.done == mine.filter(state=Assignment.State.ANSWERED).count()
    assert progress.skipped == mine.filter(state=Assignment.State.SKIPPED).count()
    assert progress.settled == settled(progress.annotator_id)
    left = Task.objects.filter(project=project, state=Task.State.OPEN).exclude(pk__in=over.values("task")).count()
    assert progress_now(progress.annotator_id).left == left


def answers(project: Project) -> dict[tuple[str, str, str, str], int | None]:
    """What stands, by item, annotator and the texts of the two responses in alphabetical order."""
    found = {}
    standing = Annotation.objects.answers().filter(project=project)
    for one in standing.select_related("annotator", "task__pair__item", "task__pair__first", "task__pair__second"):
        assert one.task.pair is not None
        pair, value = one.task.pair, one.preferences.get().value
        first, second = pair.first.text, pair.second.text
        if first > second:
            first, second, value = second, first, -value if value is not None else None
        found[pair.item.external_id, str(one.annotator), first, second] = value
    return found
