"""Real processes: workers killed, Redis and the database restarted in the middle; the rows at the end are the same."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.conf import settings
from django.utils import timezone

from curation.models import Annotation, Item, Pair, Project, Response, Run, Shard, Task
from curation.services import health, importing, running
from tests.cast import make_project
from tests.processes import Redis, Workers, kill, own_postgres, under_way, until
from tests.sharded import counters_are_right
from tests.survivors import fill, score, scores, undisturbed

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


def wait(run: Run, until: Any, seconds: float = 180) -> Run:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run.refresh_from_db()
        if until(run):
            return run
        time.sleep(0.05)
    raise AssertionError(f"{run.state} {run.phase} {run.done} {run.error} {[*run.lines.all()]}; {under_way()}")


def rows() -> tuple[int, ...]:
    return tuple(model._default_manager.count() for model in (Item, Response, Pair, Task, Annotation))


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_again_and_again_ends_with_the_same_rows(file: Path, worker: Workers) -> None:
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


# --- Shards -----------------------------------------------------------------------------------------


@pytest.fixture
def crowd(transactional_db: None) -> Project:
    project = make_project("crowd")
    fill(project, 1500)
    return project


def at_work(run: Run, *, more_than: int = -1) -> bool:
    """Whether shards of the run are in hand, and more than so many are done."""
    run.refresh_from_db()
    return run.shards_done > more_than and Shard.objects.filter(run=run, state="running").exists()


def taken_since(run: Run, moment: datetime) -> bool:
    """Whether a shard was begun after a moment: those of a killed worker stay in hand until their lease is over."""
    return Shard.objects.filter(run=run, state="running", started_at__gte=moment).exists()


def ended_the_same(run: Run, worker: Workers) -> None:
    """Its workers are ended first, so that nobody helps with the undisturbed run that it is compared with."""
    worker.end()
    run.refresh_from_db()
    assert run.state == "succeeded", (run.error, [*run.lines.all()])
    assert scores(run) == undisturbed(run.home)
    assert counters_are_right(run) and run.shards_done == run.shards_total
    assert run.result["scored"] == 2 * run.done == 2 * run.home.items.count()


def test_workers_killed_at_random_moments_leave_the_rows_of_an_undisturbed_run(crowd: Project, worker: Workers) -> None:
    seed = random.randrange(10**6)
    moments = random.Random(seed)
    run = score(crowd, "slow", items_per_shard=20)
    kills = 0
    for _ in range(6):
        since = timezone.now()
        process = worker(processes=2)
        until(lambda since=since: taken_since(run, since) or not at_work(run) and not run.live, 60)
        time.sleep(moments.uniform(0, 0.25))
        kill(process)
        run.refresh_from_db()
        kills += run.live
    worker(processes=2)
    until(lambda: not at_work(run) and not run.live, 90, told=lambda: f"seed {seed}: {run.state} {run.phase}")
    assert kills >= 4, f"seed {seed}: it ended after {kills} kills"
    ended_the_same(run, worker)


def test_a_run_cancelled_in_mid_shard_leaves_whole_shards_and_resumes(crowd: Project, worker: Workers) -> None:
    run = score(crowd, "slow", items_per_shard=200)
    worker(processes=2)
    until(lambda: at_work(run, more_than=1), 60)
    running.cancel(run)
    wait(run, lambda now: not now.live, 20)
    assert run.state == "cancelled" and 2 <= run.shards_done < run.shards_total
    done = Shard.objects.filter(run=run, state="done")
    items = Item.objects.filter(project=crowd)
    whole = sum(2 * items.filter(pk__range=(one.spec["from"], one.spec["to"])).count() for one in done)
    assert sum(scores(run).values()) == whole == 2 * run.done and counters_are_right(run)
    running.retry(run)
    wait(run, lambda now: not now.live)
    ended_the_same(run, worker)


def test_a_shard_that_hangs_ends_its_process_and_is_done_by_another(crowd: Project, worker: Workers) -> None:
    Response.objects.filter(text_hash="70.1").update(text="hang here for ever")
    worker.environment |= {
        "TOUCHSTONE_TEST_HUNG": str(worker.folder / "hung"),
        "TOUCHSTONE_TEST_LIMIT": "2",
    }
    run = score(crowd, "hang", items_per_shard=100)
    worker()
    wait(run, lambda now: not now.live, 60)
    assert (worker.folder / "hung").exists() and run.lines.filter(text__contains="its worker was lost").exists()
    ended_the_same(run, worker)


@pytest.mark.redis
def test_a_redis_that_is_killed_and_started_again_stops_no_run(crowd: Project, worker: Workers) -> None:
    redis = Redis()
    try:
        worker.environment["CELERY_BROKER_URL"] = redis.url
        run = score(crowd, "slow", items_per_shard=20)
        worker(processes=2)
        for more in (2, 25):
            until(lambda more=more: at_work(run, more_than=more), 60)
            redis.kill()
            time.sleep(0.5)
            redis.start()
        wait(run, lambda now: not now.live)
        ended_the_same(run, worker)
    finally:
        redis.kill()


@pytest.mark.postgres
@pytest.mark.sqlite
def test_a_database_that_restarts_stops_no_run(tmp_path: Path, worker: Workers, db: None) -> None:
    """Twice, and at once: what its clients had under way is lost, and they are told so in the middle of a statement."""
    with own_postgres() as server:
        worker.environment |= {"DATABASE_URL": server.url, "TOUCHSTONE_VAR": str(tmp_path / "own")}

        def elsewhere(verb: str, argument: object) -> Any:
            command = [sys.executable, "-m", "tests.elsewhere", verb, str(argument)]
            done = subprocess.run(
                command, env=worker.environment, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)

        run = elsewhere("prepare", 1500)
        process = worker(processes=2)
        for more in (1, 20):
            until(lambda more=more: elsewhere("tell", run)["done"] > more, 60)
            server.control("restart", "-m", "immediate")
        until(lambda: elsewhere("tell", run)["state"] in ("succeeded", "failed", "cancelled"), 60)
        assert process.poll() is None
        worker.end()
        told = elsewhere("check", run)
        assert (told["state"], told["same"], told["counters"]) == ("succeeded", True, True), told
