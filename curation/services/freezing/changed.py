"""What became of the items of a version after it was made: corrected, removed, restored; by whom, when and why.

A version knows the last change that it has seen. Those behind it are walked by their index, and its items found among
them by bisection. How many of its items changed is counted by the change that does it, under the lock of the project.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from django.db.models import F

from curation.errors import Conflict
from curation.models import Change, DatasetVersion, Project
from curation.services.freezing.members import among

LOOKED_AT = 5000
"""Changes that a page looks at, at most: where few are of the version it may be short, or empty, and not the last."""
AT_ONCE = 1000


def followed(version: DatasetVersion) -> int | None:
    """The last change that a version has seen; None of one made before changes were followed."""
    found: int | None = version.lineage.get("last_change")
    return found


def since(version: DatasetVersion, after: int, limit: int) -> tuple[list[Change], int | None]:
    """The next changes behind `after` that touch a version, and the key of the page behind them.

    Raises Conflict for a version that was made before changes were followed.
    """
    seen = check(version)
    behind = Change.objects.filter(project=version.dataset.project_id, pk__gt=max(seen, after)).order_by("pk")
    looked = list(behind.values_list("pk", "item_id")[:LOOKED_AT])
    shown = mine(version.folder, looked)[:limit]
    whole = len(looked) < LOOKED_AT and (len(shown) < limit or shown[-1] == looked[-1][0])
    last = None if whole else shown[-1] if len(shown) == limit else looked[-1][0]
    return told(shown), last


def check(version: DatasetVersion) -> int:
    """The last change that a version has seen. Raises Conflict where it does not know."""
    seen = followed(version)
    if seen is None:
        raise Conflict("this version was made before changes were followed; the next one will tell")
    return seen


def every(version: DatasetVersion) -> Iterator[Change]:
    """All of them, a page in memory at a time."""
    after: int | None = 0
    while after is not None:
        found, after = since(version, after, AT_ONCE)
        yield from found


def latest(version: DatasetVersion, most: int) -> list[Change]:
    """The latest ones, the newest first, as far as they are among the latest of the project."""
    seen = followed(version)
    if seen is None or not version.changed_items:
        return []
    behind = Change.objects.filter(project=version.dataset.project_id, pk__gt=seen).order_by("-pk")
    return told(mine(version.folder, behind.values_list("pk", "item_id")[:LOOKED_AT])[:most])[::-1]


def mine(folder: Path, looked: Collection[tuple[int, int]]) -> list[int]:
    held = among(folder, {item_id for _, item_id in looked})
    return [pk for pk, item_id in looked if item_id in held]


def told(ids: Sequence[int]) -> list[Change]:
    """Changes with whose they are, without what was before, in their order."""
    found = Change.objects.filter(pk__in=ids).defer("before").select_related("item", "made_by", "run")
    return list(found.order_by("pk"))


def so_far(version: DatasetVersion, folder: Path) -> int:
    """How many items of a version have changed while it was made; the project's row is locked from here on."""
    project = version.dataset.project
    list(Project.objects.select_for_update(no_key=True, of=("self",)).filter(pk=project.pk))
    rows = Change.objects.filter(project=project).order_by("pk")
    found: set[int] = set()
    after = followed(version)
    while after is not None and (some := list(rows.filter(pk__gt=after).values_list("pk", "item_id")[:LOOKED_AT])):
        found |= among(folder, {item_id for _, item_id in some})
        after = some[-1][0]
    return len(found)


def count_up(project: Project, ids: Collection[int]) -> None:
    """Count items that are about to change on the versions that have rows of them, each item once a version.

    Called before the changes are kept, under the lock of the project's row.
    """
    versions = DatasetVersion.objects.filter(dataset__project=project, state=DatasetVersion.State.READY)
    for version in versions.only("dataset_id", "number", "lineage").order_by("pk"):
        seen = followed(version)
        held = set() if seen is None else among(version.folder, ids)
        if counted := len(held - changed_before(held, seen or 0)):
            DatasetVersion.objects.filter(pk=version.pk).update(changed_items=F("changed_items") + counted)


def changed_before(ids: Collection[int], seen: int) -> set[int]:
    """Those of the items that have changed behind a change already."""
    return set(Change.objects.filter(item__in=ids, pk__gt=seen).values_list("item_id", flat=True))
