"""What pages and API tell of bias: the newest report of a project or version, and the items behind a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from curation.errors import NotFound
from curation.models import BiasReport, DatasetVersion, Item, Project, Run, Task
from curation.services.bias import gathering
from curation.services.bias.asking import METHOD
from curation.services.bias.gathering import Told
from curation.services.browsing import LOOKED_AT
from workers.bias.counting import OF_ANSWERS, OF_PAIRS
from workers.bias.rows import Seen

TITLES = {
    "length": "Length", "markdown": "Markdown", "refusal": "Refusals", "family": "Model family",
    "position": "Shown position", "annotator": "Annotators: how often the longer one",
    "hour": "Hour of the day (UTC): how often the longer one",
}  # fmt: skip
"""Signals in the order in which they are shown."""
SHOWN, AT_ONCE = 50, 100
"""A page of items ends with the hundred pairs in which its fiftieth was found."""


def reports(project: Project) -> QuerySet[BiasReport]:
    """The reports of a project, the newest first."""
    found = BiasReport.objects.filter(project=project).select_related("project", "run", "version__dataset")
    return found.order_by("-pk")


def latest(project: Project, version: DatasetVersion | None = None) -> BiasReport | None:
    return reports(project).filter(version=version).first()


def under_way(project: Project) -> Run | None:
    return Run.objects.filter(project=project, method=METHOD.name, state__in=Run.LIVE).order_by("-created_at").first()


@dataclass(frozen=True, slots=True)
class Behind:
    """One pair behind a figure: its item, which side has the property, and how long both are."""

    item: Item
    chosen_has: bool
    lengths: tuple[int, int]
    models: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Behind]
    next: int | None
    looked: int


def items(report: BiasReport, signal: str, name: str, *, chosen: bool, after: int = 0) -> Page:
    """The pairs of a report in which one side alone has a property, and that side was chosen, or not. LOOKED_AT of them
    at most are looked through, behind the key `after`. Raises NotFound for what is no figure."""
    if signal not in OF_PAIRS and signal not in OF_ANSWERS:
        raise NotFound("no such figure")
    project, axis = report.project, report.told["axis"]
    given = {"after": after, "size": AT_ONCE}
    source = (
        gathering.of_version(report.version, **given) if report.version
        else gathering.of_project(project, axis, **given)
    )  # fmt: skip
    found: list[tuple[Told, bool]] = []
    looked = 0
    for key, some in source:
        looked += AT_ONCE
        for one in gathering.with_texts(project, some, axis):
            seen = [each for each in seen_in(one, signal) if each.name == name and each.chosen != each.rejected]
            if any(each.chosen == chosen for each in seen):
                found.append((one, chosen))
        if len(found) >= SHOWN or looked >= LOOKED_AT:
            return Page(rows_of(found), key, looked)
    return Page(rows_of(found), None, looked)


def seen_in(one: Told, signal: str) -> list[Seen]:
    if signal in OF_PAIRS:
        return list(OF_PAIRS[signal](one.pair))
    return [seen for answer in one.answers for seen in OF_ANSWERS[signal](answer)]


def rows_of(found: list[tuple[Told, bool]]) -> list[Behind]:
    paths = ("pair__item_id", "item_id")
    where = {pk: pair or item for pk, pair, item in
             Task.objects.filter(pk__in=[one.decided.task for one, _ in found]).values_list("pk", *paths)}  # fmt: skip
    things = Item.objects.defer("context", "metadata").in_bulk([pk for pk in where.values() if pk])
    return [
        Behind(
            things[where[one.decided.task]], chosen, (len(one.pair.chosen), len(one.pair.rejected)),
            (one.pair.chosen_model, one.pair.rejected_model),
        )
        for one, chosen in found
        if where.get(one.decided.task) in things
    ]  # fmt: skip


def in_short(report: BiasReport) -> list[dict[str, Any]]:
    """The figures that stand out, and those of length and position whatever they are: for a card."""
    always = ("longer at all", "shown on the left")
    return [row for row in report.told["figures"] if row["n"] and (row["marked"] or row["name"] in always)]
