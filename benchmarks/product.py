"""Touchstone under measure: served as in earnest, driven through its API."""

from __future__ import annotations

import datetime as dt
import os
import random
import shutil
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from benchmarks.client import Client, Unexpected
from benchmarks.data import write
from benchmarks.databases import Database
from benchmarks.measuring import Sampled, forget_peaks, peak_mb, resident_mb, spread, timed
from benchmarks.processes import Server, finish, free_port, gunicorn

OWNER = "owner"
ANNOTATORS = [f"annotator-{number:02d}" for number in range(17)]
"""One who works alone, sixteen who work together."""
WARM, WARM_ROWS = "warm", 20
"""A small project, whose runs show that a worker is there."""
RUN_MOST = 3600
POLL = 0.2
"""Seconds between two looks at a run. The time of its end is its own, so that looking seldom costs no precision."""
DOWNLOADS = 20
LIVE = ("queued", "running")
FILES = ("train.jsonl", "train.parquet")


@dataclass
class Annotator:
    """An annotator at the API."""

    client: Client
    slug: str
    dice: random.Random = field(default_factory=lambda: random.Random(7))

    def next(self) -> int | None:
        status, content = self.client.exchange(
            "POST", f"/api/v1/projects/{self.slug}/tasks/next", b"{}", {"Content-Type": "application/json"}
        )
        if status == 204:
            return None
        if status != 200:
            raise Unexpected(f"tasks/next answered {status}: {content[:200]!r}")
        number: int = orjson.loads(content)["task"]["id"]
        return number

    def submit(self, task: int) -> None:
        value = self.dice.randint(-2, 2)
        body = {"preferences": [{"axis": "overall", "value": value}], "active_ms": 1234}
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        status, content = self.client.exchange("POST", f"/api/v1/tasks/{task}/submit", orjson.dumps(body), headers)
        if status != 200:
            raise Unexpected(f"submit answered {status}: {content[:200]!r}")


class Touchstone:
    """A database with projects and people, a web server; workers come and go."""

    def __init__(self, database: Database, folder: Path, slugs: Sequence[str], broker: str = "") -> None:
        self.folder, self.port = folder, free_port()
        self.env = {
            "DATABASE_URL": database.url,
            "TOUCHSTONE_VAR": str(folder / "var"),
            "SECRET_KEY": "only for a benchmark on the loopback address",
            "DJANGO_SETTINGS_MODULE": "curation.settings",
            "CELERY_BROKER_URL": broker or "filesystem://",
            "C_FORCE_ROOT": "1",
            "TOUCHSTONE_IMPORT_UPLOAD_MB": "8192",
        }
        (folder / "var" / "broker" / "control").mkdir(parents=True, exist_ok=True)
        log = folder / "setup.log"
        finish([sys.executable, "manage.py", "migrate", "--verbosity", "0"], log=log, env=self.env)
        told = finish([sys.executable, "-m", "benchmarks.seats", WARM, *slugs], log=log, env=self.env)
        self.tokens: dict[str, str] = orjson.loads(told)
        self.web = Server(gunicorn("curation.wsgi:application", self.port), log=folder / "web.log", env=self.env)
        self.web.until_answering(self.port, "/healthz")
        self.owner, self.first_versions = self.client(OWNER), list[float]()
        self.import_file(WARM, write(folder / "warm.jsonl", WARM_ROWS, votes=True), WARM_ROWS)

    def __enter__(self) -> Touchstone:
        return self

    def __exit__(self, *_: object) -> None:
        self.owner.close()
        self.web.end()

    def client(self, name: str) -> Client:
        return Client(self.port, {"Authorization": f"Bearer {self.tokens[name]}"})

    @contextmanager
    def working(self) -> Iterator[Server]:
        """A worker, started anew so that its memory tells of one measure alone, and warm from a small version: what it
        loads once is loaded. How long that version took is the last of `first_versions`."""
        command = [sys.executable, "-m", "celery", "-A", "curation", "worker", "--beat", "--queues", "cpu"]
        options = ["--concurrency", "1", "--loglevel", "warning", "--without-gossip", "--without-mingle"]
        with Server([*command, *options], log=self.folder / "worker.log", env=self.env) as worker:
            name = f"{WARM}-{len(self.first_versions)}"
            self.first_versions.append(self.make_version(WARM, name, WARM_ROWS))
            yield worker

    def annotators(self, slug: str, names: Sequence[str]) -> list[Annotator]:
        return [Annotator(self.client(name), slug, random.Random(name)) for name in names]

    def import_file(self, slug: str, path: Path, rows: int) -> float:
        """Seconds from the first byte of the upload to the end of its run. Raises Unexpected on a lost row."""
        begun = time.time()
        with path.open("rb") as file:
            headers = {"Content-Type": "application/x-ndjson", "Content-Length": str(path.stat().st_size)}
            status, content = self.owner.exchange("POST", f"/api/v1/projects/{slug}/import", file, headers)
        if status not in (200, 202):
            raise Unexpected(f"the import answered {status}: {content[:300]!r}")
        run = self.ended(orjson.loads(content))
        seconds = moment(run["ended_at"]) - begun
        if run["result"].get("created") != rows or run["result"].get("rejected"):
            raise Unexpected(f"{rows} rows went in, the run says {str(run['result'])[:300]}")
        return seconds

    def ended(self, run: dict[str, Any]) -> dict[str, Any]:
        """The run once it has ended. Raises Unexpected unless it succeeded."""
        until = time.monotonic() + RUN_MOST
        while run["state"] in LIVE and time.monotonic() < until:
            time.sleep(POLL)
            run = self.owner.json("GET", f"/api/v1/runs/{run['id']}")
        if run["state"] != "succeeded":
            raise Unexpected(f"{run['method']} ended as {run['state']}: {run['error']}")
        return run

    def make_version(self, slug: str, name: str, rows: int) -> float:
        """Seconds from asking for a version to its end, both files written."""
        wanted = {"target": "trl-preference", "splits": {"train": 1.0}, "seed": 0, "filters": {}}
        address = f"/api/v1/projects/{slug}/datasets/{name}"
        begun = time.time()
        run = self.ended(self.owner.json("POST", f"{address}/versions", wanted))
        version = self.owner.json("GET", f"{address}/versions/1")
        if version["counts"]["rows"] != {"train": rows}:
            raise Unexpected(f"{rows} rows were expected, the version has {version['counts']}")
        return moment(run["ended_at"]) - begun

    def download(self, slug: str, name: str, filename: str) -> tuple[float, Path]:
        """Seconds to pull a file of version 1, and where it is."""
        path = self.folder / filename
        address = f"/api/v1/projects/{slug}/datasets/{name}/versions/1/files/{filename}"
        seconds, _ = timed(lambda: self.pull(address, path))
        return seconds, path

    def pull(self, address: str, path: Path) -> None:
        answer = self.owner.call("GET", address)
        with path.open("wb") as file:
            shutil.copyfileobj(answer, file, 2**20)
        self.owner.used = time.monotonic()
        if answer.status != 200:
            raise Unexpected(f"GET {address} answered {answer.status}")

    def export(self, slug: str, name: str, rows: int) -> dict[str, Any]:
        """Make a version and pull both of its files; seconds, and memory of the worker and the web."""
        with self.working() as worker:
            forget_peaks([worker.pid, self.web.pid])
            before = resident_mb([worker.pid])
            with Sampled([worker.pid]) as sampled:
                making = self.make_version(slug, name, rows)
            peak = peak_mb([worker.pid])
        pulls = [self.download(slug, name, filename) for filename in FILES]
        return {
            "making": making,
            "first": self.first_versions[-1],
            "pulling": sum(seconds for seconds, _ in pulls),
            "files": [path for _, path in pulls],
            "worker_mb": {"before": before, "peak": peak, "together": sampled.most_mb},
            "web_peak_mb": peak_mb([self.web.pid]),
        }

    def first_bytes(self, slug: str, name: str) -> dict[str, Any]:
        """From the request to the first byte of each file: over a new connection with the file out of the system's
        cache (cold), and over a kept one with it there (warm)."""
        told: dict[str, Any] = {}
        for filename in FILES:
            cold, warm = [], []
            for _ in range(DOWNLOADS):
                forget_file(self.folder / "var" / "datasets", filename)
                client = self.client(OWNER)
                cold.append(self.first_byte(client, slug, name, filename))
                client.close()
                client = self.client(OWNER)
                client.json("GET", f"/api/v1/projects/{slug}")
                warm.append(self.first_byte(client, slug, name, filename))
                client.close()
            told[filename] = {"cold": spread(cold), "warm": spread(warm)}
        return told

    def first_byte(self, client: Client, slug: str, name: str, filename: str) -> float:
        """Seconds until one byte of a file is there; the rest is not waited for."""
        begun = time.perf_counter()
        answer = client.call("GET", f"/api/v1/projects/{slug}/datasets/{name}/versions/1/files/{filename}")
        found = answer.read(1)
        seconds = time.perf_counter() - begun
        if answer.status != 200 or not found:
            raise Unexpected(f"{filename} answered {answer.status}")
        return seconds


def forget_file(root: Path, filename: str) -> None:
    """Let the system drop what it holds of files of this name in memory, where it can."""
    for path in root.rglob(filename) if hasattr(os, "posix_fadvise") else ():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def moment(stamp: str) -> float:
    """An ISO time as seconds of the system's clock."""
    return dt.datetime.fromisoformat(stamp).timestamp()
