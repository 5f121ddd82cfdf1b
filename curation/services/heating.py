"""The heat map of a task: what a model's token rewards say of the responses, as they are shown.

It is help like a suggestion: held out from the same people and tasks, and after the answer where help is revealed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from curation import access
from curation.errors import NotFound
from curation.models import Annotation, Assignment, Project, Response, ScoreMap, Task, User
from curation.services import maps
from curation.services.desk import Desk, desk_in
from curation.services.suggesting import answered_before, help_on
from curation.services.taking import held

SEEN = (Annotation.Help.SHOWN, Annotation.Help.REVEALED)
LIVE = (Assignment.State.RESERVED, Assignment.State.ANSWERED)
FAR = 0.95
"""The share of values that lie within the scale: the few beyond it get the strongest colour, and drown no others."""

Colours = list[dict[str, Any]]
"""Of one response: {message, offsets, values} for each of its messages."""


def heat(user: User, slug: str, task_id: int) -> dict[str, Any]:
    """{model, kind, head, scale, responses} in shown order; only {why} when there is nothing to be seen now.

    For who holds the task, as far as help may be seen there; for others who may read the project, in stored order.
    Raises NotFound for everybody else.
    """
    project = access.project_for(user, slug, access.SEE)
    can = access.capabilities(user, project)
    if access.ANNOTATE in can:
        desk = desk_in(user, slug)
        mine = Assignment.objects.filter(task=task_id, annotator=desk.annotator_id).first()
        if mine:
            return at_desk(desk, task_id, mine)
    if access.READ not in can:
        raise NotFound("this task is not yours")
    return of(project.pk, responses_of(project, task_id))


def at_desk(desk: Desk, task_id: int, mine: Assignment) -> dict[str, Any]:
    """For who holds the task, or answered it."""
    if mine.state not in LIVE:
        raise NotFound("this task is not in your hands")
    answered = mine.state == Assignment.State.ANSWERED or answered_before(desk, task_id)
    help = help_on(desk, task_id, answered=answered)
    if help not in SEEN:
        return {"why": help or "none"}
    task = held(desk, task_id)
    found = Response.objects.in_bulk([response.id for response in task.responses])
    return of(desk.project_id, [found[response.id] for response in task.responses])


def responses_of(project: Project, task_id: int) -> list[Response]:
    """The responses of a task in stored order."""
    task = Task.objects.select_related("pair__first", "pair__second", "response")
    found = task.filter(pk=task_id, project=project).first()
    if found is None:
        raise NotFound("no such task")
    if found.pair:
        return [found.pair.first, found.pair.second]
    if found.response:
        return [found.response]
    return list(Response.objects.filter(item=found.item_id, deleted_at=None).order_by("position"))


def of(project_id: int, responses: Sequence[Response]) -> dict[str, Any]:
    """The newest token rewards on these responses, all of one model, so that one scale holds for all."""
    rows = maps.shown(project_id).filter(response__in=responses).select_related("model").order_by("id")
    chosen = best(list(rows))
    if not chosen:
        return {"why": "none"}
    unpacked = {row.response_id: maps.unpack(row) for row in chosen}
    one = chosen[-1]
    return {
        "model": str(one.model),
        "kind": one.model.kind,
        "head": one.head,
        "scale": scale_of(unpacked),
        "responses": [
            list(by_message(response, *unpacked[response.pk])) if response.pk in unpacked else []
            for response in responses
        ],
    }


def best(rows: Sequence[ScoreMap]) -> list[ScoreMap]:
    """The rows of one model and head: of those on the most responses the newest, an only head first."""
    groups: dict[tuple[int, str], list[ScoreMap]] = defaultdict(list)
    for row in rows:
        groups[row.model_id, row.head].append(row)
    return max(groups.values(), key=lambda group: (len(group), not group[0].head, group[-1].pk), default=[])


def scale_of(unpacked: Mapping[int, tuple[list[tuple[int, int]], list[float]]]) -> float:
    """What the strongest colour stands for: nearly the largest size of a value over all responses of the task."""
    sizes = sorted(abs(value) for _, values in unpacked.values() for value in values)
    return sizes[min(len(sizes) - 1, int(FAR * len(sizes)))] if sizes else 0.0


def by_message(response: Response, offsets: list[tuple[int, int]], values: list[float]) -> Iterator[dict[str, Any]]:
    """Places in the text of a response as places in each of its messages, which is what the screen shows."""
    found = 0
    for number, message in enumerate(response.as_messages()):
        content = str(message.get("content", ""))
        at = response.text.find(content, found)
        if at < 0:
            continue
        found = end = at + len(content)
        inside = [n for n, (start, stop) in enumerate(offsets) if at <= start < stop <= end]
        yield {
            "message": number,
            "offsets": [[offsets[n][0] - at, offsets[n][1] - at] for n in inside],
            "values": [round(values[n], 4) for n in inside],
        }
