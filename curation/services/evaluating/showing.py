"""What pages and API tell of evaluations: to whom they may be told, the newest of each, models by benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import AnonymousUser
from django.db.models import Max, Q, QuerySet

from curation.errors import NotFound
from curation.models import Evaluation, ModelVersion, Project, User
from curation.services import registry
from curation.services.evaluating.closing import RESULTS
from workers.benchmarking import benchmarks

MOST = 2000
"""So many results are shown at most, the newest."""


def visible(user: User | AnonymousUser) -> QuerySet[Evaluation]:
    """Of models that `user` may know of; on a project's own pairs for those only who may read its answers."""
    may = Q(project=None) | Q(project__in=registry.readable(user))
    found = Evaluation.objects.filter(may, model__in=registry.visible(user))
    return found.select_related("model__project", "model__made_by", "project", "run__project").order_by("-pk")


def find(user: User | AnonymousUser, pk: int) -> Evaluation:
    """Raises NotFound for what there is not and for what is none of the user's business alike."""
    found = visible(user).filter(pk=pk).first()
    if found is None:
        raise NotFound("no such evaluation")
    return found


def newest(rows: QuerySet[Evaluation]) -> QuerySet[Evaluation]:
    """The newest of each model on each benchmark."""
    last = rows.order_by().values("model", "benchmark", "project", "axis").annotate(last=Max("pk")).values("last")
    return rows.filter(pk__in=last)


def of_model(user: User | AnonymousUser, model: ModelVersion) -> list[Evaluation]:
    return list(newest(visible(user).filter(model=model))[:MOST])


def results_file(evaluation: Evaluation) -> Path:
    """Where the rows lie. Raises NotFound when they are not on this machine."""
    path = evaluation.run.folder / RESULTS
    if not path.is_file():
        raise NotFound("no such file: the rows of this evaluation are not on this machine")
    return path


def title_of(name: str) -> str:
    """What a benchmark is called; its name, where it is on the shelf no more."""
    return next((one.title for one in benchmarks if one.name == name), name)


@dataclass(frozen=True)
class Column:
    """A benchmark, or the own pairs of one project on one axis."""

    key: str
    title: str
    main: str
    project: Project | None = None


@dataclass(frozen=True)
class Row:
    model: ModelVersion
    cells: list[Evaluation | None]


@dataclass(frozen=True)
class Board:
    columns: list[Column]
    rows: list[Row]
    sort: str
    down: bool
    """Whether the highest are first."""


def key_of(one: Evaluation) -> str:
    return one.benchmark if one.project is None else f"{one.benchmark}:{one.project.slug}:{one.axis}"


def column(one: Evaluation) -> Column:
    title = title_of(one.benchmark)
    if one.project is not None:
        title = f"{one.project.name}: {one.axis}" if one.axis not in ("", "overall") else one.project.name
    return Column(key_of(one), title, one.main, one.project)


def board(user: User | AnonymousUser, *, sort: str = "", down: bool = True, retired: bool = False) -> Board:
    """Models by benchmarks, ordered by one of them (models without it last), or by their names."""
    rows = visible(user) if retired else visible(user).filter(model__retired_at=None)
    found = list(newest(rows)[:MOST])
    columns = sorted({key_of(one): column(one) for one in found}.values(), key=lambda one: (bool(one.project), one.key))
    cells = {(one.model_id, key_of(one)): one for one in found}
    models = {one.model_id: one.model for one in found}
    made = [Row(model, [cells.get((pk, one.key)) for one in columns]) for pk, model in models.items()]
    made.sort(key=lambda row: (row.model.name, -row.model.number))
    place = next((n for n, one in enumerate(columns) if one.key == sort), None)
    if place is None:
        return Board(columns, made if down or sort != "model" else made[::-1], "model", down)
    there = [row for row in made if row.cells[place] is not None]
    there.sort(key=lambda row: row.cells[place].value, reverse=down)  # type: ignore[union-attr]
    return Board(columns, there + [row for row in made if row.cells[place] is None], sort, down)
