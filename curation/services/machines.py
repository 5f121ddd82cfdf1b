"""Who works: every worker process group says so in a row of its own, and pages ask here who is there.

A thread reports, not the work: a worker of one process (`--pool solo`) is busy for minutes with one shard and sends
no heartbeat meanwhile. One write in ten seconds a worker costs SQLite nothing.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from django.db import DatabaseError, connection
from django.utils import timezone

from curation.models import Worker

log = logging.getLogger("touchstone.machines")

EVERY = 10.0
"""Seconds between two reports."""
SILENT_AFTER = 60
"""Seconds of silence after which a worker is not counted on."""
KEPT = timedelta(days=1)
"""A worker that was silent for longer is forgotten: containers have a new name each time."""
LONGEST_NAME = 120


@dataclass(frozen=True)
class Self:
    """What a worker says of itself; a scheduler serves no queue."""

    name: str
    queues: tuple[str, ...]
    processes: int = 1
    device: str = "cpu"


def report(me: Self) -> None:
    """Write that this worker is alive."""
    now = timezone.now()
    facts = {"queues": ",".join(me.queues), "processes": me.processes, "device": me.device[:100], "seen_at": now}
    name = me.name[:LONGEST_NAME]
    if not Worker.objects.filter(pk=name).update(**facts):
        Worker.objects.bulk_create([Worker(name=name, started_at=now, **facts)], ignore_conflicts=True)


def enter(me: Self) -> None:
    """The first report of a worker, which forgets those that are long gone."""
    Worker.objects.filter(seen_at__lt=timezone.now() - KEPT).delete()
    Worker.objects.filter(pk=me.name[:LONGEST_NAME]).update(started_at=timezone.now())
    report(me)


def leave(name: str) -> None:
    """A worker that ends says so, and nobody waits for it."""
    Worker.objects.filter(pk=name[:LONGEST_NAME]).delete()


def alive(queue: str = "") -> list[Worker]:
    """The workers that lately gave a sign of life, the latest first; of one queue, or of any."""
    fresh = Worker.objects.filter(seen_at__gt=timezone.now() - timedelta(seconds=SILENT_AFTER)).order_by("-seen_at")
    return [worker for worker in fresh if serves(worker, queue)]


def serves(worker: Worker, queue: str) -> bool:
    served = [name for name in worker.queues.split(",") if name]
    return queue in served if queue else bool(served)


class Reporting:
    """A thread that reports until it is told to stop. No process is forked while it writes."""

    def __init__(self, me: Self) -> None:
        self.me = me
        self.over = threading.Event()
        self.writing = threading.Lock()
        self.thread = threading.Thread(target=self.go_on, name="reporting", daemon=True)

    def start(self) -> None:
        lock = self.writing
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
        self.thread.start()

    def go_on(self) -> None:
        said = enter
        while True:
            try:
                with self.writing:
                    said(self.me)
                    said = report
            except DatabaseError as error:
                log.warning("%s could not report: %s", self.me.name, str(error).splitlines()[0])
            finally:
                connection.close()
            if self.over.wait(EVERY):
                return

    def stop(self) -> None:
        """Say that the worker has gone, if the database can be told."""
        self.over.set()
        self.thread.join(timeout=5)
        try:
            leave(self.me.name)
        except DatabaseError:
            log.warning("%s could not take its leave", self.me.name)
        finally:
            connection.close()


class Seldom:
    """Reports at signs of life that come more often than needed."""

    def __init__(self, me: Self) -> None:
        self.me = me
        self.said_at: float | None = None

    def __call__(self) -> None:
        if self.said_at is not None and time.monotonic() - self.said_at < EVERY:
            return
        try:
            (enter if self.said_at is None else report)(self.me)
            self.said_at = time.monotonic()
        except DatabaseError as error:
            connection.close()
            log.warning("%s could not report: %s", self.me.name, str(error).splitlines()[0])


@lru_cache
def cards() -> tuple[str, ...]:
    """The GPUs that this process may use, `index name`, as the driver's own program tells; none without one."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not shutil.which("nvidia-smi"):
        return ()
    query = ["nvidia-smi", "--query-gpu=index,name", "--format=csv,noheader"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = [tuple(part.strip() for part in line.split(",", 1)) for line in told.splitlines() if "," in line]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(f"{index} {name}" for index, name in found if visible is None or index in visible.split(","))


def device_of(queues: Sequence[str]) -> str:
    """What the models of a worker run on."""
    if "gpu" not in queues:
        return "cpu"
    return cards()[0].split(" ", 1)[1] if cards() else "no GPU found"
