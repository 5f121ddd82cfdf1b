"""What pages and API tell of bias: the newest report of a project or version, and the items behind a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from curation.errors import NotFound
from curation.models import BiasReport, DatasetVersion, Item, Project, Run, Task
from curation.services import deciding
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
SHOWN = 50


def reports(project: Project) -> QuerySet[BiasReport]:
    """The reports of a project, the newest first."""
    found = BiasReport.objects.filter(project=project).select_related("run", "version__dataset")
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


def items(project: Project, axis: str, signal: str, name: str, *, chosen: bool, after: int = 0) -> Page:
    """The decided pairs of the project in which one side alone has a property, and that side was chosen or not; by
    their tasks, behind the task `after`. LOOKED_AT tasks at most are looked through. Raises NotFound for no signal."""
    if signal not in OF_PAIRS and signal not in OF_ANSWERS:
        raise NotFound("no such figure")
    found: list[tuple[Told, bool]] = []
    filters = gathering.filters_of(project, axis)
    looked, last = 0, after
    while looked < LOOKED_AT:
        tasks = deciding.annotated_tasks(project, after=last, most=gathering.AT_ONCE)
        looked += len(tasks)
        for one in gathering.with_texts(project, gathering.decided_on(project, filters, tasks), axis):
            if len(found) >= SHOWN and one.decided.task != found[-1][0].decided.task:
                return Page(rows_of(found), found[-1][0].decided.task, looked)
            seen = [each for each in seen_in(one, signal) if each.name == name and each.chosen != each.rejected]
            if any(each.chosen == chosen for each in seen):
                found.append((one, chosen))
        if len(tasks) < gathering.AT_ONCE:
            return Page(rows_of(found), None, looked)
        last = tasks[-1]
    return Page(rows_of(found), last, looked)


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
