"""What becomes of items after they were first imported: kept with what they were, so that versions are made again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from curation.models import Change, Item, Pair, Project, Response, Run, User
from curation.services.freezing.changed import count_up

CONTENT = ("prompt", "context", "metadata", "prompt_hash", "source_id")
FIELDS = {"prompt": "prompt", "context": "context", "metadata": "metadata", "source_id": "source"} | {
    "responses": "responses", "away": "responses", "pairs": "pairs",
}  # fmt: skip
"""What is told to have changed, by the part of an item's state that differs."""
State = dict[str, Any]


def states(ids: Collection[int]) -> dict[int, State]:
    """What items are: their content, the places of live responses and of those put away, and the live pairs, by id."""
    found: dict[int, State] = {}
    for one in Item.objects.filter(pk__in=ids).order_by("pk"):
        found[one.pk] = {name: getattr(one, name) for name in CONTENT} | {"responses": {}, "away": {}, "pairs": {}}
        found[one.pk]["gone"] = one.deleted_at is not None
    responses = Response.objects.filter(item__in=ids).order_by("pk")
    for pk, item_id, position, gone in responses.values_list("pk", "item_id", "position", "deleted_at"):
        found[item_id]["away" if gone else "responses"][str(pk)] = position
    pairs = Pair.objects.filter(item__in=ids, deleted_at=None).order_by("pk")
    for pk, item_id in pairs.values_list("pk", "item_id"):
        found[item_id]["pairs"][str(pk)] = 1
    return found


def note(
    project: Project,
    before: Mapping[int, State],
    *,
    user: User | None,
    reason: str = "",
    run: Run | None = None,
    more: Mapping[int, State] | None = None,
) -> None:
    """Keep what items were before they became what they are now, where that differs; `more` goes with each.

    Called in the transaction of the change, under the lock of the project's row.
    """
    now = states(before)
    before = {pk: was for pk, was in before.items() if was != now[pk]}
    count_up(project, list(before))
    Change.objects.bulk_create(
        [
            Change(
                project=project,
                item_id=pk,
                kind=kind_of(was, now[pk]),
                fields=differing(was, now[pk]),
                before={name: value for name, value in was.items() if name != "gone"} | (more or {}).get(pk, {}),
                reason=reason,
                run=run,
                made_by=user,
            )
            for pk, was in before.items()
        ],
        batch_size=1000,
    )


def kind_of(before: State, after: State) -> str:
    if before["gone"] == after["gone"]:
        return Change.Kind.CORRECTED
    return Change.Kind.DELETED if after["gone"] else Change.Kind.RESTORED


def differing(before: State, after: State) -> list[str]:
    """The names of what differs, as people are told them: other responses are other pairs, so these are not named."""
    found = dict.fromkeys(name for part, name in FIELDS.items() if before[part] != after[part])
    return [name for name in found if name != "pairs" or "responses" not in found]
