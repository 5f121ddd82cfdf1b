"""A curator whose worker is killed while it goes through rows, and while it proposes: the same proposals at the end."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from curation.models import Project, Proposal, Run
from curation.services import importing, running, starting
from tests.cast import make_project
from tests.processes import Workers, kill, until

ROWS, DIFFERENT = 4000, 1000
SAID = ("subject", "action", "state", "score", "reason", "cause")


@pytest.fixture
def copied(transactional_db: None, tmp_path: Path) -> Project:
    """Pairs with a vote each, four of each that say the same."""
    chance, path = Random(1), tmp_path / "pairs.jsonl"
    words = [str(chance.randrange(10**6)) for _ in range(500)]
    texts = [[" ".join(chance.choices(words, k=8)) for _ in range(3)] for _ in range(DIFFERENT)]
    with path.open("wb") as lines:
        for n in range(ROWS):
            prompt, *responses = texts[n % DIFFERENT]
            votes = [{"annotator": "w", "value": 1 if n % 3 else -1}]
            row = {"id": f"r{n}", "prompt": prompt, "responses": responses, "votes": votes}
            lines.write(orjson.dumps(row) + b"\n")
    project = make_project("survivor")
    run = importing.request_import(project=project, user=None, path=path, filename="pairs.jsonl")
    running.execute(str(run.pk))
    project.refresh_from_db()
    return project


def asked(project: Project) -> Run:
    params = {"curator": "duplicates", "settings": {"by": "minhash"}, "accept": True}
    return starting.start(project=project, method="curate", params=params, user=None)


def said(run: Run) -> list[tuple[Any, ...]]:
    return list(Proposal.objects.filter(run=run).order_by("pk").values_list(*SAID))


def gone_through(run: Run) -> int:
    """How many rows the ledger of a run has."""
    path = run.folder / "duplicates.sqlite"
    if path.is_file():
        with suppress(sqlite3.OperationalError):  # locked, or its tables are still to come
            database = sqlite3.connect(path)
            try:
                return int(database.execute("SELECT COUNT(*) FROM entry").fetchone()[0])
            finally:
                database.close()
    return 0


def proposed(run: Run) -> int:
    return Proposal.objects.filter(run=run).count()


def test_a_curator_whose_worker_is_killed_proposes_the_same(copied: Project, worker: Workers) -> None:
    whole = asked(copied)
    running.execute(str(whole.pk))
    whole.refresh_from_db()
    assert whole.state == "succeeded" and whole.result["proposals"] == ROWS - DIFFERENT, whole.error
    run = asked(copied)
    stages: list[tuple[Any, int]] = []
    for stage in (gone_through, proposed):
        process = worker()
        until(lambda stage=stage: stage(run) or not Run.objects.get(pk=run.pk).live)
        kill(process)
        stages.append((Run.objects.get(pk=run.pk).live, stage(run)))
    (_, rows), (live, proposals) = stages
    assert rows < ROWS and live and proposals < ROWS - DIFFERENT, "it was through before it was killed"
    worker()
    until(lambda: not Run.objects.get(pk=run.pk).live, 120)
    worker.end()
    run.refresh_from_db()
    assert run.state == "succeeded", (run.error, [*run.lines.all()])
    assert "going on from" in running.log_of(run)
    assert said(run) == said(whole)
    assert {**run.result, "rows": 0} == {**whole.result, "rows": 0} and run.result["rows"] == ROWS
    assert not gone_through(run), "what was remembered is not needed any more"
