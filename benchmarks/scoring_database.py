"""Scoring end to end: the method `score` over a throw-away database, in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import databases
from benchmarks.scoring_models import spec
from workers.judging import Given

NAME = "touchstone_bench_scoring"


@contextmanager
def django(kind: str, folder: Path) -> Iterator[str]:
    """Django over an empty database; gives what database it is. Once in a process."""
    database = databases.create(kind, folder, NAME)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "curation.settings",
        "DATABASE_URL": database.url,
        "TOUCHSTONE_VAR": str(folder / "var"),
    }
    os.environ.pop("CELERY_BROKER_URL", None)
    import django as framework
    from django.core.management import call_command
    from django.db import connections

    framework.setup()
    call_command("migrate", verbosity=0)
    try:
        yield database.version()
    finally:
        connections.close_all()
        databases.drop(database)


def project_with(rows: list[Given], slug: str) -> Any:
    """A project whose items are the rows."""
    from curation.models import Item, Project, Response

    project = Project.objects.create(slug=slug, name=slug)
    items = Item.objects.bulk_create(
        Item(project=project, external_id=str(row.key), prompt=list(row.prompt)) for row in rows
    )
    Response.objects.bulk_create(
        Response(item=item, text=candidate.text, position=at)
        for item, row in zip(items, rows, strict=True)
        for at, candidate in enumerate(row.candidates)
    )
    return project


def scoring(rows: list[Given], folder: Path, kind: str) -> Callable[[], int]:
    """Scores a project from the start of a run to its end, the model being warm; gives the number of scores."""
    from curation.models import ModelVersion, Score
    from curation.services import running, scoring, sharding, starting

    slug = f"{kind}-{len(rows)}"
    project = project_with(rows, slug)
    asked = spec(folder, kind)
    model = ModelVersion.objects.create(
        name=slug,
        kind="reward",
        reference=asked.reference,
        config=dict(asked.config),
        state=ModelVersion.State.READY,
    )
    scoring.opened(model)

    def once() -> int:
        Score.objects.filter(model=model).delete()
        run = starting.start(project=project, method="score", params={"model": model.pk}, user=None, queue="cpu")
        running.execute(str(run.pk))
        while sharding.work("cpu"):
            pass
        running.execute(str(run.pk))
        run.refresh_from_db()
        found = Score.objects.filter(model=model).count()
        wanted = sum(len(row.candidates) for row in rows)
        if found != wanted or run.state != "succeeded":
            raise RuntimeError(f"the run {run.state} with {found} scores of {wanted}: {run.error}")
        return found

    return once
