"""Real processes: a worker that is killed in the middle of an import, and the rows at the end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.conf import settings
from django.db import connection

from curation.models import Annotation, Item, Pair, Response, Run, Task
from curation.services import health, importing
from tests.cast import make_project

ROWS = 30_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Pairs with a vote each; every thousandth row is bad."""
    path = tmp_path / "pairs.jsonl"
    with path.open("wb") as lines:
        for n in range(ROWS):
            responses = ["same", "same"] if n % 1000 == 999 else [f"yes {n}", f"no {n}"]
            votes = [{"annotator": f"w{n % 7}", "value": 1 if n % 3 else -1}]
            row = {"id": f"r{n}", "prompt": f"Question {n}", "responses": responses, "votes": votes}
            lines.write(orjson.dumps(row) + b"\n")
    return path


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    """`worker()` starts a real Celery worker with its scheduler on the test database."""
    started: list[subprocess.Popen[bytes]] = []
    var = Path(os.environ["TOUCHSTONE_VAR"])
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "TOUCHSTONE_RUN_LEASE_SECONDS": "2",
        "TOUCHSTONE_TEST_VAR": str(settings.VAR_DIR),
        "C_FORCE_ROOT": "1",
    }
    (var / "broker" / "control").mkdir(parents=True, exist_ok=True)

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "celery", "-A", "tests.worker", "worker", "-B", "-Q", "cpu", "-c", "1"]
        command += ["-l", "error", "-s", str(tmp_path / "beat"), "--without-mingle", "--without-gossip"]
        process = subprocess.Popen(command, env=environment, cwd=settings.BASE_DIR, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def database_url() -> str:
    used = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{used['NAME']}"
    return f"postgres://{used['USER']}:{used['PASSWORD']}@{used['HOST']}:{used['PORT'] or 5432}/{used['NAME']}"


def wait(run: Run, until: Any, seconds: float = 90) -> Run:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run.refresh_from_db()
        if until(run):
            return run
        time.sleep(0.05)
    raise AssertionError(f"{run.state} {run.done} {run.error} {[*run.lines.all()]}")


def rows() -> tuple[int, ...]:
    return tuple(model._default_manager.count() for model in (Item, Response, Pair, Task, Annotation))


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_again_and_again_ends_with_the_same_rows(file: Path, worker: Any) -> None:
    project = make_project("survivor")
    run = importing.request_import(project=project, user=None, path=file, filename="pairs.jsonl")
    for _ in range(3):
        process = worker()
        before = run.done
        wait(run, lambda now, before=before: not now.live or now.done > before)
        time.sleep(random.uniform(0, 0.3))
        kill(process)
        run.refresh_from_db()
    worker()
    wait(run, lambda now: not now.live)
    good = ROWS - ROWS // 1000
    assert run.state == "succeeded", [*run.lines.all()]
    assert (run.result["created"], run.result["rejected"], run.result["votes"]) == (good, ROWS // 1000, good)
    assert rows() == (good, 2 * good, good, good, good)
    project.refresh_from_db()
    assert (project.item_count, project.task_count) == (good, good)
    assert health.worker().ok
    rejected = (run.folder / "rejected.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line)["line"] for line in rejected] == list(range(1000, ROWS + 1, 1000))
