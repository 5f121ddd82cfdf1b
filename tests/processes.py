"""Real processes for tests: Celery workers on the test's database, a Redis and a PostgreSQL of their own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from curation import queue

Process = subprocess.Popen[bytes]


class Workers:
    """Called, it starts a real Celery worker with its scheduler; `environment` may be changed before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[Process] = []
        self.environment = {
            **os.environ,
            "DATABASE_URL": database_url(),
            "TOUCHSTONE_RUN_LEASE_SECONDS": "2",
            "TOUCHSTONE_SHARD_PAUSE_SECONDS": "1",
            "TOUCHSTONE_TEST_VAR": str(settings.VAR_DIR),
            "C_FORCE_ROOT": "1",
        }

    def __call__(self, *, processes: int = 1) -> Process:
        command = [sys.executable, "-m", "celery", "-A", "tests.worker", "worker", "-B", "-Q", "cpu"]
        command += ["-c", str(processes), "-l", "error", "-s", str(self.folder / "beat")]
        command += ["--without-mingle", "--without-gossip"]
        process = subprocess.Popen(command, env=self.environment, cwd=settings.BASE_DIR, start_new_session=True)
        self.started.append(process)
        return process

    def end(self) -> None:
        for process in self.started:
            kill(process)


def kill(process: Process) -> None:
    """kill -9 of a process and all its children."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def database_url() -> str:
    used = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{used['NAME']}"
    return f"postgres://{used['USER']}:{used['PASSWORD']}@{used['HOST']}:{used['PORT'] or 5432}/{used['NAME']}"


def empty_broker() -> None:
    """Take away every call that is in the broker of this test process, and nothing else that its Redis may hold."""
    if settings.CELERY_BROKER_URL.startswith("redis"):
        from redis import Redis as Client

        with Client.from_url(settings.CELERY_BROKER_URL) as client:
            client.delete(*queue.QUEUES)
        return
    (settings.BROKER_DIR / "control").mkdir(parents=True, exist_ok=True)
    for call in settings.BROKER_DIR.glob("*.msg"):
        call.unlink()


def under_way() -> str:
    """What the broker holds and the database server does: what somebody asks who waited in vain."""
    if settings.CELERY_BROKER_URL.startswith("redis"):
        from redis import Redis as Client

        with Client.from_url(settings.CELERY_BROKER_URL) as client:
            calls = sum(client.llen(name) for name in queue.QUEUES)
    else:
        calls = len([*settings.BROKER_DIR.glob("*.msg")])
    if connection.vendor != "postgresql":
        return f"{calls} calls in the broker"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT datname, state, wait_event_type, now() - query_start, left(query, 300) FROM pg_stat_activity"
            " WHERE state <> 'idle' AND pid <> pg_backend_pid()"
        )
        return f"{calls} calls in the broker; {cursor.fetchall()}"


def until(what: Any, seconds: float = 180, told: Any = under_way) -> None:
    """Wait until `what()` is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, told() if callable(told) else told
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Redis:
    """A Redis without a disk: killed, it has lost everything."""

    def __init__(self) -> None:
        if not shutil.which("redis-server"):
            pytest.skip("NOT RUN: no redis-server on this machine")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        until(self.answers, 10)

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        kill(self.process)


class Postgres:
    """A PostgreSQL cluster of its own. As root its programs are run as the user `postgres`, for they refuse root."""

    def __init__(self, folder: Path) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not found:
            pytest.skip("NOT RUN: no PostgreSQL server programs on this machine")
        self.programs, self.folder, self.port = found[-1], folder, free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        self.run("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
        self.control("start")

    def run(self, program: str, *arguments: str) -> None:
        other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*other, str(self.programs / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, timeout=60)

    def control(self, verb: str, *arguments: str) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        log = str(self.folder / "log")
        if verb == "stop":
            self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", *arguments, "stop")
        else:
            self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", log, "-o", options, *arguments, verb)


@contextmanager
def own_postgres() -> Iterator[Postgres]:
    """Beside the folders of tests, which only their owner may enter."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="touchstone-postgres-") as folder:
        server = Postgres(Path(folder))
        try:
            yield server
        finally:
            server.control("stop", "-m", "immediate")
