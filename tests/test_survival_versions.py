"""A dataset version whose worker is killed while it is made: the same bytes at the end, and nothing half made left."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from curation.models import DatasetVersion, Project, Run
from curation.services import freezing, importing, running
from tests.cast import make_project
from tests.processes import Workers, kill, until

ROWS = 12_000


@pytest.fixture
def voted(transactional_db: None, tmp_path: Path) -> Project:
    """Pairs with a vote each."""
    path = tmp_path / "pairs.jsonl"
    with path.open("wb") as lines:
        for n in range(ROWS):
            votes = [{"annotator": f"w{n % 7}", "value": 1 if n % 3 else -1}]
            row = {"id": f"r{n}", "prompt": f"Question {n}", "responses": [f"yes {n}", f"no {n}"], "votes": votes}
            lines.write(orjson.dumps(row) + b"\n")
    project = make_project("survivor")
    run = importing.request_import(project=project, user=None, path=path, filename="pairs.jsonl")
    running.execute(str(run.pk))
    project.refresh_from_db()
    return project


def asked(project: Project) -> DatasetVersion:
    splits: Any = {"train": 0.8, "test": 0.2}
    return freezing.request_version(project=project, dataset_name="prefs", splits=splits, user=None)


def under_way(version: DatasetVersion) -> bool:
    """Whether its files are being written."""
    return any(version.folder.parent.glob(f"{version.folder.name}-*/train.*"))


@pytest.mark.django_db(transaction=True)
def test_a_version_whose_worker_is_killed_has_the_same_bytes(voted: Project, worker: Workers) -> None:
    whole = asked(voted)
    running.execute(str(whole.run_id))
    whole.refresh_from_db()
    assert whole.state == "ready" and whole.counts["total"] == ROWS
    version = asked(voted)
    for pause in (0.0, 0.4):
        process = worker()
        until(lambda: under_way(version) or not Run.objects.get(pk=version.run_id).live)
        time.sleep(pause)
        kill(process)
    worker()
    until(lambda: not Run.objects.get(pk=version.run_id).live, 120)
    version.refresh_from_db()
    assert version.state == "ready", Run.objects.get(pk=version.run_id).error
    assert "going on from" in running.log_of(Run.objects.get(pk=version.run_id))
    assert version.hash == whole.hash
    assert [path.name for path in sorted(version.folder.parent.iterdir())] == ["v1", "v2"]
