"""Switch: a project of another tool, out of its export, as a project here: its protocol and its rows in one go.

The run is an import whose rows come from `workers/switching/`. The same export again changes nothing: items are known
by the ids that the tool gave them, and the protocol of a project that is there already stays as it is.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from curation import access
from curation.errors import Conflict, Invalid
from curation.models import Project, Run, User
from curation.services import importing, projects, running
from curation.services.importing.asking import bring
from curation.services.importing.doing import land_all
from curation.services.importing.reading import Seen, landing
from curation.services.importing.rows import Landing
from curation.services.importing.sources import Outcome, each
from curation.services.method import Method
from curation.services.protocols import checked, fresh
from curation.services.running import Report
from workers.readers import Options, readers
from workers.rows import JudgementRow, RowError
from workers.switching import Opened, Plan, Tool, Wanted, opened, tools
from workers.switching.export import Export, Unreadable

PREVIEWED = 2000
"""Rows that a page looks at."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An export with what was said of it: the tool, which fields are what, and files beside it by name."""

    path: Path
    name: str = ""
    tool: str = "auto"
    wanted: Wanted = field(default_factory=Wanted)
    beside: Mapping[str, Path] = field(default_factory=dict)

    def export(self) -> Export:
        """The files of the export. Raises Unreadable."""
        return Export(self.path, longest=settings.IMPORT_LINE_MB * 2**20, name=self.name, beside=self.beside)


@dataclass(slots=True)
class Look:
    """What an export becomes, before anything is written."""

    tool: Tool
    plan: Plan
    protocol: dict[str, Any]
    """In its full shape."""
    counts: Counter[str] = field(default_factory=Counter)
    """items, votes and answers as the import will count them, how many of both are suggestions (of models), refused"""
    left: dict[str, int] = field(default_factory=dict)
    rows: list[Landing] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    whole: bool = True
    """Whether all rows were looked at."""


def look(asked: Asked, *, most: int | None = PREVIEWED, shown: int = 3) -> Look:
    """What an export becomes, from its first rows, or from all with `most` None. Raises Invalid."""
    with unreadable(), asked.export() as export:
        tool, found = opened(export, asked.tool, asked.wanted)
        seen, left = Look(tool, found.plan, protocol_of(found.plan)), Counter(found.plan.left)
        ids = Seen()
        ahead = outcomes(found, left)
        for outcome in islice(ahead, most):
            try:
                row = landing(outcome, "auto", found.plan.kind, ids)
            except RowError as problem:
                seen.counts["refused"] += 1
                seen.problems.append({"line": outcome.line, "field": problem.field, "reason": problem.reason})
                continue
            assert not isinstance(row, JudgementRow)
            count(row, seen.counts)
            seen.rows += [row] if len(seen.rows) < shown else []
        seen.whole = most is None or next(ahead, None) is None
        seen.left = told(left)
    del seen.problems[20:]
    return seen


def count(row: Landing, counts: Counter[str]) -> None:
    counts["items"] += 1
    pair = bool(row.pairs)
    answers = {(one.kind, one.annotator, 0 if pair else one.response) for one in row.answers}
    for name, kinds in (
        ("votes", [vote.kind for vote in row.votes]),
        ("answers", [kind for kind, _, _ in answers]),
    ):
        counts[name] += len(kinds)
        counts["suggestions"] += sum(kind != "person" for kind in kinds)


def told(left: Mapping[str, int]) -> dict[str, int]:
    """What is not taken over, the most frequent first."""
    return dict(sorted(left.items(), key=lambda entry: -entry[1]))


def protocol_of(plan: Plan) -> dict[str, Any]:
    """The protocol of a plan in its full shape. Raises Invalid where it is none."""
    values = fresh() | dict(plan.protocol)
    return checked(values, plan.kind)


def outcomes(found: Opened, left: Counter[str]) -> Iterator[Outcome]:
    """The rows of an export, read as rows of our own format."""
    return each(found.rows(left), readers.get("touchstone"), Options())


class unreadable:  # noqa: N801 - used as a statement
    """An export that cannot be used as a whole is a wrong input."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Unreadable):
            raise Invalid(error.reason, field=error.field) from None


# --- Asking for it ------------------------------------------------------------------------------------


def request_switch(*, asked: Asked, slug: str, name: str, user: User, move: bool = False) -> Run:
    """Make the project and queue the import of its rows. Raises Invalid, Conflict."""
    tool, plan, size = read(asked)
    with transaction.atomic():
        run = prepare(asked, tool, plan, project_for(slug, name, user, tool, plan), move)
        run.total = size
        return running.start(project=run.home, method="switch", params=run.params, user=user, unit="bytes", run=run)


def switch_now(*, asked: Asked, slug: str, name: str, user: User) -> Run:
    """Make the project and import its rows before returning. Raises Invalid, Conflict."""
    tool, plan, size = read(asked)
    with transaction.atomic():
        run = prepare(asked, tool, plan, project_for(slug, name, user, tool, plan), move=False)
        run.method, run.created_by, run.unit, run.code_version = "switch", user, "bytes", settings.VERSION
        run.total = size
        run.save(force_insert=True)
    running.execute(str(run.pk))
    run.refresh_from_db()
    return run


def check_may_switch_into(slug: str, user: User) -> None:
    """An earlier project takes more rows only from those who may import there. Raises Conflict."""
    there = Project.objects.filter(slug=slug, deleted_at=None).first()
    if there and access.FEED not in access.capabilities(user, there):
        raise Conflict("another project has this address", field="slug")


def read(asked: Asked) -> tuple[Tool, Plan, int]:
    """The tool, its plan, and how many bytes hold rows. Raises Invalid."""
    with unreadable(), asked.export() as export:
        tool, found = opened(export, asked.tool, asked.wanted)
        return tool, found.plan, found.size


def project_for(slug: str, name: str, user: User, tool: Tool, plan: Plan) -> Project:
    """A new project with the protocol of a plan, or that of an earlier switch. Raises Invalid, Conflict."""
    project = switched(slug, tool)
    if project is None:
        return projects.create_project(slug=slug, name=name, user=user, kind=plan.kind, protocol=protocol_of(plan))
    if project.kind != plan.kind:
        raise Conflict("the project is there already, and compares something else than this export", field="slug")
    return project


def prepare(asked: Asked, tool: Tool, plan: Plan, project: Project, move: bool) -> Run:
    """An unsaved run with the export in its folder."""
    run = Run(project=project)
    run.folder.mkdir(parents=True, exist_ok=True)
    if asked.path.is_dir():
        shutil.copytree(asked.path, run.folder / "upload")
    else:
        bring(asked.path, run.folder / "upload", move)
    beside = {}
    for n, (given, path) in enumerate(asked.beside.items()):
        bring(path, run.folder / f"beside-{n}", move)
        beside[given] = f"beside-{n}"
    run.params = {
        "filename": asked.name or asked.path.name,
        "format": tool.name,
        "prompts": list(plan.prompts),
        "responses": list(plan.responses),
        "beside": beside,
    }
    return run


def switched(slug: str, tool: Tool) -> Project | None:
    """The project of an earlier switch from the tool. Raises Conflict for one that was made otherwise."""
    project = Project.objects.select_related("protocol").filter(slug=slug, deleted_at=None).first()
    if project is None:
        return None
    before = Run.objects.filter(project=project, method="switch").values_list("params__format", flat=True).first()
    if before != tool.name:
        raise Conflict("another project has this address", field="slug")
    return project


# --- The run ------------------------------------------------------------------------------------------


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Import the rows from the run's checkpoint on. What is not taken over is counted from the start each time."""
    params = run.params
    asked = Asked(
        path=run.folder / "upload",
        name=params["filename"],
        tool=params["format"],
        wanted=Wanted(tuple(params["prompts"]), tuple(params["responses"])),
        beside={name: run.folder / file for name, file in params["beside"].items()},
    )
    with unreadable(), asked.export() as export:
        _, found = opened(export, asked.tool, asked.wanted)
        left = Counter(found.plan.left)
        result = land_all(run, report, params["format"], outcomes(found, left))
    return result | {"left": told(left)}


def wanted_from(prompts: str | Sequence[str], responses: str | Sequence[str]) -> Wanted:
    """Fields as somebody names them, separated by commas."""
    both = (text.split(",") if isinstance(text, str) else text for text in (prompts, responses))
    first, second = (tuple(name.strip() for name in names if name.strip()) for names in both)
    return Wanted(first, second)


METHOD = Method(
    name="switch",
    title="Switch from another tool",
    about=f"Reads an export of {', '.join(tool.title for tool in tools)} into a project.",
    unit="bytes",
    execute=execute,
    ended=importing.METHOD.ended,
    startable=False,
)

__all__ = ["METHOD", "Asked", "Look", "check_may_switch_into", "look", "request_switch", "switch_now", "wanted_from"]
